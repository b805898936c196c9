"""What a server with bad intentions cannot do to an unmodified client."""

import os
import time
from collections.abc import Callable

import msgspec
import pytest

from secure_chat.client import content
from secure_chat.client.content import Content, ContentId, Payload
from secure_chat.client.events import KeyChanged, MessageState, Trust
from secure_chat.crypto.identity import LocalDevice, new_account
from secure_chat.crypto.peer import read_initial
from secure_chat.errors import CODES, Code, SafetyNumberDiffers
from secure_chat.protocol.addresses import FIRST_DEVICE, UserId
from secure_chat.protocol.messages import (
    ClientMessage,
    Delivery,
    Error,
    Keys,
    KeysGet,
    Login,
    Manifest,
    ManifestGet,
    Pm,
    ServerMessage,
)
from secure_chat.protocol.wiretypes import DeliveryId
from tests.client.meddler import Meddler, Said
from tests.client.world import Client, World

PAYLOADS: list[Payload] = [
    content.Text("forged"),
    content.Receipt((ContentId(bytes(16)),)),
    content.Receipt((ContentId(bytes(16)),), read=True),
    content.Turn(),
    content.SessionLost(),
]


def _acquainted(world: World) -> tuple[Client, Client]:
    """Two people who have each written to the other."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "a0")
    bob.has(alice, "a0")
    bob.send(alice, "b0")
    alice.has(bob, "a0", "b0")
    alice.all_are(bob, MessageState.DELIVERED)
    bob.all_are(alice, MessageState.DELIVERED)
    return alice, bob


def _impostor(world: World, name: str) -> LocalDevice:
    """Keys that say they are ``name``'s, made by somebody else."""
    server_id = world.server.store.server_id
    return new_account(UserId(name), server_id, FIRST_DEVICE, _now_ms(), os.urandom)[1]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _swap_bob_for(world: World, fake: LocalDevice) -> None:
    """From now on the server names other keys for bob, and says that his devices have changed."""

    def request(message: ClientMessage, body: bytes) -> list[Said] | None:
        if isinstance(message, Pm) and message.to == "bob/main" and not asked:
            asked.append(message)
            code = Code.DEVICES_CHANGED
            return [(Error(code, CODES[code].message, id=message.id), b"")]
        return None

    def answer(message: ServerMessage, body: bytes) -> list[Said]:
        if isinstance(message, Manifest) and b"bob@" in bytes(message.manifest):
            named = Manifest(message.ref, fake.account_key, fake.manifest, fake.manifest_signature)
            return [(named, b"")]
        return [(message, body)]

    asked: list[Pm] = []
    world.server.meddler.request = request
    world.server.meddler.answer = answer


def _poisons(body: bytes) -> list[bytes]:
    return [
        b"",
        b"\x00",
        b"\x01",
        b"\x01\x01",
        b"\x01\x02",
        b"\xff" * 300,
        body[:40],
        body[:-1],
        bytes([*body[:-1], body[-1] ^ 1]),
        bytes([body[0], body[1] ^ 3, *body[2:]]),
        body + b"\x00",
    ]


