"""Prekeys and manifests: published, handed out once, replaced in order."""

from collections.abc import Callable

from secure_chat.crypto import prekeys
from secure_chat.crypto.prekeys import check_bundle
from secure_chat.crypto.rng import system_random
from secure_chat.errors import Code
from secure_chat.protocol import limits, signing
from secure_chat.protocol.manifest import Manifest, decode_manifest, manifest_hash
from secure_chat.protocol.messages import (
    Error,
    Keys,
    KeysGet,
    KeysLow,
    KeysPut,
    ManifestGet,
    ManifestPut,
    Ok,
)
from secure_chat.protocol.messages import Manifest as ManifestMessage
from secure_chat.server.core.settings import Rate, Settings
from tests.server_core.support import Person, World

GENEROUS = Settings(
    registration="open",
    bundles=Rate(1e6, 1e6),
    one_time_keys=Rate(1e6, 1e6),
    one_time_keys_of_address=Rate(1e6, 1e6),
    requests=Rate(1e6, 1e6),
)


def next_manifest(person: Person, *, ref: int = 3, counter: int | None = None) -> ManifestPut:
    """The successor of what a person has published, with the same device."""
    old = decode_manifest(person.device.manifest)
    new = Manifest(
        old.address,
        counter or old.counter + 1,
        manifest_hash(person.device.manifest),
        old.time + 1,
        old.devices,
    ).encode()
    return ManifestPut(ref, new, person.account.sign(signing.manifest(new)))


def test_a_bundle_verifies_and_its_one_time_keys_are_handed_out_once(
    make_world: Callable[..., World],
) -> None:
    """Each claim takes one key of each kind; an empty stock gives the last-resort key, visibly."""
    world = make_world(GENEROUS)
    alice, bob = world.person("alice"), world.person("bob")
    bob.publish(3, kem=2)
    bundles = []
    for ref in range(4):
        alice.peer.send(KeysGet(ref, "bob/main"))
        keys = alice.peer.expect(Keys)
        assert keys.ref == ref
        bundles.append(check_bundle(keys, bob.device.address, world.store.server_id, world.wall_ms))
    assert [b.one_time and b.one_time.id for b in bundles] == [100, 101, 102, None]
    assert [b.kem.id for b in bundles] == [100, 101, 1, 1]
    assert [b.kem_is_last_resort for b in bundles] == [False, False, True, True]


def test_attack_41_fifty_parallel_claims_never_share_a_key(
    make_world: Callable[..., World],
) -> None:
    """Claims are atomic, from whichever connection they come."""
    world = make_world(GENEROUS)
    bob = world.person("bob")
    bob.publish(50, kem=50)
    askers = [world.person(f"asker{n:02}") for n in range(10)]
    for asker in askers:
        asker.peer.send_without_waiting(*(KeysGet(n, "bob/main") for n in range(5)))
    world.settle()
    claimed = [m for asker in askers for m, _ in asker.peer.news() if isinstance(m, Keys)]
    assert len({keys.one_time.id for keys in claimed if keys.one_time}) == 50
    assert len({keys.kem.id for keys in claimed}) == 50


def test_attack_23_one_account_cannot_drain_a_stock(world: World) -> None:
    """1,000 fetches: most are rate_limited, the stock survives, last-resort use is visible."""
    alice, bob = world.person("alice"), world.person("bob")
    bob.publish(40, kem=40)
    for start in range(0, 1000, 50):
        alice.peer.send(*(KeysGet(n, "bob/main") for n in range(start, start + 50)))
    news = [m for m, _ in alice.peer.news()]
    got = [m for m in news if isinstance(m, Keys)]
    limited = [m for m in news if isinstance(m, Error) and m.code is Code.RATE_LIMITED]
    assert len(news) == 1000
    assert len(got) + len(limited) == 1000
    assert len(got) <= world.settings.bundles.burst
    assert all(m.retry_after for m in limited)
    share = world.settings.one_time_keys.burst
    assert sum(not m.kem_is_last_resort for m in got) == share
    assert all(m.one_time is None for m in got if m.kem_is_last_resort)
    carol = world.person("carol")
    carol.peer.send(KeysGet(1, "bob/main"))
    assert carol.peer.expect(Keys).one_time is not None


def test_attack_23_accounts_made_for_it_cannot_drain_a_stock(world: World) -> None:
    """Twenty accounts of one address use up no more than that address may; others still get one."""
    bob = world.person("bob")
    bob.publish(100, kem=100)
    taken = 0
    for number in range(20):
        sybil = world.person(f"sybil{number}")
        for start in range(0, 60, 20):
            sybil.peer.send(*(KeysGet(n, "bob/main") for n in range(start, start + 20)))
        taken += sum(isinstance(m, Keys) and m.one_time is not None for m, _ in sybil.peer.news())
    assert taken == world.settings.one_time_keys_of_address.burst
    carol = world.connect("198.51.100.7")
    carol.register(Person(world, "carol"))
    carol.send(KeysGet(1, "bob/main"))
    assert carol.expect(Keys).one_time is not None


def test_a_low_stock_is_told_once_until_keys_come(make_world: Callable[..., World]) -> None:
    """The device hears when fewer than 25 are left; publishing rearms that."""
    world = make_world(GENEROUS)
    alice, bob = world.person("alice"), world.person("bob")
    bob.publish(26, kem=26)
    alice.peer.send(KeysGet(1, "bob/main"))
    assert bob.peer.news() == []
    alice.peer.send(KeysGet(2, "bob/main"), KeysGet(3, "bob/main"))
    low = bob.peer.expect(KeysLow)
    assert (low.one_time, low.one_time_kem) == (24, 24)
    assert bob.peer.news() == []
    bob.publish(5, first=200)
    alice.peer.send(KeysGet(4, "bob/main"))
    assert bob.peer.expect(KeysLow).one_time_kem == 22


