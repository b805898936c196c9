"""Private messages between sessions, as dialogues."""

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from secure_chat.errors import Code
from secure_chat.protocol import limits
from secure_chat.protocol.frames import Frame
from secure_chat.protocol.messages import (
    Accepted,
    Delivery,
    Error,
    Message,
    Ok,
    Welcome,
    encode_header,
)
from secure_chat.server.core.mailbox import RESERVE
from secure_chat.server.core.recent import RecentIds
from secure_chat.server.core.settings import Rate, Settings
from tests.server_core.support import Person, World, ack, pm


@pytest.fixture
def alice(world: World) -> Person:
    return world.person("alice")


@pytest.fixture
def bob(world: World, alice: Person) -> Person:
    """Online, with a mailbox that has pushed and stored nothing but one message."""
    bob = world.person("bob")
    alice.peer.send(pm("bob/main", b"warm up"))
    bob.peer.send(ack(bob.peer.expect(Delivery).seq))
    alice.peer.expect(Accepted)
    world.advance(1)
    return bob


def rows(world: World) -> int:
    """How many deliveries and bodies are on disk."""
    told: list[int] = []

    def job(connection: object) -> int:
        execute = connection.exec_driver_sql  # type: ignore[attr-defined]
        counts = [execute(f"SELECT count(*) FROM {t}").scalar() for t in ("deliveries", "bodies")]
        assert counts[0] == counts[1], "a body for each delivery of a private message"
        return int(counts[0])

    assert world.store.read(job, told.append)
    world.loop.run_until(lambda: bool(told))
    return told[0]


@contextmanager
def full_disk(world: World) -> Iterator[None]:
    """The database may not grow by a page: SQLite itself answers that the disk is full."""
    on = [True]
    engine = world.store._writing  # the fault is put where the disk would be

    def limit(driver: object, _record: object) -> None:
        if on:
            driver.execute("PRAGMA max_page_count=1")  # type: ignore[attr-defined]

    def limit_now(pages: int) -> None:
        def job(connection: object) -> None:
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]

        assert world.store.write(job, lambda _: None)
        world.settle()

    event.listen(engine, "connect", limit)
    limit_now(1)
    yield
    on.clear()
    limit_now(1_000_000)


def test_a_live_message_is_accepted_when_the_device_acknowledges(
    world: World, alice: Person, bob: Person
) -> None:
    """Nothing is said to the sender before the ack, the sender is stamped, the disk is spared."""
    message, body = pm("bob/main", b"hello")
    alice.peer.send((message, body))
    assert alice.peer.news() == []
    ((delivery, arrived),) = bob.peer.news()
    assert isinstance(delivery, Delivery)
    assert (delivery.id, delivery.sender, arrived) == (message.id, "alice/main", body)
    assert delivery.time == world.wall_ms
    assert rows(world) == 0
    bob.peer.send(ack(delivery.seq))
    assert alice.peer.expect(Accepted).id == message.id
    world.advance(5)
    assert rows(world) == 0


def test_an_unacknowledged_message_is_stored_and_then_accepted(
    world: World, alice: Person, bob: Person
) -> None:
    """After a short time the disk vouches for what the device does not acknowledge."""
    alice.peer.send(pm("bob/main", b"hello"))
    world.advance(0.5)
    alice.peer.expect(Accepted)
    assert rows(world) == 1
    bob.peer.send(ack(bob.peer.expect(Delivery).seq))
    world.advance(0.5)
    assert rows(world) == 0


def test_a_lost_connection_stores_what_was_in_flight_under_its_sequence(
    world: World, alice: Person, bob: Person
) -> None:
    """Pushed and not acknowledged: stored at once, accepted, and delivered again alike."""
    alice.peer.send(pm("bob/main", b"one"), pm("bob/main", b"two"))
    first = bob.peer.deliveries()
    assert alice.peer.news() == []
    bob.peer.hang_up()
    assert len(alice.peer.news()) == 2
    alice.peer.send(pm("bob/main", b"three"))
    bob.login()
    again = bob.peer.deliveries()
    assert again[:2] == first
    assert again[2][1] == b"three"
    assert again[2][0] > again[1][0]


