"""The sign-in screen without its widgets: fields, mistakes beside them, and what runs meanwhile."""

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from secure_chat.client.api import Engine
from secure_chat.client.events import ConnectionChanged, ConnectionState, Event
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.accounts import Accounts, KnownProfile
from secure_chat.client.presenter.jobs import Job, failure_words
from secure_chat.client.presenter.strength import SHORTEST, Strength, strength, strength_word
from secure_chat.errors import BadAddress, BadInviteLink, BadPassword, Code, Refused, WrongPassword
from secure_chat.protocol.addresses import canonical_user_id
from secure_chat.protocol.invite import InviteLink, ServerAddress, is_contact_link, is_link


class Field(StrEnum):
    """Where a mistake is said."""

    LINK = "link"
    NAME = "name"
    PASSWORD = "password"  # noqa: S105 - the field's name
    REPEAT = "repeat"
    CA_FILE = "ca_file"
    WHOLE = "whole"  # under the form


class Stage(StrEnum):
    """What the screen is doing."""

    FORM = "form"
    WORKING = "working"  # keys are made or unlocked
    REGISTERING = "registering"  # the server has not answered yet
    DONE = "done"


@dataclass
class Entered:
    """What stands in the fields."""

    link: str = ""
    name: str = ""
    password: str = ""
    repeat: str = ""
    ca_file: str = ""

    def __repr__(self) -> str:
        return f"<Entered for {self.name!r}, password redacted>"


@dataclass(frozen=True)
class Typed:
    """What stands under a field while it is being written in."""

    text: str = ""
    is_mistake: bool = False
    is_good: bool = False


_SHORTEST_NAME = 3
_BEGINS_A_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_WHOLE_LINK = 40  # characters: from then on a wrong link is not one that is being typed
_FIELD_OF_CODE = {
    Code.NAME_TAKEN: Field.NAME,
    Code.BAD_USER_ID: Field.NAME,
    Code.BAD_INVITE: Field.LINK,
    Code.REGISTRATION_CLOSED: Field.LINK,
}


