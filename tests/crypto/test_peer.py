"""Sessions as devices really behave: `secure_chat.crypto.peer`, `session`, `pqxdh`, `body`."""

import dataclasses
from typing import TypeVar

import msgspec
import pytest

from secure_chat.crypto import body as bodies
from secure_chat.crypto import pqxdh
from secure_chat.crypto.keys import DeviceDhPrivate
from secure_chat.crypto.peer import PeerSessions, read_initial
from secure_chat.crypto.prekeys import check_bundle
from secure_chat.errors import (
    BadEncoding,
    BadSessionState,
    PeerError,
    PeerMismatch,
    RepeatedInitialMessage,
    RepeatedMessage,
    SessionLost,
    TranscriptMismatch,
    UndecryptableMessage,
    UnknownPrekey,
)
from secure_chat.protocol import limits, signing
from secure_chat.protocol.manifest import Manifest
from secure_chat.protocol.messages import KemPrekey, Keys, SignedPrekey
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import DeviceDhKey
from tests.crypto.support import DAY_MS, NOW, SERVER, Link, Person, pair, talking

ALICE, BOB, CAROL = (Person(name, stock=0) for name in ("alice", "bob", "carol"))

_Prekey = TypeVar("_Prekey", SignedPrekey, KemPrekey)


def test_a_first_message_needs_no_look_up() -> None:
    """The initial body itself says who sends: address, verified manifest and account key."""
    alice, bob = pair()
    alice.start()
    body = alice.seal("hello")
    sender = read_initial(body)
    assert sender is not None
    assert sender.peer == alice.person.peer
    assert sender.address == alice.person.device.address
    assert sender.manifest_bytes == alice.person.device.manifest
    assert sender.session_id == alice.sessions.session_id
    opened = bob.opened(body)
    assert opened.new_session
    assert opened.content == b"hello"
    assert opened.session_id == sender.session_id
    assert read_initial(bob.seal("answer")) is None


def test_the_initial_prefix_repeats_until_an_answer_is_decrypted() -> None:
    """Whichever of the first messages arrives begins the session; then the prefix goes away."""
    alice, bob = pair()
    alice.start()
    first = [alice.seal(f"{n}") for n in range(4)]
    assert all(read_initial(body) for body in first)
    assert bob.open(first[2]) == "2"
    assert bob.open(first[0]) == "0"
    assert not bob.opened(first[3]).new_session
    alice.open(bob.seal("answer"))
    assert read_initial(alice.seal("5")) is None
    assert bob.open(first[1]) == "1"


def test_attack_41_one_time_keys_are_named_for_deletion_once() -> None:
    """The first message names its one-time keys; the last-resort key is never named."""
    alice, bob = pair(stock=1)
    alice.start()
    opened = bob.opened(alice.seal("one-time"))
    assert opened.used_one_time is not None
    assert opened.used_kem is not None
    carol = Person("carol")
    again = Link(carol, bob.person)
    again.start()
    back = Link(bob.person, carol)
    opened = back.opened(again.seal("last resort"))
    assert (opened.used_one_time, opened.used_kem) == (None, None)
    assert bob.person.last_resort.id in bob.person.store.kem_keys


def test_a_bundle_claimed_before_a_rotation_still_begins_a_session() -> None:
    """The private parts of replaced prekeys are kept: what was sealed for them opens; once they
    are deleted, the error names the prekey."""
    alice, bob = pair(stock=0)
    alice.start()
    body = alice.seal("a month on its way")
    old = bob.person.signed_prekey.id
    for week in range(1, 5):
        bob.person.rotate(NOW + 7 * week * DAY_MS)
    bob.now += 30 * DAY_MS
    assert bob.open(body) == "a month on its way"
    bob.lose()
    del bob.person.store.signed_keys[old]
    with pytest.raises(UnknownPrekey, match=f"signed prekey number {old}"):
        bob.open(body)


