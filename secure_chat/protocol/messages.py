"""Every message between client and server: the one table of types (PROTOCOL.md 3).

A header is compact JSON with the fields in the order given here, ``type`` first; an optional field
that has its default is absent. A header that differs from its own re-encoding is refused, which
catches duplicate keys, white space, escapes and every other second spelling.

``ref`` numbers a request; the answer (``ok``, ``error``, ``keys``, ``users``, ...) repeats it.
A `pm` is known by its delivery id instead.
"""

from enum import Enum, auto
from typing import Annotated, ClassVar, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from secure_chat.errors import Code, ProtocolError
from secure_chat.protocol import limits
from secure_chat.protocol.invite import Pin
from secure_chat.protocol.wiretypes import (
    AccountKey,
    BlobHash,
    Challenge,
    DeliveryId,
    InviteToken,
    KemPublic,
    ManifestBytes,
    PrekeyPublic,
    ServerId,
    Signature,
    dec_hook,
    enc_hook,
)

VERSION = 1
VERSIONS = (VERSION,)
BLOBS = "blobs"
PINS = "pins"
FEATURES: tuple[str, ...] = (BLOBS, PINS)
"""Optional parts of the protocol that this code knows."""

Number = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # exact in every JSON reader
Ref = Annotated[int, Meta(ge=0, le=2**32 - 1)]
KeyId = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Time = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # milliseconds since 1970, UTC
Name = Annotated[str, Meta(min_length=1, max_length=limits.USER_ID_MAX)]
Device = Annotated[str, Meta(min_length=1, max_length=limits.DEVICE_MAX)]
Address = Annotated[str, Meta(max_length=limits.USER_ID_MAX + 1 + limits.DEVICE_MAX)]
ProtocolVersion = Annotated[int, Meta(ge=0, le=limits.VERSION_MAX)]
Feature = Annotated[str, Meta(max_length=limits.FEATURE_NAME)]
Features = Annotated[list[Feature], Meta(max_length=limits.FEATURES)]
Place = Annotated[str, Meta(max_length=limits.PLACE)]  # only the server reads it
Sentence = Annotated[str, Meta(max_length=limits.SENTENCE)]


class Phase(Enum):
    """When a client may send a message."""

    BEFORE_LOGIN = auto()
    AFTER_LOGIN = auto()


class Message(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type"
):
    """A header. Class attributes say where it may stand."""

    phase: ClassVar[Phase] = Phase.AFTER_LOGIN
    has_body: ClassVar[bool] = False
    largest: ClassVar[int] = limits.HEADER
    feature: ClassVar[str] = ""  # must have been agreed on at the login


# ---------------------------------------------------------------- keys inside headers


class SignedPrekey(Struct, frozen=True, forbid_unknown_fields=True):
    """An X25519 prekey with expiry (ms), signed by the device key (signing.prekey)."""

    id: KeyId
    key: PrekeyPublic
    expires: Time
    signature: Signature


class KemPrekey(Struct, frozen=True, forbid_unknown_fields=True):
    """An ML-KEM-1024 key, one-time or last-resort, signed by the device key (signing.prekey)."""

    id: KeyId
    key: KemPublic
    expires: Time
    signature: Signature


class OneTimePrekey(Struct, frozen=True, forbid_unknown_fields=True):
    """A one-time X25519 key, unsigned as in X3DH: the transcript of a session binds it."""

    id: KeyId
    key: PrekeyPublic


# ---------------------------------------------------------------- client to server


class Register(Message, frozen=True, tag="register"):
    """Create an account with its first device and log that device in; answered by `welcome`."""

    phase = Phase.BEFORE_LOGIN
    user_id: Name
    device: Device
    version: ProtocolVersion
    features: Features
    account_key: AccountKey
    manifest: ManifestBytes
    manifest_signature: Signature  # by the account key over signing.manifest
    signed_prekey: SignedPrekey
    last_resort: KemPrekey
    account_signature: Signature  # both over signing.registration
    device_signature: Signature
    invite: InviteToken | None = None


