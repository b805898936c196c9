"""The machine's clock jumps: nothing grows old by it, and nobody is locked out."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.protocol.limits import DAY
from secure_chat.protocol.messages import Accepted, Delivery, KeysPut, Ok, Ping, Pong, Welcome
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.server.core.settings import Settings
from secure_chat.server.steady import SteadyClock
from tests.server_core.support import START_MS, Person, World, ack, pm

DAY_MS = DAY * 1000
YEARS_MS = 10 * 365 * DAY_MS
JUMPS = pytest.mark.parametrize(
    "jump", [DAY_MS, -DAY_MS, YEARS_MS, -YEARS_MS], ids=["+1d", "-1d", "+10y", "-10y"]
)


def waiting(world: World) -> int:
    """How many messages lie on the disk."""
    told: list[int] = []
    world.store.read(
        lambda c: c.exec_driver_sql("SELECT count(*) FROM deliveries").scalar_one(), told.append
    )
    world.loop.run_until(lambda: bool(told))
    return told[0]


def turn(world: World, *, restart: bool) -> None:
    """Time enough for the server to look for what is too old, before and after a start."""
    if restart:
        world.restart()
    world.advance(1300)


@JUMPS
@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
def test_a_jump_of_the_clock_expires_no_message(world: World, jump: int, restart: bool) -> None:
    """What waited before the jump, and what came after it, is there; and still after the return."""
    alice, bob = world.person("alice"), world.person("bob")
    bob.peer.hang_up()
    alice.peer.send(pm("bob/main", b"before"))
    alice.peer.expect(Accepted)
    world.wall_ms += jump
    turn(world, restart=restart)
    alice.login().send(pm("bob/main", b"after"))
    alice.peer.expect(Accepted)
    turn(world, restart=restart)
    world.wall_ms -= jump
    turn(world, restart=restart)
    assert waiting(world) == 2
    bob.login()
    assert [body for _, body in bob.peer.deliveries()] == [b"before", b"after"]


@JUMPS
@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
def test_a_jump_of_the_clock_locks_nobody_out(
    make_world: Callable[..., World], jump: int, restart: bool
) -> None:
    """Sessions go on; logins, registrations by an invite and fresh keys are taken."""
    world = make_world(Settings(registration="invite"))
    invite = world.store.create_invite(uses=3, expires_ms=world.wall_ms + 7 * DAY_MS)
    alice = world.person("alice", invite=invite)
    keys_of_before = Person(world, "carol")  # made by a clock that is right, as these:
    fresh = KeysPut(7, 1, None, None, [], [alice.kem(PrekeyKind.ONE_TIME_KEM, 50)])
    world.wall_ms += jump
    if restart:
        world.restart()
        alice.login()
    alice.peer.send(pm("alice/main", b"to myself"))
    came = {type(message): message for message, _ in alice.peer.news()}
    assert came.keys() == {Accepted, Delivery}
    alice.peer.send(ack(1))
    world.advance(60)
    alice.login().send(fresh)
    alice.peer.expect(Ok)
    assert isinstance(world.connect().register(keys_of_before, invite=invite), Welcome)
    assert isinstance(world.connect().register(Person(world, "dave"), invite=invite), Welcome)


def test_time_is_counted_while_the_server_runs(make_world: Callable[..., World]) -> None:
    """The retention holds whatever the clock says, over restarts, and with the clock stuck."""
    world = make_world(Settings(registration="open", retention_seconds=DAY))
    alice, bob = world.person("alice"), world.person("bob")
    bob.peer.hang_up()
    alice.peer.send(pm("bob/main", b"x"))
    alice.peer.expect(Accepted)
    for _ in range(5):
        world.wall_ms = START_MS - YEARS_MS
        world.advance(DAY / 6)
        world.restart()
    assert waiting(world) == 1
    world.advance(DAY / 3)
    assert waiting(world) == 0


@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 3 * DAY_MS),  # time that passes while it runs
            st.integers(-YEARS_MS, YEARS_MS),  # a jump of the machine's clock while it runs
            st.integers(0, 3 * DAY_MS),  # time that it is off
            st.integers(-YEARS_MS, YEARS_MS),  # a jump while it is off
        ),
        max_size=12,
    )
)
def test_the_count_never_runs_back_and_no_jump_adds_more_than_a_day(
    steps: list[tuple[int, int, int, int]],
) -> None:
    """Whatever the clock does: at least the time that it ran, at most a day more for each stop."""
    wall, ran = YEARS_MS * 20, 0

    def machine() -> SteadyClock:
        return SteadyClock(lambda: wall, lambda: ran / 1000)

    clock = machine()
    clock.resume(None)
    start = clock.now_ms()
    for number, (runs, jump, off, jump_off) in enumerate(steps, start=1):
        ran += runs
        wall = max(0, wall + runs + jump)
        before, saved = clock.now_ms(), clock.saved()
        wall = max(0, wall + off + jump_off)
        clock = machine()
        clock.resume(saved)
        assert before <= clock.now_ms() <= before + DAY_MS
        assert ran - number <= clock.now_ms() - start <= ran + number * DAY_MS


def test_an_invites_date_follows_the_machines_clock(world: World) -> None:
    """The operator reads when an invite ends by the clock that stands on the wall."""
    world.store.create_invite(expires_ms=world.wall_ms + DAY_MS)
    world.wall_ms += YEARS_MS
    (invite,) = world.store.list_invites()
    assert invite.expires == world.wall_ms + DAY_MS
    assert invite.state(world.wall_ms) == "open"


def test_waiting_ends_by_no_wall_clock(world: World) -> None:
    """A greeting's challenge and an idle session end by time that passed, not by a jump."""
    alice = world.person("alice")
    stranger = world.connect()
    for jump in (YEARS_MS, -2 * YEARS_MS):
        world.wall_ms += jump
        world.advance(1)
    alice.peer.send(Ping())
    alice.peer.expect(Pong)
    assert isinstance(stranger.login(alice), Welcome)
