"""Registration and login: what a stranger can learn, replay, relay or take over."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from secure_chat.errors import Code
from secure_chat.protocol import messages, signing
from secure_chat.protocol.messages import encode_header
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import InviteToken, Signature
from tests.support.accounts import Account
from tests.support.processes import ServerProcess
from tests.support.raw_client import RawClient
from tests.support.wire import Wire

_WRONG_INVITE = InviteToken(b"\x01" * 16)


@pytest.fixture(scope="module")
def known(server: ServerProcess) -> Account:
    """An account that exists."""
    with RawClient.register(server.port, "known") as client:
        return client.account


@pytest.fixture(scope="module")
def by_invite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that asks for invites."""
    folder = tmp_path_factory.mktemp("by-invite")
    with ServerProcess(folder, registration="invite") as running:
        yield running


def refusal(wire: Wire, message: messages.Message) -> tuple[Code, str]:
    """What the server answers; the two things that a stranger can compare."""
    wire.send(message)
    error = wire.receive().message
    assert isinstance(error, messages.Error | messages.Bye), error
    return error.code, error.message


def refused_login(port: int, account: Account, signer: Account) -> tuple[tuple[Code, str], float]:
    """The refusal and how long it took."""
    with Wire(port) as wire:
        signature = signer.device.signing.sign(account.login_bytes(wire))
        begun = time.perf_counter()
        said = refusal(wire, account.login(wire, signature))
        return said, time.perf_counter() - begun


def test_attack_10_the_invite_is_checked_before_the_name(by_invite: ServerProcess) -> None:
    """Without a valid invite a taken name, a free one and a bad one get the same answer."""
    token = by_invite.new_invite()
    with RawClient.register(by_invite.port, "taken", token):
        pass
    answers = set()
    for name in ("taken", "free-name"):
        for invite in (_WRONG_INVITE, token, None):  # the token is used up
            with Wire(by_invite.port) as wire:
                account = Account.new(name, wire.hello.server_id)
                answers.add(refusal(wire, account.register(wire, invite)))
    assert len(answers) == 1
    assert answers.pop()[0] is Code.BAD_INVITE


def test_attack_10_a_login_tells_nothing_about_names(server: ServerProcess, known: Account) -> None:
    """An unknown name and a wrong key get the same answer in the same time."""
    with Wire(server.port) as wire:
        stranger = Account.new("nobody-here", wire.hello.server_id)
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    answers = set()
    for _ in range(40):  # taken in turns, so that both meet the same load
        for kind, account in (("known", known), ("unknown", stranger)):
            said, seconds = refused_login(server.port, account, stranger)
            answers.add(said)
            times[kind].append(seconds)
    assert len(answers) == 1
    assert answers.pop()[0] is Code.LOGIN_REFUSED
    one, other = (statistics.median(times[kind]) for kind in times)
    assert abs(one - other) < 0.25 * max(one, other) + 0.001


def test_attack_10_fields_that_nobody_declared_are_refused(server: ServerProcess) -> None:
    """`"admin":true` in a registration is named and refused, and no account comes of it."""
    with Wire(server.port) as wire:
        account = Account.new("climber", wire.hello.server_id)
        header = encode_header(account.register(wire))
        wire.send_header(header[:-1] + b',"admin":true}')
        error = wire.expect_error(Code.BAD_FIELD)
        assert "admin" in error.message
    with RawClient.register(server.port, "climber"):  # the name is still free
        pass


def test_attack_12_a_login_cannot_be_replayed(server: ServerProcess, known: Account) -> None:
    """The bytes of a good login are worthless on every other connection, and a second time."""
    with Wire(server.port) as wire:
        transcript = encode_header(known.login(wire))
        wire.send_header(transcript)
        wire.expect(messages.Welcome)
        wire.send_header(transcript)
        wire.expect_error(Code.ALREADY_LOGGED_IN)
    for _ in range(3):
        with Wire(server.port) as thief:
            thief.send_header(transcript)
            assert thief.expect_closed() is Code.LOGIN_REFUSED


def test_attack_12_a_registration_cannot_be_replayed(server: ServerProcess) -> None:
    """Neither can a registration that the server has never seen."""
    with Wire(server.port) as wire, Wire(server.port) as thief:
        account = Account.new("replayed", wire.hello.server_id)
        thief.send(account.register(wire))
        assert thief.expect_closed() is Code.BAD_SIGNATURE
        wire.send(account.register(wire))
        wire.expect(messages.Welcome)


