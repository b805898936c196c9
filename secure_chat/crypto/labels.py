"""What keys are derived for: the one table of KDF labels (PROTOCOL.md 6.3).

Labels of signatures stand in `secure_chat.protocol.signing`. No label is a prefix of another, so
that no two purposes ever share an input.
"""

from enum import Enum


class KdfLabel(bytes, Enum):
    """Purposes of derived keys."""

    TRANSCRIPT = b"secure_chat/1 transcript"  # hashed in front of T
    SESSION = b"secure_chat/1 session"  # PQXDH: root key and the first header keys
    RATCHET_DH = b"secure_chat/1 ratchet X25519"  # a step of the root chain
    RATCHET_PQ = b"secure_chat/1 post-quantum ratchet X25519 ML-KEM-768"  # a step that mixes both
    CHAIN = b"secure_chat/1 message key and chain key"
    FINGERPRINT = b"secure_chat/1 account fingerprint"
    SAFETY_NUMBER = b"secure_chat/1 safety number"
    FILE = b"secure_chat/1 file"  # the key of one file's chunks


SUITE = b"PQXDH X25519 ML-KEM-1024 HKDF-SHA-256 ChaCha20-Poly1305 ML-KEM-768"
"""The one suite of version 1; part of every session's transcript."""