def test_attack_41_a_repeated_initial_message_is_shown_once() -> None:
    """Again to the same session: a repetition. After a loss: its one-time key is gone."""
    alice, bob = pair()
    alice.start()
    body = alice.seal("pay 100")
    assert bob.open(body) == "pay 100"
    for _ in range(2):
        with pytest.raises(RepeatedMessage):
            bob.open(body)
        bob.reload()
    bob.lose()
    with pytest.raises(UnknownPrekey):
        bob.open(body)


def test_attack_41_a_session_that_was_given_up_is_never_derived_again() -> None:
    """With a last-resort key a replay could be derived anew: its id is remembered instead."""
    alice, bob = pair(stock=0)
    alice.start()
    body = alice.seal("pay 100")
    assert bob.open(body) == "pay 100"
    for n in range(limits.SESSIONS_PER_PEER + 2):
        alice.now += 1000
        alice.start()
        bob.open(alice.seal(f"anew {n}"))
    assert len(bob.sessions._sessions) == limits.SESSIONS_PER_PEER
    bob.reload()
    before = bob.sessions.serialize()
    with pytest.raises(PeerError, match="given up"):
        bob.open(body)
    assert bob.sessions.serialize() == before


@pytest.mark.parametrize("seed", [str(n) for n in range(6)])
@pytest.mark.parametrize("crossing", [1, 3])
def test_attack_48_both_start_at_once_and_agree_on_the_smaller_session(
    seed: str, crossing: int
) -> None:
    """Both send on the smaller session id, receive on both, and lose nothing."""
    alice, bob = pair(seed=seed)
    alice.start()
    bob.start()
    ids = (alice.sessions.session_id, bob.sessions.session_id)
    assert None not in ids
    from_alice = [alice.seal(f"a{n}") for n in range(crossing)]
    from_bob = [bob.seal(f"b{n}") for n in range(crossing)]
    for n in reversed(range(crossing)):
        assert bob.open(from_alice[n]) == f"a{n}"
        assert alice.open(from_bob[n]) == f"b{n}"
    smaller = min(each for each in ids if each)
    assert alice.sessions.session_id == bob.sessions.session_id == smaller
    for n in range(4):
        assert bob.open(alice.seal(f"{n}")) == f"{n}"
        assert alice.open(bob.seal(f"{n}")) == f"{n}"
    assert not alice.sessions.waiting_for_reply
    assert not bob.sessions.waiting_for_reply


@pytest.mark.parametrize("seed", [str(n) for n in range(4)])
def test_attack_48_one_side_loses_everything_and_starts_anew(seed: str) -> None:
    """A restart wins over every earlier session; messages on the way before it still open."""
    alice, bob = talking(seed=seed)
    on_the_way = [bob.seal("on the way"), alice.seal("for a lost session")]
    bob.lose()
    bob.now += 60_000
    with pytest.raises(UndecryptableMessage):
        bob.open(on_the_way[1])
    bob.start(anew=True)
    assert alice.open(bob.seal("I lost my state")) == "I lost my state"
    assert alice.open(on_the_way[0]) == "on the way"
    assert alice.sessions.session_id == bob.sessions.session_id
    assert bob.open(alice.seal("welcome back")) == "welcome back"


@pytest.mark.parametrize("seed", [str(n) for n in range(4)])
def test_attack_48_both_restart_at_once(seed: str) -> None:
    """Two restarts that cross converge as well, whatever the clocks say."""
    alice, bob = talking(seed=seed)
    alice.now += 5_000
    alice.start()
    bob.start()
    ids = {alice.sessions.session_id, bob.sessions.session_id}
    from_alice, from_bob = alice.seal("a"), bob.seal("b")
    assert alice.open(from_bob) == "b"
    assert bob.open(from_alice) == "a"
    assert alice.sessions.session_id == bob.sessions.session_id
    assert alice.sessions.session_id in ids
    assert bob.open(alice.seal("1")) == "1"
    assert alice.open(bob.seal("2")) == "2"


