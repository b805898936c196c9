"""Message keys of messages that have not arrived yet (Double Ratchet 2.6, 4.3).

Bounded by number, by the number of chains (each costs one trial decryption of a header) and by
age; when there is no room, the oldest go first.
"""

from collections.abc import Iterable

from secure_chat.crypto.kdf import HeaderKey, MessageKey
from secure_chat.errors import RepeatedMessage
from secure_chat.protocol import limits
from secure_chat.protocol.encoding import Reader, u8, u32

_MS = 1000


class SkippedChain:
    """One chain's stored keys, by message number; with each the time it was stored, in seconds."""

    __slots__ = ("header", "keys")

    def __init__(self, header: HeaderKey) -> None:
        self.header = header
        self.keys: dict[int, tuple[int, MessageKey]] = {}

    def key(self, number: int) -> MessageKey:
        """The key of a message; raise `RepeatedMessage` if it is not stored."""
        if number not in self.keys:
            raise RepeatedMessage(number=number)
        return self.keys[number][1]

    def drop_until(self, second: int) -> None:
        """Forget the keys stored before ``second``."""
        while self.keys:
            number = next(iter(self.keys))
            if self.keys[number][0] >= second:
                return
            del self.keys[number]


class SkippedKeys:
    """All stored keys of a session, the oldest chain first."""

    __slots__ = ("chains",)

    def __init__(self) -> None:
        self.chains: list[SkippedChain] = []

    def __len__(self) -> int:
        return sum(len(chain.keys) for chain in self.chains)

    def of(self, header: HeaderKey) -> SkippedChain | None:
        """The chain with this header key."""
        return next((chain for chain in self.chains if chain.header == header), None)

    def add(self, header: HeaderKey, keys: Iterable[tuple[int, MessageKey]], now_ms: int) -> None:
        """Store the keys of one chain."""
        chain = self.of(header)
        if chain is None:
            chain = SkippedChain(header)
            self.chains.append(chain)
        second = now_ms // _MS
        chain.keys.update((number, (second, key)) for number, key in keys)

    def take(self, chain: SkippedChain, number: int) -> None:
        """Forget a key that has decrypted its message."""
        del chain.keys[number]
        if not chain.keys:
            self.chains.remove(chain)

    def tidy(self, now_ms: int, stored: int = limits.SKIP_STORED) -> None:
        """Forget what is too old, then the oldest of what is too much."""
        for chain in self.chains:
            chain.drop_until(now_ms // _MS - limits.SKIP_SECONDS)
        self.chains = [chain for chain in self.chains if chain.keys][-limits.SKIP_CHAINS :]
        excess = len(self) - stored
        while excess > 0:
            oldest = self.chains[0]
            for number in list(oldest.keys)[:excess]:
                del oldest.keys[number]
                excess -= 1
            if not oldest.keys:
                del self.chains[0]

    # u8 chains ‖ (header key 32 ‖ u32 keys ‖ (u32 number ‖ u32 second ‖ key 32)…)…

    def encode(self) -> bytes:
        """The stored form."""
        parts = [u8(len(self.chains))]
        for chain in self.chains:
            parts += [chain.header.raw, u32(len(chain.keys))]
            parts += [u32(n) + u32(when) + key.raw for n, (when, key) in chain.keys.items()]
        return b"".join(parts)

    @classmethod
    def decode(cls, reader: Reader) -> "SkippedKeys":
        """Read what `encode` wrote; raise `BadEncoding`."""
        skipped = cls()
        for _ in range(reader.number(1)):
            chain = SkippedChain(HeaderKey(reader.take(32)))
            for _ in range(reader.number(4)):
                number = reader.number(4)
                chain.keys[number] = (reader.number(4), MessageKey(reader.take(32)))
            skipped.chains.append(chain)
        return skipped