class Login(Message, frozen=True, tag="login"):
    """Log a device in; answered by `welcome`."""

    phase = Phase.BEFORE_LOGIN
    user_id: Name
    device: Device
    version: ProtocolVersion
    features: Features
    signature: Signature  # by the device key over signing.login


class List(Message, frozen=True, tag="list"):
    """A page of the accounts, by name, after ``after``; answered by `users`."""

    ref: Ref
    after: Annotated[str, Meta(max_length=limits.USER_ID_MAX)] = ""
    limit: Annotated[int, Meta(ge=1, le=limits.USERS_PER_PAGE)] = limits.USERS_PER_PAGE


class Watch(Message, frozen=True, tag="watch"):
    """Ask for `presence` updates (or no longer); answered by `ok`.

    ``names``: of these alone, in place of those before; who of them is here is told before the
    answer. Where the directory is by name (`not_listed`) there is no other way.
    """

    largest = limits.KEY_HEADER
    ref: Ref
    presence: bool
    names: Annotated[list[Name], Meta(max_length=limits.WATCHED_NAMES)] = field(
        default_factory=list
    )


class Pm(Message, frozen=True, tag="pm"):
    """A private message to one device; answered by `accepted` or by `error` with its id."""

    has_body = True
    id: DeliveryId
    to: Address
    manifest: Number = 0  # counter of the recipient's manifest it was made for; 0: not checked
    transient: bool = False  # typing and the like: never stored, acknowledged or answered


class Chat(Message, frozen=True, tag="chat"):
    """A message to a room. Answered by `error` not_supported until rooms exist."""

    has_body = True
    id: DeliveryId
    room: Annotated[str, Meta(max_length=limits.ROOM)]


class Ack(Message, frozen=True, tag="ack"):
    """All deliveries up to and with ``seq`` are safe in this device's vault."""

    seq: Number


class Ping(Message, frozen=True, tag="ping"):
    """Answered by `pong`."""


class KeysPut(Message, frozen=True, tag="keys_put"):
    """Publish prekeys, at most 20 a frame; answered by `ok`.

    One-time keys add to the stock; a signed prekey or last-resort key replaces the one before.
    ``restart`` first deletes this device's whole one-time stock (after a restored vault).
    """

    largest = limits.KEY_HEADER
    ref: Ref
    version: Number  # of the prekey set, repeated in `welcome`
    signed_prekey: SignedPrekey | None = None
    last_resort: KemPrekey | None = None
    one_time: Annotated[list[OneTimePrekey], Meta(max_length=limits.KEYS_PER_FRAME)] = field(
        default_factory=list
    )
    one_time_kem: Annotated[list[KemPrekey], Meta(max_length=limits.KEYS_PER_FRAME)] = field(
        default_factory=list
    )
    restart: bool = False


class KeysGet(Message, frozen=True, tag="keys_get"):
    """Claim a bundle of one device: its one-time keys are handed out once; answered by `keys`."""

    ref: Ref
    to: Address


class ManifestGet(Message, frozen=True, tag="manifest_get"):
    """Answered by `manifest`."""

    ref: Ref
    user_id: Name


class ManifestPut(Message, frozen=True, tag="manifest_put"):
    """Publish the next manifest of one's own account; answered by `ok`."""

    largest = limits.KEY_HEADER
    ref: Ref
    manifest: ManifestBytes
    manifest_signature: Signature


class MyData(Message, frozen=True, tag="my_data"):
    """What the server holds on the account that asks, from ``after`` on; answered by `my_data`."""

    ref: Ref
    after: Place = ""


class AccountDelete(Message, frozen=True, tag="account_delete"):
    """Delete the account with all that is held; answered by `ok`, then `bye` account_deleted."""

    ref: Ref
    signature: Signature  # by the account key over signing.account_deletion


