"""The sparse post-quantum step of the ratchet (PROTOCOL.md 8).

The initiator of a session sometimes offers a fresh ML-KEM-768 key, the responder answers with a
ciphertext, and the initiator's next sending chain mixes the secret into the root key. Offers and
answers repeat, so nothing is lost with a lost message.

States are immutable: the ratchet assigns the next one only when a message is accepted. In front of
the content stands

::

    u8 kind = 0 none ‖ content
    u8 kind = 1 offer  ‖ u32 step ‖ encapsulation key 1184 ‖ content
    u8 kind = 2 answer ‖ u32 step ‖ ciphertext 1088 ‖ content
"""

import hashlib
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from secure_chat.crypto.kdf import Mix, StepSecret
from secure_chat.crypto.keys import STEP_CIPHERTEXT, STEP_KEY, Encapsulate, StepPrivate
from secure_chat.crypto.rng import Random
from secure_chat.errors import BadEncoding, PqStepConflict, UnexpectedPqMix
from secure_chat.protocol import limits
from secure_chat.protocol.encoding import Reader, u8, u32

NONE, OFFER, ANSWER = 0, 1, 2
_NOTHING = u8(NONE)
_SIZES = {OFFER: STEP_KEY, ANSWER: STEP_CIPHERTEXT}
LARGEST = 1 + 4 + STEP_KEY
"""What the step needs of a plaintext at most."""


class Attachment(NamedTuple):
    """What stands in front of the content."""

    kind: int
    step: int = 0
    data: bytes = b""

    def encode(self) -> bytes:
        """The bytes in front of the content."""
        if self.kind == NONE:
            return _NOTHING
        return u8(self.kind) + u32(self.step) + self.data


NOTHING = Attachment(NONE)


def split(plaintext: bytes) -> tuple[Attachment, bytes]:
    """The attachment and the content; raise `BadEncoding`."""
    if plaintext[:1] == _NOTHING:
        return NOTHING, plaintext[1:]
    reader = Reader(plaintext, "encrypted content")
    kind = reader.number(1)
    if kind not in _SIZES:
        raise BadEncoding(what="encrypted content")
    return Attachment(kind, reader.number(4), reader.take(_SIZES[kind])), reader.rest()


def _binding(key: bytes, ciphertext: bytes) -> bytes:
    return hashlib.sha256(key + ciphertext).digest()


def _nothing(what: int) -> None:
    """Only 0 stands for a stored state that holds nothing."""
    if what != 0:
        raise BadEncoding(what="session state")


@dataclass(frozen=True)
class Offering:
    """The initiator's side. ``step`` is the last one mixed; 0 is the handshake."""

    step: int = 0
    offer: StepPrivate | None = None
    ready: Mix | None = None

    def sending(self, number: int, due: bool, random: Random) -> tuple[bytes, "Offering"]:
        """What goes in front of message ``number`` of a chain, and the state once it is sealed."""
        if self.offer is not None:
            return self._attachment(
                self.offer
            ) if number % limits.PQ_REPEAT == 0 else _NOTHING, self
        if not due or self.ready is not None:
            return _NOTHING, self
        offer = StepPrivate.generate(random)
        return self._attachment(offer), replace(self, offer=offer)

    def _attachment(self, offer: StepPrivate) -> bytes:
        return Attachment(OFFER, self.step + 1, offer.public).encode()

    def received(self, attachment: Attachment, _encapsulate: Encapsulate) -> "Offering":
        """Take an answer to the present offer; others are late or repeated, and ignored."""
        expected = attachment.kind == ANSWER and attachment.step == self.step + 1
        if not expected or self.offer is None:
            return self
        secret = StepSecret(self.offer.decapsulate(attachment.data))
        binding = _binding(self.offer.public, attachment.data)
        return replace(self, offer=None, ready=Mix(attachment.step, secret, binding))

    def mix_for_sending(self) -> Mix | None:
        """The secret that the next sending chain mixes."""
        return self.ready

    def mix_for_receiving(self) -> Mix:
        """The responder's chains never mix: raise `UnexpectedPqMix`."""
        raise UnexpectedPqMix(step=self.step + 1)

    def mixed(self) -> "Offering":
        """The state after mixing."""
        return Offering(self.step + 1)

    # u32 step ‖ u8 (0 nothing, 1 offer, 2 ready) ‖ seed 64 | secret 32 ‖ binding 32

    def encode(self) -> bytes:
        """The stored form."""
        if self.offer is not None:
            return u32(self.step) + u8(1) + self.offer.raw
        if self.ready is not None:
            return u32(self.step) + u8(2) + self.ready.secret.raw + self.ready.binding
        return u32(self.step) + u8(0)

    @classmethod
    def decode(cls, reader: Reader) -> "Offering":
        """Read what `encode` wrote; raise `BadEncoding`."""
        step, what = reader.number(4), reader.number(1)
        if what == 1:
            return cls(step, offer=StepPrivate(reader.take(64)))
        if what == 2:
            return cls(step, ready=Mix(step + 1, StepSecret(reader.take(32)), reader.take(32)))
        _nothing(what)
        return cls(step)