def test_a_restart_by_a_slow_clock_is_told_and_healed() -> None:
    """Bob loses all with a clock that is behind: Alice is told to start again, and both go on."""
    alice, bob = talking()
    alice.now += 5_000
    alice.start()
    bob.open(alice.seal("a later session"))
    alice.open(bob.seal("seen"))
    bob.lose()
    bob.start(anew=True)
    opened = alice.opened(bob.seal("I lost everything"))
    assert opened.outranked
    with pytest.raises(SessionLost):
        bob.open(alice.seal("on a session that Bob lost"))
    alice.person.store.one_time_keys.clear()
    bob.person.refill(1)
    alice.start()
    again = bob.opened(alice.seal("let us go on"))
    assert not again.outranked
    assert not alice.opened(bob.seal("yes")).outranked
    assert alice.sessions.session_id == bob.sessions.session_id


def test_a_restart_number_at_the_limit_is_refused_and_below_it_stays_usable() -> None:
    """A peer with a mad clock can neither break our arithmetic nor stop later sessions."""
    alice, bob = pair(stock=4)
    alice.now = 2**53 - 1
    alice.sessions._last_restart = 2**53 - 2
    bundle = check_bundle(bob.person.claim(), bob.person.device.address, SERVER, NOW)
    for _ in range(2):
        alice.sessions.start(bundle, alice.now, alice.person.random, anew=True)
        assert bob.open(alice.seal("from the far future")) == "from the far future"
        bundle = check_bundle(bob.person.claim(), bob.person.device.address, SERVER, NOW)
    bob.start()
    assert alice.open(bob.seal("from now")) == "from now"


def test_a_restart_number_beyond_the_limit_is_refused() -> None:
    """The number that an initial message may claim is bounded."""
    alice, bob = pair()
    alice.start()
    cut = bodies.decode(alice.seal("x"))
    assert cut.initial is not None
    for restart in (2**53, 2**64 - 1):
        with pytest.raises(BadEncoding):
            bob.open(cut.initial._replace(restart=restart).encode() + cut.sealed)


def test_a_second_start_of_one_side_is_preferred_to_its_first() -> None:
    """The other side follows to the newer session even if the older arrives after it."""
    alice, bob = pair()
    alice.start()
    first = alice.seal("first")
    alice.now += 1
    alice.start()
    assert bob.open(alice.seal("second")) == "second"
    assert bob.open(first) == "first"
    assert bob.sessions.session_id == alice.sessions.session_id


def test_attack_14_a_bundle_of_somebody_elses_keys_opens_nothing() -> None:
    """Mallory publishes Bob's public keys as her own; what Alice sends her fails at Bob."""
    alice, bob, mallory = (Person(name) for name in ("alice", "bob", "mallory"))
    stolen = bob.claim()
    entry = bob.device.entry
    # The X25519 and ML-KEM keys are Bob's; Mallory can sign them as hers.
    address = mallory.device.address
    hers = msgspec.structs.replace(entry, signing_key=mallory.device.signing.public)
    manifest = Manifest.first(address.user_id, SERVER, NOW, hers).encode()

    def resigned(kind: PrekeyKind, key: _Prekey) -> _Prekey:
        signed = signing.prekey(kind, address, SERVER, key.id, key.key, key.expires)
        return msgspec.structs.replace(key, signature=mallory.device.signing.sign(signed))

    keys = Keys(
        ref=0,
        account_key=mallory.device.account_key,
        manifest=manifest,
        manifest_signature=mallory.account.sign(signing.manifest(manifest)),
        device=address.device,
        signed_prekey=resigned(PrekeyKind.SIGNED_X25519, stolen.signed_prekey),
        kem=resigned(PrekeyKind.ONE_TIME_KEM, stolen.kem),
        kem_is_last_resort=False,
        one_time=stolen.one_time,
    )
    bundle = check_bundle(keys, address, SERVER, NOW)
    sessions = PeerSessions(alice.device, bundle.peer)
    sessions.start(bundle, NOW, alice.random)
    body = sessions.seal(b"for Mallory", NOW, alice.random)
    at_bob = PeerSessions(bob.device, alice.peer)
    with pytest.raises(TranscriptMismatch):
        at_bob.open(body, bob.store, NOW)


