"""The mailboxes in use: loaded when somebody needs them, forgotten when nobody does."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from secure_chat.errors import Code
from secure_chat.protocol.addresses import DeviceAddress
from secure_chat.server.bugs import note_bug
from secure_chat.server.core.acknowledged import Acknowledged
from secure_chat.server.core.barred import Barred
from secure_chat.server.core.mailbox import Account, Entry, Mailbox, Place
from secure_chat.server.store import Store, mail
from secure_chat.server.store.mail import DeviceState

_FORGET_SECONDS: Final = 60.0

WithMailbox = Callable[["Mailbox | Code"], None]


class Mailboxes:
    """By address ``user_id/device``. Lives on the I/O thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.barred = Barred()
        self.known: dict[str, Mailbox] = {}  # read by the post for each message
        self._accounts: dict[str, Account] = {}
        self._loading: dict[str, list[WithMailbox]] = {}

    def __iter__(self) -> Iterator[Mailbox]:
        return iter(list(self.known.values()))

    def with_one(self, address: str, use: WithMailbox) -> None:
        """Call ``use`` with a mailbox, at once or once it is loaded; or with why not."""
        known = self.known.get(address)
        if known is not None:
            use(known)
            return
        waiting = self._loading.get(address)
        if waiting is not None:
            waiting.append(use)
            return
        self._loading[address] = [use]
        device = DeviceAddress.parse(address)

        def job(connection: Any) -> DeviceState | None:
            return mail.load_device(connection, device.user_id, device.device)

        if not self._store.read(job, partial(self._loaded, address)):
            self._loading_ended(address, Code.OVERLOADED)

    def _loaded(self, address: str, state: DeviceState | Exception | None) -> None:
        if isinstance(state, Exception):
            self._loading_ended(address, Code.STORAGE_UNAVAILABLE)
        elif state is None or state.disabled or state.revoked or state.account_id in self.barred:
            self._loading_ended(address, Code.UNKNOWN_USER)
        else:
            self._loading_ended(address, self.of(state))

    def _loading_ended(self, address: str, result: Mailbox | Code) -> None:
        for use in self._loading.pop(address, []):
            try:
                use(result)
            except Exception as bug:  # the others wait for the same mailbox
                note_bug(bug)

    def of(self, state: DeviceState) -> Mailbox:
        """The mailbox of a device that was just read from disk."""
        address = f"{state.user_id}/{state.device}"
        mailbox = self.known.get(address)
        if mailbox is None:
            account = self._accounts.get(state.user_id)
            if account is None:
                account = Account(state.account_id, state.user_id, state.manifest_counter)
                self._accounts[state.user_id] = account
            account.counter = max(account.counter, state.manifest_counter)
            mailbox = self.known[address] = account.mailboxes[address] = Mailbox(state, account)
        return mailbox

    def get(self, address: str) -> Mailbox | None:
        """A mailbox, if it is in use."""
        return self.known.get(address)

    def of_account(self, user_id: str) -> list[Mailbox]:
        """The mailboxes of an account that are in use."""
        account = self._accounts.get(user_id)
        return [] if account is None else list(account.mailboxes.values())

    def manifest_changed(self, user_id: str, counter: int) -> None:
        """From now on messages for older manifests are refused."""
        account = self._accounts.get(user_id)
        if account is not None:
            account.counter = max(account.counter, counter)

    def drop(self, user_id: str) -> None:
        """An account takes no more messages: whoever writes to it asks the disk, which knows why.

        Only once all that was handed to the writer for it is on disk.
        """
        account = self._accounts.pop(user_id, None)
        for address in account.mailboxes if account is not None else ():
            del self.known[address]

    def forget_sender(self, user_id: str) -> list[Entry]:
        """An account is to be deleted: what it sent and is not on disk never gets there.

        Gives back what that is, for `remember_sender`.
        """
        prefix = f"{user_id}/".encode()
        forgotten = [
            entry
            for mailbox in self.known.values()
            for entry in mailbox.in_flight
            if entry.place is Place.MEMORY and entry.sender.startswith(prefix)
        ]
        for entry in forgotten:
            entry.place = Place.DISK  # there is nothing more to write
            entry.let_body_go()
        return forgotten

    def remember_sender(self, forgotten: list[Entry]) -> None:
        """The account stays: its sender was never told that the disk has these, nor has it."""
        for entry in forgotten:
            entry.place = Place.MEMORY  # without a body: the next repetition brings it

    def sweep(self, now: float, kept: Acknowledged) -> None:
        """Forget mailboxes that nobody used for a while: the disk has all of them."""
        for address, mailbox in list(self.known.items()):
            if (
                mailbox.idle
                and now - mailbox.used_at > _FORGET_SECONDS
                and mailbox not in kept
                and mailbox.reserving == mailbox.reserved
            ):
                del self.known[address]
                del mailbox.account.mailboxes[address]
        self._accounts = {name: a for name, a in self._accounts.items() if a.mailboxes}

    def expired(self, gone: list[mail.Expired]) -> None:
        """Retention has deleted these from the disk."""
        by_device: dict[int, Mailbox] = {m.device_id: m for m in self.known.values()}
        for row in gone:
            mailbox = by_device.get(row.device_id)
            if mailbox is not None:
                entry = next((e for e in mailbox.in_flight if e.seq == row.seq), None)
                if entry is None:
                    entry = Entry(
                        mailbox,
                        b"",
                        b"",
                        row.seq,
                        row.sender.encode(),
                        0,
                        row.size,
                        None,
                        counted=True,
                    )
                mailbox.remove(entry)
