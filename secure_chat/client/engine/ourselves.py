"""What the server holds on our own account, and that account's end."""

from functools import partial

from msgspec import Struct

from secure_chat.client.engine.context import Context, Requests
from secure_chat.client.engine.login import Greeting
from secure_chat.client.events import AccountDeletion, ServersData
from secure_chat.errors import BadEncoding, NotConnected, Refused, UnexpectedAnswer
from secure_chat.protocol import signing
from secure_chat.protocol.held import HeldRow, decode_rows
from secure_chat.protocol.messages import AccountDelete, HeldData, MyData, Ok
from secure_chat.protocol.wiretypes import Signature

_MOST_ROWS = 1_000_000  # a server that invents rows without end does not fill the memory


class DataPage(Struct, frozen=True):
    """An answer to `my_data`, read; ``next`` is where the following page begins."""

    rows: list[HeldRow]
    next: str


def data_page(message: HeldData, body: bytes) -> DataPage:
    """The answer with its body. Raises `UnexpectedAnswer`."""
    try:
        return DataPage(decode_rows(body), message.next)
    except BadEncoding:
        raise UnexpectedAnswer(what="data that cannot be read") from None


class Ourselves:
    """Asks about our account, and deletes it."""

    def __init__(self, context: Context, requests: Requests) -> None:
        self._context = context
        self._requests = requests
        self._greeting: Greeting | None = None
        self._reading = False
        self._deleting = False

    def greeted(self, greeting: Greeting) -> None:
        """A connection has begun: what is signed over it needs its greeting."""
        self._greeting = greeting

    # ------------------------------------------------------------ the open book

    def read(self) -> None:
        """Ask for all that the server holds on us."""
        if not self._context.online:
            self._context.emit(ServersData(problem=NotConnected()))
        elif not self._reading:
            self._reading = True
            self._ask_page("", [])

    def _ask_page(self, after: str, rows: list[HeldRow]) -> None:
        self._requests.ask(
            lambda ref: MyData(ref, after),
            DataPage,
            partial(self._page, rows),
            self._unreadable,
            patient=True,
        )

    def _page(self, rows: list[HeldRow], page: DataPage) -> None:
        rows = rows + page.rows
        if page.next and len(rows) < _MOST_ROWS:
            self._ask_page(page.next, rows)
        else:
            self._reading = False
            self._context.emit(ServersData(tuple(rows)))

    def _unreadable(self, refusal: Refused) -> None:
        self._reading = False
        self._context.emit(ServersData(problem=refusal))

    # ------------------------------------------------------------ the end

    def delete(self) -> None:
        """Delete the account; only over a connection, and with the account key's signature."""
        context, greeting = self._context, self._greeting
        if not context.online or greeting is None:
            context.emit(AccountDeletion(NotConnected()))
            return
        account = context.account
        assert account is not None
        proof = signing.account_deletion(greeting.channel(account.device))
        signature = account.signing.sign(proof)
        self._deleting = True
        self._requests.ask(
            lambda ref: AccountDelete(ref, Signature(signature)), Ok, self._deleted, self._kept
        )

    def _deleted(self, _: Ok) -> None:
        self._deleting = False
        self._context.emit(AccountDeletion())

    def _kept(self, refusal: Refused) -> None:
        self._deleting = False
        self._context.emit(AccountDeletion(refusal))

    def refused_login(self) -> None:
        """The server knows us no more: a deletion whose answer was lost has succeeded."""
        if self._deleting:
            self._deleted(Ok(0))

    def disconnected(self) -> None:
        """What was asked on the old connection is not answered any more.

        Whether a deletion reached the server shows at the next login.
        """
        if self._reading:
            self._reading = False
            self._context.emit(ServersData(problem=NotConnected()))

    def welcomed(self) -> None:
        """We are in, so the account exists: a deletion that was under way did not arrive."""
        if self._deleting:
            self._deleting = False
            self._context.emit(AccountDeletion(NotConnected()))
