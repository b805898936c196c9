"""What devices have acknowledged, on its way to the disk: gathered, and written in groups."""

from typing import Any, Final

from secure_chat.server.core.mailbox import Mailbox
from secure_chat.server.store import Store, mail
from secure_chat.server.store.mail import Acked

_NUMBER_SECONDS: Final = 30.0  # each time a commit for all, which others wait for


class Acknowledged:
    """Mailboxes that are further than the disk knows. Lives on the I/O thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: dict[Mailbox, bool] = {}  # whether rows of theirs may be on disk
        self._wrote_all_at = 0.0
        self.outstanding = 0  # writes that are not committed yet

    def __contains__(self, mailbox: Mailbox) -> bool:
        return mailbox in self._rows

    def note(self, mailbox: Mailbox, *, stored: bool) -> None:
        """A device has taken more; ``stored``: the disk may have it and must forget it."""
        self._rows[mailbox] = self._rows.get(mailbox, False) or stored

    def flush(self, now: float, *, everything: bool = False) -> None:
        """Rows go at each tick; a mere number, which only helps old vaults, seldom."""
        everything = everything or now - self._wrote_all_at >= _NUMBER_SECONDS
        chosen = [m for m, stored in self._rows.items() if stored or everything]
        if everything:
            self._wrote_all_at = now
        if not chosen:
            return
        acks = [Acked(m.device_id, m.acked, self._rows[m]) for m in chosen]
        was = {m: self._rows.pop(m) for m in chosen}

        def acknowledged(outcome: Any) -> None:
            self.outstanding -= 1
            if isinstance(outcome, Exception):
                for mailbox, stored in was.items():
                    self.note(mailbox, stored=stored)

        def job(connection: Any) -> None:
            mail.acknowledge(connection, acks)

        if self._store.write(job, acknowledged):
            self.outstanding += 1
        else:
            self._rows = was | self._rows