def test_a_message_to_somebody_offline_waits_and_comes_in_order(
    world: World, alice: Person, bob: Person
) -> None:
    """What is accepted while the device is away comes at its login, oldest first, 256 at a time."""
    bob.peer.hang_up()
    sent = [pm("bob/main", b"%d" % n) for n in range(600)]
    alice.peer.send(*sent)
    assert len(alice.peer.news()) == 600
    bob.login()
    got: list[tuple[int, bytes]] = []
    while batch := bob.peer.deliveries():
        assert len(batch) <= limits.UNACKNOWLEDGED
        got += batch
        bob.peer.send(ack(batch[-1][0]))
    assert [body for _, body in got] == [body for _, body in sent]
    assert [seq for seq, _ in got] == sorted({seq for seq, _ in got})
    world.advance(1)
    assert rows(world) == 0


def test_nothing_overtakes_what_waits(world: World, alice: Person, bob: Person) -> None:
    """With the window full, later messages wait on disk behind it, and come in their order."""
    bodies = [b"%d" % n for n in range(limits.UNACKNOWLEDGED + 100)]
    for start in range(0, len(bodies), 50):
        alice.peer.send(*(pm("bob/main", body) for body in bodies[start : start + 50]))
    got = bob.peer.deliveries()
    assert len(got) == limits.UNACKNOWLEDGED
    bob.peer.send(ack(got[9][0]))
    assert bob.peer.deliveries() == []  # a page is read once it is worth it
    bob.peer.send(ack(got[-1][0]))
    got += bob.peer.deliveries()
    assert [body for _, body in got] == bodies


def test_acknowledgements_are_cumulative_and_of_what_was_sent(
    world: World, alice: Person, bob: Person
) -> None:
    """One ack covers all before it; of a sequence never sent it is bad_sequence, and harmless."""
    sent = [pm("bob/main", b"%d" % n) for n in range(5)]
    alice.peer.send(*sent)
    last = bob.peer.deliveries()[-1][0]
    bob.peer.send(ack(last + 1))
    assert bob.peer.expect(Error).code is Code.BAD_SEQUENCE
    assert alice.peer.news() == []
    bob.peer.send(ack(last))
    assert [m.id for m, _ in alice.peer.news() if isinstance(m, Accepted)] == [
        message.id for message, _ in sent
    ]
    bob.peer.send(ack(last), ack(1), ack(0))
    assert bob.peer.news() == []


def test_an_ack_that_the_old_connection_did_not_carry_counts_on_the_new_one(
    world: World, alice: Person, bob: Person
) -> None:
    """A device may acknowledge after a reconnect what it stored before; that is not sent again."""
    alice.peer.send(*(pm("bob/main", b"%d" % n) for n in range(4)))
    seqs = [seq for seq, _ in bob.peer.deliveries()]
    bob.peer.hang_up()
    world.settle()
    bob.peer = world.connect()
    bob.peer.send_without_waiting()
    assert isinstance(bob.peer.login(bob), Welcome)
    bob.peer.news()
    bob.peer.send(ack(seqs[2]))
    world.advance(1)
    bob.peer.hang_up()
    bob.login()
    assert [body for _, body in bob.peer.deliveries()] == [b"3"]


def test_attack_15_duplicate_ids_are_idempotent(world: World, alice: Person, bob: Person) -> None:
    """The same id and body is accepted again and delivered once, on every path."""
    twice = pm("bob/main", b"live", 1)
    alice.peer.send(twice, twice, twice)
    (delivered,) = bob.peer.deliveries()
    bob.peer.send(ack(delivered[0]))
    assert len(alice.peer.news()) == 1  # one request is open, however often it was repeated
    alice.peer.send(twice)  # acknowledged
    alice.peer.expect(Accepted)
    bob.peer.hang_up()
    stored = pm("bob/main", b"stored", 2)
    alice.peer.send(stored)
    alice.peer.send(stored)
    assert [type(m) for m, _ in alice.peer.news()] == [Accepted, Accepted]
    world.restart()
    alice.login()
    alice.peer.send(stored)
    alice.peer.expect(Accepted)
    bob.login()
    assert [body for _, body in bob.peer.deliveries()] == [b"stored"]
    alice.peer.send(stored)  # in flight
    alice.peer.expect(Accepted)
    assert bob.peer.news() == []


