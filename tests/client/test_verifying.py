"""Verifying by digits, QR code and contact link, and the history that is kept of it."""

import msgspec
import pytest

from secure_chat.client.events import KeyChanged, KeyFact, Means, MessageState, Trust
from secure_chat.errors import (
    BadQrCode,
    ContactLinkDiffers,
    ContactLinkElsewhere,
    KeyUnknown,
    NotToYourself,
    QrCodeDiffers,
)
from secure_chat.protocol.wiretypes import AccountKey, ServerId
from tests.client.world import Client, World
from tests.window.lies import name_other_keys


@pytest.fixture
def two(world: World) -> tuple[Client, Client]:
    """Two people who have talked and compared nothing."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "hi")
    bob.has(alice, "hi")
    bob.send(alice, "hi you")
    alice.has(bob, "hi you")
    return alice, bob


def trust(one: Client, other: Client) -> Trust | None:
    known = one.engine.safety(other.name)
    return None if known is None else known.trust


def facts(one: Client, other: Client) -> list[tuple[KeyFact, Means | None]]:
    return [(event.fact, event.means) for event in one.engine.key_history(other.name)]


def test_what_one_screen_shows_the_other_scans(two: tuple[Client, Client]) -> None:
    """Each verifies the other; one's own screen verifies nobody."""
    alice, bob = two
    shown = bob.engine.qr_content(alice.name)
    with pytest.raises(QrCodeDiffers):
        bob.engine.verify_qr(alice.name, shown)
    with pytest.raises(BadQrCode):
        alice.engine.verify_qr(bob.name, "https://example.org")
    assert trust(alice, bob) is Trust.NEW
    alice.engine.verify_qr(bob.name, f" {shown[:31]}\n{shown[31:]} ")
    assert trust(alice, bob) is Trust.VERIFIED
    assert trust(bob, alice) is Trust.NEW
    bob.engine.verify_qr(alice.name, alice.engine.qr_content(bob.name))
    assert trust(bob, alice) is Trust.VERIFIED
    safety = alice.engine.safety(bob.name)
    assert safety is not None
    assert safety.verified_by is Means.QR
    assert facts(alice, bob) == [(KeyFact.SEEN, None), (KeyFact.VERIFIED, Means.QR)]


def test_attack_25_the_code_of_another_key_is_refused(two: tuple[Client, Client]) -> None:
    """Each digit counts, and so does the order of the halves."""
    alice, bob = two
    shown = bob.engine.qr_content(alice.name)
    wrong = shown[:-1] + str((int(shown[-1]) + 1) % 10)
    for code in (wrong, shown[:2] + shown[32:] + shown[2:32]):
        with pytest.raises(QrCodeDiffers):
            alice.engine.verify_qr(bob.name, code)
    assert trust(alice, bob) is Trust.NEW


def test_a_contact_link_verifies_somebody_unknown_before_the_first_word(world: World) -> None:
    """The key comes from the link; the server's must agree, and then messages flow."""
    alice, bob = world.person("alice"), world.person("bob")
    link = bob.engine.contact_link()
    assert alice.engine.open_contact_link(link, verify=True) == bob.name
    assert trust(alice, bob) is Trust.VERIFIED
    alice.send(bob, "no need to compare")
    bob.has(alice, "no need to compare")
    alice.all_are(bob, MessageState.ACCEPTED, MessageState.DELIVERED)
    assert facts(alice, bob) == [(KeyFact.VERIFIED, Means.LINK)]
    assert [e.fingerprint for e in alice.engine.key_history(bob.name)] == [
        bob.engine.our_fingerprint
    ]
    alice = world.again(alice)
    assert trust(alice, bob) is Trust.VERIFIED


