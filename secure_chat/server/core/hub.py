"""The server's logic as the edge sees it: sessions from greeting to farewell."""

import logging
import os
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from secure_chat.errors import BadAddress, Code, ProtocolError
from secure_chat.protocol import messages
from secure_chat.protocol.addresses import DeviceAddress, DeviceName, UserId
from secure_chat.protocol.frames import Frame, encode_frame
from secure_chat.protocol.messages import (
    PINS,
    AccountDelete,
    Ack,
    BlobGet,
    BlobPut,
    Chat,
    HeaderError,
    Hello,
    KeysGet,
    KeysPut,
    List,
    Login,
    ManifestGet,
    ManifestPut,
    Message,
    MyData,
    Phase,
    Ping,
    Pins,
    Pm,
    Pong,
    Register,
    Watch,
    decode_client_header,
    encode_header,
)
from secure_chat.protocol.wiretypes import Challenge
from secure_chat.server.bugs import note_bug
from secure_chat.server.core import wire
from secure_chat.server.core.admission import Admission, Found, welcome
from secure_chat.server.core.blobs import Blobs
from secure_chat.server.core.departures import Departures
from secure_chat.server.core.directory import Directory
from secure_chat.server.core.lookups import Lookups
from secure_chat.server.core.memory import Memory
from secure_chat.server.core.openbook import OpenBook
from secure_chat.server.core.post import Post, check_body
from secure_chat.server.core.presence import PresenceBoard
from secure_chat.server.core.rates import Rates
from secure_chat.server.core.retention import Retention
from secure_chat.server.core.session import CALM_SECONDS, ENDED, Session, Stage
from secure_chat.server.core.settings import Settings
from secure_chat.server.core.wire import PmHeader
from secure_chat.server.interfaces import Connection, Loop
from secure_chat.server.store import Store

log = logging.getLogger(__name__)

Handler = Callable[[Session, Any, bytes, float], None]

_SCAN_SECONDS: Final = 1.0


