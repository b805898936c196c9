"""What an account may do with itself: see all that is held on it, and end."""

from typing import Final

from sqlalchemy import Connection

from secure_chat.crypto import verify
from secure_chat.errors import BadSignature, Code
from secure_chat.protocol import messages, signing
from secure_chat.protocol.held import HeldRow, encode_rows, encoded_size
from secure_chat.protocol.messages import AccountDelete, HeldData, MyData, Ok
from secure_chat.server.core import desk
from secure_chat.server.core.departures import Departures
from secure_chat.server.core.memory import Memory
from secure_chat.server.core.rates import Rates
from secure_chat.server.core.session import Session
from secure_chat.server.store import Store, book, people
from secure_chat.server.store.book import Page
from secure_chat.server.store.departures import Deleted

_DIGITS: Final = 9
_MEMORY_COSTS: Final = 10
"""How many pages one of the memory counts for: it is read on the thread that moves messages."""

_IN_MEMORY: Final = "m."
"""How a place in the last chapter begins, which no table of the database is."""


class OpenBook:
    """Answers `my_data` and `account_delete`."""

    def __init__(
        self,
        store: Store,
        rates: Rates,
        memory: Memory,
        departures: Departures,
    ) -> None:
        self._store = store
        self._memory = memory
        self._departures = departures
        self._pages = rates.book_pages

    def my_data(self, session: Session, asked: MyData, now: float) -> None:
        """A page of the book on the session's account; the memory's rows are the last."""
        in_memory = asked.after.startswith(_IN_MEMORY)
        wait = self._pages.take(session.account_id, now, _MEMORY_COSTS if in_memory else 1)
        if wait:
            session.refuse(Code.RATE_LIMITED, ref=asked.ref, retry_after=wait)
            return
        account = session.account_id
        if in_memory:
            self._from_memory(session, asked)
            return

        def job(connection: Connection) -> Code | Page:
            return book.page(connection, account, asked.after) or Code.BAD_FIELD

        def done(page: Page) -> None:
            if session.is_behind():  # many pages may have been on their way
                session.refuse_unread(asked.ref)
                return
            following = page.next or f"{_IN_MEMORY}0"
            session.say(HeldData(asked.ref, following), encode_rows(page.rows))

        desk.ask(session, self._store.read, job, done, ref=asked.ref)

    def _from_memory(self, session: Session, asked: MyData) -> None:
        number = asked.after.removeprefix(_IN_MEMORY)
        if number.isascii() and number.isdecimal() and len(number) <= _DIGITS:
            self._say_memory(session, asked.ref, int(number))
        else:
            session.refuse(Code.BAD_FIELD, ref=asked.ref)

    def _say_memory(self, session: Session, ref: int, start: int) -> None:
        """What is left of the last chapter from row ``start`` on, as far as it fits a page."""
        held = self._memory.rows(session.device.user_id, session.account_id, to_owner=True)
        rows: list[HeldRow] = []
        size = 0
        following = ""
        for number, row in enumerate(held[start:], start):
            size += encoded_size(row)
            if rows and size > book.PAGE_BYTES:
                following = f"{_IN_MEMORY}{number}"
                break
            rows.append(row)
        session.say(HeldData(ref, following), encode_rows(rows))

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