class BlobPut(Message, frozen=True, tag="blob_put"):
    """A chunk of a blob of ``size`` bytes; answered by `blob_held`.

    The chunk is kept if it begins where the kept bytes end; without a chunk it asks how many
    those are.
    """

    has_body = True
    feature = BLOBS
    ref: Ref
    sha256: BlobHash
    size: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    offset: Number = 0


class BlobGet(Message, frozen=True, tag="blob_get"):
    """The chunk of a blob at ``offset``; answered by `blob`."""

    feature = BLOBS
    ref: Ref
    sha256: BlobHash
    offset: Number = 0


# ---------------------------------------------------------------- server to client


class Hello(Message, frozen=True, tag="hello"):
    """The greeting, sent first by the server. Its bytes enter every login signature."""

    phase = Phase.BEFORE_LOGIN
    versions: Annotated[list[ProtocolVersion], Meta(max_length=limits.VERSIONS)]
    features: Features
    server_id: ServerId
    challenge: Challenge
    registration: Annotated[str, Meta(pattern="^(open|invite|closed)$")]
    time: Time


class Welcome(Message, frozen=True, tag="welcome"):
    """Logged in. ``acked`` and ``key_version`` let a restored old vault notice itself."""

    phase = Phase.BEFORE_LOGIN
    user_id: Name
    device: Device
    acked: Number  # last sequence this device acknowledged
    key_version: Number  # of the prekey set it published last; 0: none
    one_time: Number  # how many one-time keys the server still holds
    one_time_kem: Number
    manifest: Number  # counter of the account's manifest
    time: Time


class Ok(Message, frozen=True, tag="ok"):
    """The request is done, and on disk where it stores something."""

    ref: Ref


class Error(Message, frozen=True, tag="error"):
    """A request was refused; ``ref`` or ``id`` says which one. See `secure_chat.errors.CODES`."""

    code: Code
    message: Sentence
    ref: Ref | None = None
    id: DeliveryId | None = None
    retry_after: float | None = None  # seconds


class Bye(Message, frozen=True, tag="bye"):
    """The server closes this connection, and says why."""

    phase = Phase.BEFORE_LOGIN
    code: Code
    message: Sentence
    retry_after: float | None = None  # seconds


class UserEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of a `users` page."""

    user_id: Name
    online: bool


class Users(Message, frozen=True, tag="users"):
    """A page of accounts in order of name; ``more`` says that others follow the last."""

    largest = limits.KEY_HEADER
    ref: Ref
    users: Annotated[list[UserEntry], Meta(max_length=limits.USERS_PER_PAGE)]
    more: bool = False


class Presence(Message, frozen=True, tag="presence"):
    """Who came and who went since the last one; gathered for a second."""

    largest = limits.KEY_HEADER
    online: Annotated[list[Name], Meta(max_length=limits.PRESENCE_PER_FRAME)] = field(
        default_factory=list
    )
    offline: Annotated[list[Name], Meta(max_length=limits.PRESENCE_PER_FRAME)] = field(
        default_factory=list
    )


class Pins(Message, frozen=True, tag="pins"):
    """The keys to trust this server by, the one in use first; only with the feature `pins`."""

    pins: Annotated[list[Pin], Meta(max_length=limits.PINS)]


class HeldData(Message, frozen=True, tag="my_data"):
    """Rows that the server holds, as JSON in the body; ``next``: ask again after this place."""

    has_body = True
    ref: Ref
    next: Place = ""


class Accepted(Message, frozen=True, tag="accepted"):
    """The message is on disk, or the recipient's device has acknowledged it."""

    id: DeliveryId


class Delivery(Message, frozen=True, tag="pm"):
    """A private message arrives. ``seq`` 0 marks a transient one, which is not acknowledged."""

    has_body = True
    id: DeliveryId
    seq: Number = 0
    time: Time = 0  # when the server took it
    sender: Address | None = field(default=None, name="from")


class Keys(Message, frozen=True, tag="keys"):
    """A claimed bundle: what PQXDH needs of one device. No ``one_time``: the stock is used up."""

    largest = limits.KEY_HEADER
    ref: Ref
    account_key: AccountKey
    manifest: ManifestBytes
    manifest_signature: Signature
    device: Device
    signed_prekey: SignedPrekey
    kem: KemPrekey
    kem_is_last_resort: bool
    one_time: OneTimePrekey | None = None


