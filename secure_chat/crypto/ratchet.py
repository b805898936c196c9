"""The Double Ratchet with header encryption (Signal's document, revision 1, section 4).

::

    sealed message = nonce 12 ‖ sealed header 41 + 16 ‖ sealed body
    header         = ratchet key 32 ‖ u32 pn ‖ u32 n ‖ u8 mix

The header is sealed with the chain's header key, the body with the message's own key, both under
ChaCha20-Poly1305 with the same random nonce. The associated data of both is AD, then every byte of
the frame body that stands before the ciphertext. Deviations from Signal's document, with their
reasons, are listed in PROTOCOL.md 7.6.

Everything works on values that are assigned only after the body is accepted, so a failure changes
nothing.
"""

import struct
from typing import NamedTuple

from secure_chat.crypto import aead, kdf, pq_step
from secure_chat.crypto.aead import NONCE, TAG
from secure_chat.crypto.kdf import ChainKey, HeaderKey, MessageKey, RootKey
from secure_chat.crypto.keys import Encapsulate, RatchetPrivate
from secure_chat.crypto.padding import pad, unpad
from secure_chat.crypto.pq_step import PqState
from secure_chat.crypto.rng import Random, draw, draw_other
from secure_chat.crypto.skipped import SkippedChain, SkippedKeys
from secure_chat.errors import (
    BadEncoding,
    ContentTooLong,
    RepeatedMessage,
    TooManySkippedMessages,
)
from secure_chat.protocol import limits

_HEADER = struct.Struct(">32sIIB")
HEADER = _HEADER.size
OVERHEAD = NONCE + HEADER + TAG + TAG
CONTENT = limits.PADDED_MAX - 1 - pq_step.LARGEST
"""The longest content: room for the padding's mark and a post-quantum offer is always kept."""

_BODY_AT = NONCE + HEADER + TAG
_PQ_MS = limits.PQ_SECONDS * 1000


class Header(NamedTuple):
    """What the recipient needs to find the message key."""

    ratchet_key: bytes
    previous: int  # pn: messages in the sender's previous chain
    number: int  # n: number of this message in its chain
    mix: int  # 1: this chain began with a post-quantum secret


class SendingChain(NamedTuple):
    """CKs and HKs with the number of the next message."""

    header: HeaderKey
    key: ChainKey
    number: int
    mix: int


class ReceivingChain(NamedTuple):
    """CKr and HKr with the number of the next message."""

    header: HeaderKey
    key: ChainKey
    number: int


class DoesNotDecrypt(Exception):
    """A header of ours whose body was refused; `peer` turns it into an error with facts."""


class _Skips(NamedTuple):
    """The keys of messages that are passed over, from number ``first`` on, 32 bytes each."""

    header: HeaderKey
    first: int
    keys: bytes

    def __repr__(self) -> str:
        return f"<_Skips from {self.first} redacted>"


class _ReceivingStep(NamedTuple):
    """A new remote ratchet key."""

    root: RootKey
    their_key: bytes
    next_header: HeaderKey
    pq: PqState


class _Plan(NamedTuple):
    """What a message will change once its body is accepted."""

    message_key: MessageKey
    taken: tuple[SkippedChain, int] | None = None  # a stored key that is used up
    receiving: ReceivingChain | None = None
    skips: tuple[_Skips, ...] = ()
    step: _ReceivingStep | None = None


class _SendingStep(NamedTuple):
    """A new ratchet key of ours, and the chain that begins with it."""

    root: RootKey
    our_key: RatchetPrivate
    next_header: HeaderKey
    chain: SendingChain
    pq: PqState


