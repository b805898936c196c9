"""Every decoder of the encryption, fed with anything: only named errors come out, and quickly."""

import contextlib

from hypothesis import example, given, settings
from hypothesis import strategies as st

from secure_chat.crypto import body as bodies
from secure_chat.crypto import pq_step
from secure_chat.crypto.peer import PeerSessions, read_initial
from secure_chat.errors import BadSessionState, PeerError
from tests.crypto.support import pair, talking

ALICE, BOB = talking(seed="decoders")
NEW_ALICE, NEW_BOB = pair(seed="decoders")
NEW_ALICE.start()
INITIAL = NEW_ALICE.seal("hello")
STATES = (ALICE.sessions.serialize(), NEW_ALICE.sessions.serialize())
CHANGES = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=8)


def _changed(data: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
    out = bytearray(data)
    for at, value in changes:
        out[at % len(out)] = value
    return bytes(out[: cut % (len(out) + 1)])


@given(st.binary(max_size=4000))
@example(b"")
@example(b"\1")
@example(b"\1\1\xff\xff\xff\xff")
@settings(max_examples=300)
def test_any_body_is_cut_or_refused(data: bytes) -> None:
    """`read_initial` and `decode` raise only `PeerError`, on any bytes and under any prefix."""
    for body in (data, b"\1\1" + data, b"\1\1" + len(data).to_bytes(4, "big") + data):
        with contextlib.suppress(PeerError):
            bodies.decode(body)
        with contextlib.suppress(PeerError):
            read_initial(body)


@given(CHANGES, st.integers(0, 10_000))
@settings(max_examples=400)
def test_a_damaged_initial_body_is_refused_or_unchanged(
    changes: list[tuple[int, int]], cut: int
) -> None:
    """An initial body with any bytes changed, cut anywhere, opens only if it is the true one."""
    body = _changed(INITIAL, changes, cut)
    before = NEW_BOB.sessions.serialize()
    if body == INITIAL:
        return
    with contextlib.suppress(PeerError):
        read_initial(body)
    try:
        NEW_BOB.open(body)
    except PeerError:
        assert NEW_BOB.sessions.serialize() == before
    else:
        raise AssertionError("a changed body was accepted")


@given(st.sampled_from(STATES), CHANGES, st.integers(0, 10_000))
@settings(max_examples=400)
def test_a_damaged_state_loads_or_is_refused_by_name(
    stored: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    """Whatever a vault returns, only `BadSessionState` is raised; what loads is stored again."""
    damaged = _changed(stored, changes, cut)
    try:
        loaded = PeerSessions.load(ALICE.person.device, damaged)
    except BadSessionState:
        return
    assert loaded.serialize() == damaged


@given(st.binary(max_size=1300))
def test_any_plaintext_is_split_or_refused(data: bytes) -> None:
    """The attachment of a plaintext is one of three, or an error."""
    for plaintext in (data, b"\1" + data, b"\2" + data):
        try:
            attachment, content = pq_step.split(plaintext)
        except PeerError:
            continue
        assert attachment.encode() + content == plaintext