def test_attack_28_a_message_is_never_taken_for_somebody_elses() -> None:
    """Alice's bodies, offered in Carol's conversation with Bob, are refused."""
    alice, bob = pair(stock=4)
    carol = Person("carol")
    with_carol = Link(bob.person, carol)
    alice.start()
    first = alice.seal("I am Alice")
    with pytest.raises(PeerMismatch):
        with_carol.open(first)
    bob.open(first)
    alice.open(bob.seal("hi"))
    from_carol = Link(carol, bob.person)
    from_carol.start()
    with_carol.open(from_carol.seal("I am Carol"))
    with pytest.raises(UndecryptableMessage):
        with_carol.open(alice.seal("from Alice"))


def test_attack_43_the_named_parties_are_bound() -> None:
    """An initial message whose sender is replaced in the clear does not open."""
    alice, bob = pair()
    mallory = Person("mallory")
    alice.start()
    cut = bodies.decode(alice.seal("hello"))
    assert cut.initial is not None
    device = mallory.device
    relabelled = cut.initial._replace(
        account_key=device.account_key,
        manifest=device.manifest,
        manifest_signature=device.manifest_signature,
    )
    with_mallory = Link(bob.person, mallory)
    with pytest.raises(TranscriptMismatch):
        with_mallory.open(relabelled.encode() + cut.sealed)


TRANSCRIPT_CHANGES: dict[str, dict[str, object]] = {
    "initiator": {"initiator": CAROL.peer},
    "responder": {"responder": CAROL.peer},
    "parties exchanged": {"initiator": BOB.peer, "responder": ALICE.peer},
    "ephemeral key": {"ephemeral": b"\1" * 32},
    "ciphertext": {"ciphertext": b"\1" * 1568},
    "restart": {"restart": 1},
}
PREKEY_CHANGES: dict[str, dict[str, object]] = {
    "signed prekey's id": {"signed_id": 9},
    "signed prekey": {"signed": b"\1" * 32},
    "one-time prekey's id": {"one_time_id": 9},
    "one-time prekey": {"one_time": b"\1" * 32},
    "no one-time prekey": {"one_time_id": None, "one_time": b""},
    "KEM kind": {"kem_kind": PrekeyKind.LAST_RESORT_KEM},
    "KEM key's id": {"kem_id": 9},
    "KEM key": {"kem": b"\1" * 1568},
}


def test_attack_39_every_field_of_the_transcript_changes_all_keys() -> None:
    """Names, all keys, ids, kinds, the KEM key and its ciphertext: each alone gives another H(T),
    which is the info of the key derivation and the associated data of every message."""
    prekeys = pqxdh.Prekeys(1, b"\2" * 32, 3, b"\4" * 32, PrekeyKind.ONE_TIME_KEM, 5, b"\6" * 1568)
    facts: dict[str, object] = {
        "initiator": ALICE.peer,
        "responder": BOB.peer,
        "prekeys": prekeys,
        "ephemeral": b"\7" * 32,
        "ciphertext": b"\x08" * 1568,
        "restart": 0,
    }
    variants = [facts, *({**facts, **change} for change in TRANSCRIPT_CHANGES.values())]
    variants += [
        {**facts, "prekeys": prekeys._replace(**change)}  # type: ignore[arg-type]
        for change in PREKEY_CHANGES.values()
    ]
    for name in ("account_key", "server_id"):
        other = dataclasses.replace(ALICE.peer, **{name: getattr(BOB.peer, name)[::-1]})
        variants.append({**facts, "initiator": other})
    for name in ("signing_key", "dh_key"):
        entry = msgspec.structs.replace(ALICE.peer.entry, **{name: b"\1" * 32})
        variants.append({**facts, "initiator": dataclasses.replace(ALICE.peer, entry=entry)})
    digests = {pqxdh.transcript_hash(**each) for each in variants}  # type: ignore[arg-type]
    assert len(digests) == len(variants)
    derived = {pqxdh._session_keys(each, [bytes(32)], bytes(32)).root.raw for each in digests}
    assert len(derived) == len(variants)


