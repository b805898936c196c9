"""What a content does to a conversation: one pure function (PROTOCOL.md, content, rules).

Each message has a key of two parts: the account key of its author (empty for ourselves) and its
content id. What others do to it is kept under that key, whether the message is here yet or not, as
values that only grow: an edit has a revision, a reaction and a name replace those of lower
revision, a deletion is for ever. So contents may arrive late, twice, or in another order, and both
sides end with the same conversation; and nobody can touch what another wrote, because the author's
part of the key is always the sender's own.

`take` never changes anything. It answers with effects, for the vault to apply in one transaction.
"""

from typing import NewType, Protocol

from msgspec import Struct

from secure_chat.client.content.payloads import (
    Content,
    ContentId,
    Delete,
    Edit,
    File,
    Profile,
    Reaction,
    Receipt,
    Reference,
    SessionLost,
    Text,
    Timer,
    Typing,
    Unknown,
)

Author = NewType("Author", bytes)
"""An account key, or nothing for ourselves."""

OURSELVES = Author(b"")

TIMER_JUMP = 1_000_000
"""How far a timer's revision may run ahead: a liar cannot use up the numbers of both."""


class Ref(Struct, frozen=True):
    """A message of a conversation, bound to its author."""

    author: Author
    content_id: ContentId


class Sender(Struct, frozen=True):
    """Whose content it is, and whom it speaks to.

    ``accepted``: the person knows this key as the contact's (a changed one waits for a decision).
    ``engaged``: no stranger; we have answered or opened the conversation.
    """

    author: Author
    other: Author = OURSELVES
    accepted: bool = True
    engaged: bool = True


class Version(Struct, frozen=True, order=True):
    """A value that one party alone may replace. Of one revision the greater text counts."""

    revision: int
    text: str


class View(Protocol):
    """What a conversation holds now."""

    def is_here(self, ref: Ref) -> bool:
        """Whether this message came, and has not gone."""

    def is_gone(self, ref: Ref) -> bool:
        """Whether this message was deleted or has disappeared; then it never comes back."""

    def edit(self, ref: Ref, revision: int) -> str | None:
        """The text of one revision of a message."""

    def reaction(self, ref: Ref, by: Author) -> Version | None:
        """Somebody's reaction to a message."""

    def timer(self) -> Timer:
        """After how long messages disappear; revision 0 before anybody set it."""

    def name(self, of: Author) -> Version | None:
        """How somebody likes to be called."""

    def addressee(self, content_id: ContentId) -> Author | None:
        """To which account key we encrypted a message of ours."""


# ---------------------------------------------------------------- effects


class AddLine(Struct, frozen=True):
    """A message joins the conversation; edits and reactions that wait for it show with it."""

    ref: Ref
    text: str
    timer: int
    quote: Ref | None
    file: File | None = None


class PutEdit(Struct, frozen=True):
    """One revision of a message; the highest is shown."""

    ref: Ref
    revision: int
    text: str


class Erase(Struct, frozen=True):
    """Text, edits and reactions go; a mark stays, so that the message never comes back."""

    ref: Ref


class PutReaction(Struct, frozen=True):
    """Somebody's reaction to a message, in place of the one before."""

    ref: Ref
    by: Author
    version: Version


class PutTimer(Struct, frozen=True):
    """After how long the messages from now on disappear."""

    by: Author
    timer: Timer


class PutName(Struct, frozen=True):
    """How somebody likes to be called."""

    of: Author
    version: Version


class Mark(Struct, frozen=True):
    """A message of ours arrived, or was read."""

    content_id: ContentId
    read: bool


class ShowTyping(Struct, frozen=True):
    """Somebody writes, or stopped."""

    active: bool


class Confirm(Struct, frozen=True):
    """Tell the sender that it arrived. ``prompt``: now; else with whatever is sent next."""

    content_id: ContentId
    prompt: bool


class SendAgain(Struct, frozen=True):
    """What this key has not confirmed is sent again."""


class NotApplied(Struct, frozen=True):
    """A line of our own says that something was not obeyed."""

    because: str


class NeedsNewer(Struct, frozen=True):
    """A line of our own says that this program is too old for something."""


Effect = (
    AddLine
    | PutEdit
    | Erase
    | PutReaction
    | PutTimer
    | PutName
    | Mark
    | ShowTyping
    | Confirm
    | SendAgain
    | NotApplied
    | NeedsNewer
)

KEY_NOT_ACCEPTED = "its key has not been accepted"
TIMER_FAR_AHEAD = "its number is too far ahead"

