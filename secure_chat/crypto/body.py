"""The layout of encrypted frame bodies (PROTOCOL.md 6.4 and 7.3).

::

    u8 version = 1 ‖ u8 kind = 2 (ratchet) ‖ sealed message

    u8 version = 1 ‖ u8 kind = 1 (initial) ‖ u32 length ‖ initial part ‖ sealed message

    initial part = session id 16 ‖ u64 restart ‖ account key 32 ‖ manifest signature 64
                 ‖ ephemeral key 32 ‖ u32 signed prekey id
                 ‖ u8 one-time key used ‖ u32 one-time prekey id (0 if unused)
                 ‖ u8 KEM kind (1 one-time, 2 last resort) ‖ u32 KEM key id ‖ ciphertext 1568
                 ‖ u32 length ‖ device name ‖ u32 length ‖ manifest
"""

from typing import NamedTuple

from secure_chat.crypto.keys import KEM_CIPHERTEXT
from secure_chat.crypto.padding import SIZES
from secure_chat.crypto.ratchet import OVERHEAD
from secure_chat.errors import BadEncoding, UnsupportedBody
from secure_chat.protocol.addresses import DeviceName, canonical_device
from secure_chat.protocol.encoding import Reader, fields, u8, u32, u64
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import AccountKey, ManifestBytes, PrekeyPublic, Signature

VERSION = 1
INITIAL = 1
RATCHET = 2
SESSION_ID = 16
RESTART_LIMIT = 2**53
RATCHET_PREFIX = u8(VERSION) + u8(RATCHET)
_INITIAL_PREFIX = u8(VERSION) + u8(INITIAL)
_SEALED_SIZES = frozenset(OVERHEAD + size for size in SIZES)
_KEM_KINDS = {1: PrekeyKind.ONE_TIME_KEM, 2: PrekeyKind.LAST_RESORT_KEM}
_KEM_NUMBERS = {kind: number for number, kind in _KEM_KINDS.items()}


class Initial(NamedTuple):
    """What an initial message says in front of the sealed message; all of it is authenticated."""

    session_id: bytes
    restart: int
    account_key: AccountKey
    manifest_signature: Signature
    ephemeral: PrekeyPublic
    signed_prekey_id: int
    one_time_id: int | None
    kem_kind: PrekeyKind
    kem_id: int
    ciphertext: bytes
    device: DeviceName
    manifest: ManifestBytes

    def encode(self) -> bytes:
        """The prefix of the frame body, with version, kind and length."""
        part = b"".join(
            (
                self.session_id,
                u64(self.restart),
                self.account_key,
                self.manifest_signature,
                self.ephemeral,
                u32(self.signed_prekey_id),
                u8(self.one_time_id is not None),
                u32(self.one_time_id or 0),
                u8(_KEM_NUMBERS[self.kem_kind]),
                u32(self.kem_id),
                self.ciphertext,
                fields(self.device.encode(), self.manifest),
            )
        )
        return _INITIAL_PREFIX + u32(len(part)) + part


class Body(NamedTuple):
    """A frame body cut in two: what is authenticated in the clear, and the sealed message."""

    initial: Initial | None
    prefix: bytes
    sealed: bytes


def decode(body: bytes) -> Body:
    """Cut a body; raise `UnsupportedBody` (version, kind) or `BadEncoding`.

    The length must be one that padding makes: so nothing else costs a look at a key.
    """
    begins = body[:2]
    if begins == RATCHET_PREFIX:
        return Body(None, RATCHET_PREFIX, _sealed(body[2:]))
    if len(begins) < len(RATCHET_PREFIX):
        raise BadEncoding(what="encrypted message")
    if begins != _INITIAL_PREFIX:
        raise UnsupportedBody(version=body[0], kind=body[1])
    reader = Reader(body[2:], "initial message")
    part = reader.field()
    sealed = _sealed(reader.rest())
    return Body(_decode_initial(part), body[: len(body) - len(sealed)], sealed)


def _sealed(sealed: bytes) -> bytes:
    if len(sealed) not in _SEALED_SIZES:
        raise BadEncoding(what="encrypted message")
    return sealed


def _decode_initial(part: bytes) -> Initial:
    reader = Reader(part, "initial message")
    initial = Initial(
        session_id=reader.take(SESSION_ID),
        restart=_restart(reader),
        account_key=AccountKey(reader.take(AccountKey.size)),
        manifest_signature=Signature(reader.take(Signature.size)),
        ephemeral=PrekeyPublic(reader.take(PrekeyPublic.size)),
        signed_prekey_id=reader.number(4),
        one_time_id=_optional_id(reader),
        kem_kind=_kem_kind(reader),
        kem_id=reader.number(4),
        ciphertext=reader.take(KEM_CIPHERTEXT),
        device=_device(reader.field()),
        manifest=ManifestBytes.checked(reader.field()),
    )
    reader.finish()
    return initial


def _restart(reader: Reader) -> int:
    """Bounded, so that the other side can always begin a later one."""
    restart = reader.number(8)
    if restart >= RESTART_LIMIT:
        raise BadEncoding(what="initial message")
    return restart


def _optional_id(reader: Reader) -> int | None:
    used, key_id = reader.number(1), reader.number(4)
    if used > 1 or (not used and key_id):
        raise BadEncoding(what="initial message")
    return key_id if used else None


def _kem_kind(reader: Reader) -> PrekeyKind:
    number = reader.number(1)
    if number not in _KEM_KINDS:
        raise BadEncoding(what="initial message")
    return _KEM_KINDS[number]


def _device(name: bytes) -> DeviceName:
    text = name.decode("ascii", "replace")
    if canonical_device(text) != text:
        raise BadEncoding(what="initial message")
    return DeviceName(text)
