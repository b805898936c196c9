"""Forgetting in time: what was kept for the retention time goes, by the server's own clock."""

import logging
from collections.abc import Callable
from typing import Any, Final

from secure_chat.server.core.blobs import Blobs
from secure_chat.server.core.mailboxes import Mailboxes
from secure_chat.server.core.settings import Settings
from secure_chat.server.store import Store, invites, mail

log = logging.getLogger(__name__)

_EVERY_SECONDS: Final = 600.0
_FIRST_SECONDS: Final = 60.0  # after the start
_ROWS: Final = 500  # in one transaction


class Retention:
    """Lives on the I/O thread."""

    def __init__(
        self, store: Store, settings: Settings, mailboxes: Mailboxes, blobs: Blobs
    ) -> None:
        self._store = store
        self._settings = settings
        self._mailboxes = mailboxes
        self._blobs = blobs
        self._due: float | None = None

    def reconfigure(self, settings: Settings) -> None:
        """Follow other settings from now on."""
        self._settings = settings

    def tick(self, now: float) -> None:
        """Forget if it is time; the server's count of time is kept at this occasion."""
        if self._due is None:
            self._due = now + _FIRST_SECONDS
        if now < self._due:
            return
        self._due = now + _EVERY_SECONDS
        steady = self._store.clock.now_ms()
        before = steady - self._settings.retention_seconds * 1000
        self._store.write(self._job(before, steady), self._done)
        self._blobs.expire(before, steady, _ROWS)
        self._store.sweep_copies()

    def _job(self, before: int, now: int) -> Callable[[Any], list[mail.Expired]]:
        def job(connection: Any) -> list[mail.Expired]:
            self._store.save_clock(connection)
            invites.forget(connection, before, now)
            return mail.expire(connection, before, _ROWS)

        return job

    def _done(self, outcome: list[mail.Expired] | Exception) -> None:
        if isinstance(outcome, Exception):
            return
        self._mailboxes.expired(outcome)
        if outcome:
            self._store.counters.expired += len(outcome)
            log.info("retention: %d deliveries expired", len(outcome))
        if len(outcome) == _ROWS:
            self._due = 0.0  # go on at the next tick