def test_welcome_tells_the_stock_and_its_version(make_world: Callable[..., World]) -> None:
    """What is published is counted at the next login; a restart empties the stock first."""
    world = make_world(GENEROUS)
    bob = world.person("bob")
    bob.publish(7, kem=5)
    peer = world.connect()
    welcome = peer.login(bob)
    assert (welcome.key_version, welcome.one_time, welcome.one_time_kem) == (1, 7, 5)  # type: ignore[union-attr]
    fresh = prekeys.new_one_time(100, system_random)[1]
    peer.send(KeysPut(1, 9, one_time=[fresh], restart=True))
    peer.expect(Ok)
    welcome = world.connect().login(bob)
    assert (welcome.key_version, welcome.one_time, welcome.one_time_kem) == (9, 1, 0)  # type: ignore[union-attr]


def test_signed_keys_replace_and_are_checked(world: World) -> None:
    """A new signed prekey replaces; a forged, expired or foreign one changes nothing."""
    alice, bob = world.person("alice"), world.person("bob")
    new = prekeys.new_signed_prekey(bob.device, 2, world.wall_ms, system_random)[1]
    bob.peer.send(KeysPut(1, 1, signed_prekey=new))
    bob.peer.expect(Ok)
    month = limits.SIGNED_PREKEY_VALID * 1000
    stale = prekeys.new_signed_prekey(bob.device, 3, world.wall_ms - 2 * month, system_random)[1]
    foreign = alice.signed_prekey
    as_one_time = bob.last_resort  # signed as last-resort, offered as one-time
    for put in (
        KeysPut(1, 2, signed_prekey=stale),
        KeysPut(1, 2, signed_prekey=foreign),
        KeysPut(1, 2, one_time_kem=[as_one_time]),
    ):
        bob.peer.send(put)
        assert bob.peer.expect(Error).code is Code.BAD_KEYS
    alice.peer.send(KeysGet(1, "bob/main"))
    assert alice.peer.expect(Keys).signed_prekey == new


def test_the_stock_is_bounded_and_repeats_are_harmless(make_world: Callable[..., World]) -> None:
    """An upload repeated after a lost answer changes nothing; ids are not used twice; no flood."""
    world = make_world(GENEROUS)
    bob = world.person("bob")
    keys = [prekeys.new_one_time(n, system_random)[1] for n in range(20)]
    for _ in range(2):
        bob.peer.send(KeysPut(1, 1, one_time=keys))
        bob.peer.expect(Ok)
    other = prekeys.new_one_time(5, system_random)[1]
    bob.peer.send(KeysPut(1, 1, one_time=[other]))
    assert bob.peer.expect(Error).code is Code.BAD_KEYS
    bob.peer.send(KeysPut(1, 1, one_time=[other, other]))
    assert bob.peer.expect(Error).code is Code.BAD_KEYS
    for start in range(100, 280, 20):
        more = [prekeys.new_one_time(start + n, system_random)[1] for n in range(20)]
        bob.peer.send(KeysPut(1, 1, one_time=more))
        bob.peer.expect(Ok)
    one_more = prekeys.new_one_time(999, system_random)[1]
    bob.peer.send(KeysPut(1, 1, one_time=[one_more]))
    assert bob.peer.expect(Error).code is Code.BAD_KEYS


def test_keys_of_nobody(world: World) -> None:
    """A claim for an unknown or impossible address is refused by its ref."""
    alice = world.person("alice")
    for to in ("nobody/main", "alice/phone", "-", "alice"):
        alice.peer.send(KeysGet(5, to))
        error = alice.peer.expect(Error)
        assert (error.code, error.ref) == (Code.UNKNOWN_USER, 5)


def test_manifests_follow_one_another(world: World) -> None:
    """Only the direct successor signed by the account is taken, and it survives a restart."""
    alice, bob = world.person("alice"), world.person("bob")
    put = next_manifest(bob)
    for wrong, code in (
        (next_manifest(bob, counter=3), Code.MANIFEST_CONFLICT),
        (next_manifest(bob, counter=1), Code.BAD_KEYS),  # only a first one has no predecessor
        (ManifestPut(3, put.manifest, bob.device.manifest_signature), Code.BAD_KEYS),
        (next_manifest(alice), Code.BAD_KEYS),
    ):
        bob.peer.send(wrong)
        assert bob.peer.expect(Error).code is code
    bob.peer.send(put)
    bob.peer.expect(Ok)
    bob.peer.send(put)
    assert bob.peer.expect(Error).code is Code.MANIFEST_CONFLICT
    world.restart()
    alice.login()
    alice.peer.send(ManifestGet(8, "Bob"))
    answer = alice.peer.expect(ManifestMessage)
    assert (answer.ref, answer.manifest) == (8, put.manifest)
    assert answer.account_key == bob.device.account_key
    alice.peer.send(ManifestGet(9, "nobody"))
    assert alice.peer.expect(Error).code is Code.UNKNOWN_USER


def test_of_two_racing_manifests_one_wins(world: World) -> None:
    """Compare and set: two successors of the same manifest cannot both be published."""
    bob = world.person("bob")
    bob.peer.send(next_manifest(bob, ref=1), next_manifest(bob, ref=2))
    kinds = sorted(type(m).__name__ for m, _ in bob.peer.news())
    assert kinds == ["Error", "Ok"]
