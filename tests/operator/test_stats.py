"""``secure-chat-server stats``: numbers that agree with what happened, and tell of no person."""

import json
from typing import Any

import pytest

from secure_chat.errors import Code
from secure_chat.protocol.messages import Error
from secure_chat.server.counters import Counters
from tests.operator.conftest import Operator
from tests.support.raw_client import RawClient
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)


def stats(operator: Operator) -> dict[str, Any]:
    done = operator.run("stats", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_numbers_are_what_happened(operator: Operator) -> None:
    """A message to somebody absent, one refused, one delivered: each is counted once."""
    running = operator.start("--registration", "open")
    with RawClient.register(running.port, "bob"):
        pass
    with RawClient.register(running.port, "alice") as alice:
        wait_for(lambda: stats(operator)["now"]["connections"] == 1, 30, "bob has left")
        alice.pm("bob/main", b"x" * 100)
        alice.put("nobody/main", b"x")
        refused = alice.wire.expect(Error)
        assert refused.code is Code.UNKNOWN_USER
        found = stats(operator)
    held, now = found["held"], found["now"]
    assert (held["accounts"], held["devices"], held["disabled"]) == (2, 2, 0)
    assert (held["queued_messages"], held["queued_bytes"]) == (1, 100)
    assert (now["connections"], now["logged_in"], now["logins"], now["handshakes"]) == (1, 1, 2, 2)
    assert (now["accepted"], now["delivered"], now["stored"]) == (1, 0, 1)
    assert now["refusals"] == {"unknown_user": 1}
    assert now["commits"] >= 3
    assert found["database_bytes"] > 0
    assert found["disk_free_bytes"] > 0
    assert now["memory_bytes"] is None or now["memory_bytes"] > 1_000_000


def test_delivered_messages_are_counted_when_acknowledged(operator: Operator) -> None:
    """A pushed message is accepted and delivered without ever being written."""
    running = operator.start("--registration", "open")
    with RawClient.register(running.port, "bob") as bob:
        with RawClient.register(running.port, "alice") as alice:
            alice.put("bob/main", b"hello")
            delivery, _ = bob.next_delivery()
            assert delivery.seq
            bob.ack(delivery.seq)
            wait_for(lambda: stats(operator)["now"]["delivered"] == 1, 30, "it is counted")
        assert stats(operator)["now"]["accepted"] == 1


def test_stats_without_a_server(operator: Operator) -> None:
    """What lies in the folder is told, and that no server runs."""
    operator.invite()
    found = stats(operator)
    assert found["now"] is None
    assert found["held"]["open_invites"] == 1
    assert "not running" in operator.run("stats").stdout


def test_stats_for_people(operator: Operator) -> None:
    """Every line has a name and a value; no account is named."""
    running = operator.start("--registration", "open")
    with RawClient.register(running.port, "alice"):
        shown = operator.run("stats").stdout
    lines = dict(line.split("  ", 1) for line in shown.splitlines())
    assert lines["connections"].strip() == "1; 1 logged in, 0 handshakes under way"
    assert lines["accounts"].strip() == "1; 1 device"
    assert "alice" not in shown


def test_every_counter_is_described() -> None:
    """Whoever reads the counters, here or by metrics, finds what each one counts."""
    hints = Counters.__annotations__
    assert all(
        hint.__metadata__[0].description for name, hint in hints.items() if name != "started"
    )
