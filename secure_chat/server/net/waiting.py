"""Who waits for something and may not wait for ever: deadlines and caps in one small register."""

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from secure_chat.server.networks import network_of

T = TypeVar("T", bound=Hashable)


class Waiting(Generic[T]):
    """A register of those who wait; all wait equally long. It belongs to one thread.

    When a cap is passed, the one who has waited longest goes: whoever is honest is done in
    milliseconds, so that a crowd of stalled sockets pushes out itself and nobody else.
    """

    def __init__(self, *, total: int, per_address: int, seconds: float) -> None:
        self._total = total
        self._per_address = per_address
        self._seconds = seconds
        self._items: dict[T, tuple[str, float]] = {}  # in order of their deadlines
        self._by_address: dict[str, dict[T, None]] = {}  # each in the same order

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item: T) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._items))

    def neighbours(self, item: T) -> int:
        """How many wait at the address of ``item``, itself included."""
        address, _ = self._items[item]
        return len(self._by_address[address])

    def add(self, item: T, peer: str, now: float) -> list[T]:
        """Enter ``item``; return those that a cap pushed out, already removed."""
        address = network_of(peer)
        pushed_out: list[T] = []
        neighbours = self._by_address.get(address, {})
        if len(neighbours) >= self._per_address:
            pushed_out.append(next(iter(neighbours)))
        elif len(self._items) >= self._total:
            pushed_out.append(next(iter(self._items)))
        for oldest in pushed_out:
            self.remove(oldest)
        self._items[item] = (address, now + self._seconds)
        self._by_address.setdefault(address, {})[item] = None
        return pushed_out

    def remove(self, item: T) -> None:
        """Forget ``item``, if it is here: it got what it waited for, or left."""
        address, _ = self._items.pop(item, ("", 0.0))
        neighbours = self._by_address.get(address)
        if neighbours is not None:
            neighbours.pop(item, None)
            if not neighbours:
                del self._by_address[address]

    def expired(self, now: float) -> list[T]:
        """Remove and return those whose time is over."""
        late: list[T] = []
        for item, (_, deadline) in self._items.items():
            if deadline > now:
                break
            late.append(item)
        for item in late:
            self.remove(item)
        return late
