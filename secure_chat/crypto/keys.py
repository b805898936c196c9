"""Private keys: each a type of its own that does not print (PROTOCOL.md 6.1).

Public keys are the `Binary` types of `secure_chat.protocol.wiretypes`. The calls below are the
cheapest from Python: PyNaCl's bindings for X25519 and Ed25519, cryptography for ML-KEM.
"""

import hmac
from collections.abc import Callable
from typing import ClassVar, NoReturn, Self

from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
    MLKEM1024PrivateKey,
    MLKEM1024PublicKey,
)
from nacl import bindings

from secure_chat.crypto.rng import Random, draw
from secure_chat.errors import BadCurveKey, BadEncoding, BadKemKey
from secure_chat.protocol.wiretypes import (
    AccountKey,
    DeviceDhKey,
    DeviceKey,
    KemPublic,
    MlsKey,
    PrekeyPublic,
    Signature,
)

KEM_CIPHERTEXT = 1568  # ML-KEM-1024
STEP_KEY = 1184  # ML-KEM-768
STEP_CIPHERTEXT = 1088


class Secret:
    """Bytes that must not leak: no printing, no pickling, comparison in constant time.

    Python cannot wipe memory; what is promised is that no log, traceback or debugger line shows
    a key by accident.
    """

    __slots__ = ("raw",)
    size: ClassVar[int] = 32

    def __init__(self, raw: bytes) -> None:
        if len(raw) != self.size:
            raise BadEncoding(what=type(self).__name__)
        self.raw = raw

    def __repr__(self) -> str:
        return f"<{type(self).__name__} redacted>"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and hmac.compare_digest(self.raw, other.raw)

    __hash__ = None  # type: ignore[assignment]  # a hash table would compare in variable time

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not to be copied or pickled")

    @classmethod
    def generate(cls, random: Random) -> Self:
        """A fresh key. Raises `DeadRandomness`."""
        return cls(draw(random, cls.size))


# ---------------------------------------------------------------- Ed25519


class _SigningKey(Secret):
    """An Ed25519 seed of 32 bytes (RFC 8032)."""

    __slots__ = ("_expanded", "_public")

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._public, self._expanded = bindings.crypto_sign_seed_keypair(raw)

    def sign(self, message: bytes) -> Signature:
        """Sign; ``message`` comes from `secure_chat.protocol.signing`, which labels purposes."""
        return Signature(bindings.crypto_sign(message, self._expanded)[: Signature.size])


class AccountSigningKey(_SigningKey):
    """An account's identity key: signs manifests and the registration, nothing else."""

    __slots__ = ()

    @property
    def public(self) -> AccountKey:
        return AccountKey(self._public)


class DeviceSigningKey(_SigningKey):
    """A device's key: signs logins and prekeys."""

    __slots__ = ()

    @property
    def public(self) -> DeviceKey:
        return DeviceKey(self._public)


class MlsSigningKey(_SigningKey):
    """A device's signature key for rooms."""

    __slots__ = ()

    @property
    def public(self) -> MlsKey:
        return MlsKey(self._public)


# ---------------------------------------------------------------- X25519

_P = 2**255 - 19
# The points of order 1, 2, 4 and 8 on the curve and its twist, in their canonical form; all other
# spellings of them (RFC 7748 section 5 would reduce them) are refused as not canonical.
_LOW_ORDER = frozenset({
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    _P - 1,
})  # fmt: skip


def check_curve_key(key: bytes, what: str) -> None:
    """Raise `BadCurveKey` unless ``key`` is a canonical X25519 key that is not of low order.

    A low-order key would make the shared secret the same for everybody; a second spelling of one
    key would give one key two places in a transcript.
    """
    number = int.from_bytes(key, "little")
    if len(key) != bindings.crypto_scalarmult_BYTES or number >= _P:
        raise BadCurveKey(what=what, reason="it is not in canonical form")
    if number in _LOW_ORDER:
        raise BadCurveKey(what=what, reason="it is a point of low order")


