"""Key derivation: the keys of a session and the two functions that derive them (PROTOCOL.md 6.3).

HKDF-SHA-256 (RFC 5869) for the root chain, as the Double Ratchet document recommends (its section
5.2), and HMAC-SHA-512 for the symmetric chains: its two halves are what the document takes from two
calls of HMAC-SHA-256.
"""

import hmac
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from secure_chat.crypto import aead
from secure_chat.crypto.keys import Secret
from secure_chat.crypto.labels import KdfLabel

KEY = 32
_SHA256 = SHA256()
_CHAIN = KdfLabel.CHAIN.value


class RootKey(Secret):
    """RK: takes in every Diffie-Hellman output and every post-quantum secret."""

    __slots__ = ()


class ChainKey(Secret):
    """CK: gives one message key after the other."""

    __slots__ = ()


class MessageKey(Secret):
    """Encrypts exactly one body."""

    __slots__ = ()


class HeaderKey(Secret):
    """HK: encrypts the headers of one chain, each with a random nonce."""

    __slots__ = ("_cipher",)

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._cipher: aead.Cipher | None = None

    @property
    def cipher(self) -> aead.Cipher:
        """The cipher under this key, made once."""
        if self._cipher is None:
            self._cipher = aead.cipher(self.raw)
        return self._cipher


class StepSecret(Secret):
    """The ML-KEM-768 secret of a post-quantum step, until it is mixed."""

    __slots__ = ()


class Mix(NamedTuple):
    """What a post-quantum step adds to the root chain (see `secure_chat.crypto.pq_step`)."""

    step: int
    secret: StepSecret
    binding: bytes  # SHA-256 of encapsulation key and ciphertext


def hkdf(salt: bytes, ikm: bytes, info: bytes, size: int) -> bytes:
    """HKDF-SHA-256, extract and expand (RFC 5869)."""
    return HKDF(_SHA256, size, salt, info).derive(ikm)


def root_step(root: RootKey, shared: bytes, mix: Mix | None) -> tuple[RootKey, ChainKey, HeaderKey]:
    """KDF_RK_HE (Double Ratchet 4.2): the next root key, the chain's key, the next header key.

    A post-quantum secret is only ever appended to ``shared``, the X25519 output: whoever cannot
    compute the one or the other learns nothing (PROTOCOL.md 8).
    """
    if mix is None:
        ikm, info = shared, KdfLabel.RATCHET_DH.value
    else:
        ikm = shared + mix.secret.raw
        info = KdfLabel.RATCHET_PQ.value + mix.step.to_bytes(4, "big") + mix.binding
    out = hkdf(root.raw, ikm, info, 3 * KEY)
    return RootKey(out[:32]), ChainKey(out[32:64]), HeaderKey(out[64:])


def chain_step(chain: ChainKey) -> tuple[MessageKey, ChainKey]:
    """KDF_CK (Double Ratchet 5.2): this message's key and the next chain key."""
    out = hmac.digest(chain.raw, _CHAIN, "sha512")
    return MessageKey(out[:32]), ChainKey(out[32:])