def test_attack_24_a_poison_message_is_skipped_with_a_visible_note(world: World) -> None:
    """Malformed, then good: a line for the bad ones, the good ones arrive, after a restart too."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "before")
    bob.has(alice, "before")
    count = len(_poisons(b"\x01\x01" + bytes(100)))
    spoiled: list[DeliveryId] = []

    def answer(message: ServerMessage, body: bytes) -> list[Said]:
        if not isinstance(message, Delivery) or message.sender != "alice/main":
            return [(message, body)]  # Bob's receipt may be on its way still
        if len(spoiled) < count:
            spoiled.append(message.id)
            return [(message, _poisons(body)[len(spoiled) - 1])]
        return [(message, body)]

    world.server.meddler.answer = answer
    alice.send(bob, *[f"spoiled {number}" for number in range(count)], "good")
    bob.has(alice, "before", "good")
    assert len(spoiled) == count
    assert bob.texts(alice) == ["before", "good"]
    assert bob.notices(alice)
    assert bob.problems().count("Unreadable") + bob.problems().count("SenderUnknown") == count
    # The last before a restart is poison: it is acknowledged by itself, and does not come again.
    world.server.meddler.answer = lambda message, body: [
        (message, b"\xff" * 300 if isinstance(message, Delivery) else body)
    ]
    alice.send(bob, "spoiled last")
    bob.wait(lambda: len(bob.problems()) == count + 1)
    bob.stop()
    world.server.meddler.answer = lambda message, body: [(message, body)]
    bob = world.again(bob)
    alice.send(bob, "after")
    bob.has(alice, "before", "good", "after")
    assert not bob.problems()


def test_attack_24_poison_of_a_contact_is_skipped_and_does_not_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealed as it should be, and nonsense inside: a line says so, once; what follows arrives.

    It is the last that came before a restart, so nothing later acknowledges it along with itself.
    """
    alice, bob = _acquainted(world)
    honest = content.assemble

    def assemble(head: Content, kind: content.Type, payload: bytes) -> bytes:
        plain = honest(head, kind, payload)
        return plain[:20] if b"poison" in payload else plain

    monkeypatch.setattr("secure_chat.client.engine.sealing.content.assemble", assemble)
    alice.send(bob, "poison")
    bob.wait(lambda: bob.problems() == ["Unreadable"])
    bob = world.again(bob)
    alice.send(bob, "after")
    bob.has(alice, "a0", "b0", "after")
    assert not bob.problems()
    assert len([line for line in bob.notices(alice) if "could not be read" in line]) == 1
    assert "poison" not in bob.texts(alice)


def test_what_was_spoiled_between_acquaintances_is_sent_again_once(world: World) -> None:
    """A message that does not open leads to a new session, visibly, and to the lost text."""
    alice, bob = _acquainted(world)
    spoil = [True]

    def answer(message: ServerMessage, body: bytes) -> list[Said]:
        if isinstance(message, Delivery) and message.sender == "alice/main" and spoil:
            spoil.clear()
            return [(message, bytes([*body[:-1], body[-1] ^ 1]))]
        return [(message, body)]

    world.server.meddler.answer = answer
    alice.send(bob, "lost and found")
    bob.has(alice, "a0", "lost and found")
    alice.all_are(bob, MessageState.DELIVERED)
    assert any("lost its encrypted session" in line for line in alice.notices(bob))
    assert any("could not be read" in line for line in bob.notices(alice))
    bob.send(alice, "fine")
    alice.has(bob, "a0", "b0", "lost and found", "fine")
    alice.send(bob, "once")
    bob.has(alice, "a0", "b0", "lost and found", "fine", "once")
    assert bob.texts(alice).count("lost and found") == 1


@pytest.mark.parametrize("verified", [False, True])
def test_attack_26_another_identity_is_announced_and_gets_nothing(
    world: World, verified: bool
) -> None:
    """A changed key warns and holds all that was meant for the old one, until the person's yes."""
    alice, bob = _acquainted(world)
    safety = alice.engine.safety(bob.name)
    assert safety is not None
    if verified:
        alice.engine.mark_verified(bob.name, " ".join(safety.safety_number))
    fake = _impostor(world, "bob")
    _swap_bob_for(world, fake)
    alice.send(bob, "for the real bob")
    alice.wait(lambda: bool(alice.of(KeyChanged)))
    assert alice.of(KeyChanged) == [KeyChanged(bob.name, was_verified=verified)]
    alice.wait(lambda: alice.states(bob)[-1] is MessageState.HELD)
    assert any("not the one known before" in line for line in alice.notices(bob))
    before = len(world.server.meddler.asked)
    alice.send(bob, "written afterwards")
    alice.wait(lambda: alice.states(bob)[-1] is MessageState.HELD)
    alice.engine.retry(bob.name)
    alice.engine.open_conversation(bob.name)
    # The server's next answer shows that everything before it was handled.
    asked = world.server.meddler.asked
    alice.wait(lambda: any(isinstance(m, ManifestGet) for m, _ in asked[before:]))
    alice = world.again(alice)
    sent = [m for m, _ in asked[before:] if isinstance(m, Pm | KeysGet) and "bob" in m.to]
    assert sent == [], "nothing was encrypted or asked for, not even after a restart"
    changed = alice.engine.safety(bob.name)
    assert changed is not None
    assert changed.trust is Trust.CHANGED
    assert changed.safety_number != safety.safety_number
    with pytest.raises(SafetyNumberDiffers):
        alice.engine.mark_verified(bob.name, "".join(safety.safety_number))
    alice.engine.accept_changed_key(bob.name)
    alice.wait(lambda: any(isinstance(m, KeysGet) for m, _ in asked[before:]))


