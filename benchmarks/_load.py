"""The load generator, a process of its own: pairs of scripted clients over real TLS.

It obeys lines on standard input (``run WINDOW MESSAGES``) and answers each with a line of JSON.
The second half of each pair acknowledges what it got, once for all that arrived together, as a
client does after its vault's transaction.
"""

import contextlib
import json
import os
import re
import selectors
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from OpenSSL import SSL

from secure_chat.protocol.encoding import b64url
from secure_chat.protocol.frames import FrameDecoder, encode_frame
from secure_chat.protocol.limits import FRAME_AFTER_LOGIN
from tests.support.raw_client import RawClient

PAYLOAD = 400
_SEQ = re.compile(rb'"seq":(\d+)')
_ACCEPTED = b'{"type":"accepted"'
_DELIVERY = b'{"type":"pm"'
_STALL_SECONDS = 60


class Peer:
    """One logged-in connection inside the selector loop."""

    def __init__(self, client: RawClient, to: str) -> None:
        self.tls = client.wire._tls
        self.fd = client.wire.fileno()
        self.frames = FrameDecoder(FRAME_AFTER_LOGIN)
        self.out = bytearray()
        self.writing = False
        self.body = os.urandom(PAYLOAD)
        self.header_end = f'","to":"{to}"}}'.encode()
        self.to_send = 0
        self.accepted = 0
        self.delivered = 0

    def queue_message(self) -> None:
        """Put one more private message into the output."""
        name = b64url(os.urandom(16)).encode()
        self.out += encode_frame(b'{"type":"pm","id":"' + name + self.header_end, self.body)
        self.to_send -= 1

    def read(self) -> None:
        """Take all that has arrived; queue what follows from it."""
        newest = b""
        while True:
            try:
                data = self.tls.recv(65536)
            except SSL.WantReadError:
                break
            for header, _body in self.frames.feed(data):
                if header.startswith(_ACCEPTED):
                    self.accepted += 1
                    if self.to_send:
                        self.queue_message()
                elif header.startswith(_DELIVERY):
                    self.delivered += 1
                    newest = header
                else:
                    raise RuntimeError(f"the server said {header!r}")
        if newest:
            found = _SEQ.search(newest)
            assert found is not None
            self.out += encode_frame(b'{"type":"ack","seq":' + found[1] + b"}")

    def flush(self) -> bool:
        """Write; whether something is left over."""
        while self.out:
            try:
                sent = self.tls.send(bytes(self.out[:16384]))
            except (SSL.WantWriteError, SSL.WantReadError):
                return True
            del self.out[:sent]
        return False


class Load:
    """All pairs of this process."""

    def __init__(self, port: int, pairs: int, tag: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._clients: list[RawClient] = []
        self.senders: list[Peer] = []
        self.receivers: list[Peer] = []
        for n in range(pairs):
            one = RawClient.register(port, f"s{tag}-{n:03d}")
            other = RawClient.register(port, f"r{tag}-{n:03d}")
            self._clients += [one, other]
            self.senders.append(Peer(one, other.address))
            self.receivers.append(Peer(other, one.address))
        self.group = self._clients[0].wire.group
        for peer in self.senders + self.receivers:
            self._selector.register(peer.fd, selectors.EVENT_READ, peer)

    def run(self, window: int, messages: int) -> float:
        """Each sender sends ``messages`` with ``window`` unaccepted at most; seconds it took."""
        for sender, receiver in zip(self.senders, self.receivers, strict=True):
            sender.to_send, sender.accepted, receiver.delivered = messages, 0, 0
        begun = time.perf_counter()
        for sender in self.senders:
            for _ in range(min(window, messages)):
                sender.queue_message()
            self._flush(sender)
        while not self._done(messages):
            ready = self._selector.select(_STALL_SECONDS)
            if not ready:
                raise RuntimeError("nothing arrived for a minute")
            for key, events in ready:
                if events & selectors.EVENT_READ:
                    key.data.read()
                self._flush(key.data)
        return time.perf_counter() - begun

    def _done(self, messages: int) -> bool:
        return all(s.accepted == messages for s in self.senders) and all(
            r.delivered == messages for r in self.receivers
        )

    def _flush(self, peer: Peer) -> None:
        waits = peer.flush()
        if waits != peer.writing:
            peer.writing = waits
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if waits else 0)
            self._selector.modify(peer.fd, events, peer)

    def close(self) -> None:
        """End all connections."""
        self._selector.close()
        for client in self._clients:
            client.wire.close()


def main() -> None:
    """``_load.py PORT PAIRS TAG``."""
    port, pairs, tag = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    load = Load(port, pairs, tag)
    with contextlib.closing(load):
        print(json.dumps({"ready": True, "group": load.group}), flush=True)
        for line in sys.stdin:
            _run, window, messages = line.split()
            seconds = load.run(int(window), int(messages))
            print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
