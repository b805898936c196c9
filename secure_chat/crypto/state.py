"""The stored form of sessions: versioned and bounded (PROTOCOL.md 7.7).

It holds every secret of the sessions and never leaves the encrypted vault. What an earlier version
wrote is read for ever, and written in the newest form with the next message:

1. the first: each stored key with a number and a time of its own;
2. stored keys in runs (`secure_chat.crypto.skipped`).

::

    ratchet  = AD 32 ‖ RK 32 ‖ u8 present ‖ DHs 32 ‖ u8 present ‖ DHr 32 ‖ NHKs 32 ‖ NHKr 32
             ‖ u8 present ‖ (HKs 32 ‖ CKs 32 ‖ u32 Ns ‖ u8 mix)
             ‖ u8 present ‖ (HKr 32 ‖ CKr 32 ‖ u32 Nr)
             ‖ u32 PN ‖ u32 messages since the mix ‖ u64 time of the mix (ms)
             ‖ u8 1 initiator, 2 responder ‖ post-quantum state ‖ skipped keys
"""

from secure_chat.crypto.kdf import ChainKey, HeaderKey, RootKey
from secure_chat.crypto.keys import RatchetPrivate
from secure_chat.crypto.pq_step import Answering, Offering, PqState
from secure_chat.crypto.ratchet import Ratchet, ReceivingChain, SendingChain
from secure_chat.crypto.skipped import SkippedKeys
from secure_chat.errors import BadEncoding, BadSessionState, NewerSessionState, Reason
from secure_chat.protocol.encoding import Reader, u8, u32, u64

VERSION = 2
_SKIPPED = {1: SkippedKeys.decode_version_1, VERSION: SkippedKeys.decode}
_ABSENT, _PRESENT = u8(0), u8(1)
_ROLES: dict[int, type[PqState]] = {1: Offering, 2: Answering}


def encode_ratchet(ratchet: Ratchet) -> bytes:
    """The stored form of one ratchet."""
    ours, theirs = ratchet.our_key, ratchet.their_key
    return b"".join(
        (
            ratchet.associated_data,
            ratchet.root.raw,
            _ABSENT if ours is None else _PRESENT + ours.raw,
            _ABSENT if theirs is None else _PRESENT + theirs,
            ratchet.next_sending_header.raw,
            ratchet.next_receiving_header.raw,
            _encode_sending(ratchet.sending),
            _encode_receiving(ratchet.receiving),
            u32(ratchet.previous),
            u32(ratchet.since_mix),
            u64(ratchet.mixed_at_ms),
            u8(1 if isinstance(ratchet.pq, Offering) else 2),
            ratchet.pq.encode(),
            ratchet.skipped.encode(),
        )
    )


def _encode_sending(chain: SendingChain | None) -> bytes:
    if chain is None:
        return _ABSENT
    return _PRESENT + chain.header.raw + chain.key.raw + u32(chain.number) + u8(chain.mix)


def _encode_receiving(chain: ReceivingChain | None) -> bytes:
    if chain is None:
        return _ABSENT
    return _PRESENT + chain.header.raw + chain.key.raw + u32(chain.number)


def check_version(version: int) -> None:
    """Raise `NewerSessionState` or `BadSessionState` unless this program can read it."""
    if version > VERSION:
        raise NewerSessionState(version=version, known=VERSION)
    if version not in _SKIPPED:
        raise BadSessionState(reason=Reason("there is no version {version} of it", version=version))


def decode_ratchet(reader: Reader, version: int) -> Ratchet:
    """Read what `encode_ratchet` of that version wrote; raise `BadEncoding`."""
    associated_data, root = reader.take(32), RootKey(reader.take(32))
    our_key = RatchetPrivate(reader.take(32)) if _present(reader) else None
    their_key = reader.take(32) if _present(reader) else None
    next_sending, next_receiving = HeaderKey(reader.take(32)), HeaderKey(reader.take(32))
    sending = _decode_sending(reader) if _present(reader) else None
    receiving = _decode_receiving(reader) if _present(reader) else None
    previous, since_mix, mixed_at_ms = reader.number(4), reader.number(4), reader.number(8)
    role = reader.number(1)
    if role not in _ROLES:
        raise BadEncoding(what="session state")
    ratchet = Ratchet(
        associated_data=associated_data,
        root=root,
        our_key=our_key,
        their_key=their_key,
        next_sending_header=next_sending,
        next_receiving_header=next_receiving,
        pq=_ROLES[role].decode(reader),
        now_ms=mixed_at_ms,
    )
    ratchet.sending, ratchet.receiving = sending, receiving
    ratchet.previous, ratchet.since_mix = previous, since_mix
    ratchet.skipped = _SKIPPED[version](reader)
    return ratchet


def _present(reader: Reader) -> bool:
    flag = reader.number(1)
    if flag > 1:
        raise BadEncoding(what="session state")
    return flag == 1


def _decode_sending(reader: Reader) -> SendingChain:
    header, key = HeaderKey(reader.take(32)), ChainKey(reader.take(32))
    return SendingChain(header, key, reader.number(4), int(_present(reader)))


def _decode_receiving(reader: Reader) -> ReceivingChain:
    header, key = HeaderKey(reader.take(32)), ChainKey(reader.take(32))
    return ReceivingChain(header, key, reader.number(4))
