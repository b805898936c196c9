"""What people compare: account fingerprints and safety numbers, in digits (PROTOCOL.md 9)."""

import functools
import hashlib
import hmac

from secure_chat.crypto.labels import KdfLabel
from secure_chat.errors import BadQrCode
from secure_chat.protocol.addresses import UserId, qualified_account
from secure_chat.protocol.encoding import fields, u8
from secure_chat.protocol.wiretypes import AccountKey, ServerId

_VERSION = 1
_GROUP_BYTES = 5
_GROUPS_A_SIDE = 6
_FINGERPRINT_GROUPS = 8
QR_VERSION = "01"
_QR_SIZE = len(QR_VERSION) + 2 * 5 * _GROUPS_A_SIDE
ITERATIONS = 16_384
"""Rounds of PBKDF2-HMAC-SHA-512, at least 2 hashes each: 30 digits and 2^15 are 114 bits a side."""

Side = tuple[UserId, AccountKey]


def account_fingerprint(account_key: AccountKey) -> str:
    """An account key as 8 groups of 5 digits (132 bits): the same on every server."""
    digest = hashlib.sha512(KdfLabel.FINGERPRINT.value + fields(u8(_VERSION), account_key)).digest()
    return " ".join(_digits(digest, _FINGERPRINT_GROUPS))


def safety_number(our: Side, their: Side, server_id: ServerId) -> tuple[str, ...]:
    """12 groups of 5 digits, the same for both sides, changed by any change of a name or key.

    Takes some milliseconds by design: see `ITERATIONS`.
    """
    first, second = sorted((_half(our, server_id), _half(their, server_id)))
    return (*first, *second)


def qr_content(our: Side, their: Side, server_id: ServerId) -> str:
    """What our screen shows as a QR code: 62 digits (version 01, our half, their half).

    Digits alone fit QR's numeric mode. The order says who shows and who scans, so that nobody can
    verify a contact by scanning their own screen.
    """
    halves = (*_half(our, server_id), *_half(their, server_id))
    return QR_VERSION + "".join(halves)


def check_qr(scanned: str, our: Side, their: Side, server_id: ServerId) -> bool:
    """Whether ``scanned``, read from their screen, is of this pair of names and keys.

    Raises `BadQrCode` if it is no such code at all, or of a version that is not known here.
    """
    digits_only = scanned.isascii() and scanned.isdecimal()
    if not digits_only or len(scanned) != _QR_SIZE or not scanned.startswith(QR_VERSION):
        raise BadQrCode
    return hmac.compare_digest(scanned, qr_content(their, our, server_id))


@functools.lru_cache(maxsize=64)  # pure; a window asks whenever somebody comes or goes
def _half(side: Side, server_id: ServerId) -> tuple[str, ...]:
    """One side's 30 digits. Name and key are separate fields, so neither can pass for the other."""
    user_id, account_key = side
    named = fields(u8(_VERSION), qualified_account(user_id, server_id), account_key)
    label = KdfLabel.SAFETY_NUMBER.value
    return _digits(hashlib.pbkdf2_hmac("sha512", named, label, ITERATIONS), _GROUPS_A_SIDE)


def _digits(digest: bytes, groups: int) -> tuple[str, ...]:
    """Each 5 bytes, big-endian, modulo 100,000 as 5 digits."""
    parts = (digest[at : at + _GROUP_BYTES] for at in range(0, groups * _GROUP_BYTES, _GROUP_BYTES))
    return tuple(f"{int.from_bytes(part, 'big') % 100_000:05d}" for part in parts)
