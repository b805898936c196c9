"""SIGKILL in the middle of everything: what was accepted is there, and is shown once."""

import random
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.client.engine import ChatEngine
from secure_chat.client.events import Message, MessageState
from secure_chat.client.profile import create_profile
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.messages import Accepted, Delivery, Error
from secure_chat.protocol.wiretypes import DeliveryId
from tests.client.world import Client
from tests.support.accounts import Account
from tests.support.history import History
from tests.support.processes import PASSWORD, Person, ServerProcess
from tests.support.raw_client import RawClient, delivery_id
from tests.support.wire import ClosedByServer

PAIRS = 8
PORTION = 60  # messages of each sender in a round


class Lane:
    """A scripted sender and receiver.

    While the storm blows every other receiver is away, and of those that are there every other one
    reads nothing: what was pushed to it dies with the server, unless it is on disk.
    """

    def __init__(self, port: int, number: int) -> None:
        with (
            RawClient.register(port, f"sender-{number}") as sender,
            RawClient.register(port, f"receiver-{number}") as receiver,
        ):
            self.accounts: tuple[Account, Account] = sender.account, receiver.account
        self.history = History()
        self.receiver_listens = number % 2 == 0
        self.receiver_reads = number % 4 < 2
        self.clients: list[RawClient] = []

    def __str__(self) -> str:
        of = self.history
        there = "there" if len(self.clients) == 2 else "away"
        return f"{len(of.sent)} sent, {len(of.accepted)} accepted, receiver {there}"

    def connect(self, port: int, *, receiver: bool) -> None:
        sending, receiving = self.accounts
        self.history.server_started()
        self.clients = [RawClient.login(port, sending)]
        if receiver:
            self.clients.append(RawClient.login(port, receiving))

    def send(self, fresh: int) -> None:
        """Repeat what was not accepted, then add some."""
        to = str(self.accounts[1].address)
        for known, body in self.history.open:
            self.clients[0].put(to, body, known)
        for _ in range(fresh):
            name = delivery_id()
            self.history.sent[name] = random.randbytes(400)
            self.clients[0].put(to, self.history.sent[name], name)

    def take(self, client: RawClient) -> bool:
        """Handle what has arrived for one of the two; False at the end of its connection."""
        try:
            arrived = client.wire.poll()
        except ClosedByServer:
            return False
        newest = 0
        for message, body in arrived:
            if isinstance(message, Accepted):
                self.history.accepted.add(DeliveryId(message.id))
            elif isinstance(message, Error):
                raise AssertionError(f"refused: {message}")
            elif isinstance(message, Delivery):
                self.history.take(message.id, message.seq, body)
                newest = max(newest, message.seq)
        if newest:
            try:
                client.ack(newest)
            except ClosedByServer:
                return True  # what came before the end may still be read
        return True

    def close(self) -> None:
        for client in self.clients:
            client.wire.reset()
        self.clients = []


def storm(lanes: list[Lane], until: int | None) -> None:
    """Read everywhere until so many messages are accepted; None: until all connections end."""
    open_ends = {
        client.wire.fileno(): (lane, client)
        for lane in lanes
        for client in (lane.clients if lane.receiver_reads else lane.clients[:1])
    }
    while open_ends:
        if until is not None and sum(len(lane.history.accepted) for lane in lanes) >= until:
            return
        ready, _, _ = select.select(list(open_ends), [], [], 20)
        assert ready, f"nothing arrived for 20 s: {[str(lane) for lane in lanes]}"
        for number in ready:
            lane, client = open_ends[number]
            if not lane.take(client):
                del open_ends[number]


