"""The sparse post-quantum step: `secure_chat.crypto.pq_step` inside whole conversations."""

import pytest

from secure_chat.crypto import pq_step
from secure_chat.crypto.keys import StepPrivate, encapsulate_768
from secure_chat.crypto.peer import PeerSessions
from secure_chat.crypto.pq_step import Answering, Attachment, Offering
from secure_chat.crypto.ratchet import Ratchet
from secure_chat.errors import BadEncoding, BadKemKey, PeerError, PqStepConflict, UnexpectedPqMix
from secure_chat.protocol import limits
from tests.crypto.support import DAY_MS, NOW, Link, pair, seeded, talking
from tests.crypto.thief import Thief


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step after every four messages instead of fifty."""
    monkeypatch.setattr(limits, "PQ_MESSAGES", 4)


def _ratchet(end: Link) -> Ratchet:
    return end.sessions._sessions[0].ratchet


def _exchange(alice: Link, bob: Link, rounds: int) -> None:
    for n in range(rounds):
        assert bob.open(alice.seal(f"a{n}")) == f"a{n}"
        assert alice.open(bob.seal(f"b{n}")) == f"b{n}"


def test_a_step_happens_after_fifty_messages() -> None:
    """Not before; then within three turns; both sides at the same step."""
    alice, bob = talking()
    _exchange(alice, bob, 23)
    assert (_ratchet(alice).pq.step, _ratchet(bob).pq.step) == (0, 0)
    _exchange(alice, bob, 4)
    assert (_ratchet(alice).pq.step, _ratchet(bob).pq.step) == (1, 1)


def test_a_step_happens_after_a_day() -> None:
    """Few messages a day still bring a step each day."""
    alice, bob = talking()
    alice.now += DAY_MS
    bob.now += DAY_MS
    _exchange(alice, bob, 3)
    assert (_ratchet(alice).pq.step, _ratchet(bob).pq.step) == (1, 1)


def test_offers_and_answers_repeat_sparsely(eager: None) -> None:
    """In a long chain an offer goes with every 16th message; the content is undisturbed."""
    alice, bob = talking()
    for _ in range(4):
        _exchange(alice, bob, 1)
    start = _ratchet(alice).sending
    assert start is None
    bodies = [alice.seal("x") for _ in range(64)]
    large = [n for n, body in enumerate(bodies) if len(body) > 600]
    assert large == [0, 16, 32, 48]
    assert [bob.open(body) for body in bodies] == ["x"] * 64


def test_a_lost_offer_or_answer_is_repeated(eager: None) -> None:
    """The first message with an offer and the first with an answer are lost: the step comes."""
    alice, bob = talking()
    _exchange(alice, bob, 3)
    lost = 0
    for turn in range(12):
        body = alice.seal("a")
        if len(body) > 600 and lost == 0:
            lost += 1
        else:
            bob.open(body)
        body = bob.seal("b")
        if len(body) > 600 and lost == 1:
            lost += 1
        else:
            alice.open(body)
        if turn % 3 == 0:
            alice.reload()
            bob.reload()
    assert lost == 2
    assert _ratchet(alice).pq.step >= 1
    _exchange(alice, bob, 4)


def _offer(step: int, key: bytes) -> Attachment:
    return Attachment(pq_step.OFFER, step, key)


def test_conflicting_offers_raise_and_old_ones_are_ignored() -> None:
    """Another key for the answered step and a skipped step are conflicts; the rest is ignored."""
    key, other = (StepPrivate.generate(seeded(seed)).public for seed in ("one", "two"))
    fresh = Answering(step=3)
    answered = fresh.received(_offer(4, key), encapsulate_768)
    assert answered.answer is not None
    assert answered.received(_offer(4, key), encapsulate_768) is answered
    assert answered.received(_offer(3, other), encapsulate_768) is answered
    for state, offer in ((answered, _offer(4, other)), (answered, _offer(5, key)),
                         (fresh, _offer(5, key)), (fresh, _offer(2**32 - 1, key))):  # fmt: skip
        with pytest.raises(PqStepConflict):
            state.received(offer, encapsulate_768)
    with pytest.raises(BadKemKey):
        fresh.received(_offer(4, b"\xff" * len(key)), encapsulate_768)


def test_answers_that_fit_no_offer_are_ignored() -> None:
    """A late, early or unasked answer changes nothing; the right one deletes the seed."""
    offering = Offering(2, offer=StepPrivate.generate(seeded("offer")))
    assert offering.offer is not None
    secret, ciphertext = encapsulate_768(offering.offer.public)
    for step in (0, 2, 4):
        answer = Attachment(pq_step.ANSWER, step, ciphertext)
        assert offering.received(answer, encapsulate_768) is offering
    ready = offering.received(Attachment(pq_step.ANSWER, 3, ciphertext), encapsulate_768)
    assert ready.offer is None
    assert ready.ready is not None
    assert ready.ready.secret.raw == secret
    again = ready.received(Attachment(pq_step.ANSWER, 3, ciphertext), encapsulate_768)
    assert again is ready


def test_a_mix_without_a_secret_is_refused_and_changes_nothing() -> None:
    """A header that claims a mix nobody answered raises `UnexpectedPqMix`, on either side."""
    for flip in (False, True):
        alice, bob = talking(seed=str(flip))
        bob.open(alice.seal("in order"))
        sender, receiver = (bob, alice) if flip else (alice, bob)
        if not flip:
            alice.open(bob.seal("turn"))
        ratchet = _ratchet(sender)
        step = ratchet._sending_step(sender.person.random)
        ratchet.root, ratchet.our_key, ratchet.next_sending_header = step[:3]
        ratchet.sending = step.chain._replace(mix=1)
        body = sender.seal("with a mix")
        before = receiver.sessions.serialize()
        with pytest.raises(UnexpectedPqMix):
            receiver.open(body)
        assert receiver.sessions.serialize() == before


def test_a_conflicting_offer_inside_a_message_changes_nothing(eager: None) -> None:
    """The message that carries it is refused whole; the next good one is read."""
    alice, bob = talking()
    _exchange(alice, bob, 1)
    bob.open(alice.seal("with the offer"))
    held = _ratchet(bob).pq
    assert isinstance(held, Answering)
    assert held.answer is not None
    offering = _ratchet(alice).pq
    assert isinstance(offering, Offering)
    alice.open(bob.seal("the answer"))
    _ratchet(alice).pq = Offering(0, offer=StepPrivate.generate(seeded("other")))
    body = alice.seal("with another offer")
    before = bob.sessions.serialize()
    with pytest.raises(PqStepConflict):
        bob.open(body)
    assert bob.sessions.serialize() == before
    assert bob.open(alice.seal("without an offer")) == "without an offer"


def test_unknown_attachments_are_refused() -> None:
    """An attachment of an unknown kind, or a short one, is a named error."""
    for plaintext in (b"", b"\3", b"\xff" * 2000, b"\1", b"\1\0\0\0\1" + bytes(100), b"\2\0\0"):
        with pytest.raises(BadEncoding):
            pq_step.split(plaintext)


class Eavesdropper:
    """Holds a copy of one side's state, sees every body, and follows as far as it can.

    ``knows`` says which of the victim's later random draws it also learns, by their size: whoever
    breaks X25519 knows all private keys of 32 bytes.
    """

    def __init__(self, victim: Link, knows: set[int]) -> None:
        self.victim = victim
        self.knows = knows
        self.copy = PeerSessions.load(victim.person.device, victim.sessions.serialize())
        self._own = seeded("eavesdropper")

    def victim_sends(self, text: str) -> bytes:
        """Let the victim seal, and follow its step with what can be known of its randomness."""
        drawn: list[bytes] = []

        def recording(size: int) -> bytes:
            drawn.append(self.victim.person.random(size))
            return drawn[-1]

        def replaying(size: int) -> bytes:
            known = [data for data in drawn if len(data) == size and size in self.knows]
            return known[0] if known else self._own(size)

        now = self.victim.now
        body = self.victim.sessions.seal(text.encode(), now, recording)
        self.copy.seal(text.encode(), now, replaying)
        return body

    def reads(self, body: bytes) -> bool:
        """Whether the copy decrypts a body that the victim receives."""
        try:
            self.copy.open(body, self.victim.person.store, NOW)
        except PeerError:
            return False
        return True


@pytest.mark.parametrize("victim_offers", [True, False])
def test_recovery_after_a_compromise_by_x25519_alone(victim_offers: bool) -> None:
    """A stolen state reads on only until the victim's next key is answered."""
    alice, bob = talking()
    victim, other = (alice, bob) if victim_offers else (bob, alice)
    victim.open(other.seal("before"))
    thief = Eavesdropper(victim, knows=set())
    body = other.seal("while stolen")
    assert thief.reads(body)
    victim.open(body)
    other.open(thief.victim_sends("a fresh key"))
    body = other.seal("after")
    assert not thief.reads(body)
    assert victim.open(body) == "after"


