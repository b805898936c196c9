"""PQXDH, the post-quantum extended Diffie-Hellman handshake (Signal's document, revision 3).

Names of the document: IK the device's X25519 key, EK the ephemeral key, SPK the signed prekey, OPK
the one-time prekey, PQPK the ML-KEM-1024 key. PROTOCOL.md 6.3 has the byte layouts.
"""

import hashlib
from typing import NamedTuple

from secure_chat.crypto.body import SESSION_ID, Initial
from secure_chat.crypto.identity import LocalDevice, PeerDevice
from secure_chat.crypto.kdf import KEY, HeaderKey, RootKey, hkdf
from secure_chat.crypto.keys import Encapsulate, KemPrivate, PrekeyPrivate
from secure_chat.crypto.labels import SUITE, KdfLabel
from secure_chat.crypto.prekeys import Bundle, PrekeySource
from secure_chat.crypto.rng import Random
from secure_chat.errors import TranscriptMismatch, UnknownPrekey
from secure_chat.protocol.encoding import fields, u8, u32, u64
from secure_chat.protocol.signing import PrekeyKind

_VERSION = 1
_F = b"\xff" * 32  # PQXDH 2.2: separates X25519 input from that of XEdDSA
_SALT = bytes(32)


class SessionKeys(NamedTuple):
    """What both sides hold after the handshake."""

    associated_data: bytes  # AD = H(T)
    root: RootKey
    initiator_header: HeaderKey  # for the initiator's first chain
    responder_header: HeaderKey  # for the responder's first chain

    @property
    def session_id(self) -> bytes:
        """The first 16 bytes of AD."""
        return self.associated_data[:SESSION_ID]


class Prekeys(NamedTuple):
    """The responder's prekeys as both sides see them: ids and public keys."""

    signed_id: int
    signed: bytes
    one_time_id: int | None
    one_time: bytes
    kem_kind: PrekeyKind
    kem_id: int
    kem: bytes


Party = LocalDevice | PeerDevice


def _party(device: Party) -> bytes:
    entry = device.entry
    return fields(
        device.address.qualified(device.server_id),
        device.account_key,
        entry.signing_key,
        entry.dh_key,
    )


def transcript_hash(
    initiator: Party,
    responder: Party,
    prekeys: Prekeys,
    ephemeral: bytes,
    ciphertext: bytes,
    restart: int,
) -> bytes:
    """H(T) = SHA-256(label ‖ T): everything both sides must agree on."""
    absent = prekeys.one_time_id is None
    transcript = fields(
        u8(_VERSION),
        SUITE,
        _party(initiator),
        _party(responder),
        u64(restart),
        ephemeral,
        u32(prekeys.signed_id),
        prekeys.signed,
        b"" if prekeys.one_time_id is None else u32(prekeys.one_time_id),
        b"" if absent else prekeys.one_time,
        prekeys.kem_kind.value,
        u32(prekeys.kem_id),
        prekeys.kem,
        ciphertext,
    )
    return hashlib.sha256(KdfLabel.TRANSCRIPT.value + transcript).digest()


def _session_keys(associated_data: bytes, shared: list[bytes], kem_secret: bytes) -> SessionKeys:
    """KDF(F ‖ DH1 ‖ DH2 ‖ DH3 [‖ DH4] ‖ SS), PQXDH 3.3."""
    ikm = _F + b"".join(shared) + kem_secret
    out = hkdf(_SALT, ikm, KdfLabel.SESSION.value + associated_data, 3 * KEY)
    return SessionKeys(
        associated_data, RootKey(out[:32]), HeaderKey(out[32:64]), HeaderKey(out[64:])
    )


def initiate(
    our: LocalDevice, bundle: Bundle, restart: int, random: Random, encapsulate: Encapsulate
) -> tuple[SessionKeys, Initial]:
    """The initiator's side (PQXDH 3.3). ``encapsulate`` is ML-KEM-1024's.

    Raises `BadKemKey`, `BadCurveKey` and `DeadRandomness`.
    """
    their, signed, one_time = bundle.peer, bundle.signed_prekey, bundle.one_time
    ephemeral = PrekeyPrivate.generate(random)
    shared = [
        our.dh.agree(signed.key, "signed prekey"),
        ephemeral.agree(their.entry.dh_key, "device's X25519 key"),
        ephemeral.agree(signed.key, "signed prekey"),
    ]
    if one_time is not None:
        shared.append(ephemeral.agree(one_time.key, "one-time prekey"))
    kem_secret, ciphertext = encapsulate(bundle.kem.key)
    prekeys = Prekeys(
        signed.id,
        signed.key,
        one_time.id if one_time else None,
        one_time.key if one_time else b"",
        bundle.kem_kind,
        bundle.kem.id,
        bundle.kem.key,
    )
    digest = transcript_hash(our, their, prekeys, ephemeral.public, ciphertext, restart)
    keys = _session_keys(digest, shared, kem_secret)
    initial = Initial(
        keys.session_id,
        restart,
        our.account_key,
        our.manifest_signature,
        ephemeral.public,
        signed.id,
        prekeys.one_time_id,
        bundle.kem_kind,
        bundle.kem.id,
        ciphertext,
        our.address.device,
        our.manifest,
    )
    return keys, initial


def respond(
    our: LocalDevice, their: PeerDevice, initial: Initial, source: PrekeySource
) -> tuple[SessionKeys, PrekeyPrivate]:
    """The responder's side (PQXDH 3.4), and the signed prekey as the first ratchet key.

    ``their`` is the initiator as its verified manifest describes it. Raises `UnknownPrekey`,
    `BadCurveKey`, `BadKemKey`, and `TranscriptMismatch` if the session id is not H(T)'s.
    """
    signed, one_time, kem = _find(initial, source)
    shared = [
        signed.agree(their.entry.dh_key, "initiator's X25519 key"),
        our.dh.agree(initial.ephemeral, "ephemeral key"),
        signed.agree(initial.ephemeral, "ephemeral key"),
    ]
    if one_time is not None:
        shared.append(one_time.agree(initial.ephemeral, "ephemeral key"))
    kem_secret = kem.decapsulate(initial.ciphertext)
    prekeys = Prekeys(
        initial.signed_prekey_id,
        signed.public,
        initial.one_time_id,
        one_time.public if one_time else b"",
        initial.kem_kind,
        initial.kem_id,
        kem.public,
    )
    digest = transcript_hash(
        their, our, prekeys, initial.ephemeral, initial.ciphertext, initial.restart
    )
    if digest[:SESSION_ID] != initial.session_id:
        raise TranscriptMismatch(address=their.address)
    return _session_keys(digest, shared, kem_secret), signed


def _find(
    initial: Initial, source: PrekeySource
) -> tuple[PrekeyPrivate, PrekeyPrivate | None, KemPrivate]:
    """Our private keys that an initial message names; raise `UnknownPrekey`."""
    signed = source.signed(initial.signed_prekey_id)
    if signed is None:
        raise UnknownPrekey(what="signed prekey", key_id=initial.signed_prekey_id)
    one_time = None
    if initial.one_time_id is not None:
        one_time = source.one_time(initial.one_time_id)
        if one_time is None:
            raise UnknownPrekey(what="one-time prekey", key_id=initial.one_time_id)
    kem = source.kem(initial.kem_id)
    if kem is None:
        raise UnknownPrekey(what=initial.kem_kind.what, key_id=initial.kem_id)
    return signed, one_time, kem
