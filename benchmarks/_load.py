"""The load generator, a process of its own: ``_load.py SERVER PORT``.

It obeys lines of JSON on standard input, ``{"do": NAME, ...}``, and answers each with one: the
methods of `Load` are the orders. All clients talk real TLS from addresses of loopback, many of
them, since servers count what one address may do.
"""

import json
import selectors
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._machine import allow_many_files
from benchmarks._talkers import TALKERS, Talker

_STALL_SECONDS = 60
_AT_ONCE = 8  # logins under way
_QUIET_SECONDS = 3  # after which nothing more is expected
_SLUGGISH = 0.002  # seconds by which a selector may wake up late
_PER_ADDRESS = 100
Answer = dict[str, Any]


def _percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


class Load:
    """The clients of one server."""

    def __init__(self, server: str, port: int) -> None:
        self._kind = TALKERS[server]
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._senders: list[Talker] = []
        self._receivers: list[Talker] = []
        self._idle: list[Talker] = []
        self._many = sys.platform == "linux"  # elsewhere loopback is one address

    # ------------------------------------------------------------ connections

    def _connect(self, name: str, number: int) -> Talker:
        network = 1 + number // _PER_ADDRESS
        source = f"127.0.{network // 250}.{1 + network % 250}" if self._many else "127.0.0.1"
        return self._kind(self._port, name, source)

    def _watch(self, talkers: Iterable[Talker]) -> None:
        for talker in talkers:
            self._selector.register(talker.fd, selectors.EVENT_READ, talker)
            self._flush(talker)

    def connect_pairs(self, pairs: int) -> Answer:
        """Senders and receivers, logged in."""
        self._senders = [self._connect(f"s{n:04d}", 2 * n) for n in range(pairs)]
        self._receivers = [self._connect(f"r{n:04d}", 2 * n + 1) for n in range(pairs)]
        self._watch(self._senders + self._receivers)
        return {"group": self._senders[0].tls.get_group_name()}

    def connect_idle(self, count: int, first: int = 0) -> Answer:
        """Log in accounts that say nothing; the same names each time."""
        begun = time.perf_counter()
        numbers = range(first, first + count)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            new = list(pool.map(lambda n: self._connect(f"i{n:05d}", n), numbers))
        for talker in new:
            talker.flush()
        self._idle += new
        return {"seconds": time.perf_counter() - begun}

    def disconnect_idle(self) -> Answer:
        """End those connections; their accounts stay."""
        for talker in self._idle:
            talker.close()
        self._idle = []
        return {}

    # ------------------------------------------------------------ loads

    def window(self, window: int, messages: int) -> Answer:
        """Each pair carries ``messages``, at most ``window`` of them not accepted at a time."""
        return {"seconds": self._carry(self._senders, self._receivers, window, messages)}

    def _carry(self, senders: list[Talker], to: list[Talker], window: int, messages: int) -> float:
        """Send in pairs until all is accepted and delivered; no receivers: only accepted."""
        names = {s: f"r{n:04d}" if to else "i00000" for n, s in enumerate(senders)}
        goal = {s: s.accepted + messages for s in senders}
        sent = dict.fromkeys(senders, 0)
        arrive = {r: r.delivered + messages for r in to}
        busy = set(senders) | set(to)

        def push(talker: Talker) -> None:
            if talker in goal:
                open_ = sent[talker] - (talker.accepted - goal[talker] + messages)
                for _ in range(min(window - open_, messages - sent[talker])):
                    talker.put(names[talker])
                    sent[talker] += 1
                if talker.accepted >= goal[talker]:
                    busy.discard(talker)
            elif talker in arrive and talker.delivered >= arrive[talker]:
                busy.discard(talker)

        begun = time.perf_counter()
        for sender in senders:
            push(sender)
            self._flush(sender)
        while busy:
            self._turn(_STALL_SECONDS, push)
        return time.perf_counter() - begun

    def steady(self, rate: float, seconds: float) -> Answer:
        """Messages at a fixed rate, in turn over all pairs; latency from when each was due."""
        for receiver in self._receivers:
            receiver.latencies.clear()
        before = sum(r.delivered for r in self._receivers)
        total, count, sent = int(rate * seconds), len(self._senders), 0
        begun = time.perf_counter()
        while sum(r.delivered for r in self._receivers) - before < total:
            while sent < total and (due := begun + sent / rate) <= time.perf_counter():
                sender = self._senders[sent % count]
                sender.put(f"r{sent % count:04d}", due)
                self._flush(sender)
                sent += 1
            wait = begun + sent / rate - time.perf_counter() if sent < total else _STALL_SECONDS
            # epoll counts whole milliseconds and rounds up, so the last one is waited out awake: a
            # message that leaves late would be laid at the server's door.
            self._turn(max(0.0, wait - _SLUGGISH), lambda _: None, idle_ok=sent < total)
        taken = [late for r in self._receivers for late in r.latencies]
        return {
            "p50_ms": statistics.median(taken) * 1e3,
            "p99_ms": _percentile(taken, 0.99) * 1e3,
            "messages": total,
        }

    def offline(self, senders: int, window: int, messages: int) -> Answer:
        """Some senders write to one name that is not there, until everything is accepted."""
        return {"seconds": self._carry(self._senders[:senders], [], window, messages)}

    def drain(self, messages: int) -> Answer:
        """That name logs in and takes all of it."""
        begun = time.perf_counter()
        reader = self._connect("i00000", 0)
        self._watch([reader])
        while reader.delivered < messages:
            self._turn(_STALL_SECONDS, lambda _: None)
        seconds = time.perf_counter() - begun
        self._selector.unregister(reader.fd)
        self._flush_wholly(reader)
        reader.close()
        return {"seconds": seconds}

    def forget_pairs(self) -> Answer:
        """The server of the senders and receivers is dead."""
        for talker in self._senders + self._receivers:
            self._selector.unregister(talker.fd)
            talker.drop()
        self._senders, self._receivers = [], []
        return {}

    def collect(self, messages: int) -> Answer:
        """That name logs in and takes what is there, until all is or nothing comes any more."""
        reader = self._connect("i00000", 0)
        self._watch([reader])
        while reader.delivered < messages and self._turn(
            _QUIET_SECONDS, lambda _: None, idle_ok=True
        ):
            pass
        self._selector.unregister(reader.fd)
        reader.close()
        return {"arrived": reader.delivered}

    def slow(self, rate: float, seconds: float, flood: int) -> Answer:
        """`steady`, while somebody floods a name that is logged in and never reads."""
        self._idle.append(self._connect("i00000", 0))
        self._idle[-1].flush()
        flooder = self._connect("flood", _PER_ADDRESS)
        self._watch([flooder])
        for _ in range(flood):
            flooder.put("i00000")
        self._flush(flooder)
        answer = self.steady(rate, seconds)
        self._selector.unregister(flooder.fd)
        flooder.close()
        self.disconnect_idle()
        return answer

    # ------------------------------------------------------------ the selector

    def _turn(
        self, seconds: float, after: Callable[[Talker], None], *, idle_ok: bool = False
    ) -> bool:
        """Serve those that are ready; whether there were any."""
        ready = self._selector.select(seconds)
        if not ready and not idle_ok:
            raise RuntimeError(f"{self._kind.__name__}: nothing arrived for a minute")
        for key, events in ready:
            talker: Talker = key.data
            if events & selectors.EVENT_READ:
                talker.read()
                after(talker)
            self._flush(talker)
        return bool(ready)

    def _flush(self, talker: Talker) -> None:
        waits = talker.flush()
        if waits != talker.writing:
            talker.writing = waits
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if waits else 0)
            if talker.fd in self._selector.get_map():
                self._selector.modify(talker.fd, events, talker)

    def _flush_wholly(self, talker: Talker) -> None:
        while talker.flush():
            time.sleep(0.001)

    def close(self) -> None:
        """End all connections."""
        for talker in self._senders + self._receivers + self._idle:
            talker.close()
        self._selector.close()


def main() -> None:
    """The process."""
    allow_many_files()
    load = Load(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        order = json.loads(line)
        answer = getattr(load, order.pop("do"))(**order)
        print(json.dumps(answer), flush=True)
    load.close()


if __name__ == "__main__":
    main()
