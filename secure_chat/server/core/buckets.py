"""Token buckets by key, in bounded memory."""

import ipaddress
from collections.abc import Hashable
from typing import Final

from secure_chat.server.core.settings import Rate

KEYS: Final = 50_000


class Buckets:
    """One token bucket for each key; those that are full again are forgotten."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._levels: dict[Hashable, tuple[float, float]] = {}  # tokens, at what time

    def take(self, key: Hashable, now: float) -> float:
        """Take a token: 0 if there was one, else the seconds until there is."""
        burst, per_second = self._rate.burst, self._rate.per_second
        known = self._levels.get(key)
        level = burst
        if known is not None:
            level = min(burst, known[0] + (now - known[1]) * per_second)
        if level < 1:
            return (1 - level) / per_second if per_second else 3600.0
        if known is None and len(self._levels) >= KEYS:
            self.forget_full(now)
            if len(self._levels) >= KEYS:  # too many busy keys at once: nobody else gets in
                return 1.0
        self._levels[key] = (level - 1, now)
        return 0

    def forget_full(self, now: float) -> None:
        """Drop the keys whose bucket has filled up again."""
        burst, per_second = self._rate.burst, self._rate.per_second
        full = [
            key
            for key, (level, at) in self._levels.items()
            if level + (now - at) * per_second >= burst
        ]
        for key in full:
            del self._levels[key]

    def __len__(self) -> int:
        return len(self._levels)


def network_of(peer: str) -> str:
    """What counts as one address for limits: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