@pytest.mark.parametrize("victim_offers", [True, False])
def test_recovery_after_a_compromise_with_x25519_broken(victim_offers: bool, eager: None) -> None:
    """With every X25519 key known the thief reads until the first post-quantum mix, and no more."""
    alice, bob = talking()
    victim, other = (alice, bob) if victim_offers else (bob, alice)
    victim.open(other.seal("before"))
    thief = Eavesdropper(victim, knows={32})
    read: list[tuple[int, bool]] = []
    for turn in range(14):
        other.open(thief.victim_sends(f"{turn}"))
        body = other.seal(f"{turn}")
        read.append((_ratchet(other).pq.step, thief.reads(body)))
        assert victim.open(body) == f"{turn}"
    assert any(could for _, could in read), "X25519 alone does not stop this thief"
    first_step = read[0][0]
    assert not any(could for step, could in read if step > first_step + 1)
    assert read[-1][0] > first_step + 1


def test_forward_secrecy_of_what_was_read() -> None:
    """A state stolen now opens no body that was received or sent before."""
    alice, bob = talking()
    earlier = []
    for n in range(5):
        body = alice.seal(f"a{n}")
        bob.open(body)
        reply = bob.seal(f"b{n}")
        alice.open(reply)
        earlier += [(bob, body), (alice, reply), (alice, body), (bob, reply)]
    for victim, body in earlier:
        assert not Eavesdropper(victim, knows={32, 64}).reads(body)