class Answer(NamedTuple):
    """The responder's answer, until the mix is seen. ``sent`` says whether it went out once."""

    key_hash: bytes
    ciphertext: bytes
    mix: Mix
    sent: bool = False


@dataclass(frozen=True)
class Answering:
    """The responder's side. ``step`` is the last one mixed; 0 is the handshake."""

    step: int = 0
    answer: Answer | None = None

    def sending(self, number: int, _due: bool, _random: Random) -> tuple[bytes, "Answering"]:
        """What goes in front of message ``number`` of a chain, and the state once it is sealed."""
        answer = self.answer
        if answer is None or (answer.sent and number % limits.PQ_REPEAT):
            return _NOTHING, self
        attachment = Attachment(ANSWER, self.step + 1, answer.ciphertext)
        return attachment.encode(), replace(self, answer=answer._replace(sent=True))

    def received(self, attachment: Attachment, encapsulate: Encapsulate) -> "Answering":
        """Answer a new offer once.

        Raises `PqStepConflict` for an offer that skips a step or contradicts the one answered, and
        `BadKemKey` for a malformed key.
        """
        if attachment.kind != OFFER or attachment.step <= self.step:
            return self
        key_hash = hashlib.sha256(attachment.data).digest()
        if attachment.step > self.step + 1:
            raise PqStepConflict(step=attachment.step, known=self.step)
        if self.answer is not None:
            if key_hash != self.answer.key_hash:
                raise PqStepConflict(step=attachment.step, known=self.step)
            return self
        secret, ciphertext = encapsulate(attachment.data)
        mix = Mix(attachment.step, StepSecret(secret), _binding(attachment.data, ciphertext))
        return replace(self, answer=Answer(key_hash, ciphertext, mix))

    def mix_for_sending(self) -> None:
        """The responder's own chains never mix."""

    def mix_for_receiving(self) -> Mix:
        """The answered secret; raise `UnexpectedPqMix` if there is none."""
        if self.answer is None:
            raise UnexpectedPqMix(step=self.step + 1)
        return self.answer.mix

    def mixed(self) -> "Answering":
        """The state after mixing."""
        return Answering(self.step + 1)

    # u32 step ‖ u8 (0 nothing, 1 answer, 2 answer sent) ‖ key hash ‖ ciphertext ‖ secret ‖ binding

    def encode(self) -> bytes:
        """The stored form."""
        if self.answer is None:
            return u32(self.step) + u8(0)
        key_hash, ciphertext, mix, sent = self.answer
        what = u8(2 if sent else 1)
        return u32(self.step) + what + key_hash + ciphertext + mix.secret.raw + mix.binding

    @classmethod
    def decode(cls, reader: Reader) -> "Answering":
        """Read what `encode` wrote; raise `BadEncoding`."""
        step, what = reader.number(4), reader.number(1)
        if what not in (1, 2):
            _nothing(what)
            return cls(step)
        key_hash, ciphertext = reader.take(32), reader.take(STEP_CIPHERTEXT)
        mix = Mix(step + 1, StepSecret(reader.take(32)), reader.take(32))
        return cls(step, Answer(key_hash, ciphertext, mix, what == 2))


PqState: TypeAlias = Offering | Answering
