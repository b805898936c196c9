"""A small fuzzer: it changes bytes, and keeps what reached lines that nothing reached before.

Inputs come from a target's seeds: bits and bytes change, pieces go, come twice or come from another
input, numbers become extreme. Every eighth input runs under a trace of the package's own lines.
"""

import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from tests.crypto.decoders import Target

TRACED = 8
LARGEST = 70_000
_EXTREME = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**64 - 1]


@dataclass
class Fuzzer:
    """One target with what it has learnt. A finding is raised, with the bytes in a note."""

    target: Target
    seed: int
    calls: int = 0
    slowest: float = 0.0  # seconds of this thread's time in one call, untraced
    lines: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._random = random.Random(f"{self.target.name} {self.seed}")
        self._corpus = list(self.target.seeds)
        for each in self._corpus:
            self._run(each, traced=True)

    @property
    def corpus(self) -> int:
        """How many inputs are kept."""
        return len(self._corpus)

    def run(self, more: Callable[[int], bool]) -> None:
        """Try inputs as long as ``more`` says, which is told the number of calls."""
        while more(self.calls):
            data = self._changed(self._random.choice(self._corpus))[:LARGEST]
            self._run(data, traced=self.calls % TRACED == 0)

    def _run(self, data: bytes, *, traced: bool) -> None:
        self.calls += 1
        known = len(self.lines)
        try:
            if traced:
                with _traced(self.lines):
                    self.target.take(data)
            else:
                began = time.thread_time()
                self.target.take(data)
                self.slowest = max(self.slowest, time.thread_time() - began)
        except Exception as finding:
            finding.add_note(f"{self.target.name}, seed {self.seed}: {data.hex()}")
            raise
        if len(self.lines) > known and data not in self._corpus:
            self._corpus.append(data)

    def _changed(self, data: bytes) -> bytes:
        changes: list[Callable[[bytes], bytes]]
        changes = [self._flip, self._set, self._cut, self._repeat, self._splice, self._number]
        for _ in range(1 + int(self._random.expovariate(0.7))):
            data = self._random.choice(changes)(data)
        return data

    def _at(self, data: bytes) -> int:
        return self._random.randrange(len(data) + 1)

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return b"\0"
        at = self._random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << self._random.randrange(8)]) + data[at + 1 :]

    def _set(self, data: bytes) -> bytes:
        at = self._at(data)
        inserted = self._random.randbytes(self._random.randint(1, 4))
        return data[:at] + inserted + data[at + self._random.choice([0, len(inserted)]) :]

    def _piece(self, data: bytes) -> tuple[int, int]:
        start = self._at(data)
        return start, min(len(data), start + 1 + int(self._random.expovariate(0.05)))

    def _cut(self, data: bytes) -> bytes:
        start, end = self._piece(data)
        return data[:start] if self._random.random() < 0.2 else data[:start] + data[end:]

    def _repeat(self, data: bytes) -> bytes:
        start, end = self._piece(data)
        return data[:end] + data[start:end] * self._random.randint(1, 3) + data[end:]

    def _splice(self, data: bytes) -> bytes:
        other = self._random.choice(self._corpus)
        start, end = self._piece(other)
        at = self._at(data)
        return data[:at] + other[start:end] + data[at + self._random.choice([0, end - start]) :]

    def _number(self, data: bytes) -> bytes:
        size = self._random.choice([1, 2, 4, 8])
        number = self._random.choice(_EXTREME).to_bytes(8, "big")[-size:]
        at = self._at(data)
        return data[:at] + number + data[at + size :]


@contextmanager
def _traced(lines: set[tuple[str, int]]) -> Iterator[None]:
    """Collect the package's lines that run in this thread."""

    def in_function(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
        return in_function

    def on_call(frame: FrameType, _: str, __: Any) -> Any:
        return in_function if "secure_chat/" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        yield
    finally:
        sys.settrace(before)
