"""The page on which people make sure of a key: digits, QR codes both ways, a contact link."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from secure_chat.client import qr
from secure_chat.client.api import Engine
from secure_chat.client.events import (
    Event,
    KeyChanged,
    KeyEvent,
    KeyFact,
    Means,
    PeopleChanged,
    Safety,
    Trust,
)
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.clock import Times
from secure_chat.errors import ContactLinkDiffers, QrCodeDiffers, SecureChatError
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.invite import ContactLink, is_link

_FINGERPRINT_SHOWN = 3  # groups: enough to tell two keys of one person apart at a glance


@dataclass(frozen=True)
class Said:
    """What came of a try, in words. ``alarm``: it is a reason to distrust the conversation."""

    text: str
    good: bool = False
    alarm: bool = False


@dataclass(frozen=True)
class HistoryRow:
    """A moment in the history of a key."""

    when: str
    what: str
    key: tuple[str, ...]  # the first groups of its fingerprint, a label each
    alarm: bool = False


class Verifying:
    """All that the page shows of one contact, and what a person can do there."""

    def __init__(self, engine: Engine, user_id: UserId, words: Words, times: Times) -> None:
        self._ = words
        self._engine, self._times = engine, times
        self.user_id = user_id
        self.said: Said | None = None
        self.safety: Safety | None = None
        """Both keys; None before theirs is known."""
        self.our_code = ""
        """What their device scans from our screen; nothing before their key is known."""
        self._look()

    def _look(self) -> None:
        """Ask the engine once for each try: a safety number costs thousands of hashes."""
        self.safety = self._engine.safety(self.user_id)
        try:
            self.our_code = self._engine.qr_content(self.user_id) if self.safety else ""
        except SecureChatError:
            self.our_code = ""

    def take(self, event: Event) -> bool:
        """An event of the engine; whether the key or the trust in it is another one now."""
        known = self.safety
        match event:
            case PeopleChanged(people=people) if any(p.user_id == self.user_id for p in people):
                trust = next(p.trust for p in people if p.user_id == self.user_id)
                if trust is (known.trust if known is not None else None):
                    return False
            case KeyChanged(user_id=user_id) if user_id == self.user_id:
                pass
            case _:
                return False
        self._look()
        return known != self.safety

    # ------------------------------------------------------------ what is drawn

    @property
    def is_verified(self) -> bool:
        """Whether there is nothing left to do."""
        return self.safety is not None and self.safety.trust is Trust.VERIFIED

    @property
    def history(self) -> list[HistoryRow]:
        """What happened to this key, the newest moment first."""
        events = self._engine.key_history(self.user_id)
        return [
            HistoryRow(
                self._times.full(event.time),
                self._fact(event),
                tuple(event.fingerprint.split()[:_FINGERPRINT_SHOWN]),
                alarm=event.fact in {KeyFact.CHANGED, KeyFact.DOUBTED},
            )
            for event in reversed(events)
        ]

    def _fact(self, event: KeyEvent) -> str:
        words = self._
        return {
            KeyFact.SEEN: words("seen for the first time"),
            KeyFact.CHANGED: words("another key was offered"),
            KeyFact.BACK: words("the key known before was offered again"),
            KeyFact.ACCEPTED: words("you accepted it without comparing"),
            KeyFact.VERIFIED: means_words(event.means, words),
            KeyFact.DOUBTED: words("a contact link named another key; nothing was changed"),
        }[event.fact]

    # ------------------------------------------------------------ what a person does

    def same(self) -> bool:
        """The person compared the digits, and they are the same."""
        safety = self.safety
        if safety is None:
            return False
        number = " ".join(safety.safety_number)
        return self._try(lambda: self._engine.mark_verified(self.user_id, number))

    def read_image(self, path: Path) -> bool:
        """Their QR code, photographed or as a screenshot; or their contact link as a QR code."""
        try:
            text = qr.read_image(path)
        except SecureChatError as wrong:
            self.said = Said(self._.error(wrong))
            return False
        return self.read_text(text)

    def read_text(self, text: str) -> bool:
        """What their QR code says, or their contact link, pasted."""
        text = text.strip()
        if not text:
            self.said = Said(self._("Paste the digits of their QR code, or their contact link."))
            return False
        if is_link(text):
            return self._read_link(text)
        return self._try(lambda: self._engine.verify_qr(self.user_id, text))

    def _read_link(self, text: str) -> bool:
        try:
            link = ContactLink.parse(text)
        except SecureChatError as wrong:
            self.said = Said(self._.error(wrong))
            return False
        if link.user_id != self.user_id:
            self.said = Said(
                self._("This is the contact link of {name}, not of {other}.",
                       name=link.user_id, other=self.user_id)
            )  # fmt: skip
            return False
        return self._try(lambda: self._engine.open_contact_link(link, verify=True))

    def _try(self, ask: Callable[[], object]) -> bool:
        try:
            ask()
        except SecureChatError as wrong:
            alarm = isinstance(wrong, QrCodeDiffers | ContactLinkDiffers)
            self.said = Said(self._.error(wrong), alarm=alarm)
            return False
        finally:
            self._look()
        self.said = Said(self._("Verified: this key is {name}'s.", name=self.user_id), good=True)
        return True


def means_words(means: Means | None, words: Words) -> str:
    """How a key was verified."""
    return {
        Means.QR: words("verified by QR code"),
        Means.LINK: words("verified by contact link"),
    }.get(means or Means.DIGITS, words("verified by comparing the digits"))