class Ratchet:
    """The state of one session's ratchet; the names in brackets are those of the document.

    ``sending`` is None while a sending step is due: it is made lazily, with the first message
    after a new remote key, so that the fresh key is as young as can be.
    """

    __slots__ = (
        "associated_data",
        "mixed_at_ms",
        "next_receiving_header",
        "next_sending_header",
        "our_key",
        "pq",
        "previous",
        "receiving",
        "root",
        "sending",
        "since_mix",
        "skipped",
        "their_key",
    )

    def __init__(
        self,
        *,
        associated_data: bytes,
        root: RootKey,
        our_key: RatchetPrivate | None,
        their_key: bytes | None,
        next_sending_header: HeaderKey,
        next_receiving_header: HeaderKey,
        pq: PqState,
        now_ms: int,
    ) -> None:
        self.associated_data = associated_data
        self.root = root  # RK
        self.our_key = our_key  # DHs
        self.their_key = their_key  # DHr
        self.sending: SendingChain | None = None  # CKs, HKs, Ns
        self.receiving: ReceivingChain | None = None  # CKr, HKr, Nr
        self.next_sending_header = next_sending_header  # NHKs
        self.next_receiving_header = next_receiving_header  # NHKr
        self.previous = 0  # PN
        self.skipped = SkippedKeys()  # MKSKIPPED
        self.pq = pq
        self.since_mix = 0  # messages sent and received; with the time, for who offers
        self.mixed_at_ms = now_ms

    # ------------------------------------------------------------ sending

    def seal(self, prefix: bytes, content: bytes, now_ms: int, random: Random) -> bytes:
        """``prefix`` and the sealed message; ``prefix`` is authenticated.

        Raises `ContentTooLong` and `DeadRandomness`; the state is then as it was.
        """
        if len(content) > CONTENT:
            raise ContentTooLong(size=len(content), limit=CONTENT)
        step = None
        chain, our_key, pq = self.sending, self.our_key, self.pq
        if chain is None or our_key is None:
            step = self._sending_step(random)
            chain, our_key, pq = step.chain, step.our_key, step.pq
        header_key, chain_key, number, mix = chain
        begins_with_mix = mix == 1 and step is not None
        attachment, pq = pq.sending(number, not begins_with_mix and self._pq_due(now_ms), random)
        padded = pad(attachment + content)

        nonce = draw(random, NONCE)
        message_key, next_key = kdf.chain_step(chain_key)
        header = _HEADER.pack(our_key.public, self.previous, number, mix)
        associated = self.associated_data + prefix
        before = nonce + header_key.cipher.encrypt(nonce, header, associated)
        body = aead.cipher(message_key.raw).encrypt(nonce, padded, associated + before)

        if step is not None:
            self.root, self.our_key, self.next_sending_header = step[:3]
        if begins_with_mix:
            self.since_mix, self.mixed_at_ms = 0, now_ms
        self.sending = SendingChain(header_key, next_key, number + 1, mix)
        self.pq = pq
        self.since_mix += 1
        return prefix + before + body

    def _pq_due(self, now_ms: int) -> bool:
        return self.since_mix >= limits.PQ_MESSAGES or now_ms - self.mixed_at_ms >= _PQ_MS

    def _sending_step(self, random: Random) -> _SendingStep:
        """The second half of DHRatchet: a fresh key of ours, and the chain that begins with it."""
        assert self.their_key is not None, "who has not received knows the signed prekey"
        earlier = (self.our_key.raw,) if self.our_key else ()
        our_key = RatchetPrivate(draw_other(random, RatchetPrivate.size, *earlier))
        shared = our_key.agree(self.their_key, "ratchet key")
        mix = self.pq.mix_for_sending()
        root, chain_key, next_header = kdf.root_step(self.root, shared, mix)
        chain = SendingChain(self.next_sending_header, chain_key, 0, 1 if mix else 0)
        return _SendingStep(root, our_key, next_header, chain, self.pq.mixed() if mix else self.pq)

    # ------------------------------------------------------------ receiving

    def open(
        self, prefix: bytes, sealed: bytes, now_ms: int, encapsulate: Encapsulate
    ) -> bytes | None:
        """The content of a sealed message; None if its header is not of this session.

        ``sealed`` has a length that `body.decode` has seen to; ``encapsulate`` is ML-KEM-768's.
        Raises `DoesNotDecrypt`, `BadEncoding`, `BadCurveKey`, `BadKemKey`, `RepeatedMessage`,
        `TooManySkippedMessages`, `PqStepConflict` and `UnexpectedPqMix`; the state is then as it
        was.
        """
        nonce, before, body = sealed[:NONCE], sealed[:_BODY_AT], sealed[_BODY_AT:]
        associated = self.associated_data + prefix
        plan = self._plan(nonce, sealed[NONCE:_BODY_AT], associated)
        if plan is None:
            return None
        cipher = aead.cipher(plan.message_key.raw)
        padded = aead.unseal(cipher, nonce, body, associated + before)
        if padded is None:
            raise DoesNotDecrypt
        attachment, content = pq_step.split(unpad(padded))
        pq = self.pq if plan.step is None else plan.step.pq
        if attachment.kind:
            pq = pq.received(attachment, encapsulate)
        self._commit(plan, pq, now_ms)
        return content

    def _plan(self, nonce: bytes, sealed_header: bytes, associated: bytes) -> _Plan | None:
        """TryDecrypt: find the header key that fits, the likeliest first."""
        receiving = self.receiving
        if receiving is not None:
            header = _open_header(receiving.header, nonce, sealed_header, associated)
            if header is not None:
                return self._from_present_chain(receiving, header)
        header = _open_header(self.next_receiving_header, nonce, sealed_header, associated)
        if header is not None:
            return self._from_next_chain(header)
        for chain in self.skipped.chains:
            header = _open_header(chain.header, nonce, sealed_header, associated)
            if header is not None:
                return _from_stored(chain, header.number)
        return None

    def _from_present_chain(self, chain: ReceivingChain, header: Header) -> _Plan:
        number, (header_key, key, expected) = header.number, chain
        skips: tuple[_Skips, ...] = ()
        if number < expected:
            stored = self.skipped.of(header_key)
            if stored is None:
                raise RepeatedMessage(number=number)
            return _from_stored(stored, number)
        if number > expected:
            keys, key = _skip(key, expected, number)
            skips = (_Skips(header_key, expected, keys),)
        message_key, next_key = kdf.chain_step(key)
        return _Plan(message_key, None, ReceivingChain(header_key, next_key, number + 1), skips)

    def _from_next_chain(self, header: Header) -> _Plan:
        """The first half of DHRatchet: finish their old chain, begin their new one."""
        ratchet_key, previous, number, mixed = header
        old: tuple[_Skips, ...] = ()
        _check_skip(0, number)
        if self.our_key is None:
            # The answer to a first message that this copy of the state never sealed: an old copy.
            raise DoesNotDecrypt
        if self.receiving is not None and previous > self.receiving.number:
            last = self.receiving
            keys, _ = _skip(last.key, last.number, previous)
            old = (_Skips(last.header, last.number, keys),)
        shared = self.our_key.agree(ratchet_key, "ratchet key")
        mix = self.pq.mix_for_receiving() if mixed else None
        root, key, next_header = kdf.root_step(self.root, shared, mix)
        step = _ReceivingStep(root, ratchet_key, next_header, self.pq.mixed() if mix else self.pq)
        header_key = self.next_receiving_header
        keys, key = _skip(key, 0, number)
        message_key, next_key = kdf.chain_step(key)
        after = ReceivingChain(header_key, next_key, number + 1)
        return _Plan(message_key, None, after, (*old, _Skips(header_key, 0, keys)), step)

    def _commit(self, plan: _Plan, pq: PqState, now_ms: int) -> None:
        if plan.taken is not None:
            self.skipped.take(*plan.taken)
        for header_key, first, keys in plan.skips:
            if keys:
                self.skipped.add(header_key, first, keys, now_ms)
        if plan.step is not None:
            self._new_remote_key(plan.step)
        if plan.receiving is not None:
            self.receiving = plan.receiving
        self.pq = pq
        self.since_mix += 1
        if self.skipped.chains:
            self.skipped.tidy(now_ms)

    def _new_remote_key(self, step: _ReceivingStep) -> None:
        if self.sending is not None:
            self.previous = self.sending.number
        self.root, self.their_key, self.next_receiving_header, _ = step
        self.sending = None  # the sending step is made with the next message


def _open_header(
    key: HeaderKey, nonce: bytes, sealed_header: bytes, associated: bytes
) -> Header | None:
    opened = aead.unseal(key.cipher, nonce, sealed_header, associated)
    if opened is None:
        return None
    header = Header._make(_HEADER.unpack(opened))
    if header.mix > 1:
        raise BadEncoding(what="message header")
    return header


def _from_stored(chain: SkippedChain, number: int) -> _Plan:
    return _Plan(chain.key(number), taken=(chain, number))


def _skip(key: ChainKey, start: int, stop: int) -> tuple[bytes, ChainKey]:
    """SkipMessageKeys: the keys of messages ``start`` to ``stop - 1``, and the chain key after.

    Raises `TooManySkippedMessages` before any work is done.
    """
    _check_skip(start, stop)
    keys = []
    for _ in range(start, stop):
        message_key, key = kdf.chain_step(key)
        keys.append(message_key.raw)
    return b"".join(keys), key


def _check_skip(start: int, stop: int) -> None:
    if stop - start > limits.SKIP_PER_CHAIN:
        raise TooManySkippedMessages(skipped=stop - start, limit=limits.SKIP_PER_CHAIN)