def test_a_key_that_comes_back_ends_the_alarm_visibly(world: World) -> None:
    """The server names the known key again: what was held goes to the one it was meant for."""
    alice, bob = _acquainted(world)
    _swap_bob_for(world, _impostor(world, "bob"))
    alice.send(bob, "held for a while")
    alice.wait(lambda: alice.states(bob)[-1] is MessageState.HELD)
    world.server.meddler.answer = lambda message, body: [(message, body)]
    alice.engine.open_conversation(bob.name)
    bob.has(alice, "a0", "held for a while")
    assert any("known before again" in line for line in alice.notices(bob))
    safety = alice.engine.safety(bob.name)
    assert safety is not None
    assert safety.trust is Trust.NEW


def test_an_impostor_at_first_contact_has_another_number(world: World) -> None:
    """Whoever compares finds out: the two sides' safety numbers differ."""
    fake = _impostor(world, "bob")
    _swap_bob_for(world, fake)
    alice, bob = world.person("alice"), world.person("bob")
    alice.engine.open_conversation(bob.name)
    alice.wait(lambda: alice.engine.safety(bob.name) is not None)
    bob.engine.open_conversation(alice.name)
    bob.wait(lambda: bob.engine.safety(alice.name) is not None)
    seen, true = alice.engine.safety(bob.name), bob.engine.safety(alice.name)
    assert seen is not None
    assert true is not None
    assert seen.safety_number != true.safety_number
    with pytest.raises(SafetyNumberDiffers):
        alice.engine.mark_verified(bob.name, "".join(true.safety_number))


def test_attack_29_plaintext_is_never_accepted(world: World) -> None:
    """No content type counts unless it came out of the encryption, whatever stands around it."""
    alice, bob = _acquainted(world)
    [wanted] = alice.send(bob, "not delivered yet")
    bob.has(alice, "a0", "not delivered yet")
    lines, states = alice.texts(bob), alice.states(bob)[:-1]
    bodies: list[bytes] = []
    for payload in PAYLOADS:
        if isinstance(payload, content.Receipt):
            payload = content.Receipt((ContentId(wanted),), read=True)
        plain = content.encode(Content(ContentId(os.urandom(16)), _now_ms(), payload))
        head = [b"", b"\x01", *(bytes([1, kind]) for kind in range(6)), b"\x00\x00"]
        bodies += [prefix + plain for prefix in head]
        bodies += [prefix + plain + bytes(256 - len(plain)) for prefix in head]
    for number, body in enumerate(bodies):
        for sender in ("bob/main", None):
            name = DeliveryId(number.to_bytes(15, "big") + (b"s" if sender else b"n"))
            world.server.push(Delivery(name, 0, _now_ms(), sender), body)
    refused = 2 * len(bodies)
    alice.wait(lambda: len(alice.problems()) >= refused)
    assert set(alice.problems()) <= {"Unreadable", "SenderUnknown"}
    assert alice.texts(bob) == lines
    assert alice.states(bob)[:-1] == states
    assert MessageState.READ not in alice.states(bob)