def test_attack_12_a_login_cannot_be_relayed_through_another_channel(
    server: ServerProcess, known: Account
) -> None:
    """A machine in the middle passes on greeting and proof: the proof is of the wrong channel.

    The victim's TLS connection ends at the thief, who shows it the real server's greeting.
    """
    with Wire(server.port) as thief, Wire(server.port) as victims_channel:
        victims_channel.hello_bytes = thief.hello_bytes  # what the thief showed the victim
        victims_channel.hello = thief.hello
        thief.send(known.login(victims_channel))
        assert thief.expect_closed() is Code.LOGIN_REFUSED


def test_attack_12_a_login_at_one_server_is_none_at_another(
    server: ServerProcess, by_invite: ServerProcess
) -> None:
    """The same keys on two servers: what was signed for one does not open the other."""
    token = by_invite.new_invite()
    with Wire(server.port) as here, Wire(by_invite.port) as there:
        account = Account.new("traveller", here.hello.server_id)
        elsewhere = Account.new("traveller", there.hello.server_id)
        here.send(account.register(here))
        here.expect(messages.Welcome)
        there.send(elsewhere.register(there, token))
        there.expect(messages.Welcome)
    with Wire(server.port) as here, Wire(by_invite.port) as there:
        assert account.login_bytes(here) != elsewhere.login_bytes(there)
        here.send(account.login(there))  # signed by the right key, for the other server
        assert here.expect_closed() is Code.LOGIN_REFUSED


def test_attack_12_signatures_for_other_purposes_open_nothing(
    server: ServerProcess, known: Account
) -> None:
    """Everything else that a device key signs is refused as a login, over this very channel."""
    with Wire(server.port) as wire:
        server_id = wire.hello.server_id
    prekey = known.signed_prekey
    others: dict[str, Callable[[Wire], bytes]] = {
        "registration": known.registration_bytes,
        "manifest": lambda wire: signing.manifest(known.device.manifest),
        "prekey": lambda wire: signing.prekey(
            PrekeyKind.SIGNED_X25519, known.address, server_id, prekey.id, prekey.key,
            prekey.expires,
        ),
        "bare channel": lambda wire: wire.exporter + wire.hello_bytes,
        "login of another device": Account.new("someone", server_id).login_bytes,
    }  # fmt: skip
    for signed in others.values():
        with Wire(server.port) as wire:
            wire.send(known.login(wire, known.device.signing.sign(signed(wire))))
            assert wire.expect_closed() is Code.LOGIN_REFUSED
    with Wire(server.port) as wire:
        wire.send(known.login(wire, Signature(bytes(64))))
        assert wire.expect_closed() is Code.LOGIN_REFUSED


def test_attack_14_keys_of_another_account_cannot_be_published(
    server: ServerProcess, known: Account
) -> None:
    """C takes B's account key and manifest: without B's private keys there is no registration."""
    with Wire(server.port) as wire:
        mallory = Account.new("mallory", wire.hello.server_id)
        honest = mallory.register(wire)
    stolen: dict[str, dict[str, Any]] = {
        "account key": {"account_key": known.device.account_key},
        "manifest": {
            "manifest": known.device.manifest,
            "manifest_signature": known.device.manifest_signature,
        },
        "all of the account": {
            "account_key": known.device.account_key,
            "manifest": known.device.manifest,
            "manifest_signature": known.device.manifest_signature,
        },
        "signed prekey": {"signed_prekey": known.signed_prekey},
        "last-resort key": {"last_resort": known.last_resort},
    }
    for fields in stolen.values():
        with Wire(server.port) as wire:
            facts = {name: getattr(honest, name) for name in honest.__struct_fields__} | fields
            unsigned = messages.Register(**facts)
            signed = signing.registration(
                mallory.channel(wire), invite=b"",
                account_key=unsigned.account_key, manifest=unsigned.manifest,
                manifest_signature=unsigned.manifest_signature,
                signed_prekey=unsigned.signed_prekey, last_resort=unsigned.last_resort,
            )  # fmt: skip
            facts["account_signature"] = mallory.signing_key.sign(signed)
            facts["device_signature"] = mallory.device.signing.sign(signed)
            code, _words = refusal(wire, messages.Register(**facts))
            assert code in {Code.BAD_SIGNATURE, Code.BAD_KEYS}
    with RawClient.register(server.port, "mallory"):  # nothing of all that was stored
        pass
