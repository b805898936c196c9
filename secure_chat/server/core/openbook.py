"""What an account may do with itself: see all that is held on it, and end."""

from collections.abc import Callable

from sqlalchemy import Connection

from secure_chat.crypto import verify
from secure_chat.errors import BadSignature, Code
from secure_chat.protocol import messages, signing
from secure_chat.protocol.held import HeldRow, encode_rows, held_row
from secure_chat.protocol.messages import AccountDelete, HeldData, MyData, Ok
from secure_chat.server.core import desk
from secure_chat.server.core.buckets import Buckets
from secure_chat.server.core.departures import Departures
from secure_chat.server.core.mailboxes import Mailboxes
from secure_chat.server.core.session import Session
from secure_chat.server.core.settings import Settings
from secure_chat.server.store import Store, book, people
from secure_chat.server.store.book import Page
from secure_chat.server.store.departures import Deleted

MEMORY = "memory"
"""The name under which the book lists what is not on disk."""


class OpenBook:
    """Answers `my_data` and `account_delete`."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        mailboxes: Mailboxes,
        departures: Departures,
        sessions: Callable[[int], list[Session]],
    ) -> None:
        self._store = store
        self._mailboxes = mailboxes
        self._departures = departures
        self._sessions = sessions
        self.pages = Buckets(settings.book_pages)

    def my_data(self, session: Session, asked: MyData, now: float) -> None:
        """A page of the book on the session's account; the last one ends with the memory's rows."""
        wait = self.pages.take(session.account_id, now)
        if wait:
            session.refuse(Code.RATE_LIMITED, ref=asked.ref, retry_after=wait)
            return
        account = session.account_id

        def job(connection: Connection) -> Code | Page:
            return book.page(connection, account, asked.after) or Code.BAD_FIELD

        def done(page: Page) -> None:
            if session.is_behind():  # many pages may have been on their way
                session.refuse_unread(asked.ref)
                return
            rows = page.rows if page.next else page.rows + self.memory(account, to_owner=True)
            session.say(HeldData(asked.ref, page.next), encode_rows(rows))

        desk.ask(session, self._store.read, job, done, ref=asked.ref)

    def memory(self, account: int, *, to_owner: bool) -> list[HeldRow]:
        """What is held of an account while it is connected, and nowhere written.

        The network address that limits count by is shown to nobody but the account itself.
        """
        rows = []
        for session in self._sessions(account):
            values: dict[str, object] = {"device": session.device.device}
            if to_owner:
                values["network"] = session.network
            mailbox = self._mailboxes.get(str(session.device))
            values["unacknowledged"] = len(mailbox.in_flight) if mailbox is not None else 0
            rows.append(held_row(MEMORY, values))
        return rows

    def account_delete(self, session: Session, asked: AccountDelete, _now: float) -> None:
        """Delete the session's account, if its account key signed that over this connection."""
        address, account = session.device, session.account_id
        channel = signing.Channel(
            messages.VERSION,
            session.features,
            session.connection.exporter,
            session.hello,
            self._store.server_id,
            address,
        )
        signed = signing.account_deletion(channel)

        def check(connection: Connection) -> Code | bool:
            known = people.published(connection, address.user_id)
            if known is None:
                return Code.UNKNOWN_USER
            try:
                verify.verify(known.account_key, signed, asked.signature)
            except BadSignature:
                return Code.BAD_SIGNATURE
            return True

        def checked(_: bool) -> None:
            self._departures.remove(address.user_id, account, done)

        def done(outcome: Deleted | Exception | None) -> None:
            if isinstance(outcome, Exception):
                code, wait = Code.STORAGE_UNAVAILABLE, desk.DISK_SECONDS
                session.refuse(code, ref=asked.ref, retry_after=wait)
            else:
                session.say(Ok(asked.ref))

        desk.ask(session, self._store.check, check, checked, ref=asked.ref)
