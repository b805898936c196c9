"""The Double Ratchet between two devices: `secure_chat.crypto.ratchet`, `skipped`, `padding`."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.crypto import kdf, padding, ratchet
from secure_chat.crypto import labels as labels_of
from secure_chat.crypto.body import RATCHET_PREFIX
from secure_chat.crypto.padding import pad, unpad
from secure_chat.errors import (
    BadEncoding,
    ContentTooLong,
    DeadRandomness,
    NoSession,
    PeerError,
    RepeatedMessage,
    TooManySkippedMessages,
    UndecryptableMessage,
    UnsupportedBody,
)
from secure_chat.protocol import limits, signing
from tests.crypto.support import DAY_MS, NOW, Link, pair, seeded, talking


def test_a_conversation_arrives_in_both_directions_and_across_restarts() -> None:
    """Every message arrives as sent, with both ends stored and loaded between messages."""
    alice, bob = talking()
    for turn in range(60):
        sender, receiver = (alice, bob) if turn % 5 < 3 else (bob, alice)
        text = f"message {turn} سلام"
        assert receiver.open(sender.seal(text)) == text
        (alice if turn % 2 else bob).reload()


def test_messages_out_of_order_arrive_once_each() -> None:
    """Reordered within and across chains, each message decrypts once and repeats by name."""
    alice, bob = talking()
    first = [alice.seal(f"a{n}") for n in range(5)]
    alice.open(bob.seal("between"))
    second = [alice.seal(f"b{n}") for n in range(5)]
    for at in (3, 0, 4):
        assert bob.open(second[at]) == f"b{at}"
    bob.reload()
    for at in (4, 1, 0, 2, 3):
        assert bob.open(first[at]) == f"a{at}"
    for at in (1, 2):
        assert bob.open(second[at]) == f"b{at}"
    for body in second:
        with pytest.raises(RepeatedMessage):
            bob.open(body)
    for body in first:
        with pytest.raises(PeerError):
            bob.open(body)


def test_a_stream_message_costs_at_most_96_bytes_before_padding() -> None:
    """The overhead of a message in a stream, over its padded plaintext."""
    alice, _ = talking()
    alice.seal("x")
    assert len(alice.seal("x")) - 256 <= 96
    assert ratchet.OVERHEAD + len(RATCHET_PREFIX) == 87


def test_nothing_is_sealed_without_a_session_or_beyond_the_limit() -> None:
    """`NoSession` before a start; `ContentTooLong` above the limit, and the state stays."""
    alice, bob = pair()
    with pytest.raises(NoSession):
        alice.seal("x")
    alice, bob = talking()
    before = alice.sessions.serialize()
    with pytest.raises(ContentTooLong):
        alice.seal("x" * (ratchet.CONTENT + 1))
    assert alice.sessions.serialize() == before
    body = alice.seal("x" * ratchet.CONTENT)
    assert len(body) <= limits.BODY
    assert bob.open(body) == "x" * ratchet.CONTENT


def test_attack_51_a_dead_source_neither_seals_nor_changes_the_state() -> None:
    """A constant source, and one stuck on one value, abort with the state as it was."""
    alice, bob = talking()
    for source in (bytes, lambda size: b"\7" * size):
        for end in (alice, bob):
            before = end.sessions.serialize()
            with pytest.raises(DeadRandomness):
                end.sessions.seal(b"x", NOW, source)
            assert end.sessions.serialize() == before
    stuck = seeded("stuck")(64)

    def repeating(size: int) -> bytes:
        return stuck[:size]

    body = alice.sessions.seal(b"first key", NOW, repeating)
    bob.opened(body)
    alice.open(bob.seal("answer"))
    before = alice.sessions.serialize()
    with pytest.raises(DeadRandomness):
        alice.sessions.seal(b"the same key again", NOW, repeating)
    assert alice.sessions.serialize() == before


def test_attack_45_ten_thousand_forgeries_change_nothing() -> None:
    """Each forgery is refused by name, the stored state is identical, and the true one opens."""
    alice, bob = talking()
    alice.seal("lost")
    body = alice.seal("genuine")
    before = bob.sessions.serialize()
    random = seeded("forgeries")
    for number in range(10_000):
        forged = bytearray(body)
        at = int.from_bytes(random(4), "big") % len(body)
        forged[at] ^= 1 + number % 255
        with pytest.raises((UndecryptableMessage, UnsupportedBody, BadEncoding)):
            bob.open(bytes(forged))
    assert bob.sessions.serialize() == before
    assert bob.open(body) == "genuine"


@pytest.mark.parametrize("first", [True, False], ids=["initial", "ratchet"])
def test_attack_47_every_bit_flip_and_every_length_is_refused(first: bool) -> None:
    """No byte of a body may change, none may be missing or added; nothing changes the state."""
    alice, bob = pair() if first else talking()
    if first:
        alice.start()
    body = alice.seal("genuine")
    before = bob.sessions.serialize()
    wrong = [
        body[:at] + bytes([body[at] ^ (1 << at % 8)]) + body[at + 1 :] for at in range(len(body))
    ]
    wrong += [body[:size] for size in range(len(body))]
    wrong += [body + bytes(extra) for extra in (1, 16, 256, 4096)]
    for forged in wrong:
        with pytest.raises(PeerError):
            bob.open(forged)
    assert bob.sessions.serialize() == before
    assert bob.open(body) == "genuine"


def test_attack_46_a_counter_of_2_to_the_32_is_refused_at_once() -> None:
    """A header that claims billions of skipped messages costs no work and changes nothing."""
    for previous, number in ((0, 2**32 - 1), (2**32 - 1, 0), (0, limits.SKIP_PER_CHAIN + 1)):
        alice, bob = talking(seed=f"{previous} {number}")
        bob.open(alice.seal("in order"))
        alice.open(bob.seal("a new chain"))
        state = alice.sessions._sessions[0].ratchet
        step = state._sending_step(alice.person.random)
        state.root, state.our_key, state.next_sending_header = step[:3]
        state.sending = step.chain._replace(number=number)
        state.previous = previous
        body = alice.seal("from far ahead")
        before = bob.sessions.serialize()
        began = time.thread_time()
        with pytest.raises(TooManySkippedMessages) as refused:
            bob.open(body)
        assert time.thread_time() - began < 0.010
        assert refused.value.facts["limit"] == limits.SKIP_PER_CHAIN
        assert bob.sessions.serialize() == before


def test_a_thousand_skipped_messages_are_read_later_and_one_more_is_not() -> None:
    """The limit a chain: 1,000 missing messages wait for their turn; 1,001 are refused."""
    alice, bob = talking()
    bodies = [alice.seal(f"{n}") for n in range(1_002)]
    with pytest.raises(TooManySkippedMessages, match="1001"):
        bob.open(bodies[1_001])
    assert bob.open(bodies[1_000]) == "1000"
    bob.reload()
    for at in (0, 500, 999, 1_001):
        assert bob.open(bodies[at]) == f"{at}"


def test_attack_46_stored_keys_and_state_stay_bounded() -> None:
    """However many messages are skipped, 2,000 keys are kept, the newest, in under 100 KB."""
    alice, bob = talking()
    early = alice.seal("early")
    for _ in range(4):
        for _ in range(900):
            alice.seal("lost")
        late = alice.seal("late")
        assert bob.open(alice.seal("last")) == "last"
        alice.open(bob.seal("turn"))
    assert len(bob.sessions._sessions[0].ratchet.skipped) == limits.SKIP_STORED
    assert len(bob.sessions.serialize()) < 100_000
    assert bob.open(late) == "late"
    with pytest.raises(PeerError):
        bob.open(early)


def test_attack_46_chains_with_stored_keys_are_counted() -> None:
    """Each costs a look at a header: of more than 200 with a gap the oldest are forgotten."""
    alice, bob = talking()
    late = []
    for _ in range(limits.SKIP_CHAINS + 5):
        late.append(alice.seal("late"))
        bob.open(alice.seal("on time"))
        alice.open(bob.seal("turn"))
    assert len(bob.sessions._sessions[0].ratchet.skipped.chains) == limits.SKIP_CHAINS
    with pytest.raises(UndecryptableMessage):
        bob.open(late[0])
    assert bob.open(late[-1]) == bob.open(late[5]) == "late"


def test_stored_keys_are_forgotten_after_the_retention_time() -> None:
    """A message 30 days late is read; after retention and a week its key is gone."""
    for days, readable in ((30, True), (38, False)):
        alice, bob = talking(seed=str(days))
        late = alice.seal("late")
        bob.open(alice.seal("on time"))
        bob.now += days * DAY_MS
        bob.open(alice.seal("much later"))
        if readable:
            assert bob.open(late) == "late"
        else:
            with pytest.raises(RepeatedMessage):
                bob.open(late)


def test_attack_32_a_reflected_message_is_refused() -> None:
    """Our own ciphertext, sent back to us, never opens."""
    alice, bob = talking()
    for end in (alice, bob):
        body = end.seal("mine")
        before = end.sessions.serialize()
        with pytest.raises(UndecryptableMessage):
            end.open(body)
        assert end.sessions.serialize() == before


@given(st.binary(max_size=600))
def test_any_bytes_end_in_a_named_error(body: bytes) -> None:
    """Garbage from a peer or a server raises only a `PeerError` and changes nothing."""
    before = _BOB.sessions.serialize()
    for forged in (body, b"\1\1" + body, b"\1\2" + body, b"\1\2" + body.ljust(341, b"\0")):
        with pytest.raises(PeerError):
            _BOB.open(forged)
    assert _BOB.sessions.serialize() == before


_BOB: Link = talking(seed="garbage")[1]


@given(st.binary(max_size=5000))
def test_padding_returns_what_it_was_given(plaintext: bytes) -> None:
    """unpad(pad(x)) == x, and the size is one of the steps."""
    padded = pad(plaintext)
    assert len(padded) in padding.SIZES
    assert len(padded) > len(plaintext)
    assert unpad(padded) == plaintext


@given(st.binary(max_size=600))
def test_only_what_pad_makes_is_unpadded(padded: bytes) -> None:
    """Any other bytes raise `BadEncoding`: a padded text has one form."""
    for candidate in (padded, padded.ljust(256, b"\0"), padded + b"\x80" + bytes(255)):
        try:
            plaintext = unpad(candidate)
        except BadEncoding:
            continue
        assert pad(plaintext) == candidate


def test_padding_steps() -> None:
    """256, 512, 1024, 2048, 4096, then multiples of 4096 to 40,960."""
    sizes = {len(pad(bytes(size))) for size in range(0, padding.LARGEST + 1, 50)}
    assert sorted(sizes) == [256, 512, 1024, 2048, *range(4096, 40_961, 4096)]
    assert len(pad(bytes(255))) == 256
    assert len(pad(bytes(256))) == 512
    with pytest.raises(ContentTooLong):
        pad(bytes(padding.LARGEST + 1))


def test_attack_42_no_raw_secret_is_a_key() -> None:
    """The keys of a step depend on root, shared secret and purpose: each alone changes all."""
    root = kdf.RootKey(bytes(32))
    mix = kdf.Mix(1, kdf.StepSecret(bytes(32)), bytes(32))
    shared = bytes(range(32))
    variants = [
        kdf.root_step(root, shared, None),
        kdf.root_step(kdf.RootKey(b"\1" + bytes(31)), shared, None),
        kdf.root_step(root, bytes(32), None),
        kdf.root_step(root, shared, mix),
        kdf.root_step(root, bytes(32), mix),
        kdf.root_step(kdf.RootKey(b"\1" + bytes(31)), shared, mix),
        kdf.root_step(root, shared, mix._replace(step=2)),
        kdf.root_step(root, shared, mix._replace(binding=b"\1" * 32)),
        kdf.root_step(root, shared, mix._replace(secret=kdf.StepSecret(b"\1" * 32))),
    ]
    raws = [key.raw for keys in variants for key in keys]
    assert len(set(raws)) == len(raws)
    assert shared not in raws


def test_limits_are_checked_before_any_key_is_derived(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header may skip in two chains: neither is walked if one of them goes too far."""
    alice, bob = talking()
    bob.open(alice.seal("a"))
    alice.open(bob.seal("b"))
    chain = alice.sessions._sessions[0].ratchet
    chain.previous = limits.SKIP_PER_CHAIN
    step = chain._sending_step(alice.person.random)
    chain.root, chain.our_key, chain.next_sending_header = step[:3]
    chain.sending = step.chain._replace(number=2**32 - 1)
    body = alice.seal("too far")

    def chain_step(_: kdf.ChainKey) -> tuple[kdf.MessageKey, kdf.ChainKey]:
        raise AssertionError("a key was derived")

    monkeypatch.setattr(kdf, "chain_step", chain_step)
    with pytest.raises(TooManySkippedMessages):
        bob.open(body)


def test_no_label_begins_another() -> None:
    """Labels of derivations and of signatures: no purpose's input can be read as another's."""
    labels = [each.value for each in (*labels_of.KdfLabel, *signing.Label)]
    for one, other in itertools.permutations(labels, 2):
        assert not one.startswith(other)