class Hub:
    """Implements `secure_chat.server.interfaces.Core`. Every method runs on the I/O thread."""

    def __init__(self, store: Store, loop: Loop, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._clock = store.clock.wall
        self._sessions: dict[Connection, Session] = {}
        self._presence = PresenceBoard(loop.call_soon)
        self._now = 0.0
        rates = self._rates = Rates(settings)
        lookups = Lookups(settings, rates)
        self._post = Post(store, settings, rates, lookups)
        mailboxes = self._post.mailboxes
        self._admission = Admission(store, settings, rates, self._enter)
        self._directory = Directory(store, rates, self._presence, mailboxes, lookups)
        self.departures = Departures(store, mailboxes, self._logged_in_as)
        self.memory = Memory(
            self._post, rates, self._presence, self._logged_in_as, lambda: self._now
        )
        self._book = OpenBook(store, rates, self.memory, self.departures)
        self._blobs = Blobs(store, settings, rates)
        self._retention = Retention(store, settings, mailboxes, self._blobs)
        self._scanned_at = 0.0
        self._draining = False
        self._told = False
        self._handlers: dict[type[Message], Handler] = self._table()
        store.attach(lambda call: loop.call_soon(partial(self._results, call)))

    def _table(self) -> dict[type[Message], Handler]:
        """Who answers each type of message: the one table, as in messages.py."""
        admission, directory = self._admission, self._directory
        return {
            Register: _bodiless(admission.register),
            Login: _bodiless(admission.login),
            List: self._limited(directory.users),
            Watch: self._limited(directory.watch),
            Pm: self._pm,
            Chat: self._chat,
            Ack: self._ack,
            Ping: self._ping,
            KeysPut: self._limited(directory.keys_put),
            KeysGet: self._limited(directory.keys_get),
            ManifestGet: self._limited(directory.manifest_get),
            ManifestPut: self._limited(directory.manifest_put),
            MyData: self._limited(self._book.my_data),
            AccountDelete: self._limited(self._book.account_delete),
            BlobPut: self._blobs.put,
            BlobGet: _bodiless(self._blobs.get),
        }

    # ------------------------------------------------------------ the edge's calls

    def opened(self, connection: Connection, now: float) -> None:
        """Greet."""
        self._now = now
        features = self._settings.features
        hello = encode_header(
            Hello(
                list(messages.VERSIONS),
                list(features),
                self._store.server_id,
                Challenge(os.urandom(Challenge.size or 0)),
                self._settings.registration,
                self._clock(),
            )
        )
        self._sessions[connection] = Session(
            connection, hello, now, self._leave, self._store.counters.refusals,
            self._settings.refusals_of_strangers.burst,
        )  # fmt: skip
        self._sessions[connection].offered = features
        connection.send(encode_frame(hello))
        if self._draining:
            self._sessions[connection].end(Code.SHUTTING_DOWN)

    def received(self, connection: Connection, frames: list[Frame], now: float) -> None:
        """Answer frames, in order; after a closing error the rest is not read."""
        self._now = now
        session = self._sessions.get(connection)
        if session is None or session.stage is Stage.LEAVING:
            return
        session.heard_at = now
        session.frames += len(frames)
        if session.frames > self._settings.frames.burst:
            session.end(Code.RATE_LIMITED, retry_after=CALM_SECONDS)
            return
        for frame in frames:
            try:
                self._one(session, frame, now)
            except HeaderError as wrong:
                known = wrong.correlation
                session.refuse(wrong.code, ref=known.ref, id=known.id, detail=str(wrong))
            except ProtocolError as wrong:
                session.refuse(wrong.code, detail=str(wrong))
            except Exception as bug:
                note_bug(bug)
                session.refuse(Code.INTERNAL_ERROR)
            if session.stage in ENDED:
                break

    def closed(self, connection: Connection, now: float) -> None:
        """Clean up at once, whoever closed."""
        self._now = now
        session = self._sessions.pop(connection, None)
        if session is not None:
            self._leave(session)

    def tick(self, now: float) -> None:
        """Deadlines and gathered work."""
        self._now = now
        for work in (
            self._post.tick, self._presence.tick, self._scan, self._retention.tick, self._finish,
        ):  # fmt: skip
            try:
                work(now)
            except Exception as bug:
                note_bug(bug)

    def drain(self, now: float) -> None:
        """Take no more requests, put everything on disk, then say farewell."""
        self._now = now
        self._draining = True
        self._post.drain(now)
        self._finish(now)

    def reconfigure(self, settings: Settings) -> None:
        """Follow other settings from now on; the rates of buckets stay. On the I/O thread."""
        self._settings = settings
        for part in (self._admission, self._post, self._blobs, self._retention):
            part.reconfigure(settings)

    @property
    def logged_in(self) -> int:
        """Devices that are logged in."""
        return self._post.logged_in

    @property
    def drained(self) -> bool:
        """Whether, after `drain`, everything is on disk and all clients have been told."""
        return self._draining and self._told and not self._sessions

    # ------------------------------------------------------------ one message

    def _one(self, session: Session, frame: Frame, now: float) -> None:
        if session.stage is Stage.IN and not self._draining:
            # The two headers that come with every message have a short way; see wire.py.
            if frame.body:
                header = wire.read_pm(frame.header)
                if header is not None:
                    self._route(session, header, frame.body, now)
                    return
            else:
                seq = wire.read_ack(frame.header)
                if seq is not None:
                    self._take_ack(session, seq)
                    return
        message = decode_client_header(frame.header)
        if frame.body and not message.has_body:
            ref = getattr(message, "ref", None)
            session.refuse(Code.BAD_FIELD, ref=ref, detail=f"{_name(message)} has no body.")
        elif self._is_in_phase(session, message):
            self._handlers[type(message)](session, message, frame.body, now)

    def _is_in_phase(self, session: Session, message: Message) -> bool:
        """Refuse what may not come now."""
        before = message.phase is Phase.BEFORE_LOGIN
        if self._draining:
            return False  # farewell is on its way: it answers whatever comes now
        if session.stage is Stage.IN and before:
            session.refuse(Code.ALREADY_LOGGED_IN)
        elif session.stage is not Stage.IN and not before:
            session.refuse(Code.NOT_LOGGED_IN)
        elif message.feature and message.feature not in session.features:
            words = f"{_name(message)} needs the feature {message.feature}."
            ref = getattr(message, "ref", None)
            session.refuse(Code.NOT_SUPPORTED, ref=ref, detail=words)
        else:
            return True
        return False

    def _limited(self, handler: Callable[[Session, Any, float], None]) -> Handler:
        """A request that counts against the account's rate, of somebody who reads the answers."""

        def limited(session: Session, message: Any, _body: bytes, now: float) -> None:
            wait = self._rates.requests.take(session.account_id, now)
            if session.is_behind():
                session.refuse_unread(message.ref)
            elif wait:
                session.refuse(Code.RATE_LIMITED, ref=message.ref, retry_after=wait)
            else:
                handler(session, message, now)

        return limited

    def _pm(self, session: Session, message: Pm, body: bytes, now: float) -> None:
        """A `pm` whose header is not canonical (`wire.read_pm`), or is wrong."""
        try:
            to = str(DeviceAddress.parse(message.to))
        except BadAddress:
            if not message.transient:
                session.refuse(Code.UNKNOWN_USER, id=message.id)
            return
        header = PmHeader(wire.letters_of(message.id), to, message.manifest, message.transient)
        self._route(session, header, body, now)

    def _route(self, session: Session, header: PmHeader, body: bytes, now: float) -> None:
        if check_body(body):
            self._post.pm(session, header, body, now)
        else:
            session.refuse(Code.TOO_LARGE)

    def _chat(self, session: Session, message: Chat, _body: bytes, _now: float) -> None:
        session.refuse(Code.NOT_SUPPORTED, id=message.id)

    def _ack(self, session: Session, message: Ack, _body: bytes, _now: float) -> None:
        self._take_ack(session, message.seq)

    def _take_ack(self, session: Session, seq: int) -> None:
        if not self._post.ack(session, seq):
            session.refuse(Code.BAD_SEQUENCE)

    def _ping(self, session: Session, _message: Ping, _body: bytes, _now: float) -> None:
        session.say(Pong())

    # ------------------------------------------------------------ coming and going

    def _enter(self, session: Session, found: Found) -> None:
        """A login is good: the device's session begins, and replaces an earlier one."""
        if self._draining:
            session.end(Code.SHUTTING_DOWN)
            return
        barred = self._post.mailboxes.barred.code(found.state.account_id)
        if barred is not None:  # shut out while this login was being checked
            session.end(barred)
            return
        wait = self._rates.logins_of_account.take(found.state.account_id, self._now)
        if wait:
            session.end(Code.RATE_LIMITED, retry_after=wait)
            return
        mailbox = self._post.mailboxes.of(found.state)
        earlier = mailbox.session
        if earlier is not None:
            earlier.end(Code.REPLACED)
        state = found.state
        address = DeviceAddress(UserId(state.user_id), DeviceName(state.device))
        session.enter(address, state.account_id, state.device_id, self._settings.refusals.burst)
        session.connection.logged_in()
        self._store.counters.logins += 1
        session.say(welcome(found, mailbox.acked, self._clock()))
        if PINS in session.features:
            session.say(Pins(list(self._settings.pins)))
        self._presence.came(address.user_id)
        self._post.attach(mailbox, session)

    def _leave(self, session: Session) -> None:
        """A session ends; safe to call twice."""
        was_in, session.stage = session.stage in {Stage.IN, Stage.LEAVING}, Stage.GONE
        self._presence.watch(session, wanted=False)
        if was_in:
            self._presence.went(session.device.user_id)
            self._post.detach(session, self._now)

    def _logged_in_as(self, account_id: int) -> list[Session]:
        return [
            session
            for session in self._sessions.values()
            if session.stage is Stage.IN and session.account_id == account_id
        ]

    # ------------------------------------------------------------ time

    def _scan(self, now: float) -> None:
        """Who did not log in, or said nothing for too long."""
        elapsed = now - self._scanned_at
        if elapsed < _SCAN_SECONDS:
            return
        self._scanned_at = now
        settings = self._settings
        for session in list(self._sessions.values()):
            if session.frames:
                session.frames = max(0.0, session.frames - settings.frames.per_second * elapsed)
            if session.refusals:
                rate = settings.refusals if session.device_id else settings.refusals_of_strangers
                session.refusals = max(0.0, session.refusals - rate.per_second * elapsed)
            if session.stage is Stage.IN:
                if now - session.heard_at > settings.idle_seconds:
                    session.end(Code.IDLE_TIMEOUT)
            elif session.stage is Stage.GREETED and (
                now - session.opened_at > settings.login_seconds
            ):
                session.end(Code.LOGIN_TIMEOUT)
        self._rates.forget_full(now)

    def _finish(self, _now: float) -> None:
        """While draining: once nothing is outstanding, tell the clients."""
        if self._draining and not self._told and not self._post.outstanding:
            self._told = True
            for session in list(self._sessions.values()):
                session.end(Code.SHUTTING_DOWN)

    def _results(self, call: Callable[[], None]) -> None:
        """Results of the store's threads arrive on the I/O thread."""
        try:
            call()
        except Exception as bug:
            note_bug(bug)


def _bodiless(handler: Callable[[Session, Any, float], None]) -> Handler:
    def handle(session: Session, message: Any, _body: bytes, now: float) -> None:
        handler(session, message, now)

    return handle


def _name(message: Message) -> str:
    return str(message.__struct_config__.tag)
