"""What the primitives alone cost: the floor under benchmarks/crypto.py.

The same calls with the same sizes that our messages take, and nothing else: no state, no checks, no
post-quantum step, one session. Whatever is above it is what Python makes of the protocol's rules.
"""

import contextlib
import hmac
import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey, MLKEM1024PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.bindings import (
    crypto_scalarmult,
    crypto_scalarmult_base,
    crypto_sign,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)

_HEADER = struct.Struct(">32sIIB")
_LABEL = b"secure_chat/1 message key and chain key"
_MARK, _PADDED = b"\x80", 256
_KEY, _OTHER_KEY, _AD = bytes(range(32)), bytes(32), bytes(34)
_SIGNATURES = 4  # two manifests, the signed prekey, the KEM key
_AGREEMENTS = 8  # DH1 to DH4 on both sides


class Primitives:
    """A `Pair` that makes every call of ours to a primitive, and does nothing with the results."""

    name = "primitives"

    def __init__(self) -> None:
        self._header = ChaCha20Poly1305(_KEY)
        self._public = crypto_scalarmult_base(_KEY)
        verify_key, signing_key = crypto_sign_seed_keypair(_KEY)
        self._signed = crypto_sign(bytes(60), signing_key), verify_key
        self._kem = MLKEM1024PrivateKey.generate()
        self._kem_public = self._kem.public_key().public_bytes_raw()

    def prepare(self, count: int) -> None:
        """There are no keys to make."""

    def set_up(self) -> None:
        """The handshake, and a message each way."""
        for _ in range(_SIGNATURES):
            crypto_sign_open(*self._signed)
        crypto_scalarmult_base(os.urandom(32))
        for _ in range(_AGREEMENTS):
            crypto_scalarmult(_KEY, self._public)
        _, ciphertext = MLKEM1024PublicKey.from_public_bytes(self._kem_public).encapsulate()
        self._kem.decapsulate(ciphertext)
        for _ in range(2):
            HKDF(SHA256(), 96, _KEY, _LABEL).derive(_KEY)
        self.ping_pong(1, b"hello")

    def seal(self, count: int, text: bytes) -> list[bytes]:
        sealed = []
        for number in range(count):
            nonce = os.urandom(12)
            keys = hmac.digest(_KEY, _LABEL, "sha512")
            header = _HEADER.pack(_KEY, 0, number, 0)
            before = nonce + self._header.encrypt(nonce, header, _AD)
            padded = (b"\0" + text + _MARK).ljust(_PADDED, b"\0")
            body = ChaCha20Poly1305(keys[:32]).encrypt(nonce, padded, _AD + before)
            sealed.append(b"\1\2" + before + body)
        return sealed

    def open(self, sealed: list[bytes]) -> None:
        for body in sealed:
            nonce, before = body[2:14], body[2:71]
            _HEADER.unpack(self._header.decrypt(nonce, body[14:71], _AD))
            keys = hmac.digest(_KEY, _LABEL, "sha512")
            padded = ChaCha20Poly1305(keys[:32]).decrypt(nonce, body[71:], _AD + before)
            padded[1 : padded.rfind(_MARK)]

    def ping_pong(self, count: int, text: bytes) -> None:
        for _ in range(2 * count):
            self._turn()
            sealed = self.seal(1, text)
            with contextlib.suppress(InvalidTag):  # the present chain's header key does not fit
                ChaCha20Poly1305(_OTHER_KEY).decrypt(sealed[0][2:14], sealed[0][14:71], _AD)
            self.open(sealed)

    def _turn(self) -> None:
        """A new ratchet key; an agreement, a step of the root chain, a header key on each side."""
        public = crypto_scalarmult_base(os.urandom(32))
        for _ in range(2):
            shared = crypto_scalarmult(_KEY, public)
            header_key = HKDF(SHA256(), 96, _KEY, _LABEL).derive(shared)[64:]
            ChaCha20Poly1305(header_key)

    def size(self, sealed: bytes) -> int:
        return len(sealed)

    def state(self) -> int:
        return 0