class Manifest(Message, frozen=True, tag="manifest"):
    """An account's newest manifest."""

    largest = limits.KEY_HEADER
    ref: Ref
    account_key: AccountKey
    manifest: ManifestBytes
    manifest_signature: Signature


class KeysLow(Message, frozen=True, tag="keys_low"):
    """The device's one-time stock has fallen below 25: publish more."""

    one_time: Number
    one_time_kem: Number


class BlobHeld(Message, frozen=True, tag="blob_held"):
    """So many bytes are kept of a blob; all of them: it is whole, checked and on disk."""

    feature = BLOBS
    ref: Ref
    held: Number


class Blob(Message, frozen=True, tag="blob"):
    """A chunk of a blob of ``size`` bytes: 49,152 bytes, or what is left at its end."""

    has_body = True
    feature = BLOBS
    ref: Ref
    size: Number


class Pong(Message, frozen=True, tag="pong"):
    """Answers `ping`."""


ClientMessage = (
    Register | Login | List | Watch | Pm | Chat | Ack | Ping | KeysPut | KeysGet
    | ManifestGet | ManifestPut | MyData | AccountDelete | BlobPut | BlobGet
)  # fmt: skip
ServerMessage = (
    Hello | Welcome | Ok | Error | Bye | Users | Presence | Accepted | Delivery | Keys | Manifest
    | KeysLow | Pong | Pins | HeldData | BlobHeld | Blob
)  # fmt: skip

_M = TypeVar("_M", bound=Message)

_encoder = msgspec.json.Encoder(enc_hook=enc_hook)
_client_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(
    ClientMessage, dec_hook=dec_hook
)
_server_decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(
    ServerMessage, dec_hook=dec_hook
)


def encode_header(message: Message) -> bytes:
    """The canonical JSON of a message."""
    return _encoder.encode(message)


def decode_client_header(header: bytes) -> ClientMessage:
    """What a client sent. Raises `HeaderError`."""
    return _decode(_client_decoder, header)


def decode_server_header(header: bytes) -> ServerMessage:
    """What a server sent. Raises `HeaderError`."""
    return _decode(_server_decoder, header)


class HeaderError(ProtocolError):
    """A refused header; ``ref`` and ``id`` name the request where they could be read."""

    def __init__(self, code: Code, detail: str, correlation: "Correlation") -> None:
        self.correlation = correlation
        super().__init__(code, detail)


class Correlation(NamedTuple):
    """What an `error` can name its request by."""

    ref: int | None = None
    id: DeliveryId | None = None


class _Anything(Struct):
    ref: Ref | None = None
    id: DeliveryId | None = None


_correlation_decoder = msgspec.json.Decoder(_Anything, dec_hook=dec_hook)


def _decode(decoder: msgspec.json.Decoder[_M], header: bytes) -> _M:
    try:
        message = decoder.decode(header)
    except msgspec.ValidationError as wrong:
        raise _refusal(header, str(wrong)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise HeaderError(Code.BAD_HEADER, "The header is not JSON.", Correlation()) from None
    if len(header) > message.largest:
        told = f"The header of this type is larger than {message.largest // limits.KIB} KiB."
        raise HeaderError(Code.TOO_LARGE, told, Correlation())
    if _encoder.encode(message) != header:
        raise HeaderError(Code.BAD_HEADER, "The header is not in canonical form.", Correlation())
    return message


def _refusal(header: bytes, reason: str) -> HeaderError:
    """The error for JSON that is no message: unknown types and fields are named."""
    try:
        known = _correlation_decoder.decode(header)
        correlation = Correlation(known.ref, known.id)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        correlation = Correlation()
    code = Code.UNKNOWN_TYPE if reason.endswith("- at `$.type`") else Code.BAD_FIELD
    return HeaderError(code, reason[:400], correlation)
