"""Vectors of what must be refused, each leaving the state as it was; see make_vectors.py."""

from collections.abc import Callable
from typing import Any

from _vector_scenes import Encapsulations, Json, Party, Scene
from secure_chat.crypto import body as bodies
from secure_chat.crypto import keys, pq_step
from secure_chat.crypto.peer import PeerSessions
from secure_chat.protocol.signing import PrekeyKind


def rigged(scene: Scene, change: Callable[[Any], None], who: Party | None = None) -> bytes:
    """A body of Alice's (or of ``who``) that no ratchet would make; the state stays as it is."""
    alice = who or scene.alice
    stored = alice.sessions.serialize()
    ratchet = alice.sessions._sessions[0].ratchet
    if ratchet.sending is None:
        step = ratchet._sending_step(alice.draws)
        ratchet.root, ratchet.our_key, ratchet.next_sending_header = step[:3]
        ratchet.sending = step.chain
    change(ratchet)
    body = alice.sessions.seal(b"rigged", scene.now, alice.draws)
    alice.sessions = PeerSessions.load(alice.device, stored)
    alice.draws.given()
    return body


def _number(number: int) -> Callable[[Any], None]:
    def change(ratchet: Any) -> None:
        ratchet.sending = ratchet.sending._replace(number=number)

    return change


def mix(value: int) -> Callable[[Any], None]:
    def change(ratchet: Any) -> None:
        ratchet.sending = ratchet.sending._replace(mix=value)

    return change


def _previous(ratchet: Any) -> None:
    ratchet.previous = 2**32 - 1


def _key(point: bytes) -> Callable[[Any], None]:
    def change(ratchet: Any) -> None:
        ratchet.our_key._public = point

    return change


class _Forged:
    """A post-quantum state that attaches what it is told."""

    step = 0

    def __init__(self, attachment: pq_step.Attachment) -> None:
        self._attachment = attachment

    def sending(self, *_: object) -> tuple[bytes, "_Forged"]:
        return self._attachment.encode(), self

    def encode(self) -> bytes:
        return bytes(5)


def attach(kind: int, step: int, data: bytes) -> Callable[[Any], None]:
    def change(ratchet: Any) -> None:
        ratchet.pq = _Forged(pq_step.Attachment(kind, step, data))

    return change


def invalid_ratchet(kem: Encapsulations) -> Json:
    scene = Scene(kem, "ratchet messages that must be refused, and leave the state as it was")
    scene.start(scene.alice)
    scene.say(scene.alice, "hello")
    scene.say(scene.bob, "hello")
    good = scene.seal(scene.alice, "good")
    wrong: list[tuple[str, bytes]] = [
        ("empty", b""),
        ("unknown version", b"\x02" + good[1:]),
        ("unknown kind", b"\x01\x03" + good[2:]),
        ("nonce altered", good[:2] + bytes([good[2] ^ 1]) + good[3:]),
        ("header altered", good[:20] + bytes([good[20] ^ 1]) + good[21:]),
        ("body altered", good[:-20] + bytes([good[-20] ^ 1]) + good[-19:]),
        ("last byte of the tag missing", good[:-1]),
        ("one byte too many", good + b"\0"),
    ]
    far = 2**32 - 1
    wrong += [
        ("message number 2^32-1", rigged(scene, _number(far))),
        ("1,001 messages missing", rigged(scene, _number(1001))),
        ("previous chain of 2^32-1 messages", rigged(scene, _previous)),
        ("ratchet key 0", rigged(scene, _key(bytes(32)))),
        ("ratchet key 1", rigged(scene, _key(b"\x01" + bytes(31)))),
        (
            "ratchet key p, not canonical",
            rigged(scene, _key((2**255 - 19).to_bytes(32, "little"))),
        ),
        ("a mix that was never answered", rigged(scene, mix(1))),
        ("mix = 2", rigged(scene, mix(2))),
        ("offer skips a step", rigged(scene, attach(1, 2, bytes(keys.STEP_KEY)))),
        ("malformed offered key", rigged(scene, attach(1, 1, b"\xff" * keys.STEP_KEY))),
        ("unknown attachment", rigged(scene, attach(3, 1, b"abc"))),
    ]
    for why, body in wrong:
        scene.open(scene.bob, body, why)
    scene.open(scene.alice, good, "reflected to its sender")
    scene.open(scene.bob, good)
    scene.open(scene.bob, good, "repeated")
    return scene.file


def invalid_initial(kem: Encapsulations) -> Json:
    scene = Scene(kem, "initial messages that must be refused, and leave the state as it was")
    scene.start(scene.alice)
    good = scene.seal(scene.alice, "good")
    cut = bodies.decode(good)
    initial = cut.initial
    assert initial is not None

    def changed(**fields: Any) -> bytes:
        return initial._replace(**fields).encode() + cut.sealed

    stranger = Party("carol", kem).device
    wrong: list[tuple[str, bytes]] = [
        ("ephemeral key of low order", changed(ephemeral=bytes(32))),
        ("ephemeral key not canonical", changed(ephemeral=b"\xff" * 32)),
        ("another session id", changed(session_id=bytes(16))),
        ("another restart", changed(restart=1)),
        ("unknown signed prekey", changed(signed_prekey_id=77)),
        ("unknown one-time prekey", changed(one_time_id=77)),
        ("the one-time prekey left out", changed(one_time_id=None)),
        ("unknown KEM key", changed(kem_id=77)),
        ("the KEM key called last-resort", changed(kem_kind=PrekeyKind.LAST_RESORT_KEM)),
        ("ciphertext altered", changed(ciphertext=bytes(1568))),
        ("manifest signature altered", changed(manifest_signature=bytes(64))),
        ("another account key", changed(account_key=stranger.account_key)),
        ("a device that the manifest does not list", changed(device="phone")),
        (
            "another sender's account key, manifest and signature",
            changed(
                account_key=stranger.account_key,
                manifest=stranger.manifest,
                manifest_signature=stranger.manifest_signature,
            ),
        ),
        ("cut short in the initial part", good[:500]),
        ("without a sealed message", initial.encode()),
        ("body altered", good[:-20] + bytes([good[-20] ^ 1]) + good[-19:]),
    ]
    for why, body in wrong:
        scene.open(scene.bob, body, why)
    scene.open(scene.alice, good, "reflected to its sender")
    scene.open(scene.bob, good)
    scene.open(scene.bob, good, "repeated")
    return scene.file
