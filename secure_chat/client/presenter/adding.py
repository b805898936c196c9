"""Adding somebody: by the account's name, or by a contact link that says whose key it is."""

from dataclasses import dataclass

from secure_chat.client.api import Engine
from secure_chat.client.events import Event, PeopleChanged, Problem
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.look_alikes import LookAlikes
from secure_chat.errors import BadAddress, Code, Refused, SecureChatError
from secure_chat.protocol.addresses import UserId, canonical_user_id
from secure_chat.protocol.invite import ContactLink, is_contact_link, is_link


@dataclass(frozen=True)
class LinkAsk:
    """What a contact link claims, before the person says whether to believe it."""

    name: UserId
    text: str


class Adding:
    """From what was typed or pasted to an open conversation, or to a sentence beside the field."""

    def __init__(self, engine: Engine, words: Words) -> None:
        self._ = words
        self._engine = engine
        self._link: ContactLink | None = None
        self._looking_for: UserId | None = None
        self.mistake = ""
        self.found: UserId | None = None
        """Who it is, once that is known: open the conversation."""

    @property
    def busy(self) -> bool:
        """Whether the server is asked for this name just now."""
        return self._looking_for is not None

    @property
    def asks(self) -> LinkAsk | None:
        """The question that a pasted contact link leads to."""
        if self._link is None:
            return None
        return LinkAsk(
            self._link.user_id,
            self._(
                "This link says which key is {name}'s. Did you get it from {name} by a way that "
                "you trust: in person, in a call, in a message that you know to be theirs? "
                "Whoever else gave it to you could have written it.",
                name=self._link.user_id,
            )
            + self._look_alike(self._link.user_id),
        )

    def _look_alike(self, name: UserId) -> str:
        """A warning where the link names somebody in the likeness of another."""
        known = LookAlikes()
        for conversation in self._engine.conversations():
            known.put(conversation, None)
        like = known.of(name, "", None)
        if like is None:
            return ""
        return "\n⚠ " + self._(
            "{name} looks like {other}, whom you know, and is another account.",
            name=name,
            other=like,
        )

    def enter(self, text: str) -> None:
        """A name or a link; see `asks`, `busy`, `mistake` and `found` for what comes of it."""
        self.mistake, self.found, self._link, self._looking_for = "", None, None, None
        text = text.strip()
        try:
            if is_contact_link(text):
                self._link = ContactLink.parse(text)
            elif is_link(text):
                self.mistake = self._(
                    "This is an invite link: it makes an account. A contact link adds somebody."
                )
            else:
                self._by_name(canonical_user_id(text))
        except BadAddress:
            self.mistake = self._(
                "3 to 32 of the letters a-z, digits and _ . - are possible, first a letter."
            )
        except SecureChatError as wrong:
            self.mistake = self._.error(wrong)

    def answer(self, *, trusted: bool) -> None:
        """Whether the link came by a trusted way; otherwise only the name is taken from it."""
        link, self._link = self._link, None
        if link is None:
            return
        try:
            self.found = self._engine.open_contact_link(link, verify=trusted)
        except SecureChatError as wrong:
            self.mistake = self._.error(wrong)

    def _by_name(self, name: UserId) -> None:
        self._looking_for = name
        if any(person.user_id == name for person in self._engine.people()):
            self._arrived()
        else:
            self._engine.open_conversation(name)

    def take(self, event: Event) -> bool:
        """An event of the engine that may be the answer; whether anything changed."""
        match event:
            case PeopleChanged(people=people) if any(
                person.user_id == self._looking_for and person.trust is not None
                for person in people
            ):
                self._arrived()
                return True
            case Problem(error=error, user_id=user_id) if (
                user_id is not None and user_id == self._looking_for
            ):
                self._looking_for = None
                unknown = isinstance(error, Refused) and error.code is Code.UNKNOWN_USER
                self.mistake = (
                    self._("Nobody on this server has this name.")
                    if unknown
                    else self._.error(error)
                )
                return True
        return False

    def _arrived(self) -> None:
        self.found, self._looking_for = self._looking_for, None
