"""Message keys of messages that have not arrived yet (Double Ratchet 2.6, 4.3).

Bounded by number, by the number of chains (each costs one trial decryption of a header) and by
age; when there is no room, the oldest go first.

Keys lie in runs, as they were skipped: consecutive numbers, stored at one time. So a gap of 1,000
messages is one run, and storing or reading it is one copy of 32,000 bytes.
"""

import struct
from collections.abc import Iterator

from secure_chat.crypto.kdf import KEY, HeaderKey, MessageKey
from secure_chat.errors import BadEncoding, RepeatedMessage
from secure_chat.protocol import limits
from secure_chat.protocol.encoding import Reader, u8

_MS = 1000
_RUN = struct.Struct(">IIH")
_CHAIN = struct.Struct(">32sH")


class KeyRun:
    """The keys of messages ``first``, ``first + 1``, …, stored at a time in seconds."""

    __slots__ = ("first", "keys", "second")

    def __init__(self, first: int, second: int, keys: bytes) -> None:
        self.first = first
        self.second = second
        self.keys = keys  # 32 bytes each

    def __repr__(self) -> str:
        return f"<KeyRun of {len(self)} redacted>"

    def __len__(self) -> int:
        return len(self.keys) // KEY

    def __contains__(self, number: int) -> bool:
        return 0 <= number - self.first < len(self)

    def key(self, number: int) -> MessageKey:
        """The key of a message of this run."""
        at = (number - self.first) * KEY
        return MessageKey(self.keys[at : at + KEY])

    def without(self, number: int) -> "Iterator[KeyRun]":
        """What remains when one key is gone: up to two runs."""
        at = (number - self.first) * KEY
        if at:
            yield KeyRun(self.first, self.second, self.keys[:at])
        if at + KEY < len(self.keys):
            yield KeyRun(number + 1, self.second, self.keys[at + KEY :])

    def drop(self, count: int) -> None:
        """Forget the first keys."""
        self.first += count
        self.keys = self.keys[count * KEY :]


class SkippedChain:
    """One chain's stored keys, those skipped first in front; so their numbers ascend."""

    __slots__ = ("header", "runs")

    def __init__(self, header: HeaderKey) -> None:
        self.header = header
        self.runs: list[KeyRun] = []

    def __len__(self) -> int:
        return sum(len(run) for run in self.runs)

    def key(self, number: int) -> MessageKey:
        """The key of a message; raise `RepeatedMessage` if it is not stored."""
        for run in self.runs:
            if number in run:
                return run.key(number)
        raise RepeatedMessage(number=number)

    def take(self, number: int) -> None:
        """Forget the key of a message."""
        at = next(at for at, run in enumerate(self.runs) if number in run)
        self.runs[at : at + 1] = self.runs[at].without(number)

    def drop_until(self, second: int) -> None:
        """Forget the keys stored before ``second``."""
        if self.runs and self.runs[0].second < second:
            self.runs = [run for run in self.runs if run.second >= second]

    def drop(self, count: int) -> int:
        """Forget the oldest keys, at most ``count``; return how many they were."""
        dropped = 0
        while self.runs and dropped < count:
            some = min(count - dropped, len(self.runs[0]))
            self.runs[0].drop(some)
            if not self.runs[0].keys:
                del self.runs[0]
            dropped += some
        return dropped


class SkippedKeys:
    """All stored keys of a session, the oldest chain first."""

    __slots__ = ("chains",)

    def __init__(self) -> None:
        self.chains: list[SkippedChain] = []

    def __len__(self) -> int:
        return sum(len(chain) for chain in self.chains)

    def of(self, header: HeaderKey) -> SkippedChain | None:
        """The chain with this header key."""
        return next((chain for chain in self.chains if chain.header == header), None)

    def add(self, header: HeaderKey, first: int, keys: bytes, now_ms: int) -> None:
        """Store the keys of one chain's messages from ``first`` on, 32 bytes each."""
        chain = self.of(header)
        if chain is None:
            chain = SkippedChain(header)
            self.chains.append(chain)
        chain.runs.append(KeyRun(first, now_ms // _MS, keys))

    def take(self, chain: SkippedChain, number: int) -> None:
        """Forget a key that has decrypted its message."""
        chain.take(number)
        if not chain.runs:
            self.chains.remove(chain)

    def tidy(self, now_ms: int, stored: int = limits.SKIP_STORED) -> None:
        """Forget what is too old, then the oldest of what is too much."""
        for chain in self.chains:
            chain.drop_until(now_ms // _MS - limits.SKIP_SECONDS)
        self.chains = [chain for chain in self.chains if chain.runs][-limits.SKIP_CHAINS :]
        excess = len(self) - stored
        while excess > 0:
            excess -= self.chains[0].drop(excess)
            if not self.chains[0].runs:
                del self.chains[0]

    # u8 chains ‖ (header key 32 ‖ u16 runs ‖ (u32 first ‖ u32 second ‖ u16 keys ‖ key 32…)…)…

    def encode(self) -> bytes:
        """The stored form."""
        parts = [u8(len(self.chains))]
        for chain in self.chains:
            parts.append(_CHAIN.pack(chain.header.raw, len(chain.runs)))
            for run in chain.runs:
                parts += [_RUN.pack(run.first, run.second, len(run)), run.keys]
        return b"".join(parts)

    @classmethod
    def decode(cls, reader: Reader) -> "SkippedKeys":
        """Read what `encode` wrote; raise `BadEncoding`."""
        skipped = cls()
        for _ in range(reader.number(1)):
            header, runs = _CHAIN.unpack(reader.take(_CHAIN.size))
            chain = SkippedChain(HeaderKey(header))
            for _ in range(runs):
                first, second, keys = _RUN.unpack(reader.take(_RUN.size))
                chain.runs.append(KeyRun(first, second, reader.take(keys * KEY)))
            skipped._append(chain)
        return skipped

    def _append(self, chain: SkippedChain) -> None:
        """Nothing that is stored is empty."""
        if not chain.runs or not all(chain.runs):
            raise BadEncoding(what="session state")
        self.chains.append(chain)

    # version 1: u8 chains ‖ (header key 32 ‖ u32 keys ‖ (u32 number ‖ u32 second ‖ key 32)…)…

    @classmethod
    def decode_version_1(cls, reader: Reader) -> "SkippedKeys":
        """Read the first stored form, which had a time for each key; raise `BadEncoding`."""
        skipped = cls()
        for _ in range(reader.number(1)):
            chain = SkippedChain(HeaderKey(reader.take(KEY)))
            for _ in range(reader.number(4)):
                number, second, key = reader.number(4), reader.number(4), reader.take(KEY)
                last = chain.runs[-1] if chain.runs else None
                if last and last.second == second and last.first + len(last) == number:
                    last.keys += key
                else:
                    chain.runs.append(KeyRun(number, second, key))
            skipped._append(chain)
        return skipped
