"""Guessing names, where the directory is by name: an account that misses often has to wait."""

from secure_chat.server.core.rates import Rates
from secure_chat.server.core.settings import Settings


class Lookups:
    """Counts, for each account, the names that it asked for and nobody has.

    Whoever has used its misses up is told nothing about any name until it has some again, for else
    the answers would tell the names that exist. Where everybody is listed nothing is counted.
    """

    def __init__(self, settings: Settings, rates: Rates) -> None:
        self.by_name = settings.directory == "by-name"
        self._misses = rates.misses

    def wait(self, account_id: int, now: float) -> float:
        """Seconds until an account may ask for a name; 0: it may now."""
        return self._misses.look(account_id, now) if self.by_name else 0.0

    def missed(self, account_id: int, now: float) -> None:
        """It asked for a name that nobody has."""
        if self.by_name:
            self._misses.take(account_id, now)
