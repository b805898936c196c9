"""A server that lies to unmodified clients: about keys, senders, order of things, and the past."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from secure_chat.client import content
from secure_chat.client.engine import ChatEngine
from secure_chat.client.events import KeyChanged, MessageState, Trust
from secure_chat.client.profile import create_profile, open_profile
from secure_chat.errors import Code, SafetyNumberDiffers
from secure_chat.protocol import messages
from secure_chat.protocol.messages import Delivery, Keys, Manifest, Pm
from secure_chat.protocol.wiretypes import AccountKey, DeliveryId
from tests.client.world import ADMITTING, Client
from tests.support.accounts import Account
from tests.support.hostile_server import (
    Heard,
    HostileServer,
    Instead,
    Lie,
    Sent,
    attentive,
    honest,
)
from tests.support.processes import PASSWORD
from tests.support.raw_client import delivery_id

_SENT = (MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.READ)


class Scene:
    """The hostile server, and people who know nothing of its nature."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.server = HostileServer(folder / "server")
        self.people: list[Client] = []
        self.carol = self.person("carol")

    def person(self, name: str) -> Client:
        engine = ChatEngine(create_profile(self._folder / name, self.server.link, name, PASSWORD))
        engine.set_privacy(ADMITTING)
        return self._started(engine, self._folder / name)

    def again(self, person: Client) -> Client:
        """The same profile in a new process, so to speak."""
        person.stop()
        return self._started(ChatEngine(open_profile(person.folder, PASSWORD)), person.folder)

    def _started(self, engine: ChatEngine, folder: Path) -> Client:
        client = Client(engine, folder)
        self.people.append(client)
        engine.start()
        return client.online()

    def close(self) -> None:
        for person in self.people:
            person.stop()
        self.server.stop()

    def sent(self, person: Client, to: Client) -> int:
        """How many messages of a person to another the server has heard."""
        heard = (one.message for one in self.server.heard(Pm, person.name))
        return sum(isinstance(one, Pm) and one.to.startswith(f"{to.name}/") for one in heard)

    def settle(self, person: Client) -> None:
        """All that a person's client has to say was said: what it says to Carol now came last."""
        person.send(self.carol, "are you there?")
        person.wait(lambda: person.states(self.carol)[-1] in _SENT)

    def impostor(self, of: Client) -> tuple[Account, Lie]:
        """Keys of our own under somebody's name, and the lie that hands them out for theirs."""
        account = Account.new(of.name, self.server.store.server_id)
        true_key = self.account_key(of)
        ours = account.device

        def swap(sent: Sent) -> Iterator[Sent]:
            message = sent.message
            if isinstance(message, Keys) and message.account_key == true_key:
                message = Keys(
                    message.ref, ours.account_key, ours.manifest, ours.manifest_signature,
                    message.device, account.signed_prekey, account.last_resort,
                    kem_is_last_resort=True,
                )  # fmt: skip
            elif isinstance(message, Manifest) and message.account_key == true_key:
                message = Manifest(
                    message.ref, ours.account_key, ours.manifest, ours.manifest_signature
                )
            yield Sent(sent.to, message, sent.body)

        return account, swap

    def account_key(self, of: Client) -> AccountKey:
        """The true one, from the registration."""
        heard = [one.message for one in self.server.heard(messages.Register)]
        return next(
            one.account_key
            for one in heard
            if isinstance(one, messages.Register) and one.user_id == of.name
        )


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def number(person: Client, other: Client) -> str:
    """The safety number as a person sees it."""
    safety = person.engine.safety(other.name)
    assert safety is not None
    return " ".join(safety.safety_number)


def talk(one: Client, other: Client) -> None:
    """A few words in both directions, so that both have a settled session."""
    for text, writer, reader in (("hello", one, other), ("hi", other, one), ("well", one, other)):
        writer.send(reader, text)
        reader.has(writer, text)
        reader.engine.open_conversation(writer.name)
        writer.all_are(reader, MessageState.READ, MessageState.DELIVERED)


def devices_changed(to: Client) -> Instead:
    """Messages to somebody are refused with devices_changed, which makes a client ask for keys."""

    def instead(heard: Heard) -> list[Sent] | None:
        message = heard.message
        if isinstance(message, Pm) and message.to.startswith(f"{to.name}/"):
            words = "The recipient's devices have changed."
            refusal = messages.Error(Code.DEVICES_CHANGED, words, id=message.id)
            return [Sent(heard.sender, refusal, b"")]
        return None

    return instead


def test_attack_25_a_key_swapped_at_first_contact_shows_in_the_safety_number(
    scene: Scene,
) -> None:
    """The number that Alice sees is not the one that Bob sees, and cannot be marked verified."""
    alice, bob = scene.person("alice"), scene.person("bob")
    _, scene.server.script.lie = scene.impostor(bob)
    alice.engine.open_conversation(bob.name)
    bob.engine.open_conversation(alice.name)
    alice.wait(lambda: alice.engine.safety(bob.name) is not None)
    bob.wait(lambda: bob.engine.safety(alice.name) is not None)
    assert number(alice, bob) != number(bob, alice)
    with pytest.raises(SafetyNumberDiffers):
        alice.engine.mark_verified(bob.name, number(bob, alice))
    safety = alice.engine.safety(bob.name)
    assert safety is not None
    assert safety.trust is Trust.NEW
    assert safety.their_fingerprint != bob.engine.our_fingerprint