def test_every_secret_of_the_handshake_enters_every_first_key() -> None:
    """Each agreement and the KEM's secret: whoever lacks one of them has no key of the session."""
    agreed, kem = [bytes([n]) * 32 for n in range(4)], b"k" * 32
    variants = [(agreed, kem), (agreed[:3], kem), (agreed, bytes(32))]
    variants += [([*agreed[:n], b"x" * 32, *agreed[n + 1 :]], kem) for n in range(4)]
    derived = [pqxdh._session_keys(bytes(32), *each)[1:] for each in variants]
    raws = [key.raw for keys in derived for key in keys]
    assert len(set(raws)) == len(raws) == 3 * len(variants)
    assert not set(raws) & {*agreed, kem}


class _Posing(DeviceDhPrivate):
    """A private key that shows somebody else's public key."""

    def __init__(self, raw: bytes, shown: DeviceDhKey) -> None:
        super().__init__(raw)
        self._shown = shown

    @property
    def public(self) -> DeviceDhKey:
        return self._shown


@pytest.mark.parametrize("has", ["own key", "stolen key"])
def test_attack_44_a_stolen_identity_lets_nobody_be_another_to_its_owner(has: str) -> None:
    """Mallory holds all of Alice's identity keys and still cannot be Bob to Alice."""
    alice, bob = Person("alice"), Person("bob")
    stolen = alice.device.dh.raw
    raw = stolen if has == "stolen key" else bytes(range(32))
    posing = dataclasses.replace(bob.device, dh=_Posing(raw, bob.device.dh.public))
    sessions = PeerSessions(posing, alice.peer)
    sessions.start(check_bundle(alice.claim(), alice.device.address, SERVER, NOW), NOW, bob.random)
    body = sessions.seal(b"I am Bob", NOW, bob.random)
    at_alice = PeerSessions(alice.device, bob.peer)
    before = at_alice.serialize()
    with pytest.raises(UndecryptableMessage):
        at_alice.open(body, alice.store, NOW)
    assert at_alice.serialize() == before


def test_attack_49_a_cloned_device_shows_and_the_conversation_heals() -> None:
    """Two copies of one profile that both write are noticed; a restart settles who goes on."""
    alice, bob = talking()
    clone = Link(alice.person, bob.person)
    clone.sessions = PeerSessions.load(alice.person.device, alice.sessions.serialize())
    assert bob.open(alice.seal("from the device")) == "from the device"
    with pytest.raises(PeerError):
        bob.open(clone.seal("from the clone"))
    assert alice.open(bob.seal("answer")) == "answer"
    alarms = 0
    for end, text in ((clone, "clone again"), (alice, "device again"), (clone, "and again")):
        try:
            bob.open(end.seal(text))
        except PeerError:
            alarms += 1
    assert alarms
    bob.now += 1
    bob.start()
    assert alice.open(bob.seal("let us start anew")) == "let us start anew"
    assert bob.open(alice.seal("yes")) == "yes"
    before = bob.sessions.serialize()
    with pytest.raises(PeerError):
        bob.open(clone.seal("still here"))
    assert bob.sessions.serialize() == before


def test_equal_states_never_seal_two_texts_alike() -> None:
    """A restored old vault repeats message keys; the random nonce keeps the key streams apart."""
    alice, _ = talking()
    stored = alice.sessions.serialize()
    first = alice.seal("same text")
    alice.sessions = PeerSessions.load(alice.person.device, stored)
    second = alice.seal("same text")
    assert first[2:14] != second[2:14]
    assert first[-272:] != second[-272:]