class SignIn:
    """Turns what was entered into a running engine, or into mistakes beside the fields."""

    def __init__(
        self, accounts: Accounts, words: Words, said: str = "", leaving: Engine | None = None
    ) -> None:
        """``leaving``: the engine that was used before, to be stopped meanwhile."""
        self._ = words
        self.said = said
        """What happened before, until something begins here."""
        self._accounts = accounts
        self.stage = Stage.FORM
        self.mistakes: dict[Field, str] = {}
        self.engine: Engine | None = None
        self.seen: deque[Event] = deque()
        """Events taken from the engine meanwhile; the conversation screen starts with them."""
        self.may_retry = False
        """What went wrong may go right the next time, with the same entries."""
        self._server = ""
        self._job: Job[Engine] | None = None
        self._ending = None if leaving is None else Job(leaving.stop, "sign-out")
        self._is_new = False
        self._lost = ""  # why no answer to the registration came, so far

    def speak(self, words: Words) -> None:
        """Another language from now on."""
        self._ = words
        self.mistakes.clear()

    @property
    def profiles(self) -> Sequence[KnownProfile]:
        """Who has signed in here before."""
        return self._accounts.known()

    @property
    def progress(self) -> str:
        """What is going on, in words; nothing while the form waits."""
        if self.stage is Stage.WORKING:
            if self._ending is not None:
                return self._("Closing the profile…")
            return self._("Making your keys…") if self._is_new else self._("Unlocking…")
        if self.stage is Stage.REGISTERING:
            if self._lost:
                return self._("{why} Trying again…", why=self._lost)
            return self._("Registering with {server}…", server=self._server)
        return ""

    def link_summary(self, text: str) -> str:
        """What a pasted link says, for the line under the field; nothing while it is wrong."""
        try:
            link = read_link(text)
        except BadInviteLink:
            return ""
        if not (looks_like_link(text) or "." in text or ":" in text):
            return ""  # a word that is still being typed
        if link.pins:
            return self._("Server {server}, recognised by its key.", server=str(link.server))
        return self._("Server {server}, checked by its certificate.", server=str(link.server))

    def strength_of(self, password: str, name: str) -> tuple[Strength, str]:
        """The bar under the password, and its word."""
        step = strength(password, name)
        if len(password) < SHORTEST:
            short = self._.plural(
                "At least {number} character.", "At least {number} characters.", SHORTEST
            )
            return Strength.WEAK, short
        return step, strength_word(step, self._)

    def typed(self, field: Field, entered: Entered) -> Typed:
        """What to say under a field while it is being written in."""
        say = {Field.LINK: self._typed_link, Field.NAME: self._typed_name,
               Field.REPEAT: self._typed_repeat}.get(field)  # fmt: skip
        return say(entered) if say is not None else Typed()

    def left(self, field: Field, entered: Entered) -> Typed | None:
        """What to say when one goes on from a field; None: nothing is wrong, or nothing entered."""
        if not str(getattr(entered, field.value, "")).strip():
            return None
        mistake = self._check(entered).get(field)
        return Typed(mistake, is_mistake=True) if mistake is not None else None

    def _typed_link(self, entered: Entered) -> Typed:
        text = entered.link.strip()
        if is_contact_link(text):
            return Typed(self._contact_link_words(), is_mistake=True)
        if looks_like_link(text) and len(text) > _WHOLE_LINK:
            try:
                read_link(text)
            except BadInviteLink as error:
                return Typed(self._.error(error), is_mistake=True)
        return Typed(self.link_summary(text))

    def _contact_link_words(self) -> str:
        return self._(
            "This is a contact link. Make an account with an invite link first; then it opens."
        )

    def _typed_name(self, entered: Entered) -> Typed:
        name = entered.name.strip()
        if not name:
            return Typed()
        try:
            return Typed(self._("Others find you as {name}.", name=canonical_user_id(name)))
        except BadAddress:
            rule = self._(
                "3 to 32 of the letters a-z, digits and _ . - are possible, first a letter."
            )
            unfinished = len(name) < _SHORTEST_NAME and _BEGINS_A_NAME.fullmatch(name) is not None
            return Typed(rule, is_mistake=not unfinished)

    def _typed_repeat(self, entered: Entered) -> Typed:
        if not entered.repeat:
            return Typed()
        if entered.repeat == entered.password:
            return Typed(self._("✓ The same"), is_good=True)
        if entered.password.startswith(entered.repeat):
            return Typed()
        return Typed(self._("This is not the same password."), is_mistake=True)

    def create(self, entered: Entered) -> bool:
        """Check the fields and begin; False and `mistakes` if something is wrong."""
        self.mistakes = self._check(entered)
        if self.mistakes or self.stage is not Stage.FORM:
            return False
        link, name = read_link(entered.link), canonical_user_id(entered.name.strip())
        self._server = str(link.server)
        ca_file = Path(entered.ca_file.strip()) if entered.ca_file.strip() else None
        password = entered.password
        self._begin(lambda: self._accounts.create(link, name, password, ca_file), is_new=True)
        return True

    def open(self, profile: KnownProfile, password: str) -> bool:
        """Unlock a profile that exists."""
        self.mistakes = {}
        if not password:
            self.mistakes[Field.PASSWORD] = self._("Enter your password.")
        if self.mistakes or self.stage is not Stage.FORM:
            return False
        self._begin(lambda: self._accounts.open(profile, password), is_new=False)
        return True

    def _begin(self, work: Callable[[], Engine], *, is_new: bool) -> None:
        self._is_new = is_new
        self.may_retry = False
        self.said = self._lost = ""
        self.stage = Stage.WORKING
        before = self._ending

        def begin() -> Engine:
            if before is not None:
                before.wait()  # the profile, or the folder of the last try, is free only then
            return work()

        self._job = Job(begin, "sign-in")

    def poll(self) -> bool:
        """Look for an outcome; whether anything changed. Called by the window every few ms."""
        before = self.stage, dict(self.mistakes), self._lost, self.progress
        if self._ending is not None and self._ending.done:
            self._finish_ending(self._ending)
        if self.stage is Stage.WORKING and self._job is not None and self._job.done:
            self._finish_job(self._job)
        elif self.stage is Stage.REGISTERING and self.engine is not None:
            self._read_events(self.engine)
        return before != (self.stage, self.mistakes, self._lost, self.progress)

    def finish(self) -> None:
        """Wait until what was left behind is closed; the window has no screen any more."""
        if self._ending is not None:
            self._ending.wait()

    def cancel(self) -> None:
        """Give up waiting for the server.

        Once a registration has gone out, the server may have the account: without its keys nobody
        could ever use that, and nobody else could have the name. So the profile stays.
        """
        engine = self.engine
        if self.stage is not Stage.REGISTERING or engine is None:
            return
        if not engine.may_be_registered:
            self._give_up({})
            return
        self.engine = None
        self.seen.clear()
        self.stage = Stage.FORM
        self.said = self._(
            "The server may have registered {name} all the same. The profile stays on this device: "
            "sign in with it to go on.",
            name=engine.user_id,
        )
        self._ending = Job(lambda: self._accounts.keep(engine), "sign-in-undo")

    def _finish_job(self, job: Job[Engine]) -> None:
        self._job = None
        self.stage = Stage.FORM
        try:
            engine = job.result()
        except Exception as error:  # the thread's failure must reach the person, in words
            self.mistakes = {self._field_of(error): failure_words(error, self._)}
        else:
            self.engine = engine
            engine.start()
            self.stage = Stage.REGISTERING if self._is_new else Stage.DONE

    def _finish_ending(self, job: Job[None]) -> None:
        self._ending = None
        try:
            job.result()
        except Exception as error:  # the thread's failure must reach the person, in words
            self.mistakes[Field.WHOLE] = failure_words(error, self._)

    def _read_events(self, engine: Engine) -> None:
        while self.stage is Stage.REGISTERING and not engine.events.empty():
            event = engine.events.get_nowait()
            self.seen.append(event)
            if not isinstance(event, ConnectionChanged):
                continue
            if event.state is ConnectionState.ONLINE:
                self.stage = Stage.DONE
            elif event.problem is not None and self._may_come_yet(engine, event):
                self._lost = self._.error(event.problem)
            elif event.problem is not None:
                self.may_retry = not isinstance(event.problem, Refused)
                self._give_up({self._field_of(event.problem): self._.error(event.problem)})

    def _may_come_yet(self, engine: Engine, event: ConnectionChanged) -> bool:
        """Whether the answer to a registration may have got lost: the engine asks again."""
        return event.state is ConnectionState.OFFLINE and engine.may_be_registered

    def _give_up(self, mistakes: dict[Field, str]) -> None:
        """Back to the form: a profile that never registered is of no use to anybody."""
        engine, self.engine = self.engine, None
        self.seen.clear()
        self.stage, self.mistakes = Stage.FORM, mistakes
        if engine is not None:
            self._ending = Job(lambda: self._accounts.discard(engine), "sign-in-undo")

    def _field_of(self, error: Exception) -> Field:
        if isinstance(error, Refused):
            return _FIELD_OF_CODE.get(error.code, Field.WHOLE)
        if isinstance(error, BadInviteLink):
            return Field.LINK
        if isinstance(error, BadAddress):
            return Field.NAME
        if isinstance(error, WrongPassword | BadPassword):
            return Field.PASSWORD
        return Field.LINK if self._is_new and self.stage is Stage.REGISTERING else Field.WHOLE

    def _link_mistake(self, text: str, error: BadInviteLink) -> str:
        if looks_like_link(text):
            return self._.error(error)
        return self._("This is neither an invite link nor a server's host:port.")

    def _check(self, entered: Entered) -> dict[Field, str]:
        mistakes: dict[Field, str] = {}
        if is_contact_link(entered.link):
            mistakes[Field.LINK] = self._contact_link_words()
        elif not entered.link.strip():
            mistakes[Field.LINK] = self._(
                "Paste the invite link, or write the server as host:port."
            )
        else:
            try:
                read_link(entered.link)
            except BadInviteLink as error:
                mistakes[Field.LINK] = self._link_mistake(entered.link, error)
        try:
            canonical_user_id(entered.name.strip())
        except BadAddress:
            mistakes[Field.NAME] = self._(
                "3 to 32 of the letters a-z, digits and _ . - are possible, first a letter."
            )
        if len(entered.password) < SHORTEST:
            mistakes[Field.PASSWORD] = self._.plural(
                "At least {number} character.", "At least {number} characters.", SHORTEST
            )
        elif entered.password != entered.repeat:
            mistakes[Field.REPEAT] = self._("This is not the same password.")
        if entered.ca_file.strip() and not Path(entered.ca_file.strip()).is_file():
            mistakes[Field.CA_FILE] = self._("There is no such file.")
        return mistakes


def looks_like_link(text: str) -> bool:
    """Whether an invite link was meant, rather than a server's address."""
    return is_link(text)


def read_link(text: str) -> InviteLink:
    """An invite link, or only a server's address; raises `BadInviteLink`."""
    if looks_like_link(text):
        return InviteLink.parse(text)
    return InviteLink(ServerAddress.parse(text.strip()))
