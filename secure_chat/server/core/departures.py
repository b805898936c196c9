"""Shutting accounts out: disabled or deleted, at once, whatever they have under way.

Both begin here on the I/O thread, before the disk knows: the account is *barred*, and its sessions
are `Stage.LEAVING`: what they send, and what they had handed in and nobody has carried out yet, is
dropped. So nothing of the account happens after that moment, a login that was being checked
meanwhile included. Once the disk has it, the sessions are told and closed; if the disk fails, they
are closed as after any failure of the server, and may come back.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection

from secure_chat.errors import Code, StorageBusy
from secure_chat.server.core.mailboxes import Mailboxes
from secure_chat.server.core.session import Session, Stage
from secure_chat.server.store import Store, departures
from secure_chat.server.store.departures import Deleted

Done = Callable[[Any], None]
"""Gets a result (None: there is no such account) or the exception that prevented it."""


class Departures:
    """Lives on the I/O thread. ``sessions`` lists those that are logged in as an account."""

    def __init__(
        self,
        store: Store,
        mailboxes: Mailboxes,
        sessions: Callable[[int], list[Session]],
    ) -> None:
        self._store = store
        self._mailboxes = mailboxes
        self._barred = mailboxes.barred
        self._sessions = sessions

    def disable(self, user_id: str, done: Done) -> None:
        """Shut an account out until `enable`; its data stays. ``done`` gets True."""
        self._with_account(user_id, done, lambda account: self._disable(user_id, account, done))

    def enable(self, user_id: str, done: Done) -> None:
        """Let an account in again; ``done`` gets True."""
        self._with_account(user_id, done, lambda account: self._enable(account, done))

    def delete(self, user_id: str, done: Done) -> None:
        """Delete an account with all that is held; ``done`` gets a `Deleted`."""
        self._with_account(user_id, done, lambda account: self.remove(user_id, account, done))

    def _with_account(self, user_id: str, done: Done, go_on: Callable[[int], None]) -> None:
        def found(outcome: Any) -> None:
            if outcome is None or isinstance(outcome, Exception):
                done(outcome)
            else:
                go_on(outcome)

        if not self._store.read(lambda db: departures.account_id(db, user_id), found):
            done(StorageBusy())

    def _disable(self, user_id: str, account: int, done: Done) -> None:
        sessions = self._freeze(account, Code.ACCOUNT_DISABLED)

        def job(connection: Connection) -> bool | None:
            return departures.set_disabled(connection, account, disabled=True) or None

        def written(outcome: Any) -> None:
            self._thaw(account, sessions, outcome, Code.ACCOUNT_DISABLED)
            self._mailboxes.drop(user_id)
            done(outcome)

        self._store.write(job, written, force=True)

    def _enable(self, account: int, done: Done) -> None:
        def job(connection: Connection) -> bool | None:
            return departures.set_disabled(connection, account, disabled=False) or None

        def written(outcome: Any) -> None:
            if outcome is True:
                self._barred.admit(account)
            done(outcome)

        self._store.write(job, written, force=True)

    def remove(self, user_id: str, account: int, done: Done) -> None:
        """Delete an account that is known by its id.

        ``done`` is called once its rows and its files are gone, and before its sessions end.
        """
        sessions = self._freeze(account, Code.ACCOUNT_DELETED)
        forgotten = self._mailboxes.forget_sender(user_id)

        def written(outcome: Deleted | Exception | None) -> None:
            self._mailboxes.drop(user_id)
            if isinstance(outcome, Deleted):
                self._mailboxes.expired(outcome.sent)
                self._store.let_go(outcome, lambda _: ended(outcome))
            else:
                self._mailboxes.remember_sender(forgotten)
                ended(outcome)

        def ended(outcome: Deleted | Exception | None) -> None:
            done(outcome)
            self._thaw(account, sessions, outcome, Code.ACCOUNT_DELETED)

        self._store.write(partial(departures.remove, account=account), written, force=True)

    def _freeze(self, account: int, code: Code) -> list[Session]:
        self._barred.bar(account, code)
        sessions = self._sessions(account)
        for session in sessions:
            session.stage = Stage.LEAVING
        return sessions

    def _thaw(self, account: int, sessions: list[Session], outcome: Any, code: Code) -> None:
        failed = isinstance(outcome, Exception)
        if failed:
            self._barred.admit(account)
        for session in sessions:
            session.end(Code.INTERNAL_ERROR if failed else code)