def test_attack_25_the_safety_numbers_agree_when_nobody_lies(scene: Scene) -> None:
    """The counterpart: the same steps with an honest server verify."""
    alice, bob = scene.person("alice"), scene.person("bob")
    talk(alice, bob)
    assert number(alice, bob) == number(bob, alice)
    alice.engine.mark_verified(bob.name, number(bob, alice))
    safety = alice.engine.safety(bob.name)
    assert safety is not None
    assert safety.trust is Trust.VERIFIED


def test_attack_25_a_swapped_key_of_a_verified_contact_blocks_sending(scene: Scene) -> None:
    """Nothing more leaves for a contact that was verified, not after a restart either."""
    alice, bob = scene.person("alice"), scene.person("bob")
    talk(alice, bob)
    alice.engine.mark_verified(bob.name, number(bob, alice))
    _, scene.server.script.lie = scene.impostor(bob)
    scene.server.script.instead = devices_changed(bob)
    alice.send(bob, "for bob alone")
    alice.wait(lambda: bool(alice.of(KeyChanged)))
    assert alice.of(KeyChanged)[-1].was_verified
    alice.wait(lambda: alice.states(bob)[-1] is MessageState.HELD)
    scene.server.script.instead = attentive
    before = scene.sent(alice, bob)
    alice.send(bob, "and this")
    alice.wait(lambda: alice.states(bob)[-1] is MessageState.HELD)
    alice = scene.again(alice)
    alice.engine.retry(bob.name)
    scene.settle(alice)
    assert alice.states(bob)[-2:] == [MessageState.HELD] * 2
    assert scene.sent(alice, bob) == before


def test_attack_26_a_changed_identity_is_said_and_holds_the_outbox(scene: Scene) -> None:
    """Unverified contacts too: a warning, no silent resending, and sending after a yes only."""
    alice, bob = scene.person("alice"), scene.person("bob")
    talk(alice, bob)
    impostor, scene.server.script.lie = scene.impostor(bob)
    scene.server.script.instead = devices_changed(bob)
    alice.send(bob, "before anybody looked")
    alice.wait(lambda: bool(alice.of(KeyChanged)) and alice.states(bob)[-1] is MessageState.HELD)
    assert not alice.of(KeyChanged)[-1].was_verified
    assert any("key" in notice for notice in alice.notices(bob))
    scene.server.script.instead = attentive
    before = scene.sent(alice, bob)
    alice = scene.again(alice)
    alice.engine.retry(bob.name)
    scene.settle(alice)
    assert scene.sent(alice, bob) == before
    assert alice.states(bob)[-1] is MessageState.HELD
    safety = alice.engine.safety(bob.name)
    assert safety is not None
    assert safety.trust is Trust.CHANGED
    alice.engine.accept_changed_key(bob.name)  # the person's yes, however unwise
    alice.wait(lambda: scene.sent(alice, bob) > before)
    assert impostor.device.account_key != scene.account_key(bob)


def relabelled(victim: Client, culprit: Client) -> Lie:
    """Everything that arrives at ``victim`` is said to be of ``culprit``."""

    def lie(sent: Sent) -> Iterator[Sent]:
        message = sent.message
        if isinstance(message, Delivery) and sent.to == victim.name:
            message = msgspec.structs.replace(message, sender=f"{culprit.name}/main")
        yield Sent(sent.to, message, sent.body)

    return lie


@pytest.mark.parametrize("settled", [False, True], ids=["first message", "settled session"])
def test_attack_28_a_message_offered_as_somebody_elses_is_refused(
    settled: bool, scene: Scene
) -> None:
    """Alice's message with Carol's name on it is shown as neither's; the next true one is read."""
    alice, bob, carol = scene.person("alice"), scene.person("bob"), scene.carol
    talk(carol, bob)
    if settled:
        talk(alice, bob)
    shown = bob.texts(carol), bob.texts(alice)
    scene.server.script.lie = relabelled(bob, carol)
    alice.send(bob, "I am Alice")
    bob.wait(lambda: "SenderDiffers" in bob.problems())
    assert (bob.texts(carol), bob.texts(alice)) == shown
    scene.server.script.lie = honest
    carol.send(bob, "and I am Carol")
    bob.has(carol, "and I am Carol")