def test_attack_15_an_id_with_another_body_is_refused(
    world: World, alice: Person, bob: Person
) -> None:
    """One id names one ciphertext: in flight, acknowledged, on disk, after a restart."""

    def refused() -> None:
        error = alice.peer.expect(Error)
        assert error.code is Code.DUPLICATE_ID
        assert error.id == (1).to_bytes(16, "big")
        assert alice.peer.news() == []

    alice.peer.send(pm("bob/main", b"one", 1))
    alice.peer.send(pm("bob/main", b"two", 1))
    refused()
    (delivered,) = bob.peer.deliveries()
    bob.peer.send(ack(delivered[0]))
    alice.peer.expect(Accepted)
    alice.peer.send(pm("bob/main", b"two", 1))
    refused()
    world.restart()
    alice.login()
    alice.peer.send(pm("bob/main", b"one", 1))
    alice.peer.expect(Accepted)
    alice.peer.send(pm("bob/main", b"two", 1))
    refused()
    bob.login()
    assert [body for _, body in bob.peer.deliveries()] == [b"one"]


def test_attack_15_many_ids_take_no_memory(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids of messages that are done are remembered up to a bound, however many there were."""
    monkeypatch.setattr("secure_chat.server.core.post.RecentIds", lambda: RecentIds(500))
    world = make_world(Settings(registration="open", messages=Rate(1e6, 1e6)))
    alice, bob = world.person("alice"), world.person("bob")
    alice.peer.send(pm("bob/main", b"warm up"))
    bob.peer.send(ack(bob.peer.expect(Delivery).seq))

    def exchange(count: int) -> None:
        for _ in range(0, count, 100):
            twice = [pm("bob/main", b"x") for _ in range(100)]
            alice.peer.send_without_waiting(*twice, *twice)
            seqs = [m.seq for m, _ in bob.peer.connection.inbox if isinstance(m, Delivery)]
            bob.peer.send_without_waiting(ack(seqs[-1]))
            assert len(seqs) == 100
            bob.peer.connection.inbox.clear()
            alice.peer.connection.inbox.clear()
        world.advance(3)

    exchange(1_500)  # both generations of ids are full
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    exchange(1_500)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 1_500 * 150, "new ids take the place of old ones"


def test_attack_20_the_same_id_of_two_senders_are_two_messages(
    world: World, alice: Person, bob: Person
) -> None:
    """Nobody can block a message by guessing its id: ids belong to their sender."""
    carol = world.person("carol")
    alice.peer.send(pm("bob/main", b"of alice", 7))
    carol.peer.send(pm("bob/main", b"of carol", 7))
    assert sorted(body for _, body in bob.peer.deliveries()) == [b"of alice", b"of carol"]


def test_transient_messages_leave_no_trace(world: World, alice: Person, bob: Person) -> None:
    """Delivered to a device that is there, else dropped; never stored, counted or answered."""
    alice.peer.send(pm("bob/main", b"typing", transient=True))
    ((delivery, body),) = bob.peer.news()
    assert isinstance(delivery, Delivery)
    assert (delivery.seq, delivery.sender, body) == (0, "alice/main", b"typing")
    bob.peer.hang_up()
    alice.peer.send(
        pm("bob/main", b"typing", transient=True), pm("nobody/main", b"typing", transient=True)
    )
    world.advance(1)
    assert alice.peer.news() == []
    assert rows(world) == 0
    bob.login()
    assert bob.peer.news() == []


def test_attack_17_a_flood_of_one_sender_leaves_room_for_others(
    make_world: Callable[..., World],
) -> None:
    """A sender meets its quota, the mailbox its bounds, each said; others still deliver."""
    world = make_world(
        Settings(registration="open", mailbox_messages=10, mailbox_messages_per_sender=5)
    )
    alice, bob, carol, dave = (world.person(name) for name in ("alice", "bob", "carol", "dave"))
    bob.peer.hang_up()
    for n in range(1, 8):
        alice.peer.send(pm("bob/main", b"flood", n))
    news = [m for m, _ in alice.peer.news()]
    assert [type(m) for m in news] == [Accepted] * 5 + [Error] * 2
    assert all(m.code is Code.QUOTA_EXCEEDED for m in news if isinstance(m, Error))
    alice.peer.send(pm("bob/main", b"flood", 3))  # repeated, not new: accepted however full
    alice.peer.expect(Accepted)
    carol.peer.send(*(pm("bob/main", b"news", n) for n in range(1, 5)))
    news = [m for m, _ in carol.peer.news()]
    assert [type(m) for m in news] == [Accepted] * 3 + [Error]  # no more than what is left
    assert isinstance(news[-1], Error)
    assert news[-1].code is Code.QUOTA_EXCEEDED
    dave.peer.send(*(pm("bob/main", b"at last", n) for n in range(1, 3)))
    assert [type(m) for m, _ in dave.peer.news()] == [Accepted, Error]
    world.restart()
    for person in (alice, carol):
        person.login()
        person.peer.send(pm("bob/main", b"more"))
        assert person.peer.expect(Error).code is Code.QUOTA_EXCEEDED  # counted from the disk
    bob.login()
    got = bob.peer.deliveries()
    assert len(got) == 9
    bob.peer.send(ack(got[-1][0]))
    carol.peer.send(pm("bob/main", b"after"))
    assert [body for _, body in bob.peer.deliveries()] == [b"after"]


def test_attack_17_many_accounts_leave_room_for_one_more(
    make_world: Callable[..., World],
) -> None:
    """Nobody has more waiting than there is room: eight flooders do not fill a mailbox."""
    settings = Settings(
        registration="open",
        mailbox_messages=300,
        mailbox_messages_per_sender=100,
        requests=Rate(1e6, 1e6),
    )
    world = make_world(settings)
    bob = world.person("bob")
    bob.peer.hang_up()
    for name in ("ann", "bea", "cleo", "dora", "ella", "fay", "gwen", "hope"):
        flooder = world.person(name)
        flooder.peer.send(*(pm("bob/main", b"flood", n) for n in range(1, 120)))
    honest = world.person("honest")
    honest.peer.send(pm("bob/main", b"hello"))
    honest.peer.expect(Accepted)


def test_attack_17_an_account_has_one_quota_for_all_its_devices(
    make_world: Callable[..., World],
) -> None:
    """Sixteen devices of one account fill a mailbox no further than one."""
    settings = Settings(registration="open", mailbox_messages=100, mailbox_messages_per_sender=3)
    world = make_world(settings)
    alice, bob = world.person("alice"), world.person("bob")
    bob.peer.hang_up()
    alice.peer.send(*(pm("bob/main", b"x", n) for n in range(1, 4)))
    mailbox = world.hub._post.mailboxes.known["bob/main"]
    assert mailbox.refusal(b"alice/phone", 1, settings) is Code.QUOTA_EXCEEDED
    assert mailbox.refusal(b"alicia/main", 1, settings) is None
    world.restart()
    assert [type(m) for m, _ in carol_writes(world)] == [Accepted]
    mailbox = world.hub._post.mailboxes.known["bob/main"]
    assert mailbox.refusal(b"alice/phone", 1, settings) is Code.QUOTA_EXCEEDED


def carol_writes(world: World) -> list[tuple[Message, bytes]]:
    """So that the mailbox of Bob is loaded."""
    carol = world.person("carol")
    carol.peer.send(pm("bob/main", b"x"))
    return carol.peer.news()


def test_attack_17_few_large_messages_leave_room_for_others(
    make_world: Callable[..., World],
) -> None:
    """Large messages fill a mailbox as many small ones do, and meet a quota as they do."""
    world = make_world(Settings(registration="open", mailbox_bytes=200_000))
    alice, bob, carol = world.person("alice"), world.person("bob"), world.person("carol")
    bob.peer.hang_up()
    alice.peer.send(*(pm("bob/main", bytes(40_000)) for _ in range(5)))
    news = [m for m, _ in alice.peer.news()]
    assert [type(m) for m in news] == [Accepted] * 3 + [Error] * 2
    assert all(m.code is Code.QUOTA_EXCEEDED for m in news if isinstance(m, Error))
    carol.peer.send(pm("bob/main", bytes(40_000)))
    carol.peer.expect(Accepted)
    carol.peer.send(pm("bob/main", bytes(50_000)))
    assert carol.peer.expect(Error).code is Code.MAILBOX_FULL


def test_too_many_messages_are_limited_with_a_time_to_wait(
    make_world: Callable[..., World],
) -> None:
    """The rate of an account is limited; the answer says for how long."""
    world = make_world(Settings(registration="open", messages=Rate(2, 3)))
    alice = world.person("alice")
    world.person("bob")
    alice.peer.send(*(pm("bob/main", b"x", n) for n in range(1, 5)))
    limited = [m for m, _ in alice.peer.news() if isinstance(m, Error)]
    assert [m.code for m in limited] == [Code.RATE_LIMITED]
    assert limited[0].retry_after == pytest.approx(0.5)
    world.now += 0.5
    alice.peer.send(pm("bob/main", b"x", 4))
    world.advance(0.5)
    assert isinstance(alice.peer.news()[-1][0], Accepted)


def test_a_message_for_an_older_manifest_is_refused(
    world: World, alice: Person, bob: Person
) -> None:
    """A sender who does not know the recipient's newest devices is told, and nothing is kept."""
    from tests.server_core.test_keys import next_manifest

    bob.peer.send(next_manifest(bob))
    bob.peer.expect(Ok)
    alice.peer.send(pm("bob/main", b"x", manifest=1))
    assert alice.peer.expect(Error).code is Code.DEVICES_CHANGED
    alice.peer.send(pm("bob/main", b"x", manifest=2))
    assert len(bob.peer.deliveries()) == 1
    world.restart()
    alice.login()
    alice.peer.send(pm("bob/main", b"x", manifest=1))
    assert alice.peer.expect(Error).code is Code.DEVICES_CHANGED


def test_unknown_recipients_are_named(world: World, alice: Person) -> None:
    """A message to nobody is refused with its id; so is one to an impossible address."""
    for to in ("nobody/main", "alice/other", "no address", "alice", "/", "Ünal/main"):
        message, body = pm(to, b"x")
        alice.peer.send((message, body))
        error = alice.peer.expect(Error)
        assert (error.code, error.id) == (Code.UNKNOWN_USER, message.id)


def test_an_address_is_read_without_regard_to_case(
    world: World, alice: Person, bob: Person
) -> None:
    """Bob/Main is bob/main."""
    alice.peer.send(pm("Bob/MAIN", b"x"))
    assert len(bob.peer.deliveries()) == 1


def test_a_second_login_replaces_the_first(world: World, alice: Person, bob: Person) -> None:
    """The older connection is told why it ends; what it had not acknowledged goes to the newer."""
    alice.peer.send(pm("bob/main", b"x"))
    old, old_got = bob.peer, bob.peer.deliveries()
    bob.login()
    assert old.connection.bye is Code.REPLACED
    assert bob.peer.deliveries() == old_got
    old.raw(Frame(encode_header(ack(old_got[0][0])), b""))
    world.settle()
    assert rows(world) == 1, "a replaced connection acknowledges nothing"
    bob.peer.send(ack(old_got[0][0]))
    world.advance(1)
    assert rows(world) == 0


def test_a_body_that_leaves_no_room_for_the_stamp_is_too_large(world: World, alice: Person) -> None:
    """Every message that the server takes fits into a frame when it is delivered."""
    alice.peer.send(pm("alice/main", bytes(limits.BODY)))
    bodies = [len(body) for message, body in alice.peer.news() if isinstance(message, Delivery)]
    assert bodies == [limits.BODY]
    message, body = pm("alice/main", bytes(limits.BODY + 1))
    alice.peer.raw(Frame(encode_header(message), body))
    assert alice.peer.connection.bye is Code.TOO_LARGE


def test_sequences_never_repeat_across_crashes(world: World, alice: Person, bob: Person) -> None:
    """Numbers that were pushed and never stored are not used again: a mark is on disk."""
    used: set[int] = set()
    for _ in range(4):
        alice.peer.send(pm("bob/main", b"warm up"))
        world.advance(1)
        alice.peer.send(*(pm("bob/main", b"%d" % n) for n in range(20)))
        got = bob.peer.deliveries()
        fresh = {seq for seq, _ in got}
        assert not fresh & used
        used |= fresh
        bob.peer.send(ack(max(fresh)))  # and the crash comes before this is on disk
        world.restart()
        alice.login()
        bob.login()
        bob.peer.news()


def test_the_reserve_of_sequences_is_renewed(make_world: Callable[..., World]) -> None:
    """More messages than a block of sequences has pass in order, live or not."""
    world = make_world(Settings(registration="open", messages=Rate(1e6, 1e6)))
    alice, bob = world.person("alice"), world.person("bob")
    got: list[bytes] = []
    total = RESERVE + 600
    for start in range(0, total, 200):
        alice.peer.send(*(pm("bob/main", b"%d" % n) for n in range(start, start + 200)))
        batch = bob.peer.deliveries()
        got += [body for _, body in batch]
        bob.peer.send(ack(batch[-1][0]))
    assert got == [b"%d" % n for n in range(start + 200)]


def test_a_full_disk_gives_no_false_acceptance_and_passes(
    world: World, alice: Person, bob: Person
) -> None:
    """storage_unavailable while SQLite cannot grow; live messages still pass; then all recovers."""
    carol = world.person("carol")
    carol.peer.hang_up()
    with full_disk(world):
        alice.peer.send(pm("carol/main", bytes(20_000), 1))
        error = alice.peer.expect(Error)
        assert error.code is Code.STORAGE_UNAVAILABLE
        assert error.retry_after
        alice.peer.send(pm("bob/main", b"live"))
        bob.peer.send(ack(bob.peer.expect(Delivery).seq))
        alice.peer.expect(Accepted)
        alice.peer.send(pm("bob/main", bytes(30_000), 2))
        world.advance(0.5)
        assert alice.peer.expect(Error).code is Code.STORAGE_UNAVAILABLE
        assert rows(world) == 0
    alice.peer.send(pm("carol/main", bytes(20_000), 1))
    alice.peer.expect(Accepted)
    alice.peer.send(pm("bob/main", bytes(30_000), 2))  # still in flight: the disk is asked again
    world.advance(2)
    alice.peer.expect(Accepted)
    carol.login()
    assert [len(body) for _, body in carol.peer.deliveries()] == [20_000]
    assert [len(body) for _, body in bob.peer.deliveries()] == [30_000]


def test_messages_expire_after_the_retention_time(make_world: Callable[..., World]) -> None:
    """What nobody fetched for so long is deleted, and no longer counted in quotas."""
    world = make_world(
        Settings(registration="open", retention_seconds=3600, mailbox_messages_per_sender=2)
    )
    alice, bob = world.person("alice"), world.person("bob")
    bob.peer.hang_up()
    alice.peer.send(pm("bob/main", b"old"), pm("bob/main", b"old too"))
    world.advance(300)
    assert rows(world) == 2
    for _ in range(8):
        alice.peer.send_without_waiting()
        world.advance(600)
    assert rows(world) == 0
    alice.login()
    alice.peer.send(pm("bob/main", b"new"))
    alice.peer.expect(Accepted)
    bob.login()
    assert [body for _, body in bob.peer.deliveries()] == [b"new"]


def test_the_disk_forgets_what_was_delivered(world: World, alice: Person, bob: Person) -> None:
    """After delivery and the next checkpoint no byte of a body is in the database or its log."""
    bob.peer.hang_up()
    canary = b"CANARY" * 100
    alice.peer.send(pm("bob/main", canary))
    folder = world.folder
    assert any(b"CANARY" in file.read_bytes() for file in folder.iterdir() if file.is_file())
    bob.login()
    bob.peer.send(ack(bob.peer.expect(Delivery).seq))
    world.advance(1)
    world.store.close()  # checkpoints, as the writer does each minute
    assert not any(b"CANARY" in file.read_bytes() for file in folder.iterdir() if file.is_file())
