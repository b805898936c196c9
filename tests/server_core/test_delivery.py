"""Private messages between sessions, as dialogues."""

from secure_chat.errors import Code
from secure_chat.protocol.messages import Accepted, Delivery, Error
from tests.server_core.support import World, ack, pm


def test_a_live_message_is_accepted_when_the_device_acknowledges(world: World) -> None:
    """Once the mailbox is warm, nothing is said to the sender before the recipient's ack."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.peer.send(pm("bob/main", b"warm up"))
    bob.peer.send(ack(bob.peer.expect(Delivery).seq))
    alice.peer.expect(Accepted)
    message, body = pm("bob/main", b"hello")
    alice.peer.send((message, body))
    assert alice.peer.news() == []
    ((delivery, arrived),) = bob.peer.news()
    assert isinstance(delivery, Delivery)
    assert (delivery.id, delivery.sender, arrived) == (message.id, "alice/main", body)
    bob.peer.send(ack(delivery.seq))
    assert alice.peer.expect(Accepted).id == message.id


def test_a_message_to_somebody_offline_waits_and_comes_in_order(world: World) -> None:
    """Everything accepted while the device was away is delivered at its login, oldest first."""
    alice, bob = world.person("alice"), world.person("bob")
    bob.peer.hang_up()
    sent = [pm("bob/main", b"%d" % n) for n in range(600)]
    alice.peer.send(*sent)
    assert len(alice.peer.news()) == 600
    bob.login()
    got = []
    while batch := bob.peer.deliveries():
        assert len(batch) <= 256
        got += batch
        bob.peer.send(ack(batch[-1][0]))
    assert [body for _, body in got] == [body for _, body in sent]
    assert [seq for seq, _ in got] == sorted({seq for seq, _ in got})


def test_unknown_recipients_are_named(world: World) -> None:
    """A message to nobody is refused with its id."""
    alice = world.person("alice")
    message, body = pm("nobody/main", b"x")
    alice.peer.send((message, body))
    error = alice.peer.expect(Error)
    assert (error.code, error.id) == (Code.UNKNOWN_USER, message.id)
