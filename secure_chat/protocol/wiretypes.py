"""Binary fields of headers: each key, signature and identifier is a type of its own.

On the wire they are unpadded base64url; in Python they are ``bytes`` of a fixed size, so that a
device key cannot be passed where an account key belongs without mypy saying so. All of them are
public: private keys live in `secure_chat.crypto.keys` and never travel.
"""

from typing import Any, ClassVar, Self

from secure_chat.errors import BadEncoding
from secure_chat.protocol import limits
from secure_chat.protocol.encoding import b64url, from_b64url_loose


class Binary(bytes):
    """Bytes with an exact ``size``, or at most ``largest`` when the size varies."""

    __slots__ = ()
    size: ClassVar[int | None] = None
    largest: ClassVar[int] = 0

    @classmethod
    def checked(cls, data: bytes) -> Self:
        """``data`` as this type; raise `BadEncoding` for a wrong size."""
        wrong = len(data) != cls.size if cls.size is not None else len(data) > cls.largest
        if wrong:
            raise BadEncoding(what=cls.__name__)
        return cls(data)


class ServerId(Binary):
    """Which server this is: 16 random bytes from its first start."""

    size = 16


class Challenge(Binary):
    """Fresh random bytes of a greeting; good for one login or registration."""

    size = 32


class DeliveryId(Binary):
    """Names one ciphertext on its way: random, visible to the server."""

    size = 16


class ManifestHash(Binary):
    """SHA-256 of an encoded manifest; the first manifest has 32 zero bytes as predecessor."""

    size = 32


class AccountKey(Binary):
    """An account's Ed25519 identity key: its fingerprint is what people compare."""

    size = 32


class DeviceKey(Binary):
    """A device's Ed25519 key: signs logins and prekeys."""

    size = 32


class DeviceDhKey(Binary):
    """A device's X25519 identity key: IK of PQXDH."""

    size = 32


class MlsKey(Binary):
    """A device's Ed25519 signature key for rooms."""

    size = 32


class PrekeyPublic(Binary):
    """An X25519 prekey, signed or one-time."""

    size = 32


class KemPublic(Binary):
    """An ML-KEM-1024 encapsulation key."""

    size = 1568


class Signature(Binary):
    """An Ed25519 signature."""

    size = 64


class ManifestBytes(Binary):
    """An encoded manifest (see `secure_chat.protocol.manifest`)."""

    largest = limits.MANIFEST


class BlobHash(Binary):
    """SHA-256 of a blob's bytes: its name, and all that is needed to fetch it."""

    size = 32


class InviteToken(Binary):
    """What an invite link carries to be allowed to register."""

    size = 16


def enc_hook(value: object) -> str:
    """The hook of msgspec: binary fields as base64url."""
    if isinstance(value, Binary):
        return b64url(value)
    raise TypeError(f"{type(value).__name__} does not belong in a header")


def dec_hook(kind: type[Any], value: object) -> Binary:
    """The hook of msgspec: base64url to the binary type. Raises ValueError for msgspec to wrap.

    A second spelling of a value passes here: messages.py compares the header's re-encoding.
    """
    if not (isinstance(value, str) and issubclass(kind, Binary)):
        raise ValueError("Expected base64url text")  # noqa: TRY004 - the error msgspec wraps
    try:
        return kind.checked(from_b64url_loose(value))
    except BadEncoding as wrong:
        raise ValueError(str(wrong)) from None
