"""The frozen things that the window draws. Texts are final: translated and cleaned of nothing yet.

Peers' text stays as it was sent (it is what gets copied); the window cleans what it draws.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from secure_chat.protocol.addresses import UserId


class Mark(StrEnum):
    """Trust at a glance; the window has a symbol and a colour for each."""

    NONE = "none"
    NEW = "new"
    VERIFIED = "verified"
    CHANGED = "changed"


class Delivery(StrEnum):
    """How far a message of ours has come; the window has a symbol for each."""

    NONE = "none"  # theirs
    WAITING = "waiting"
    HELD = "held"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    READ = "read"


class Tone(StrEnum):
    """How a banner or a status is coloured."""

    QUIET = "quiet"
    GOOD = "good"
    WARNING = "warning"
    DANGER = "danger"


class Action(StrEnum):
    """What a button in a banner does."""

    RECONNECT = "reconnect"
    COMPARE = "compare"
    RETRY = "retry"


@dataclass(frozen=True)
class PersonRow:
    """A line in the list of people."""

    user_id: UserId
    preview: str  # the last line of the conversation, or whether they are here
    when: str
    online: bool
    mark: Mark
    unread: int
    selected: bool
    spoken: str  # all of it in words: what a status line or a screen reader says
    preview_is_ours: bool = False
    preview_is_notice: bool = False  # drawn apart: a message cannot look like one here either


@dataclass(frozen=True)
class DayRow:
    """A day between messages."""

    key: str
    text: str


@dataclass(frozen=True)
class NoticeRow:
    """A line of our own program. Drawn unlike any bubble, so that no message can imitate it."""

    key: str
    text: str
    when: str


@dataclass(frozen=True)
class BubbleRow:
    """A message."""

    key: str
    text: str
    ours: bool
    when: str
    delivery: Delivery
    state: str  # the delivery state in words
    problem: str = ""  # why it is held
    first: bool = True  # of several of the same side in a row
    flag: str = ""  # the sender's clock, where it is far off


Row = DayRow | NoticeRow | BubbleRow


@dataclass(frozen=True)
class BannerRow:
    """A bar above the conversation; ``action`` is its button's."""

    tone: Tone
    text: str
    button: str = ""
    action: Action | None = None


@dataclass(frozen=True)
class HeaderRow:
    """Who we talk to."""

    user_id: UserId
    status: str
    online: bool
    mark: Mark
    trust: str


@dataclass(frozen=True)
class ComposerRow:
    """Whether writing is possible, and if not why."""

    enabled: bool
    hint: str


@dataclass(frozen=True)
class PanelRow:
    """The trust panel."""

    our_name: UserId
    our_fingerprint: tuple[str, ...]  # groups, a label each
    their_name: UserId | None = None
    their_fingerprint: tuple[str, ...] = ()
    safety_number: tuple[str, ...] = ()  # groups of five digits, a label each
    mark: Mark = Mark.NONE
    title: str = ""
    explanation: str = ""
    history: tuple[str, ...] = field(default=())  # first seen, changed, verified
    may_verify: bool = False
    must_decide: bool = False