_Effects = tuple[Effect, ...]


def take(view: View, sender: Sender, content: Content, *, live: bool = False) -> _Effects:
    """What ``content`` of ``sender`` does. ``live``: it came as a transient message."""
    match content.payload:
        case Text() as text:
            effects, known = _text(view, sender, content, text), True
        case Edit() as edit:
            effects, known = _edit(view, sender, edit)
        case Delete() as deletion:
            effects, known = _delete(view, sender, deletion)
        case Reaction() as reaction:
            effects, known = _reaction(view, sender, reaction)
        case Timer() as timer:
            effects, known = _timer(view, sender, timer)
        case Profile() as profile:
            effects, known = _profile(view, sender, profile)
        case Receipt() as receipt:
            return _receipt(view, sender, receipt)
        case Typing(active=active):
            wanted = live and sender.engaged and sender.accepted
            return (ShowTyping(active),) if wanted else ()
        case SessionLost():
            return (SendAgain(),)
        case Unknown(show=True):
            return (NeedsNewer(),)
        case _:
            return ()
    if not (known and sender.engaged) or sender.author == OURSELVES:
        # A receipt would tell a stranger, or somebody who guesses at ids, that we are here.
        return effects
    return (*effects, Confirm(content.content_id, prompt=isinstance(content.payload, Text)))


def resolve(sender: Sender, reference: Reference) -> Ref:
    """The message that a sender's reference means."""
    return Ref(sender.author if reference.own else sender.other, reference.content_id)


def newer_timer(one: Timer, other: Timer) -> bool:
    """Whether ``one`` replaces ``other``. Of two set at once the shorter time counts."""
    return _rank(one) > _rank(other)


def _rank(timer: Timer) -> tuple[int, float]:
    return timer.revision, -(timer.seconds or float("inf"))


# Each rule returns its effects, and whether it was about something that is known here.


def _text(view: View, sender: Sender, content: Content, text: Text) -> _Effects:
    ref = Ref(sender.author, content.content_id)
    if view.is_here(ref) or view.is_gone(ref):
        return ()
    quote = None if text.quote is None else resolve(sender, text.quote)
    return (AddLine(ref, text.text, text.timer, quote, text.file),)


def _edit(view: View, sender: Sender, edit: Edit) -> tuple[_Effects, bool]:
    ref = Ref(sender.author, edit.content_id)
    if view.is_gone(ref):
        return (), True
    known = view.edit(ref, edit.revision)
    if known is not None and known >= edit.text:
        return (), view.is_here(ref)
    return (PutEdit(ref, edit.revision, edit.text),), view.is_here(ref)


def _delete(view: View, sender: Sender, deletion: Delete) -> tuple[_Effects, bool]:
    ref = Ref(sender.author, deletion.content_id)
    if view.is_gone(ref):
        return (), True
    return (Erase(ref),), view.is_here(ref)


def _reaction(view: View, sender: Sender, reaction: Reaction) -> tuple[_Effects, bool]:
    ref = resolve(sender, reaction.about)
    if view.is_gone(ref):
        return (), True
    if not sender.accepted:
        return (NotApplied(KEY_NOT_ACCEPTED),), False
    version = Version(reaction.revision, reaction.emoji)
    before = view.reaction(ref, sender.author)
    if before is not None and before >= version:
        return (), view.is_here(ref)
    return (PutReaction(ref, sender.author, version),), view.is_here(ref)


def _timer(view: View, sender: Sender, timer: Timer) -> tuple[_Effects, bool]:
    if not sender.accepted:
        return (NotApplied(KEY_NOT_ACCEPTED),), False
    before = view.timer()
    if timer.revision > before.revision + TIMER_JUMP:
        return (NotApplied(TIMER_FAR_AHEAD),), False
    return ((PutTimer(sender.author, timer),) if newer_timer(timer, before) else ()), True


def _profile(view: View, sender: Sender, profile: Profile) -> tuple[_Effects, bool]:
    if not sender.accepted:
        return (NotApplied(KEY_NOT_ACCEPTED),), False
    version = Version(profile.revision, profile.name)
    before = view.name(sender.author)
    new = before is None or version > before
    return ((PutName(sender.author, version),) if new else ()), True


def _receipt(view: View, sender: Sender, receipt: Receipt) -> _Effects:
    """Only of messages that we encrypted to this very key; other ids mean nothing."""
    return tuple(
        Mark(content_id, receipt.read)
        for content_id in receipt.content_ids
        if view.addressee(content_id) == sender.author
    )