def test_a_contact_link_may_be_opened_while_the_server_is_away(world: World) -> None:
    """The key is known from the link: what is written waits through a restart, then arrives."""
    alice, bob = world.person("alice"), world.person("bob")
    link = bob.engine.contact_link()
    world.server.stop()
    alice.engine.open_contact_link(link, verify=True)
    alice.send(bob, "written meanwhile")
    alice = world.again(alice, start=False)
    world.server.start()
    alice.engine.start()
    bob.engine.reconnect()
    bob.has(alice, "written meanwhile")


def test_attack_25_a_server_that_names_another_key_than_the_link_is_caught(world: World) -> None:
    """Nothing goes out to the server's key, and the person is told that it is not the link's."""
    alice, bob = world.person("alice"), world.person("bob")
    link = bob.engine.contact_link()
    name_other_keys(world, bob.name)
    alice.engine.open_contact_link(link, verify=True)
    alice.send(bob, "secret")
    alice.wait(lambda: trust(alice, bob) is Trust.CHANGED)
    alice.wait(lambda: alice.states(bob)[-1] is MessageState.HELD)
    alice.wait(lambda: [e.was_verified for e in alice.of(KeyChanged)] == [True])
    assert bob.texts(alice) == []


def test_attack_26_a_link_with_another_key_warns_and_changes_nothing(
    two: tuple[Client, Client], world: World
) -> None:
    """Of a verified contact and of a new one alike; the attempt stays visible."""
    alice, bob = two
    forged = msgspec.structs.replace(bob.engine.contact_link(), account_key=AccountKey(bytes(32)))
    for verified in (False, True):
        if verified:
            alice.engine.verify_qr(bob.name, bob.engine.qr_content(alice.name))
        before = trust(alice, bob)
        with pytest.raises(ContactLinkDiffers, match="another key for bob"):
            alice.engine.open_contact_link(forged, verify=True)
        assert trust(alice, bob) is before
    assert (KeyFact.DOUBTED, None) in facts(alice, bob)
    assert any("contact link" in notice for notice in alice.notices(bob))
    alice.send(bob, "still to the same key")
    bob.has(alice, "still to the same key")


def test_a_link_of_another_server_or_of_oneself_is_refused(two: tuple[Client, Client]) -> None:
    """Opened without a claim to have compared, a good one leaves the key unverified."""
    alice, bob = two
    link = bob.engine.contact_link()
    elsewhere = msgspec.structs.replace(link, server_id=ServerId(bytes(16)))
    with pytest.raises(ContactLinkElsewhere):
        alice.engine.open_contact_link(elsewhere, verify=True)
    with pytest.raises(NotToYourself):
        bob.engine.open_contact_link(link, verify=True)
    alice.engine.open_contact_link(link, verify=False)
    assert trust(alice, bob) is Trust.NEW


def test_there_is_no_link_before_there_are_keys(world: World) -> None:
    """A profile that never registered has nothing to show."""
    dave = world.person("dave", start=False)
    with pytest.raises(KeyUnknown):
        dave.engine.contact_link()


def test_a_changed_key_is_written_down_with_what_became_of_it(
    two: tuple[Client, Client], world: World
) -> None:
    """First seen, verified by digits, changed, accepted: each with its key's fingerprint."""
    alice, bob = two
    safety = alice.engine.safety(bob.name)
    assert safety is not None
    alice.engine.mark_verified(bob.name, " ".join(safety.safety_number))
    name_other_keys(world, bob.name)
    alice.send(bob, "secret")
    alice.wait(lambda: trust(alice, bob) is Trust.CHANGED)
    alice.engine.accept_changed_key(bob.name)
    assert facts(alice, bob) == [
        (KeyFact.SEEN, None),
        (KeyFact.VERIFIED, Means.DIGITS),
        (KeyFact.CHANGED, None),
        (KeyFact.ACCEPTED, None),
    ]
    prints = [event.fingerprint for event in alice.engine.key_history(bob.name)]
    assert prints[:2] == [bob.engine.our_fingerprint] * 2
    assert prints[2] == prints[3] != prints[0]
    times = [event.time for event in alice.engine.key_history(bob.name)]
    assert times == sorted(times)
