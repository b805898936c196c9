"""Messages that disappear do so by our own clock, on and off line."""

from secure_chat.client.engine.context import Context
from secure_chat.client.engine.effects import vanish
from secure_chat.client.vault import talk

_NEVER = float("inf")
_AFTER_FAILURE = 5.0  # if the vault cannot be written
_LONGEST_TRUST = 60.0  # a wall clock may be set anew meanwhile: look again


class Expiry:
    """Knows when the next message is due, and removes it then."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._due = 0.0  # monotonic seconds

    @property
    def due(self) -> float:
        """When `tick` has something to do."""
        return self._due

    def look(self) -> None:
        """Something may have changed: find out at the next `tick`."""
        self._due = 0.0

    def tick(self) -> None:
        """Remove what is due."""
        context = self._context
        if context.now < self._due:
            return
        self._due = context.now + _AFTER_FAILURE
        with context.vault.read() as db:
            earliest = talk.next_expiry(db)
        if earliest is not None and earliest <= context.now_ms:
            with context.transaction() as db:
                for event in vanish(db, context.now_ms):
                    context.emit(event)
                earliest = talk.next_expiry(db)
        if earliest is None:
            self._due = _NEVER
        else:
            left = (earliest - context.now_ms) / 1000
            self._due = context.now + min(left, _LONGEST_TRUST)