def test_forward_secrecy_of_what_was_read_in_the_same_turn() -> None:
    """The chain key that is stolen is no key of a message before it, whatever number is tried."""
    alice, bob = talking()
    bodies = [alice.seal(f"{n}") for n in range(5)]
    for body in bodies:
        bob.open(body)
    reader, writer = Thief({"alice": bob}), Thief({"bob": alice})
    for body in bodies:
        assert not reader.reads_past("alice", body)
        assert not writer.reads_sent("bob", body)
    assert writer.reads_sent("bob", alice.seal("after the theft"))


def test_a_silent_listener_is_asked_for_a_turn() -> None:
    """Fifty unanswered messages, or one for a day, ask for a turn; any answer settles it."""
    alice, bob = talking()
    alice.seal("x")
    assert not bob.sessions.wants_turn(bob.now)
    bob.open(alice.seal("one"))
    assert not bob.sessions.wants_turn(bob.now)
    bob.reload()
    assert bob.sessions.wants_turn(bob.now + DAY_MS)
    for n in range(limits.PQ_MESSAGES):
        bob.open(alice.seal(f"{n}"))
    assert bob.sessions.wants_turn(bob.now)
    alice.open(bob.seal(""))
    assert not bob.sessions.wants_turn(bob.now + DAY_MS)
    assert alice.sessions.session_id is not None
    alice.sessions.opened_a_turn(alice.sessions.session_id)
    assert not alice.sessions.wants_turn(alice.now + DAY_MS), "a turn wants no answer"


def test_a_first_message_carries_no_offer_and_the_step_waits_for_an_answer() -> None:
    """Step 0 is the handshake: before the first answer nothing but sealed text is sent."""
    alice, bob = pair()
    alice.start()
    sizes = {len(alice.seal("x")) for _ in range(20)}
    assert len(sizes) == 1
    assert bob.open(alice.seal("x")) == "x"
