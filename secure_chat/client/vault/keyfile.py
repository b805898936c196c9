"""key.json: the vault's random key, wrapped by the password (RFC 9106, RFC 8439 with XChaCha20).

``{"version":1,"kdf":"argon2id","salt":…,"passes":3,"memory":67108864,"nonce":…,"wrapped":…}``

The wrapping key is Argon2id of the password; it encrypts 32 random bytes with XChaCha20-Poly1305.
The parameters are the associated data, so that a change of any of them fails to open. They also
have lower bounds: a file that asks for less work is refused before the password is used.
"""

import unicodedata
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from nacl import pwhash
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from secure_chat.crypto.rng import Random
from secure_chat.errors import (
    BadEncoding,
    BadPassword,
    Reason,
    VaultDamaged,
    WeakVaultKey,
    WrongPassword,
)
from secure_chat.protocol.encoding import b64url, fields, from_b64url, u32, u64

VERSION = 1
KEY_BYTES = 32
SHORTEST_PASSWORD = 8  # characters
_SALT_BYTES = pwhash.argon2id.SALTBYTES
_NONCE_BYTES = 24

# RFC 9106 section 4, the second recommended option: 3 passes over 64 MiB. Lower bound and default.
MIN_PASSES = 3
MIN_MEMORY = 64 * 1024 * 1024
_MAX_PASSES = 32  # above: a file made to keep this machine busy
_MAX_MEMORY = 4 * 1024 * 1024 * 1024


class _KeyFile(Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    kdf: str
    salt: str
    passes: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    memory: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    nonce: str
    wrapped: str

    def associated(self) -> bytes:
        """Everything that decides how the key is wrapped."""
        return fields(
            b"secure_chat/1 vault key",
            u32(self.version),
            self.kdf.encode(),
            from_b64url(self.salt),
            u64(self.passes),
            u64(self.memory),
        )


def check_new_password(password: str) -> None:
    """Raise `BadPassword` unless a vault may be locked with it; what locks one opens it."""
    if not password:
        raise BadPassword(reason="it is empty")
    if len(password) < SHORTEST_PASSWORD:
        raise BadPassword(
            reason=Reason("it has fewer than {number} characters", number=SHORTEST_PASSWORD)
        )


def new_key_file(password: str, random: Random) -> tuple[bytes, bytes]:
    """A fresh key and the content of its key.json. Raises `BadPassword`."""
    key = random(KEY_BYTES)
    return key, wrap(key, password, random)


def wrap(key: bytes, password: str, random: Random) -> bytes:
    """The content of a key.json that opens with ``password``. Raises `BadPassword`."""
    check_new_password(password)
    salt, nonce = random(_SALT_BYTES), random(_NONCE_BYTES)
    unsealed = _KeyFile(
        VERSION, "argon2id", b64url(salt), MIN_PASSES, MIN_MEMORY, b64url(nonce), ""
    )
    wrapping = _wrapping_key(password, salt, MIN_PASSES, MIN_MEMORY)
    wrapped = crypto_aead_xchacha20poly1305_ietf_encrypt(
        key, unsealed.associated(), nonce, wrapping
    )
    return msgspec.json.encode(msgspec.structs.replace(unsealed, wrapped=b64url(wrapped)))


def unwrap(content: bytes, password: str) -> bytes:
    """The key. Raises `WrongPassword`, `WeakVaultKey` (lowered parameters), `VaultDamaged`."""
    try:
        file = msgspec.json.decode(content, type=_KeyFile)
        salt, nonce = from_b64url(file.salt), from_b64url(file.nonce)
        wrapped = from_b64url(file.wrapped)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadEncoding):
        raise VaultDamaged(reason="key.json does not read") from None
    _check(file, salt, nonce)
    try:
        key = crypto_aead_xchacha20poly1305_ietf_decrypt(
            wrapped,
            file.associated(),
            nonce,
            _wrapping_key(password, salt, file.passes, file.memory),
        )
    except (CryptoError, ValueError, TypeError):
        raise WrongPassword from None
    if len(key) != KEY_BYTES:
        raise VaultDamaged(reason="the key has a wrong size")
    return key


def _check(file: _KeyFile, salt: bytes, nonce: bytes) -> None:
    if file.version != VERSION or file.kdf != "argon2id":
        raise WeakVaultKey(reason="it names another way to derive the key")
    if len(salt) != _SALT_BYTES or len(nonce) != _NONCE_BYTES:
        raise VaultDamaged(reason="key.json has a wrong salt or nonce")
    if file.passes < MIN_PASSES or file.memory < MIN_MEMORY:
        raise WeakVaultKey(
            reason=Reason(
                "it asks for less work than {passes} passes over {memory} bytes",
                passes=MIN_PASSES,
                memory=MIN_MEMORY,
            )
        )
    if file.passes > _MAX_PASSES or file.memory > _MAX_MEMORY:
        raise WeakVaultKey(reason="it asks for more work than this machine can do")


def _wrapping_key(password: str, salt: bytes, passes: int, memory: int) -> bytes:
    # NFC, so that a password typed on another system's keyboard is the same (RFC 8265 section 4).
    secret = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    try:
        return pwhash.argon2id.kdf(KEY_BYTES, secret, salt, opslimit=passes, memlimit=memory)
    except (MemoryError, CryptoError, RuntimeError):
        raise WeakVaultKey(reason="this machine has too little memory for it") from None
