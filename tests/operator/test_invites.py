"""``secure-chat-server invite``: made, listed, revoked, with and without a running server."""

import json
from typing import Any

import pytest

from secure_chat.errors import Code
from secure_chat.protocol.invite import InviteLink
from secure_chat.protocol.messages import Error
from secure_chat.protocol.wiretypes import InviteToken
from secure_chat.server.store.invites import Invite
from tests.operator.conftest import Operator
from tests.support.accounts import Account
from tests.support.raw_client import RawClient
from tests.support.wire import Wire

pytestmark = pytest.mark.timeout(400)


def listed(operator: Operator, *words: str) -> list[dict[str, Any]]:
    done = operator.run("invite", "list", "--json", *words)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def token_of(operator: Operator, *words: str) -> InviteToken:
    token = InviteLink.parse(operator.invite(*words).stdout.strip()).invite
    assert token is not None
    return token


def refusal(port: int, token: InviteToken) -> Code:
    """The answer to a registration that must not succeed."""
    with Wire(port) as wire:
        wire.send(Account.new("somebody", wire.hello.server_id).register(wire, token))
        answer = wire.receive().message
        assert isinstance(answer, Error)
        return answer.code


def test_an_invite_is_counted_and_can_be_revoked_while_the_server_runs(operator: Operator) -> None:
    """Each registration counts at once; a revoked link admits nobody from that moment on."""
    running = operator.start()
    token = token_of(operator, "--uses", "3", "--label", "family")
    with RawClient.register(running.port, "first", token):
        pass
    (one,) = listed(operator)
    assert (one["label"], one["used"], one["uses"], one["state"]) == ("family", 1, 3, "open")
    done = operator.run("invite", "revoke", str(one["id"]))
    assert (done.returncode, done.stdout) == (0, "Revoked 1 invite.\n")
    assert refusal(running.port, token) is Code.BAD_INVITE
    assert listed(operator) == []
    (one,) = listed(operator, "--all")
    assert (one["used"], one["state"]) == (1, "revoked")


def test_invites_are_listed_and_revoked_without_a_server(operator: Operator) -> None:
    """The same commands work on the data folder alone; a label names all that carry it."""
    for label in ("Alice", "Bob", "Bob"):
        operator.invite("--label", label)
    assert [one["label"] for one in listed(operator)] == ["Alice", "Bob", "Bob"]
    done = operator.run("invite", "revoke", "--label", "Bob")
    assert done.stdout == "Revoked 2 invites.\n"
    assert [one["label"] for one in listed(operator)] == ["Alice"]


def test_what_could_not_be_revoked_is_said(operator: Operator) -> None:
    """Good numbers are done, the others are named, and the exit code tells scripts."""
    operator.invite()
    done = operator.run("invite", "revoke", "1", "7")
    assert done.returncode == 2
    assert done.stdout == "Revoked 1 invite.\n"
    assert "no invite 7 that could be revoked" in done.stderr
    assert "no invite label 'Bob'" in operator.run("invite", "revoke", "--label", "Bob").stderr


def test_attack_76_no_list_shows_a_token(operator: Operator) -> None:
    """Of a link only the hash of its token is kept: neither the list nor the folder has more."""
    link = operator.invite("--label", "for Alice").stdout.strip()
    secret = link.rpartition("=")[2]
    token = InviteLink.parse(link).invite
    assert token is not None
    shown = operator.run("invite", "list", "--all")
    assert "for Alice" in shown.stdout
    assert "ID  LABEL" in shown.stdout
    assert secret not in shown.stdout + operator.run("invite", "list", "--all", "--json").stdout
    held = b"".join(path.read_bytes() for path in operator.data.rglob("*") if path.is_file())
    assert bytes(token) not in held
    assert secret.encode() not in held


@pytest.mark.parametrize(
    ("invite", "state"),
    [
        (Invite(1, "", 1, 0, None, revoked=False), "open"),
        (Invite(1, "", 1, 0, 1001, revoked=False), "open"),
        (Invite(1, "", 1, 0, 1000, revoked=False), "expired"),
        (Invite(1, "", 2, 2, None, revoked=False), "used up"),
        (Invite(1, "", 2, 2, 1000, revoked=True), "revoked"),
    ],
)
def test_the_state_of_an_invite(invite: Invite, state: str) -> None:
    """At the millisecond of its expiry an invite is worthless, as for a registration."""
    assert invite.state(1000) == state
