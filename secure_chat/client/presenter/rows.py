"""The frozen things that the window draws. Texts are final: translated and cleaned of nothing yet.

Peers' text stays as it was sent (it is what gets copied); the window cleans what it draws.
"""

from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto

from secure_chat.protocol.addresses import UserId


class Part(Enum):
    """A part of the screen that has to be drawn again."""

    PEOPLE = auto()
    HEADER = auto()
    PANEL = auto()
    BANNER = auto()
    COMPOSER = auto()
    PROBLEM = auto()
    TITLE = auto()


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
    UNBLOCK = "unblock"


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
    preview_is_draft: bool = False
    writing: bool = False  # to us, now
    title: str = ""  # our own name for them, drawn before the account's; empty: there is none
    calls_itself: str = ""  # the name that they chose; never in the place of the account's
    request: bool = False  # a stranger's, with nothing to see yet
    blocked: bool = False
    muted: bool = False
    pinned: bool = False


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
    number: int = 0


@dataclass(frozen=True)
class UnreadRow:
    """A line above the first message that nobody had seen when the conversation was opened."""

    key: str
    text: str


@dataclass(frozen=True)
class QuoteRow:
    """What a message answers. ``number`` 0: it is not here any more."""

    number: int
    name: str
    text: str
    ours: bool


@dataclass(frozen=True)
class ReactionRow:
    """An emoji under a message; ``spoken`` says it, and who, in words."""

    emoji: str
    count: int
    ours: bool
    spoken: str


class FileAction(StrEnum):
    """What pressing a file does."""

    NONE = "none"
    SAVE = "save"
    CANCEL = "cancel"
    FOLDER = "folder"  # show where it lies; nothing opens by itself


@dataclass(frozen=True)
class FileRow:
    """The file of a message."""

    name: str
    note: str  # size, and how it stands, in words
    action: FileAction
    label: str  # of the action
    fraction: float | None = None  # how much was transferred, 0 to 1, while it is under way
    problem: str = ""
    path: str = ""


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
    last: bool = True
    flag: str = ""  # the sender's clock, where it is far off
    number: int = 0
    edited: bool = False
    deleted: bool = False  # ``text`` is a line of ours in its place
    quote: QuoteRow | None = None
    reactions: tuple[ReactionRow, ...] = ()
    expiry: str = ""  # how long until it disappears, once that runs; before: after how long
    file: FileRow | None = None  # ``text`` is its caption, perhaps empty


Row = DayRow | NoticeRow | UnreadRow | BubbleRow


@dataclass(frozen=True)
class StripRow:
    """Above the composer: what is being answered or edited."""

    editing: bool
    title: str
    text: str


@dataclass(frozen=True)
class ResultRow:
    """A message that the search found: ``before``, the word that was meant, ``after``."""

    user_id: UserId
    number: int
    name: str
    when: str
    before: str
    match: str
    after: str


@dataclass(frozen=True)
class Fact:
    """A line of a message's details."""

    label: str
    value: str


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
    writing: bool = False
    title: str = ""  # our own name for them; the account's stands beside it
    calls_itself: str = ""  # the name that they chose
    known: bool = True  # no stranger who waits to be accepted
    timer: str = ""  # after how long new messages disappear


@dataclass(frozen=True)
class ComposerRow:
    """Whether writing is possible, and if not why."""

    enabled: bool
    hint: str
    button: str = ""
    strip: StripRow | None = None
    counter: str = ""  # how much room is left, once it is little
    over: bool = False  # too long to be sent


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