class _DhPrivate(Secret):
    """An X25519 scalar of 32 bytes (RFC 7748)."""

    __slots__ = ("_public",)

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._public: bytes | None = None

    def _public_bytes(self) -> bytes:
        if self._public is None:
            self._public = bindings.crypto_scalarmult_base(self.raw)
        return self._public

    def agree(self, their_key: bytes, what: str) -> bytes:
        """The shared secret, only ever an input of HKDF; raise `BadCurveKey` naming ``what``."""
        check_curve_key(their_key, what)
        try:
            return bindings.crypto_scalarmult(self.raw, their_key)
        except RuntimeError:  # libsodium's own check: the result is all zero
            raise BadCurveKey(what=what, reason="it is a point of low order") from None


class DeviceDhPrivate(_DhPrivate):
    """A device's identity key of the handshake: IK."""

    __slots__ = ()

    @property
    def public(self) -> DeviceDhKey:
        return DeviceDhKey(self._public_bytes())


class PrekeyPrivate(_DhPrivate):
    """A prekey, signed or one-time, or the ephemeral key of a handshake."""

    __slots__ = ()

    @property
    def public(self) -> PrekeyPublic:
        return PrekeyPublic(self._public_bytes())


class RatchetPrivate(_DhPrivate):
    """A key of the Double Ratchet, living for one turn of the conversation."""

    __slots__ = ()

    @property
    def public(self) -> bytes:
        return self._public or self._public_bytes()


# ---------------------------------------------------------------- ML-KEM


class KemPrivate(Secret):
    """An ML-KEM-1024 key as its seed of 64 bytes (FIPS 203); expanded at first use, then kept."""

    __slots__ = ("_expanded", "_public")
    size = 64

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._expanded: MLKEM1024PrivateKey | None = None
        self._public: bytes | None = None

    def _key(self) -> MLKEM1024PrivateKey:
        if self._expanded is None:
            self._expanded = MLKEM1024PrivateKey.from_seed_bytes(self.raw)
        return self._expanded

    @property
    def public(self) -> KemPublic:
        if self._public is None:
            self._public = self._key().public_key().public_bytes_raw()
        return KemPublic(self._public)

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The secret of 32 bytes; raise `BadKemKey` for a ciphertext of the wrong size."""
        try:
            return self._key().decapsulate(ciphertext)
        except ValueError:
            raise BadKemKey(what="ML-KEM-1024 ciphertext") from None


class StepPrivate(Secret):
    """An ML-KEM-768 key of the post-quantum step, as its seed of 64 bytes."""

    __slots__ = ("_expanded", "_public")
    size = 64

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._expanded: MLKEM768PrivateKey | None = None
        self._public: bytes | None = None

    def _key(self) -> MLKEM768PrivateKey:
        if self._expanded is None:
            self._expanded = MLKEM768PrivateKey.from_seed_bytes(self.raw)
        return self._expanded

    @property
    def public(self) -> bytes:
        if self._public is None:
            self._public = self._key().public_key().public_bytes_raw()
        return self._public

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The secret of 32 bytes; raise `BadKemKey` for a ciphertext of the wrong size."""
        try:
            return self._key().decapsulate(ciphertext)
        except ValueError:
            raise BadKemKey(what="ML-KEM-768 ciphertext") from None


Encapsulate = Callable[[bytes], tuple[bytes, bytes]]
"""``encapsulate(public key)`` returns (shared secret 32, ciphertext).

cryptography's ML-KEM draws its own randomness, so vectors pass a recorded function instead.
"""


def encapsulate_1024(public: bytes) -> tuple[bytes, bytes]:
    """ML-KEM-1024 encapsulation; raise `BadKemKey` if the key fails FIPS 203's check (7.2)."""
    try:
        return MLKEM1024PublicKey.from_public_bytes(public).encapsulate()
    except ValueError:
        raise BadKemKey(what="ML-KEM-1024 key") from None


def encapsulate_768(public: bytes) -> tuple[bytes, bytes]:
    """ML-KEM-768 encapsulation; raise `BadKemKey` if the key fails FIPS 203's check (7.2)."""
    try:
        return MLKEM768PublicKey.from_public_bytes(public).encapsulate()
    except ValueError:
        raise BadKemKey(what="ML-KEM-768 key") from None
