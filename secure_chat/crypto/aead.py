"""ChaCha20-Poly1305 (RFC 8439): the one cipher, for headers and bodies (PROTOCOL.md 7.2)."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

NONCE = 12
TAG = 16

Cipher = ChaCha20Poly1305


def cipher(key: bytes) -> Cipher:
    """The cipher under a key of 32 bytes; worth keeping if the key is used more than once."""
    return ChaCha20Poly1305(key)


def unseal(
    under: Cipher, nonce: bytes, sealed: bytes | memoryview, associated: bytes
) -> bytes | None:
    """The plaintext, or None unless every byte and the associated data are what was sealed."""
    try:
        return under.decrypt(nonce, sealed, associated)
    except InvalidTag:
        return None