def test_dropped_sessions_are_not_derived_again() -> None:
    """After `drop_sessions` nothing is sealed, repeats are refused, and a restart is preferred."""
    alice, bob = pair(stock=0)
    alice.start()
    body = alice.seal("pay 100")
    bob.open(body)
    bob.sessions.drop_sessions()
    bob.reload()
    assert not bob.sessions.ready
    with pytest.raises(RepeatedInitialMessage):
        bob.open(body)
    bob.start()
    assert alice.open(bob.seal("anew")) == "anew"
    assert alice.sessions.session_id == bob.sessions.session_id


def test_stored_sessions_are_small_and_only_read_by_their_version() -> None:
    """Under 2 KB fresh and 4 KB with KEM material; damage raises `BadSessionState`."""
    alice, bob = pair()
    alice.start()
    body = alice.seal("hello")
    assert len(alice.sessions.serialize()) < 4_000
    bob.open(body)
    assert len(bob.sessions.serialize()) < 2_000
    alice.open(bob.seal("hi"))
    stored = alice.sessions.serialize()
    assert len(stored) < 2_000
    assert PeerSessions.load(alice.person.device, stored).serialize() == stored
    for damaged in (b"", b"\0" + stored[1:], stored[:-1], stored + b"\0", stored[:40]):
        with pytest.raises(BadSessionState):
            PeerSessions.load(alice.person.device, damaged)


def test_sessions_do_not_print_their_secrets() -> None:
    """The repr of sessions names the peer and nothing secret."""
    alice, _ = talking()
    assert repr(alice.sessions) == "<PeerSessions with bob/main: 1>"
    assert "redacted" in repr(alice.sessions._sessions[0].ratchet.root)


def test_an_answer_to_a_first_message_that_a_restored_copy_never_sent_is_refused_by_name() -> None:
    """An old copy of the state has begun the session and sent nothing: it has no ratchet key.

    The answer fits its header key, and cannot be read; a new session heals that.
    """
    alice, bob = pair()
    alice.start()
    old = alice.sessions.serialize()
    bob.open(alice.seal("forgotten by the copy"))
    answer = bob.seal("answer")
    alice.sessions = PeerSessions.load(alice.person.device, old)
    with pytest.raises(UndecryptableMessage):
        alice.open(answer)
    assert alice.sessions.serialize() == old
    alice.start()
    assert bob.open(alice.seal("once more")) == "once more"
    assert alice.open(bob.seal("now I hear you")) == "now I hear you"


def test_a_new_session_counts_at_once_among_the_stored_keys() -> None:
    """All sessions of a pair store 2,000 keys at most, also right after a session was added."""
    alice, bob = pair(stock=0)
    for _ in range(4):
        alice.now += 1000
        alice.start()
        for _ in range(limits.SKIP_PER_CHAIN):
            alice.seal("lost")
        assert bob.open(alice.seal("arrives")) == "arrives"
        stored = sum(len(each.ratchet.skipped) for each in bob.sessions._sessions)
        assert stored <= limits.SKIP_STORED
        assert len(bob.sessions.serialize()) < 100_000


def test_a_first_message_of_an_impossible_length_costs_no_handshake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lengths are checked before any key is used."""

    def respond(*_: object) -> None:
        raise AssertionError("a key was used")

    alice, bob = pair()
    alice.start()
    body = alice.seal("hello")
    monkeypatch.setattr(pqxdh, "respond", respond)
    for wrong in (body[:-1], body + b"\0", body[:-273]):
        with pytest.raises(BadEncoding):
            bob.open(wrong)


def test_a_body_of_an_impossible_length_is_malformed_whatever_sessions_there_are() -> None:
    """The error does not depend on the sessions, since the length is looked at first."""
    alice, bob = talking()
    body = alice.seal("hello")
    bob.lose()
    with pytest.raises(BadEncoding):
        bob.open(body[:-1])
    with pytest.raises(UndecryptableMessage):
        bob.open(body)
