"""Registration and login: who gets in, and what the others learn."""

import dataclasses
import statistics
import time
from collections.abc import Callable

import msgspec
import pytest

from secure_chat.crypto.rng import system_random
from secure_chat.errors import Code
from secure_chat.protocol import signing
from secure_chat.protocol.addresses import skeleton
from secure_chat.protocol.frames import Frame
from secure_chat.protocol.manifest import DeviceEntry, Manifest
from secure_chat.protocol.messages import (
    Error,
    Keys,
    KeysGet,
    Login,
    Register,
    Users,
    Welcome,
)
from secure_chat.protocol.messages import List as ListMessage
from secure_chat.protocol.wiretypes import InviteToken, Signature
from secure_chat.server.core.settings import Rate, Settings
from tests.server_core.support import (
    Peer,
    Person,
    World,
    login_message,
    pm,
    register_message,
)


def code(answer: object) -> Code:
    """The code of a refusal, however it was said."""
    return answer.code if isinstance(answer, Error) else answer  # type: ignore[return-value]


def honest(peer: Peer, person: Person, **more: object) -> Register:
    """What ``person`` would send over this connection."""
    connection = peer.connection
    return register_message(
        person, peer.hello, connection.hello_bytes, connection.exporter, **more  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_registration_logs_in_and_a_later_login_works(world: World) -> None:
    """Registered, welcomed with a fresh mailbox, listed as online; logged in again later."""
    peer = world.connect()
    ali = Person(world, "Ali")
    welcome = peer.register(ali)
    assert welcome == Welcome("ali", "main", 0, 0, 0, 0, 1, world.wall_ms)
    assert peer.connection.raised
    peer.send(ListMessage(1))
    assert [(u.user_id, u.online) for u in peer.expect(Users).users] == [("ali", True)]
    peer.hang_up()
    world.restart()
    assert isinstance(world.connect().login(ali, user_id="ALI"), Welcome)


@pytest.mark.parametrize("mode", ["open", "invite", "closed"])
def test_the_mode_of_registration(make_world: Callable[..., World], mode: str) -> None:
    """Open to all, by invite, or to nobody; the greeting says which."""
    world = make_world(Settings(registration=mode))  # type: ignore[arg-type]
    invite = world.store.create_invite("friends", uses=1)
    peer = world.connect()
    assert peer.hello.registration == mode
    answer = peer.register(Person(world, "alice"))
    expected = {"open": None, "invite": Code.BAD_INVITE, "closed": Code.REGISTRATION_CLOSED}
    if mode == "open":
        assert isinstance(answer, Welcome)
    else:
        assert code(answer) is expected[mode]
    answer = world.connect().register(Person(world, "bob"), invite=invite)
    assert isinstance(answer, Welcome) is (mode != "closed")


def test_invites_are_counted_expire_and_can_be_revoked(make_world: Callable[..., World]) -> None:
    """Each registration uses one up; a refused name gives it back; the end is an end."""
    world = make_world(Settings(registration="invite"))
    twice = world.store.create_invite("twice", uses=2)
    brief = world.store.create_invite("brief", expires_ms=world.wall_ms + 1000)
    gone = world.store.create_invite("gone")
    listed = {invite.label: invite for invite in world.store.list_invites()}
    assert world.store.revoke_invites([listed["gone"].id]) == [listed["gone"]]
    assert not world.store.revoke_invites([listed["gone"].id, 999])

    def register(name: str, token: InviteToken) -> object:
        return world.connect().register(Person(world, name), invite=token)

    assert isinstance(register("alice", twice), Welcome)
    assert code(register("ALICE", twice)) is Code.NAME_TAKEN
    assert code(register("x", twice)) is Code.BAD_USER_ID
    assert isinstance(register("bob", twice), Welcome)
    assert code(register("carol", twice)) is Code.BAD_INVITE
    assert code(register("carol", gone)) is Code.BAD_INVITE
    world.advance(1)
    assert code(register("carol", brief)) is Code.BAD_INVITE
    used = {invite.label: invite.used for invite in world.store.list_invites()}
    assert used == {"twice": 2, "brief": 0, "gone": 0}


def test_attack_10_the_invite_is_checked_before_the_name(make_world: Callable[..., World]) -> None:
    """Without a good invite, taken, free and impossible names are all answered alike."""
    world = make_world(Settings(registration="invite"))
    invite = world.store.create_invite()
    assert isinstance(world.connect().register(Person(world, "alice"), invite=invite), Welcome)
    answers = set()
    for token in (None, InviteToken(bytes(16)), invite):  # none, wrong, used up
        for name in ("alice", "nobody", "x"):
            peer = world.connect()
            answers.add(
                (code(peer.register(Person(world, name), invite=token)), peer.connection.bye)
            )
    assert answers == {(Code.BAD_INVITE, None)}


def test_attack_10_login_answers_alike_in_the_same_time(
    make_world: Callable[..., World],
) -> None:
    """Unknown account, unknown device, impossible name, wrong signature: one answer, one time."""
    world = make_world(Settings(registration="open", logins=Rate(1e6, 1e6)))
    alice = world.person("alice")
    stranger = Person(world, "stranger")
    busy = world.person("busy")  # a full mailbox must not show either
    busy.peer.hang_up()
    alice.peer.send(*(pm("busy/main", b"x", n) for n in range(1, 3_500)))
    assert len(alice.peer.news()) == 3_499

    def login(user_id: str, device: str, sign_as: Person) -> tuple[object, str, float]:
        peer = world.connect()
        message = login_message(
            sign_as, peer.hello, peer.connection.hello_bytes, peer.connection.exporter
        )
        message = msgspec.structs.replace(message, user_id=user_id, device=device)
        start = time.perf_counter()
        peer.send_without_waiting(message)
        world.loop.run_until(lambda: peer.connection.bye is not None)
        took = time.perf_counter() - start
        peer.hang_up()
        return peer.connection.bye, peer.connection.bye_message, took

    cases = {
        "wrong signature": ("alice", "main", stranger),
        "wrong signature, mail waits": ("busy", "main", stranger),
        "unknown account": ("stranger", "main", stranger),
        "unknown device": ("alice", "phone", alice),
        "impossible name": ("x", "main", stranger),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    answers = set()
    for _ in range(60):
        for name, case in cases.items():
            said, sentence, took = login(*case)
            answers.add((said, sentence))
            times[name].append(took)
    assert len(answers) == 1
    assert answers.pop()[0] is Code.LOGIN_REFUSED
    # The lower quartile is steady on a busy machine. A signature check alone takes longer than
    # the permitted difference.
    typical = [statistics.quantiles(t, n=4)[0] for t in times.values()]
    assert max(typical) < 1.6 * min(typical), times


def test_attack_11_what_is_malformed_or_empty_is_refused(world: World) -> None:
    """An empty or zero signature, key or token never means yes."""
    alice = Person(world, "alice")
    zero = Signature(bytes(64))
    for field in ("manifest_signature", "account_signature", "device_signature"):
        peer = world.connect()
        peer.send(msgspec.structs.replace(honest(peer, alice), **{field: zero}))
        assert peer.answer() is Code.BAD_SIGNATURE
    for field in ("signed_prekey", "last_resort"):
        peer = world.connect()
        message = honest(peer, alice)
        key = msgspec.structs.replace(getattr(message, field), signature=zero)
        peer.send(msgspec.structs.replace(message, **{field: key}))
        assert peer.answer() is Code.BAD_SIGNATURE
    peer = world.connect()
    weak = msgspec.structs.replace(
        honest(peer, alice), account_key=type(alice.device.account_key)(bytes(32))
    )
    peer.send(weak)
    assert peer.answer() is Code.BAD_SIGNATURE
    peer = world.connect()
    peer.send(Login("alice", "main", 1, [], zero))
    assert peer.answer() is Code.LOGIN_REFUSED
    for raw in (b"{}", b'{"type":"login"}', b'{"type":"login","user_id":""}'):
        peer = world.connect()
        peer.raw(Frame(raw, b""))
        assert code(peer.answer()) in {Code.BAD_FIELD, Code.UNKNOWN_TYPE}
    assert not world.store.ask(lambda c: c.exec_driver_sql("SELECT 1 FROM accounts").all())
    world.person("bob")
    for signature in (zero, Signature(b"\xff" * 64), Signature(bytes(32) + b"\x01" + bytes(31))):
        peer = world.connect()
        peer.send(Login("bob", "main", 1, [], signature))
        assert peer.answer() is Code.LOGIN_REFUSED


def test_attack_11_an_empty_invite_list_admits_nobody(make_world: Callable[..., World]) -> None:
    """By invite with no invite made: nobody gets in, with or without a token."""
    world = make_world(Settings(registration="invite"))
    for token in (None, InviteToken(bytes(16)), InviteToken(system_random(16))):
        answer = world.connect().register(Person(world, "alice"), invite=token)
        assert code(answer) is Code.BAD_INVITE


def test_attack_13_one_of_a_hundred_racing_registrations_wins(
    make_world: Callable[..., World],
) -> None:
    """The name goes to exactly one of them, in whatever case it is written."""
    world = make_world(Settings(registration="invite"))
    invite = world.store.create_invite("many", uses=100)
    spellings = ["alice", "Alice", "ALICE", "aLiCe"]
    racers = []
    for n in range(100):
        peer = world.connect()
        message = honest(peer, Person(world, spellings[n % 4]), invite=invite)
        racers.append((peer, message))
    for peer, message in racers:
        peer.send_without_waiting(message)
    world.settle()
    answers = [peer.answer() for peer, _ in racers]
    assert sum(isinstance(answer, Welcome) for answer in answers) == 1
    losers = [answer for answer in answers if not isinstance(answer, Welcome)]
    assert {code(answer) for answer in losers} == {Code.NAME_TAKEN}
    assert world.store.list_invites()[0].used == 1


def test_attack_13_variants_of_a_name_are_refused(world: World) -> None:
    """Full-width, accented, Kelvin and long-s letters are no names; case variants collide."""
    world.person("kesha")
    for name in ("ｋesha", "\u212aesha", "keſha", "ke\u0301sha", "kesha\u200b", "кesha"):
        peer = world.connect()
        peer.send(honest(peer, Person(world, "kesha"), user_id=name))
        assert code(peer.answer()) is Code.BAD_USER_ID
    assert code(world.connect().register(Person(world, "KESHA"))) is Code.NAME_TAKEN


def test_attack_72_look_alike_names_collide(world: World) -> None:
    """0/o, 1/l/i and rn/m are one to the eye, so they are one to the server."""
    world.person("molly.corn")
    for name in ("m0lly.corn", "mo1ly.corn", "moily.corn", "molly.com", "rnolly.com"):
        assert code(world.connect().register(Person(world, name))) is Code.NAME_TAKEN
    assert skeleton("anna") != skeleton("hanna")
    assert isinstance(world.connect().register(Person(world, "molly.cornu")), Welcome)


def test_attack_14_nobody_publishes_the_keys_of_others(world: World) -> None:
    """C cannot register with B's manifest, account key, device or prekeys as her own."""
    bob = world.person("bob")
    for stolen in ("manifest", "account", "device", "prekeys"):
        carol = Person(world, "carol")
        peer = world.connect()
        if stolen == "prekeys":
            carol.signed_prekey, carol.last_resort = bob.signed_prekey, bob.last_resort
            peer.send(honest(peer, carol))
        elif stolen == "manifest":
            peer.send(
                msgspec.structs.replace(
                    honest(peer, carol),
                    account_key=bob.device.account_key,
                    manifest=bob.device.manifest,
                    manifest_signature=bob.device.manifest_signature,
                )
            )
        elif stolen == "account":
            peer.send(
                msgspec.structs.replace(honest(peer, carol), account_key=bob.device.account_key)
            )
        else:  # her own account lists B's device
            entry = DeviceEntry(
                carol.device.address.device,
                bob.device.signing.public,
                bob.device.dh.public,
                bob.device.mls.public,
            )
            manifest = Manifest.first(
                carol.device.address.user_id, world.store.server_id, world.wall_ms, entry
            ).encode()
            carol.device = dataclasses.replace(
                carol.device,
                manifest=manifest,
                manifest_signature=carol.account.sign(signing.manifest(manifest)),
            )
            peer.send(honest(peer, carol))
        expected = Code.BAD_KEYS if stolen == "manifest" else Code.BAD_SIGNATURE
        assert code(peer.answer()) is expected
    assert code(world.connect().login(Person(world, "carol"))) is Code.LOGIN_REFUSED


def test_attack_14_a_registration_cannot_be_relayed(world: World) -> None:
    """Signed for one connection, worthless on another: exporter and challenge are inside."""
    first, second = world.connect(), world.connect()
    alice = Person(world, "alice")
    second.send(honest(first, alice))
    assert second.answer() is Code.BAD_SIGNATURE
    second = world.connect()
    second.connection.exporter = first.connection.exporter
    second.send(honest(first, alice))
    assert second.answer() is Code.BAD_SIGNATURE
    third = world.connect()
    third.send(honest(third, alice, user_id="mallory"))
    assert code(third.answer()) in {Code.BAD_KEYS, Code.BAD_SIGNATURE}
    fourth = world.connect()  # the very greeting, passed on through another channel
    made = honest(fourth, alice)
    fourth.connection.exporter = system_random(32)
    fourth.send(made)
    assert fourth.answer() is Code.BAD_SIGNATURE


@pytest.mark.parametrize("field", ["manifest_signature", "account_signature", "device_signature"])
def test_attack_14_each_signature_of_a_registration_is_needed(world: World, field: str) -> None:
    """All is honest but one signature, which another good key made over the same bytes."""
    alice, thief = Person(world, "alice"), Person(world, "thief")
    for signer in (thief.account, thief.device.signing, alice.device.signing, alice.account):
        right = alice.device.signing if field == "device_signature" else alice.account
        if signer is right:
            continue
        peer = world.connect()
        made = honest(peer, alice)
        if field == "manifest_signature":
            forged = signer.sign(signing.manifest(alice.device.manifest))
            kept = alice.device
            alice.device = dataclasses.replace(kept, manifest_signature=forged)
            made = honest(peer, alice)  # which both keys sign with the forged one in it
            alice.device = kept
        else:
            channel = signing.Channel(
                made.version, made.features, peer.connection.exporter,
                peer.connection.hello_bytes, peer.hello.server_id, alice.device.address,
            )  # fmt: skip
            signed = signing.registration(
                channel, invite=b"", account_key=made.account_key,
                manifest=made.manifest, manifest_signature=made.manifest_signature,
                signed_prekey=made.signed_prekey, last_resort=made.last_resort,
            )  # fmt: skip
            assert getattr(made, field) == right.sign(signed), "these are the bytes that are signed"
            made = msgspec.structs.replace(made, **{field: signer.sign(signed)})
        peer.send(made)
        assert peer.answer() is Code.BAD_SIGNATURE
    assert isinstance(world.connect().register(alice), Welcome), "nothing of all that was stored"


def test_a_manifest_that_is_not_the_first_or_lists_more_is_refused(world: World) -> None:
    """A new account starts with counter 1 and the one device that registers."""
    from tests.server_core.test_keys import next_manifest

    alice = Person(world, "alice")
    put = next_manifest(alice)
    alice.device = dataclasses.replace(
        alice.device, manifest=put.manifest, manifest_signature=put.manifest_signature
    )
    assert code(world.connect().register(alice)) is Code.BAD_KEYS


def test_version_features_and_challenge_come_first(make_world: Callable[..., World]) -> None:
    """In this order, before anything is looked up; a challenge is good for one attempt."""
    world = make_world(Settings(registration="closed"))
    alice = Person(world, "alice")
    for change, expected in (
        ({"version": 2, "features": ["x"]}, Code.UNSUPPORTED_VERSION),
        ({"features": ["x"]}, Code.UNSUPPORTED_FEATURE),
    ):
        peer = world.connect()
        peer.send(msgspec.structs.replace(honest(peer, alice), **change))
        assert peer.answer() is expected
    peer = world.connect()
    assert code(peer.register(alice)) is Code.REGISTRATION_CLOSED
    assert peer.register(alice) is Code.CHALLENGE_USED
    peer = world.connect()
    world.now += world.settings.login_seconds + 0.1
    assert peer.register(alice) is Code.CHALLENGE_EXPIRED


def test_no_login_in_time_ends_the_connection(world: World) -> None:
    """A connection that never logs in is closed, with the reason."""
    peer = world.connect()
    world.advance(19)
    assert peer.connection.bye is None
    world.advance(3)
    assert peer.connection.bye is Code.LOGIN_TIMEOUT


def test_registrations_and_logins_of_an_address_are_limited(
    make_world: Callable[..., World],
) -> None:
    """One address meets a limit with a time to wait; another address does not."""
    world = make_world(
        Settings(registration="open", registrations=Rate(0.5, 1), logins=Rate(0.5, 1))
    )
    alice = world.person("alice")
    peer = world.connect()
    limited = peer.register(Person(world, "bob"))
    assert isinstance(limited, Error)
    assert limited.code is Code.RATE_LIMITED
    assert limited.retry_after == pytest.approx(2)
    assert isinstance(world.connect("2001:db8::1").register(Person(world, "bob")), Welcome)
    other = world.connect("2001:db8::2")  # the same /64
    assert code(other.register(Person(world, "carol"))) is Code.RATE_LIMITED
    assert isinstance(world.connect().login(alice), Welcome)
    assert code(world.connect().login(alice)) is Code.RATE_LIMITED


def test_a_full_disk_refuses_registrations_in_words(world: World) -> None:
    """No account is half made, and the name is still free afterwards."""
    from tests.server_core.test_delivery import full_disk

    with full_disk(world):
        answers = [world.connect().register(Person(world, f"user{n:03}")) for n in range(30)]
        assert Code.STORAGE_UNAVAILABLE in {code(a) for a in answers if not isinstance(a, Welcome)}
    refused = next(n for n, a in enumerate(answers) if not isinstance(a, Welcome))
    answer = world.connect().register(Person(world, f"user{refused:03}"))
    assert isinstance(answer, Welcome)


def test_keys_of_a_new_account_are_at_hand_at_once(world: World) -> None:
    """What a registration publishes is what others get."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.peer.send(KeysGet(1, "bob/main"))
    keys = alice.peer.expect(Keys)
    assert (keys.signed_prekey, keys.kem, keys.kem_is_last_resort) == (
        bob.signed_prekey,
        bob.last_resort,
        True,
    )
