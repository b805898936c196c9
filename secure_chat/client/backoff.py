"""When to try again: waits that double, with jitter, so that clients do not return all at once."""

from collections.abc import Callable

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 60.0


class Backoff:
    """Full waits are 0.5, 1, 2, ... 60 s; each is drawn from its upper half.

    ``uniform(low, high)`` is the source of the jitter (it is no secret: `random.uniform` will do).
    """

    def __init__(
        self,
        uniform: Callable[[float, float], float],
        first: float = FIRST_SECONDS,
        longest: float = LONGEST_SECONDS,
    ) -> None:
        self._uniform = uniform
        self._first = first
        self._longest = longest
        self._next = first

    def failed(self, at_least: float = 0.0) -> float:
        """How long to wait now; never less than the server asked for."""
        full, self._next = self._next, min(self._next * 2, self._longest)
        return max(self._uniform(full / 2, full), at_least)

    def succeeded(self) -> None:
        """The next failure starts from the beginning."""
        self._next = self._first
