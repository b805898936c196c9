"""Delivery ids of messages that are done, so that a repeated one is answered alike."""

from collections.abc import Iterator
from typing import Final

REMEMBERED: Final = 16_384


class RecentIds:
    """What was acknowledged lately, in two generations, so that memory stays flat."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._young: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}

    def add(self, key: bytes, digest: int) -> None:
        """Remember a message's key and the digest of its body."""
        self._young[key] = digest
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}

    def knows(self, key: bytes) -> bool:
        """Whether a key is remembered."""
        return key in self._young or key in self._old

    def __iter__(self) -> Iterator[bytes]:
        """The remembered keys."""
        yield from self._old
        yield from self._young

    def digest(self, key: bytes) -> int | None:
        """The digest of the body that had this key; None: not remembered."""
        digest = self._young.get(key)
        return self._old.get(key) if digest is None else digest