def test_attack_32_what_is_delivered_again_shows_once(world: World) -> None:
    """Everything again after a restart, under the old ids and under new ones: no line twice."""
    alice, bob = _acquainted(world)
    for number in range(5):
        alice.send(bob, f"a{number + 1}")
        bob.send(alice, f"b{number + 1}")
    alice.wait(lambda: len(alice.texts(bob)) == 12)
    bob.wait(lambda: len(bob.texts(alice)) == 12)
    for client, other in ((alice, bob), (bob, alice)):
        client.all_are(other, MessageState.DELIVERED)
    shown = alice.texts(bob), bob.texts(alice)
    old = [(m, b) for m, b in world.server.meddler.deliveries if m.sender == "alice/main"]
    bob = world.again(bob)
    for message, body in old:
        world.server.push(Delivery(message.id, 0, message.time, message.sender), body)
    for number, (message, body) in enumerate(old):
        name = DeliveryId(number.to_bytes(16, "big"))
        world.server.push(Delivery(name, 0, message.time, message.sender), body)
    other_body = DeliveryId(old[0][0].id)
    world.server.push(Delivery(other_body, 0, old[0][0].time, "alice/main"), old[1][1])
    bob.wait(lambda: "ReusedDeliveryId" in bob.problems())
    alice.send(bob, "new")
    bob.wait(lambda: bob.texts(alice)[-1] == "new")
    assert bob.texts(alice) == [*shown[1], "new"]
    assert len(set(bob.problems())) > 1, "new ids for old bodies are refused, and said"


def test_attack_32_our_own_ciphertext_is_refused(world: World) -> None:
    """What alice sent comes back to her, as bob's, as her own, as nobody's: never a line."""
    alice, bob = _acquainted(world)
    lines = alice.texts(bob)
    sent = [b for m, b in world.server.meddler.asked if isinstance(m, Pm) and m.to == "bob/main"]
    count = 0
    for body in sent:
        for sender in ("bob/main", "alice/main", None, "no address"):
            count += 1
            name = DeliveryId(count.to_bytes(16, "big"))
            world.server.push(Delivery(name, 0, _now_ms(), sender), body)
    alice.wait(lambda: len(alice.problems()) >= count)
    assert alice.texts(bob) == lines
    assert "OwnMessage" in alice.problems()


def test_a_message_offered_as_somebody_elses_is_refused(world: World) -> None:
    """The stamped sender must be the one that the keys prove; the true one may come later."""
    alice, bob = _acquainted(world)
    world.person("carol")
    relabel = [True]

    def answer(message: ServerMessage, body: bytes) -> list[Said]:
        if isinstance(message, Delivery) and message.sender == "alice/main" and relabel:
            relabel.clear()
            return [(Delivery(message.id, message.seq, message.time, "carol/main"), body)]
        return [(message, body)]

    world.server.meddler.answer = answer
    alice.send(bob, "from alice")
    bob.wait(lambda: "SenderDiffers" in bob.problems())
    assert bob.texts("carol") == []
    assert any("its keys are of alice/main" in line for line in bob.notices("carol"))
    alice.send(bob, "and another")
    bob.wait(lambda: bob.texts(alice)[-1] == "and another")


def test_messages_without_a_stamp_find_their_sender(world: World) -> None:
    """Sessions are found by their keys: the server need not say who writes."""
    alice, bob = _acquainted(world)

    def answer(message: ServerMessage, body: bytes) -> list[Said]:
        if isinstance(message, Delivery):
            return [(Delivery(message.id, message.seq, message.time), body)]
        return [(message, body)]

    world.server.meddler.answer = answer
    alice.send(bob, "sealed")
    bob.has(alice, "a0", "sealed")


@pytest.mark.parametrize("wrong", ["signature", "device", "expired"])
def test_a_bundle_that_does_not_check_stops_the_conversation(world: World, wrong: str) -> None:
    """Stale, foreign and badly signed prekeys are refused, and the message says so."""
    alice, bob = world.person("alice"), world.person("bob")

    def answer(message: ServerMessage, body: bytes) -> list[Said]:
        return [(_spoil_keys(message, wrong) if isinstance(message, Keys) else message, body)]

    world.server.meddler.answer = answer
    alice.send(bob, "hello")
    alice.all_are(bob, MessageState.HELD)
    assert "keys of bob/main are not acceptable" in alice.lines(bob)[0].problem
    world.server.meddler.answer = lambda message, body: [(message, body)]
    alice.engine.retry(bob.name)
    bob.has(alice, "hello")


