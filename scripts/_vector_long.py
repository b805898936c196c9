"""Vectors of longer conversations: losses, limits, counted steps and ranks; see make_vectors.py."""

from collections.abc import Callable

from _vector_refusals import attach, mix, rigged
from _vector_scenes import DAY, Encapsulations, Json, Scene
from secure_chat.crypto import keys
from secure_chat.protocol import limits


def skipped(kem: Encapsulations) -> Json:
    """The largest gaps that are bridged, in both chains that one header touches."""
    scene = Scene(kem, "gaps: 1,000 messages are skipped, in each of two chains; 1,001 are not")
    scene.start(scene.alice)
    scene.say(scene.alice, "hello")
    late = scene.seal(scene.bob, "number 0 of the first chain")
    last = scene.seal(scene.bob, "number 1 of the first chain")
    scene.lose(scene.bob, limits.SKIP_PER_CHAIN - 2)
    scene.say(scene.bob, "number 1,000")
    scene.open(scene.alice, last)
    scene.say(scene.alice, "answer")
    scene.say(scene.bob, "a second chain")
    kept = scene.seal(scene.bob, "number 1 of the second chain")
    scene.lose(scene.bob, limits.SKIP_PER_CHAIN - 1)
    scene.say(scene.alice, "another turn")
    scene.lose(scene.bob, limits.SKIP_PER_CHAIN)
    scene.say(scene.bob, "1,000 are missing in the second and in this third chain")
    scene.lose(scene.bob, limits.SKIP_PER_CHAIN + 1)
    scene.open(scene.alice, scene.seal(scene.bob, "too far"), "1,001 are missing")
    scene.open(scene.alice, late, "of 2,999 stored keys the oldest 999 were forgotten")
    scene.open(scene.alice, kept)
    return scene.file


def counted_step(kem: Encapsulations) -> Json:
    """Offer and answer of a post-quantum step, each lost once and repeated."""
    scene = Scene(kem, "50 messages pass; offer and answer are lost, repeated and contradicted")
    alice, bob = scene.alice, scene.bob
    scene.start(alice)
    scene.say(alice, "1")
    scene.say(bob, "2")
    scene.say(bob, "3")
    scene.lose(alice, 46)
    scene.say(alice, "the 50th message: no offer yet")
    offer = scene.seal(alice, "the 51st: with the offer, number 47 of its chain")
    repeated = scene.seal(alice, "number 48: the offer again")
    without = scene.seal(alice, "number 49: no offer")
    scene.open(bob, without)
    scene.say(bob, "no answer, since no offer came")
    scene.open(bob, repeated)
    answer = scene.seal(bob, "with the answer, number 1 of its chain")
    other = keys.StepPrivate.generate(bob.draws)
    bob.draws.given()
    conflict = rigged(scene, attach(1, 1, other.public))
    scene.open(bob, conflict, "another key offered for the answered step")
    scene.lose(bob, 14)
    scene.say(bob, "number 16: the answer again")
    scene.say(alice, "mixes step 1; this chain's first message")
    scene.open(alice, rigged(scene, mix(1), bob), "the responder's chains never mix")
    scene.open(bob, offer)
    scene.open(alice, answer)
    scene.say(bob, "step 1 is over")
    scene.now += DAY - 1
    scene.say(alice, "a day less a millisecond later: no offer, number 0")
    scene.now += 1
    scene.say(alice, "a day later: the next offer, number 1")
    scene.say(bob, "with its answer")
    scene.say(alice, "mixes step 2")
    for who, kind, data in ((alice, 2, bytes(keys.STEP_CIPHERTEXT)), (bob, 1, other.public)):
        # Offers are only taken by the responder, answers by the initiator.
        scene.open(scene.other(who), rigged(scene, attach(kind, 3, data), who))
    return scene.file


def ranks(kem: Encapsulations) -> Json:
    """Restarts that cross, with clocks that are behind."""
    scene = Scene(
        kem, "restarts: both at once, by a clock that is behind, outranked", one_time=False
    )
    alice, bob = scene.alice, scene.bob
    scene.start(alice)
    scene.say(alice, "first")
    scene.say(bob, "answered")
    scene.now += 1000
    scene.start(alice)
    one = scene.seal(alice, "restart at 1000")
    scene.now += 1000
    scene.start(bob)
    two = scene.seal(bob, "restart at 2000")
    scene.open(bob, one)
    scene.open(alice, two)
    scene.say(alice, "on the later restart")
    scene.say(bob, "and so do I")
    scene.now -= 1500
    scene.start(alice)
    scene.say(alice, "a clock that is behind: one more than the restart known")
    scene.say(bob, "on that one")
    scene.forget(bob)
    scene.start(bob, anew=True)
    scene.say(bob, "lost everything, and a clock behind: outranked")
    scene.open(bob, scene.seal(alice, "still on the session of higher rank"), "its session is lost")
    scene.start(alice)
    scene.say(alice, "a later restart")
    scene.say(bob, "together again")
    return scene.file


LONG: dict[str, Callable[[Encapsulations], Json]] = {
    "session-skipped-messages": skipped,
    "session-counted-step": counted_step,
    "session-ranks": ranks,
}
