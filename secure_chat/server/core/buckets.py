"""Token buckets by key, in bounded memory."""

from collections.abc import Hashable, Iterator
from typing import Final

from secure_chat.server.core.settings import Rate

KEYS: Final = 50_000
_LOOK_SECONDS: Final = 1.0  # between looks through all of them, which take milliseconds


class Buckets:
    """One token bucket for each key; those that are full again are forgotten."""

    def __init__(self, rate: Rate) -> None:
        self.burst, self._per_second = rate.burst, rate.per_second
        self._levels: dict[Hashable, list[float]] = {}  # tokens, at what time
        self._pairs: dict[Hashable, dict[Hashable, None]] = {}  # keys that are tuples
        self._look_again = 0.0

    def take(self, key: Hashable, now: float, cost: float = 1) -> float:
        """Take ``cost`` tokens: 0 if they were there, else the seconds until they are.

        A cost above the burst is never met.
        """
        bucket = self._levels.get(key) or self._new(key, now)
        if bucket is None:
            return 1.0
        if now != bucket[1]:
            bucket[0] = self._level(bucket, now)
            bucket[1] = now
        if bucket[0] >= cost:
            bucket[0] -= cost
            return 0
        return (cost - bucket[0]) / self._per_second if self._per_second else 3600.0

    def look(self, key: Hashable, now: float) -> float:
        """The seconds until there is a token, without taking one; 0: there is one."""
        bucket = self._levels.get(key)
        if bucket is None:
            return 0
        level = self._level(bucket, now)
        if level >= 1:
            return 0
        return (1 - level) / self._per_second if self._per_second else 3600.0

    def levels(self, who: Hashable, now: float) -> Iterator[tuple[Hashable, float]]:
        """The keys that are ``who``, or a tuple that begins with it, and the tokens of each."""
        for key in (who, *self._pairs.get(who, ())):
            if key in self._levels:
                yield key, self._level(self._levels[key], now)

    def _level(self, bucket: list[float], now: float) -> float:
        """How many tokens are in a bucket by now."""
        tokens, at = bucket
        return min(self.burst, tokens + (now - at) * self._per_second)

    def _new(self, key: Hashable, now: float) -> list[float] | None:
        """A full bucket, or None if there are too many busy keys: nobody else gets in then."""
        if len(self._levels) >= KEYS:
            if now >= self._look_again:
                self._look_again = now + _LOOK_SECONDS
                self.forget_full(now)
            if len(self._levels) >= KEYS:
                return None
        bucket = self._levels[key] = [self.burst, now]
        if isinstance(key, tuple):
            self._pairs.setdefault(key[0], {})[key] = None
        return bucket

    def forget_full(self, now: float) -> None:
        """Drop the keys whose bucket has filled up again."""
        full = [
            key for key, bucket in self._levels.items() if self._level(bucket, now) >= self.burst
        ]
        for key in full:
            del self._levels[key]
            if isinstance(key, tuple):
                pairs = self._pairs[key[0]]
                del pairs[key]
                if not pairs:
                    del self._pairs[key[0]]

    def __len__(self) -> int:
        return len(self._levels)