def _spoil_keys(keys: Keys, wrong: str) -> Keys:
    if wrong == "signature":
        bad = type(keys.kem.signature)(bytes(64))
        return msgspec.structs.replace(keys, kem=msgspec.structs.replace(keys.kem, signature=bad))
    if wrong == "device":
        return msgspec.structs.replace(keys, device="other")
    stale = msgspec.structs.replace(keys.signed_prekey, expires=1)
    return msgspec.structs.replace(keys, signed_prekey=stale)


@pytest.mark.parametrize("received_since", [True, False])
def test_attack_65_an_old_snapshot_starts_new_sessions(world: World, received_since: bool) -> None:
    """A restored copy notices itself: no session goes on, no key id or message key comes twice."""
    alice, bob = _acquainted(world)
    alice.stop()
    copy = world.snapshot(alice, "backup")
    alice = world.again(alice)
    alice.send(bob, "since the backup")
    bob.has(alice, "a0", "since the backup")
    if received_since:
        alice.all_are(bob, MessageState.DELIVERED)
        bob.send(alice, "read by the newer vault")
        alice.has(bob, "read by the newer vault")
        bob.all_are(alice, MessageState.DELIVERED, MessageState.READ)  # her last frame is there
    meddler = world.server.meddler
    known = len(_logins(meddler, "alice"))
    alice.stop()
    bodies = [b for m, b in meddler.asked if isinstance(m, Pm) and m.to == "bob/main"]
    sessions = {initial.session_id for b in bodies if (initial := read_initial(b))}

    restored = world.again(alice, copy)
    restored.wait(lambda: "RestoredVault" in restored.problems())
    restored.send(bob, "from the restored copy")
    bob.has(restored, "a0", "since the backup", "from the restored copy")
    bob.send(restored, "welcome back")
    restored.wait(lambda: restored.texts(bob)[-1] == "welcome back")
    restored.all_are(bob, MessageState.DELIVERED)
    assert any("lost its encrypted session" in line for line in bob.notices(restored))

    before = _logins(meddler, "alice")[known]
    later = [b for m, b in meddler.asked[before:] if isinstance(m, Pm) and m.to == "bob/main"]
    first = read_initial(later[0])
    assert first is not None
    assert first.session_id not in sessions
    puts = meddler.puts["alice"]
    ids: dict[int, bytes] = {}
    for put in puts:
        pair = (key for key in (put.signed_prekey, put.last_resort) if key is not None)
        for key in (*put.one_time, *put.one_time_kem, *pair):
            assert ids.setdefault(key.id, key.key) == key.key, "one id, two keys"
    bodies_by_id: dict[bytes, bytes] = {}
    for message, body in meddler.asked:
        if isinstance(message, Pm):
            assert bodies_by_id.setdefault(message.id, body) == body, "one id, two ciphertexts"
    assert any(put.restart for put in puts)


def _logins(meddler: Meddler, user_id: str) -> list[int]:
    """Where in all that was asked somebody's logins stand."""
    asked = enumerate(meddler.asked)
    return [at for at, (m, _) in asked if isinstance(m, Login) and m.user_id == user_id]


def test_rolled_back_devices_are_refused(world: World) -> None:
    """The same counter with another list of devices is no news but a lie."""
    alice, bob = _acquainted(world)
    asked: list[Callable[[], None]] = []

    def request(message: ClientMessage, body: bytes) -> list[Said] | None:
        if isinstance(message, Pm) and not asked:
            asked.append(lambda: None)
            code = Code.DEVICES_CHANGED
            return [(Error(code, CODES[code].message, id=message.id), b"")]
        return None

    world.server.meddler.request = request
    alice.send(bob, "which devices?")
    alice.wait(lambda: alice.states(bob)[-1] is MessageState.HELD)
    assert "devices have changed" in alice.lines(bob)[-1].problem
    alice.engine.retry(bob.name)
    bob.has(alice, "a0", "which devices?")
