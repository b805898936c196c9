"""What the engine tells the user interfaces: a small frozen vocabulary.

Events are immutable and carry all that a face needs to draw, so that no face asks the vault
while it draws. Times are milliseconds since 1970, UTC.
"""

from enum import StrEnum

from msgspec import Struct

from secure_chat.errors import SecureChatError
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.held import HeldRow


class ConnectionState(StrEnum):
    """Where the engine stands with the server."""

    OFFLINE = "offline"
    CONNECTING = "connecting"
    ONLINE = "online"
    STOPPED = "stopped"  # will not come back by itself: refused, replaced, or stopped


class Trust(StrEnum):
    """How far a contact's account key is trusted."""

    NEW = "new"  # first use, nobody compared
    VERIFIED = "verified"
    CHANGED = "changed"  # another key than before; sending waits for the person's decision


class Audience(StrEnum):
    """Who may learn something about us."""

    NOBODY = "nobody"
    VERIFIED = "verified"  # contacts whose safety number was compared
    CONTACTS = "contacts"  # everybody whom we answered


class Strangers(StrEnum):
    """What happens to messages of people whom we never answered."""

    ASK = "ask"  # a request: nothing but the name is shown until the person accepts
    ADMIT = "admit"  # they are shown as they come; whoever is opened is a stranger no more


class KeyFact(StrEnum):
    """What happened to a contact's account key."""

    SEEN = "seen"  # first use
    CHANGED = "changed"  # another one was offered; it waits for the person
    BACK = "back"  # the one known before was offered again
    ACCEPTED = "accepted"  # the person took the other one
    VERIFIED = "verified"
    DOUBTED = "doubted"  # a contact link named another one


class Means(StrEnum):
    """How a key was verified."""

    DIGITS = "digits"  # the safety number was compared
    QR = "qr"
    LINK = "link"  # a contact link that came over a way which the person trusts


class MessageState(StrEnum):
    """How far a message of ours has come; `RECEIVED` marks theirs."""

    WAITING = "waiting"  # in the outbox
    HELD = "held"  # waits for the person: changed key, full mailbox, refused
    ACCEPTED = "accepted"  # on the server's disk, or with the recipient's device
    DELIVERED = "delivered"  # the recipient's device said so, end to end
    READ = "read"
    RECEIVED = "received"


class FileState(StrEnum):
    """Where the file of a message is. Ours: PREPARING, UPLOADING, SENT; theirs: the others."""

    PREPARING = "preparing"  # is being encrypted, or waits for that
    UPLOADING = "uploading"  # on its way to the server, or waits for a connection
    SENT = "sent"  # on the server; how far the message is, `MessageState` says
    OFFERED = "offered"  # on the server, and nobody asked for it here
    DOWNLOADING = "downloading"  # on its way to ``path``, or waits for a connection
    SAVED = "saved"  # in ``path``, complete and authenticated


class Attachment(Struct, frozen=True):
    """The file of a message. ``name`` is a plain file name, safe to show and to save under.

    ``path``: ours: which file was sent; theirs: the folder while it is under way, then the file.
    It may have been moved since. ``done`` of ``total`` bytes were transferred (`FileProgress`).
    """

    name: str
    size: int
    media_type: str
    state: FileState
    path: str = ""
    done: int = 0
    total: int = 0
    problem: str = ""  # why it is not here, already a sentence


class Person(Struct, frozen=True):
    """Somebody on this server, and our trust in them (None before any contact)."""

    user_id: UserId
    online: bool
    trust: Trust | None = None
    display_name: str = ""  # as they call themselves, once they are no stranger; never an identity
    name: str = ""  # as we call them here
    blocked: bool = False


class Quote(Struct, frozen=True):
    """What a message answers, as this device has it. ``number`` 0: it is not here (any more)."""

    content_id: bytes
    ours: bool
    number: int = 0
    text: str = ""
    file_name: str = ""  # of the file that it brings


class Reaction(Struct, frozen=True):
    """One person's reaction to a message."""

    ours: bool
    emoji: str


class Version(Struct, frozen=True):
    """A text that a message had or has. ``revision`` 0: as it was written first."""

    revision: int
    text: str
    time: int  # when it was written here, or arrived


class Privacy(Struct, frozen=True):
    """Who learns that we have read, or are writing (strangers never do), and who may write."""

    read_receipts: Audience
    typing: Audience
    strangers: Strangers = Strangers.ASK


class Message(Struct, frozen=True):
    """One line of a conversation. ``number`` orders a conversation and only grows."""

    content_id: bytes
    number: int
    user_id: UserId  # the other side
    ours: bool
    text: str
    time: int  # when we wrote it, or when theirs arrived here
    state: MessageState
    claimed_time: int = 0  # the sender's clock, shown when far from ``time``
    is_notice: bool = False  # a line of our own program (a key changed, a message was unreadable)
    problem: str = ""  # why it is HELD, or what a notice says, already a sentence
    quoted: Quote | None = None
    edited: int = 0  # when the newest edit was made or arrived; 0: never
    deleted: bool = False  # its author took it back: there is no text any more
    reactions: tuple[Reaction, ...] = ()
    timer: int = 0  # disappears so many seconds after it was read (theirs) or sent (ours); 0: never
    expires: int = 0  # when it will disappear, once that time runs
    file: Attachment | None = None  # ``text`` is its caption then, perhaps empty


