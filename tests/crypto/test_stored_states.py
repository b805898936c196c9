"""Stored sessions: every version's form is read for ever, and stays within its bounds."""

import json
from pathlib import Path
from typing import Any

import pytest

from secure_chat.crypto.peer import PeerSessions
from secure_chat.crypto.state import VERSION
from secure_chat.errors import BadSessionState, NewerSessionState, RepeatedInitialMessage
from secure_chat.protocol import limits
from tests.crypto.described import Party, unhex
from tests.crypto.support import DAY_MS, pair, seeded, talking

FOLDER = Path(__file__).resolve().parents[1] / "vectors"
VERSIONS = range(1, VERSION + 1)


def _file(version: int) -> dict[str, Any]:
    file: dict[str, Any] = json.loads((FOLDER / f"stored-states-{version}.json").read_text("utf-8"))
    assert file["version"] == version
    return file


FILES = {version: _file(version) for version in VERSIONS}
MOMENTS = [
    pytest.param(version, at, id=f"version {version}, {moment['shows']}")
    for version, file in FILES.items()
    for at, moment in enumerate(file["moments"])
]


class Ends:
    """Both ends at a moment, as a program finds them in its vault."""

    def __init__(self, version: int, at: int) -> None:
        moment = FILES[version]["moments"][at]
        self.now = moment["now_ms"]
        self.random = seeded(moment["shows"])
        self.waiting = moment["waiting"]
        self.parties = {name: Party(each) for name, each in FILES[version]["parties"].items()}
        for name, party in self.parties.items():
            stored = unhex(moment["states"][name])
            party.sessions = PeerSessions.load(party.device, stored)

    def open(self, name: str, body: bytes) -> str:
        party = self.parties[name]
        return party.sessions.open(body, party.store, self.now).content.decode()

    def say(self, name: str, text: str) -> None:
        """Somebody writes, and the other reads it."""
        body = self.parties[name].sessions.seal(text.encode(), self.now, self.random)
        assert self.open("bob" if name == "alice" else "alice", body) == text

    def restart(self) -> None:
        """As after restarts of both programs."""
        for party in self.parties.values():
            party.sessions = PeerSessions.load(party.device, party.sessions.serialize())


@pytest.mark.parametrize(("version", "at"), MOMENTS)
def test_a_session_stored_by_any_version_goes_on(version: int, at: int) -> None:
    """What was on its way is read, and the two talk on, through further post-quantum steps."""
    ends = Ends(version, at)
    for waiting in ends.waiting:
        assert ends.open(waiting["to"], unhex(waiting["body"])) == waiting["content"]
    for turn in range(9):
        ends.now += DAY_MS // 4
        ends.restart()
        for name in ends.parties:
            ends.say(name, f"turn {turn} of {name}")
    for party in ends.parties.values():
        assert party.sessions._sessions[0].ratchet.pq.step >= 1
        assert party.sessions.serialize()[0] == VERSION


@pytest.mark.parametrize("version", VERSIONS)
def test_an_old_form_becomes_exactly_what_is_written_now(version: int) -> None:
    """Reading an older version loses and invents nothing: the same conversation, stored anew."""
    for at, moment in enumerate(FILES[VERSION]["moments"]):
        for name, party in Ends(version, at).parties.items():
            assert party.sessions.serialize().hex() == moment["states"][name], moment["shows"]


def test_sessions_that_were_given_up_stay_given_up_in_every_version() -> None:
    """Nothing that was given up is derived again: the ids are stored as well."""
    for version, file in FILES.items():
        ends = Ends(version, len(file["moments"]) - 1)
        assert len(ends.parties["alice"].sessions._given_up) == 2
        repeated = next(each for each in file["moments"] if "second session" in each["shows"])
        with pytest.raises(RepeatedInitialMessage):
            ends.open("alice", unhex(repeated["waiting"][0]["body"]))


@pytest.mark.parametrize("version", [0, VERSION + 1, 255])
def test_a_version_that_is_not_known_is_refused_by_name(version: int) -> None:
    """A newer program's state is told from a damaged one, and neither is guessed at."""
    stored = bytes([version]) + talking()[0].sessions.serialize()[1:]
    expected = NewerSessionState if version > VERSION else BadSessionState
    with pytest.raises(expected, match=f"version {version}") as refused:
        PeerSessions.load(talking()[0].person.device, stored)
    assert type(refused.value) is expected
    for nothing in (b"", bytes([VERSION])):
        with pytest.raises(BadSessionState):
            PeerSessions.load(talking()[0].person.device, nothing)


def test_a_stored_state_stays_within_its_bounds() -> None:
    """Under 2 KB fresh, under 4 KB while a prefix or a KEM key or ciphertext is pending."""
    alice, bob = pair()
    alice.start()
    first = alice.seal("hello")
    assert 2_000 < len(alice.sessions.serialize()) < 4_000, "with the initial prefix"
    bob.open(first)
    assert len(bob.sessions.serialize()) < 2_000
    alice.open(bob.seal("hello"))
    assert len(alice.sessions.serialize()) < 2_000
    alice.now = bob.now = alice.now + DAY_MS
    bob.open(alice.seal("with an offer"))
    assert alice.sessions._sessions[0].ratchet.pq.offer is not None  # type: ignore[union-attr]
    assert bob.sessions._sessions[0].ratchet.pq.answer is not None  # type: ignore[union-attr]
    assert all(len(end.sessions.serialize()) < 4_000 for end in (alice, bob))
    alice.open(bob.seal("with the answer"))
    bob.open(alice.seal("mixed"))
    assert all(len(end.sessions.serialize()) < 2_000 for end in (alice, bob))


def test_the_most_stored_keys_in_their_worst_shape_stay_under_100_kb() -> None:
    """2,000 keys, none beside another: every second message of four chains is missing."""
    alice, bob = talking()
    late = ""
    for chain in range(4):
        for number in range(700):
            body = alice.seal(late := f"{chain} {number}")
            bob.open(alice.seal("every second"))
        alice.open(bob.seal("a turn"))
    skipped = bob.sessions._sessions[0].ratchet.skipped
    assert len(skipped) == sum(len(each.runs) for each in skipped.chains) == limits.SKIP_STORED
    assert 80_000 < len(bob.sessions.serialize()) < 100_000
    bob.reload()
    assert bob.open(body) == late


def test_stored_keys_do_not_print() -> None:
    """A debugger's or a log's line of a session with stored keys shows none of them."""
    alice, bob = talking()
    for _ in range(3):
        alice.seal("late")
    bob.open(alice.seal("on time"))
    (run,) = bob.sessions._sessions[0].ratchet.skipped.chains[0].runs
    assert repr(run) == "<KeyRun of 3 redacted>"
    for secret in (run.keys, run.key(1).raw):
        for shown in (repr(run), str(run), repr(run.key(1))):
            assert repr(secret)[2:20] not in shown
            assert secret.hex() not in shown