def test_attack_19_the_servers_stamp_alone_makes_nobody_the_sender(scene: Scene) -> None:
    """Bytes that no session opens are shown as nobody's words, whoever is stamped on them."""
    alice, bob = scene.person("alice"), scene.person("bob")
    talk(alice, bob)
    before = bob.texts(alice)
    stolen = scene.server.sent(Delivery, "alice")[-1].body  # Bob's own words to Alice
    for body in (b"\1\2forged" + bytes(64), stolen, bytes(300)):
        forged = Delivery(delivery_id(), sender="alice/main", time=1)
        scene.server.inject(Sent("bob", forged, body))
    alice.send(bob, "true")
    bob.has(alice, "true")
    assert bob.texts(alice) == [*before, "true"]


def plaintexts() -> list[bytes]:
    """What a server without keys could write: every type of content, bare and in every wrapping."""
    head = content.Content(content.ContentId(b"p" * 16), 1, content.Text("IN THE CLEAR"))
    contents = [
        content.encode(msgspec.structs.replace(head, payload=payload))
        for payload in (
            content.Text("IN THE CLEAR"),
            content.Receipt((content.ContentId(b"q" * 16),)),
            content.Receipt((content.ContentId(b"q" * 16),), read=True),
            content.Turn(),
            content.SessionLost(),
        )
    ]
    unknown = [bytes([version, 1, 0, kind]) + b"IN THE CLEAR" * 9
               for version, kind in itertools.product((1, 2), range(16))]  # fmt: skip
    wrapped = [bytes([1, kind]) + plain for kind in range(6) for plain in contents]
    return [b"IN THE CLEAR", *contents, *unknown, *wrapped, b""]


def test_attack_29_plaintext_is_never_accepted(scene: Scene) -> None:
    """No content type in the clear does anything, before a session and after one."""
    alice, bob = scene.person("alice"), scene.person("bob")

    def offer_all() -> None:
        for body in plaintexts():
            for sender in ("alice/main", None):
                forged = Delivery(delivery_id(), sender=sender, time=1)
                scene.server.inject(Sent("bob", forged, body))

    offer_all()
    talk(alice, bob)
    states = bob.states(alice)
    offer_all()
    alice.send(bob, "under the seal")
    bob.has(alice, "under the seal")
    assert bob.texts(alice) == ["hello", "hi", "well", "under the seal"]
    assert bob.states(alice) == states
    assert not any("IN THE CLEAR" in notice for notice in bob.notices(alice))


def test_attack_32_everything_replayed_is_shown_once(scene: Scene) -> None:
    """All deliveries again, under old and under new ids, before and after a restart."""
    alice, bob = scene.person("alice"), scene.person("bob")
    talk(alice, bob)
    texts = [f"message {n}" for n in range(10)]
    alice.send(bob, *texts)
    bob.has(alice, *texts)
    shown = bob.texts(alice)

    def replay(new_id: Callable[[DeliveryId], DeliveryId]) -> None:
        for sent in scene.server.sent(Delivery, "bob"):
            assert isinstance(sent.message, Delivery)
            again = msgspec.structs.replace(sent.message, id=new_id(sent.message.id), seq=0)
            scene.server.inject(Sent("bob", again, sent.body))

    for round_number in range(2):
        replay(lambda known: known)
        replay(lambda known: delivery_id())
        marker = f"after replay {round_number}"
        alice.send(bob, marker)
        bob.has(alice, marker)
        shown.append(marker)
        assert bob.texts(alice) == shown
        bob = scene.again(bob)
    assert bob.texts(alice) == shown


def test_attack_32_ones_own_ciphertext_is_refused(scene: Scene) -> None:
    """Reflection: what Alice wrote comes back to her as Bob's, and as her own."""
    alice, bob = scene.person("alice"), scene.person("bob")
    talk(alice, bob)
    alice.send(bob, "a mirror")
    bob.has(alice, "a mirror")
    shown = alice.texts(bob)
    for sent in scene.server.heard(Pm, "alice"):
        for sender in ("bob/main", "alice/main", None):
            reflected = Delivery(delivery_id(), sender=sender, time=1)
            scene.server.inject(Sent("alice", reflected, sent.body))
    bob.send(alice, "no mirror")
    alice.has(bob, "no mirror")
    assert alice.texts(bob) == [*shown, "no mirror"]


def test_withheld_messages_come_in_order_once_with_the_next_login(scene: Scene) -> None:
    """What a server keeps back is still owed: it comes in order when the client asks again."""
    alice, bob = scene.person("alice"), scene.person("bob")
    talk(alice, bob)
    kept: list[Sent] = []

    def withhold(sent: Sent) -> Iterator[Sent]:
        if isinstance(sent.message, Delivery) and sent.to == "bob":
            kept.append(sent)
        else:
            yield sent

    scene.server.script.lie = withhold
    texts = [f"number {n}" for n in range(20)]
    for text in texts:
        alice.send(bob, text)
    alice.wait(lambda: len(kept) >= 1)
    bob.stop()  # before the server is honest: what he acknowledges is owed no more, gaps included
    scene.server.script.lie = honest
    bob = scene.again(bob)  # what was withheld is still in the mailbox: it comes in order
    bob.has(alice, *texts)
    assert bob.texts(alice)[-20:] == texts
