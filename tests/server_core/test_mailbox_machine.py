"""Any order of sending, losing connections, acknowledging and crashing keeps the promises.

Nothing accepted is lost; nothing comes again after its acknowledgement is on disk; order per sender
holds; a sequence stands for one message for ever; every accepted message arrives in the end.
"""

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from secure_chat.protocol.messages import Accepted, Delivery, Message
from secure_chat.protocol.wiretypes import DeliveryId
from secure_chat.server.core.settings import Rate, Settings
from tests.server_core.support import Peer, Person, World, ack, pm

SENDERS = ("alice", "carol")


class MailboxMachine(RuleBasedStateMachine):
    """The model: what each sender sent, what was accepted, what bob got and acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.world = World(
            self.folder / "server",
            Settings(registration="open", unacknowledged=8, messages=Rate(1e6, 1e6)),
        )
        self.people = {name: self.world.person(name) for name in (*SENDERS, "bob")}
        self.online = dict.fromkeys(self.people, True)
        self.sent: dict[int, tuple[str, bytes]] = {}  # by number: sender and body
        self.resent: set[int] = set()
        self.accepted: set[int] = set()
        self.got: list[int] = []  # in order of first arrival
        self.unacked: list[tuple[int, int]] = []  # (sequence, number) on this connection
        self.acked: set[int] = set()
        self.meaning: dict[int, int] = {}  # sequence → number

    @initialize()
    def warm_up(self) -> None:
        """Reserve sequences, so that live pushes happen from the start."""
        self.send("alice", 1)
        self.look()
        self.acknowledge(1)

    def teardown(self) -> None:
        self.come_back("bob")
        for name in SENDERS:
            self.come_back(name)
        for _ in range(200):
            self.look()
            if not self.unacked:
                break
            self.acknowledge(len(self.unacked))
        self.look()
        assert self.accepted <= set(self.got), "an accepted message was lost"
        for name in SENDERS:
            order = [n for n in self.got if self.sent[n][0] == name and n not in self.resent]
            assert order == sorted(order), "the order of a sender was not kept"
        self.world.close()
        shutil.rmtree(self.folder)

    def peer(self, name: str) -> Peer:
        return self.people[name].peer

    # ------------------------------------------------------------ what is seen

    def look(self) -> None:
        """Read everything that has arrived, and check it."""
        for name, person in self.people.items():
            if not self.online[name]:
                continue
            for message, body in person.peer.news():
                if name == "bob":
                    self.see(message, body)
                else:
                    assert isinstance(message, Accepted), message
                    self.accepted.add(number(message.id))

    def see(self, message: Message, body: bytes) -> None:
        assert isinstance(message, Delivery), message
        n = number(message.id)
        assert (message.sender, body) == (f"{self.sent[n][0]}/main", self.sent[n][1])
        assert self.meaning.setdefault(message.seq, n) == n, "a sequence was used twice"
        if self.unacked:
            assert message.seq > self.unacked[-1][0], "sequences grow on a connection"
        assert n not in self.acked or n in self.resent, "an acknowledged message came again"
        assert len(self.unacked) < 8, "too many in flight"
        self.unacked.append((message.seq, n))
        if n not in self.got:
            self.got.append(n)

    # ------------------------------------------------------------ what happens

    @rule(name=st.sampled_from(SENDERS), count=st.integers(1, 12))
    def send(self, name: str, count: int) -> None:
        if not self.online[name]:
            return
        messages = []
        for _ in range(count):
            n = len(self.sent) + 1
            self.sent[n] = (name, b"%d of %s" % (n, name.encode()))
            messages.append(pm("bob/main", self.sent[n][1], n))
        self.peer(name).send_without_waiting(*messages)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """A sender repeats an old message, as after a lost answer."""
        n = data.draw(st.sampled_from(sorted(self.sent)))
        name, body = self.sent[n]
        if self.online[name]:
            self.resent.add(n)
            self.peer(name).send_without_waiting(pm("bob/main", body, n))

    @rule()
    def read(self) -> None:
        self.look()

    @rule(count=st.integers(1, 8))
    def acknowledge(self, count: int) -> None:
        """Bob stores some of what he got, and says so; the server's disk hears of it."""
        if not self.online["bob"] or not self.unacked:
            return
        done, self.unacked = self.unacked[:count], self.unacked[count:]
        self.peer("bob").send_without_waiting(ack(done[-1][0]))
        self.world.advance(0.5)
        self.acked |= {n for _, n in done}

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0, 20.0]))
    def wait(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule(name=st.sampled_from((*SENDERS, "bob")))
    def lose_connection(self, name: str) -> None:
        self.look_before_leaving(name)
        if self.online[name]:
            self.peer(name).hang_up()
            self.online[name] = False

    def look_before_leaving(self, name: str) -> None:
        if name == "bob":
            self.unacked = []

    @rule(name=st.sampled_from((*SENDERS, "bob")))
    def come_back(self, name: str) -> None:
        """Log in, replacing an older connection that is still there."""
        self.look()
        if name == "bob":
            self.unacked = []
        login(self.people[name])
        self.online[name] = True

    @rule()
    def crash(self) -> None:
        """The server dies now; everybody is cut off."""
        self.look()
        self.world.restart()
        self.online = dict.fromkeys(self.people, False)
        self.unacked = []


def login(person: Person) -> None:
    """Log in and leave what follows the welcome unread."""
    person.peer = person.world.connect()
    answer = person.peer.login(person)
    assert type(answer).__name__ == "Welcome", answer


def number(delivery_id: DeliveryId) -> int:
    return int.from_bytes(delivery_id, "big")


TestMailbox = MailboxMachine.TestCase
TestMailbox.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