class Draft(Struct, frozen=True):
    """What is being written in a conversation. The numbers are of messages; 0: none."""

    text: str = ""
    reply_to: int = 0  # the message that it answers
    editing: int = 0  # the message of ours that it shall replace
    aside: str = ""  # what was being written when the editing began


class Conversation(Struct, frozen=True):
    """A line in the list of conversations."""

    user_id: UserId
    trust: Trust
    unread: int
    last: Message | None
    timer: int = 0  # seconds after which new messages disappear; 0: never
    display_name: str = ""
    first_unread: int = 0  # number of the oldest message that nobody has seen; 0: none
    draft: str = ""  # what is being written here
    name: str = ""  # as we call them here; never shown as if it were the account's name
    request: bool = False  # a stranger's, not accepted: there is nothing to see but the account
    arrived: int = 0  # when the newest line came, of a request too
    blocked: bool = False
    muted_until: int = 0
    pinned: int = 0  # since when; 0: it is not
    archived: bool = False


class KeyEvent(Struct, frozen=True):
    """A moment in the history of a contact's account key."""

    time: int
    fact: KeyFact
    means: Means | None = None  # of VERIFIED
    fingerprint: str = ""  # of the key; empty where an earlier version did not keep it


class Safety(Struct, frozen=True):
    """What the panel beside a conversation shows. Digits only, in groups of five."""

    user_id: UserId
    our_fingerprint: str
    their_fingerprint: str
    safety_number: tuple[str, ...]  # 12 groups of 5 digits, the same on both sides
    trust: Trust
    first_seen: int
    changed: int = 0  # when the key changed last; 0: never
    verified: int = 0
    verified_by: Means | None = None


class Event(Struct, frozen=True):
    """Root of the events."""


class ConnectionChanged(Event, frozen=True):
    """The connection's state; ``problem`` says why not online, ``retry_in`` when next."""

    state: ConnectionState
    problem: SecureChatError | None = None
    retry_in: float | None = None
    tls_group: str = ""  # the negotiated key exchange, once online


class PeopleChanged(Event, frozen=True):
    """These people are new or have another presence or trust; the rest is as before."""

    people: tuple[Person, ...]
    complete: bool = False  # the whole list: who is not in it is gone
    listed: bool = True  # False: the server lists nobody, and these are only those whom we know


class ConversationChanged(Event, frozen=True):
    """A conversation is new, or its unread count, trust or last line changed."""

    conversation: Conversation


class MessageAdded(Event, frozen=True):
    """A message of ours or theirs joined a conversation."""

    message: Message


class MessageChanged(Event, frozen=True):
    """A message shown before has another state or text."""

    message: Message


class FileProgress(Event, frozen=True):
    """A file moves: so many bytes of it are there. Each change of its state is `MessageChanged`."""

    user_id: UserId
    number: int
    content_id: bytes
    state: FileState  # UPLOADING or DOWNLOADING
    done: int
    total: int


class MessageRemoved(Event, frozen=True):
    """A message is gone from this device: it disappeared, or the person removed it here."""

    user_id: UserId
    number: int
    content_id: bytes


class ChangeSent(Event, frozen=True):
    """How far an edit, deletion, reaction, timer or profile has come: held, or accepted.

    ``content_id`` is the one that the intent returned; ``problem`` says why it is held.
    """

    user_id: UserId
    content_id: bytes
    state: MessageState
    problem: str = ""


class TypingChanged(Event, frozen=True):
    """Somebody writes to us, or has stopped; without news it stops by itself."""

    user_id: UserId
    active: bool


class KeyChanged(Event, frozen=True):
    """A contact's account key is another one. Sending waits when it was verified."""

    user_id: UserId
    was_verified: bool


class ServersData(Event, frozen=True):
    """All that the server says it holds on our account; ``problem``: why it could not be had.

    The rows are the server's word: nobody can check that there are no others.
    """

    rows: tuple[HeldRow, ...] = ()
    problem: SecureChatError | None = None


class AccountDeletion(Event, frozen=True):
    """How our account's deletion went; without ``problem`` it is gone from the server.

    Then the engine stops (`ConnectionState.STOPPED`); the profile with its history stays on this
    device until somebody removes it (`secure_chat.client.profile.remove_profile`).
    """

    problem: SecureChatError | None = None


class Problem(Event, frozen=True):
    """Something a person should know; ``user_id`` where it concerns one conversation."""

    error: SecureChatError
    user_id: UserId | None = None