@pytest.mark.parametrize(
    "kills", [3, pytest.param(240, marks=(pytest.mark.soak, pytest.mark.timeout(3600)))]
)
def test_nothing_accepted_is_lost_when_the_server_is_killed(
    own_server: ServerProcess, kills: int
) -> None:
    """Kills at any moment, receivers there or away: nothing lost, nothing twice, all in order."""
    chance = random.Random(kills)
    lanes = [Lane(own_server.port, n) for n in range(PAIRS)]
    for kill in range(kills):
        for lane in lanes:
            lane.connect(own_server.port, receiver=lane.receiver_listens)
            lane.send(1)  # the first takes the way over the disk; those after it may be pushed
        storm(lanes, until=sum(len(lane.history.sent) for lane in lanes))
        for lane in lanes:
            lane.send(PORTION - 1)
        before = sum(len(lane.history.accepted) for lane in lanes)
        storm(lanes, until=before + chance.randrange(1, PAIRS * (PORTION - 1)))
        own_server.kill()
        storm(lanes, until=None)  # what had left the server before it died counts too
        for lane in lanes:
            lane.close()
        own_server.start()
        if kill % 20 == 19 or kill == kills - 1:  # nobody is away for ever: mailboxes are not
            calm(lanes, own_server)
            for lane in lanes:
                lane.receiver_listens = not lane.receiver_listens
    for lane in lanes:
        assert len(lane.history.accepted) == PORTION * kills


def calm(lanes: list[Lane], server: ServerProcess) -> None:
    """Everything is accepted and fetched, and fits together; then the server stops in order."""
    for lane in lanes:
        lane.connect(server.port, receiver=True)
        lane.send(0)
    storm(lanes, until=sum(len(lane.history.sent) for lane in lanes))
    for lane in lanes:
        fetch_rest(lane)
        lane.close()
        lane.history.check()
        assert len(lane.history.accepted) == len(lane.history.sent)
        assert {name for name, _ in lane.history.received} == set(lane.history.sent)
    assert server.stop() == 0
    server.start()


def fetch_rest(lane: Lane) -> None:
    """Until the receiver has everything that was sent."""
    receiver = lane.clients[1]
    while {name for name, _ in lane.history.received} != set(lane.history.sent):
        ready, _, _ = select.select([receiver.wire.fileno()], [], [], 20)
        assert ready, f"messages are lost: {lane}"
        assert lane.take(receiver), "the receiver's connection ended"


@pytest.fixture
def alice(own_server: ServerProcess, tmp_path: Path) -> Iterator[Client]:
    """A real engine with a real vault."""
    folder = tmp_path / "alice"
    engine = ChatEngine(create_profile(folder, own_server.link(), "alice", PASSWORD))
    client = Client(engine, folder)
    engine.start()
    yield client.online()
    client.stop()


def test_real_clients_show_every_message_once_after_kills_of_both_ends(
    own_server: ServerProcess, alice: Client, tmp_path: Path
) -> None:
    """Server and recipient are killed again and again while somebody writes on and on."""
    bob = Person.registered("bob", tmp_path, own_server)
    name = UserId("bob")
    texts = [f"line {n}" for n in range(120)]
    written = iter(texts)
    for kill in range(4):
        with bob.listen() as listener:
            for text in (next(written) for _ in range(30)):
                alice.engine.send_text(name, text)
            wait_accepted(alice, 30 * kill + 12)
            if kill % 2 == 0:
                own_server.kill()
                own_server.start()
            listener.kill()
    with bob.listen():
        arrived = {MessageState.DELIVERED, MessageState.READ}
        alice.wait(lambda: all(line.state in arrived for line in lines(alice)), 60)
    theirs = [line["text"] for line in bob.history("alice") if line["type"] == "message"]
    assert theirs == texts
    assert [line.text for line in lines(alice)] == texts


def lines(person: Client) -> list[Message]:
    """All messages to Bob."""
    return [line for line in person.engine.history(UserId("bob"), limit=1000) if line.ours]


def wait_accepted(person: Client, count: int) -> None:
    """Until so many of them are at least accepted."""
    sent = {MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.READ}
    person.wait(lambda: sum(line.state in sent for line in lines(person)) >= count, 60)
