"""Mutated traffic at a running server: it stays well, for everybody else and afterwards.

The short run is in the suite; minutes of it come with ``--soak``.
"""

import contextlib
import random
import struct
import time
from pathlib import Path

import pytest

from secure_chat.protocol import messages
from secure_chat.protocol.frames import encode_frame
from secure_chat.protocol.messages import Message, encode_header
from secure_chat.protocol.wiretypes import DeliveryId
from tests.support.accounts import Account
from tests.support.memory import needs_proc, resident
from tests.support.processes import ServerProcess
from tests.support.raw_client import RawClient
from tests.support.wire import ClosedByServer, Wire

GROWTH = 48 * 1024 * 1024
SPICES = (
    b'"', b"{", b"}", b"[", b"]", b"\\", b"\\u0000", b"null", b"-1", b"1e999", b"NaN",
    b"18446744073709551616", b"\x00", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b",", b":",
    b'"type"', b"true", b"[" * 50, b"9" * 400, b" ", b"A" * 3000, "آزادی".encode(),
)  # fmt: skip


class Attacker:
    """Sends what an honest client would, altered somewhere.

    Over minutes one account would meet the rate of its logins: it has several.
    """

    def __init__(self, port: int, chance: random.Random, accounts: int) -> None:
        self._port = port
        self._chance = chance
        self._accounts: list[Account] = []
        for _ in range(accounts):
            with RawClient.register(port, f"attacker{chance.randrange(10**6)}") as client:
                self._accounts.append(client.account)

    def once(self) -> None:
        """One connection, with or without a login, and a few dozen altered frames."""
        chance = self._chance
        account = chance.choice(self._accounts)
        with contextlib.suppress(ClosedByServer, TimeoutError, ConnectionError):
            if chance.random() < 0.3:
                with Wire(self._port, timeout=5) as wire:
                    opening = encode_header(
                        chance.choice((account.login(wire), account.register(wire)))
                    )
                    wire.send_raw(self._altered(opening, b""))
                    wire.logged_in()  # some alterations change nothing
                    wire.expect_closed(0.2)
                return
            with RawClient.login(self._port, account) as client:
                for _ in range(chance.randrange(1, 40)):
                    header, body = self._frame(client)
                    client.wire.send_raw(self._altered(header, body))
                    if chance.random() < 0.3:
                        client.wire.poll()

    def _frame(self, client: RawClient) -> tuple[bytes, bytes]:
        chance, ref = self._chance, self._chance.randrange(2**32)
        to = chance.choice(("honest/main", client.address, "nobody/main"))
        known: list[Message] = [
            messages.Pm(DeliveryId(chance.randbytes(16)), to, chance.choice((0, 1, 7))),
            messages.Pm(DeliveryId(chance.randbytes(16)), to, transient=True),
            messages.Ack(chance.choice((0, 1, 2**53 - 1, chance.randrange(100)))),
            messages.List(ref, chance.choice(("", "zzz")), chance.choice((1, 100))),
            messages.Watch(ref, presence=chance.random() < 0.5),
            messages.Ping(),
            messages.KeysGet(ref, to),
            messages.ManifestGet(ref, "honest"),
            messages.ManifestPut(
                ref, client.account.device.manifest, client.account.device.manifest_signature
            ),
            client.account.more_keys(ref, chance.randrange(3), chance.randrange(2)),
        ]
        message = chance.choice(known)
        size = chance.choice((0, 1, 300, 60_000)) if message.has_body else 0
        return encode_header(message), chance.randbytes(size)

    def _altered(self, header: bytes, body: bytes) -> bytes:
        chance = self._chance
        data = bytearray(header)
        kind = chance.randrange(8)
        if kind == 0 and data:
            for _ in range(chance.randrange(1, 5)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        elif kind == 1:
            at = chance.randrange(len(data) + 1)
            data[at:at] = chance.choice(SPICES)
        elif kind == 2:
            first, last = sorted(chance.randrange(len(data) + 1) for _ in range(2))
            del data[first:last]
        elif kind == 3:
            first, last = sorted(chance.randrange(len(data) + 1) for _ in range(2))
            data[first:last] = data[first:last] * 2
        elif kind == 4:
            return struct.pack(">IH", chance.getrandbits(32), chance.getrandbits(16)) + data + body
        elif kind == 5:
            return encode_frame(header, body)[: chance.randrange(len(header) + 6)]
        elif kind == 6:
            return chance.randbytes(chance.randrange(2_000))
        length = 2 + len(data) + len(body)
        return struct.pack(">IH", length, len(data) & 0xFFFF) + data + body


@needs_proc
@pytest.mark.parametrize(
    "seconds", [2, pytest.param(240, marks=(pytest.mark.soak, pytest.mark.timeout(900)))]
)
def test_mutated_traffic_leaves_the_server_well(tmp_path: Path, seconds: int) -> None:
    """No bug is met, no memory is kept, no other user's message is touched or held up."""
    chance = random.Random(seconds)
    with ServerProcess(tmp_path / "server") as server:
        with (
            RawClient.register(server.port, "honest") as honest,
            RawClient.register(server.port, "friend") as friend,
        ):
            attackers = [Attacker(server.port, chance, 1 + seconds // 10) for _ in range(2)]
            for attacker in attackers:
                attacker.once()
            before = resident(server.pid)
            ending, rounds = time.monotonic() + seconds, 0
            while time.monotonic() < ending:
                rounds += 1
                for attacker in attackers:
                    attacker.once()
                begun = time.monotonic()
                talk(honest, friend, f"round {rounds}".encode())
                assert time.monotonic() - begun < 2
            assert rounds > 1
            assert resident(server.pid) - before < GROWTH
        assert server.stop() == 0
        assert "internal error" not in server.log
        assert "Traceback" not in server.log
        assert "failed" not in server.log


def talk(honest: RawClient, friend: RawClient, text: bytes) -> None:
    """A message between two honest people, with what attackers sent to one of them in between."""
    friend.put(honest.address, text)
    while True:
        delivery, body = honest.next_delivery()
        if delivery.seq:
            honest.ack(delivery.seq)
        if delivery.sender == friend.address:
            assert body == text
            break
    friend.wire.expect(messages.Accepted)
