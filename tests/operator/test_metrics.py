"""Metrics and /healthz: what Prometheus and a watchdog see of a real server, and who may look."""

import http.client
import inspect
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from secure_chat.errors import BadSetting, Code, StorageUnavailable
from secure_chat.protocol.messages import Error, Login
from secure_chat.protocol.wiretypes import Signature
from secure_chat.server import certificates, config
from secure_chat.server.counters import COMMIT_BUCKETS, Counters
from secure_chat.server.liveness import Health
from tests.operator.conftest import Operator, Running
from tests.support.raw_client import RawClient
from tests.support.waiting import wait_for
from tests.support.wire import Wire

pytestmark = pytest.mark.timeout(400)


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def watched(operator: Operator, *words: str) -> Iterator[tuple[Running, int]]:
    """A server with metrics, and their port."""
    port = free_port()
    running = operator.start("--registration", "open", "--metrics", f"127.0.0.1:{port}", *words)
    yield running, port


def get(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def samples(port: int) -> dict[str, float]:
    """Every sample under its name and labels, parsed as Prometheus parses them."""
    status, text = get(port, "/metrics")
    assert status == 200
    found = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(one.labels.items()))
            found[f"{one.name}{{{labels}}}"] = one.value
    return found


def test_the_numbers_are_what_happened(operator: Operator) -> None:
    """Messages, logins, refusals by code, sizes, commits: each counted, and none by person."""
    with watched(operator) as (running, port), RawClient.register(running.port, "zebedee") as one:
        with RawClient.register(running.port, "yolanda"):
            pass
        one.pm("yolanda/main", b"x" * 500)
        one.put("nobody/main", b"x")
        one.wire.expect(Error)
        with Wire(running.port) as stranger:
            stranger.send(Login("zebedee", "main", 1, [], Signature(bytes(64))))
            stranger.expect_closed()
        with socket.create_connection(("127.0.0.1", running.port)) as noise:
            noise.sendall(b"GET / HTTP/1.0\r\n\r\n")
            noise.settimeout(20)
            noise.recv(100)
        found = samples(port)
        assert found["secure_chat_connections{}"] == 1
        assert found["secure_chat_logged_in{}"] == 1
        assert found["secure_chat_logins_total{}"] == 2
        assert (
            found["secure_chat_messages_accepted_total{}"]
            == found["secure_chat_messages_stored_total{}"]
            == 1
        )
        assert found["secure_chat_requests_refused_total{code=unknown_user}"] == 1
        assert found["secure_chat_connections_closed_total{code=login_refused}"] == 1
        assert found["secure_chat_handshakes_failed_total{}"] == 1
        assert found["secure_chat_accounts{}"] == 2
        assert found["secure_chat_mailbox_messages{}"] == 1
        assert found["secure_chat_mailbox_bytes{}"] == 500
        assert found["secure_chat_received_bytes_total{}"] > 500
        assert found["secure_chat_sent_bytes_total{}"] > 500
        assert found["secure_chat_queue_length{queue=messages}"] == 0
        commits = found["secure_chat_commits_total{}"]
        assert found["secure_chat_commit_duration_seconds_count{}"] == commits >= 3
        assert found["secure_chat_commit_duration_seconds_bucket{le=+Inf}"] == commits
        assert found["secure_chat_commit_duration_seconds_sum{}"] > 0
        if Path("/proc/self/stat").exists():
            assert found["process_resident_memory_bytes{}"] > 10_000_000
        text = get(port, "/metrics")[1]
        labels = set(re.findall(r"[{,](\w+)=", text))
        assert labels == {"code", "version", "queue", "le"}
        for personal in ("zebedee", "yolanda", "127.0.0.1"):
            assert personal not in text


def test_every_counter_is_exported_as_prometheus_names_things(operator: Operator) -> None:
    """What is described in counters.py is scraped; a later counter comes by itself.

    Names, units and texts follow Prometheus's conventions (and pass promtool, where it is there).
    """
    with watched(operator) as (_, port):
        text = get(port, "/metrics")[1]
    told = re.findall(r'_told\(\s*"(\w+)"', inspect.getsource(Counters))
    assert len(told) > 10
    for name in told:
        assert f"# TYPE secure_chat_{name}_total counter" in text, name
    ours = dict(re.findall(r"^# TYPE (secure_chat_\w+) (\w+)$", text, re.MULTILINE))
    for name, kind in ours.items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(ms|kib|mib|minutes|days)(_|$)", name)
        (help_text,) = re.findall(rf"^# HELP {name} (.*)$", text, re.MULTILINE)
        assert re.fullmatch(r"[A-Z].*\.", help_text), help_text
    assert f'requests_refused_total{{code="{Code.OVERLOADED}"}} 0.0' in text  # before the first
    if shutil.which("promtool"):
        lint = ["promtool", "check", "metrics"]
        done = subprocess.run(lint, input=text, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_well_server_is_well(operator: Operator) -> None:
    """200 and a word; other paths and methods are refused, and noise harms nothing."""
    with watched(operator) as (_, port):
        assert get(port, "/healthz") == (200, "ok\n")
        assert get(port, "/")[0] == 404
        assert get(port, "/metrics", "POST")[0] == 501
        with socket.create_connection(("127.0.0.1", port)):  # says nothing, and holds nobody up
            assert get(port, "/healthz")[0] == 200
        for noise in (b"\x16\x03\x01\x02\x00", b"GET " + b"a" * 100_000 + b"\r\n\r\n", b"\r\n"):
            with socket.create_connection(("127.0.0.1", port)) as other:
                other.sendall(noise)
        assert get(port, "/healthz")[0] == 200


class _Patient:
    """A running server of which a test says what answers."""

    def __init__(self) -> None:
        self.is_serving = True
        self.turns = True
        self.written: Any = None
        self.reads = True
        self.asked = 0

    def call_soon(self, call: Callable[[], None]) -> None:
        self.asked += 1
        if self.turns:
            call()

    def probe(self, written: Callable[[object], None], read: Callable[[object], None]) -> None:
        written(self.written)
        if self.reads:
            read(None)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"is_serving": False}, "The network threads have ended."),
        ({"turns": False}, "The network loop: no answer within 0.1 seconds."),
        ({"written": StorageUnavailable()}, "Writing to the disk: it fails."),
        ({"reads": False}, "Reading from the store: no answer within 0.1 seconds."),
    ],
)
def test_an_ill_server_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], said: str
) -> None:
    """A loop that hangs, a disk that fails, threads that ended: each in words."""
    monkeypatch.setattr("secure_chat.server.liveness._PATIENCE", 0.1)
    patient = _Patient()
    health = Health(patient, patient)  # type: ignore[arg-type]
    assert health.complaints() == []
    for name, value in fault.items():
        setattr(patient, name, value)
    health._looked_at = float("-inf")
    assert health.complaints() == [said]


def test_many_questions_cost_one_look() -> None:
    """Each look costs an fsync: whoever asks soon after gets the answer of before."""
    patient = _Patient()
    health = Health(patient, patient)  # type: ignore[arg-type]
    for _ in range(50):
        health.complaints()
    assert patient.asked == 1


def test_a_full_disk_is_unwell(operator: Operator) -> None:
    """A real server whose database cannot grow answers 503 in words; `stats --running` fails."""
    if not Path("/proc").exists():
        pytest.skip("limits the size of files by /proc and prlimit")
    resource = pytest.importorskip("resource")
    with watched(operator) as (running, port):
        assert get(port, "/healthz")[0] == 200
        before = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (0, before[1]))
        wait_for(lambda: get(port, "/healthz")[0] == 503, 30, "the disk's trouble shows")
        assert "Writing to the disk" in get(port, "/healthz")[1]
        shown = operator.run("stats", "--running")  # what the container's check asks
        assert shown.returncode == 1
        assert "trouble" in shown.stdout
        assert "Writing to the disk: it fails." in shown.stdout
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, before)
        wait_for(lambda: get(port, "/healthz")[0] == 200, 30, "it is well again")
        assert operator.run("stats", "--running").returncode == 0


def test_a_server_warns_of_its_certificates_dates(operator: Operator) -> None:
    """At the start, and in a metric: who never runs ``check`` sees it all the same."""
    certificates.generate(operator.files.folder, days=7, force=True)
    with watched(operator) as (running, port):
        wait_for(lambda: any("expires on" in line for line in running.log), 30, "it warns")
        shown = samples(port)["secure_chat_certificate_expiry_timestamp_seconds{}"]
        assert 6 < (shown - time.time()) / 86_400 < 8
        assert get(port, "/healthz", "HEAD") == (200, "")


def test_only_loopback_unless_it_is_asked_for() -> None:
    """Another address is refused in words, unless a second setting says that it is meant."""
    for place in ("127.0.0.1:9090", "[::1]:9090", "localhost:9090", "127.8.9.1:1"):
        assert config.load(None, {"metrics": place}).metrics == place
    for place in ("0.0.0.0:9090", "192.0.2.1:9090", "[::]:9090", "chat.example.org:9090"):
        with pytest.raises(BadSetting, match="not loopback"):
            config.load(None, {"metrics": place})
        config.load(None, {"metrics": place, "metrics_anywhere": True})
    for nonsense in ("9090", "nowhere", "a/b:1", ":1"):
        with pytest.raises(BadSetting, match="HOST:PORT"):
            config.load(None, {"metrics": nonsense})


def test_without_the_setting_nothing_listens(operator: Operator) -> None:
    """Off by default; a port in use is one line at the start."""
    running = operator.start("--registration", "open")
    assert not any("metrics" in line for line in running.log)
    done = operator.command(
        "--port", "0", *operator.settings(), "--metrics", f"127.0.0.1:{running.port}",
        "--data-dir", str(operator.folder / "other"),
    )  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert str(running.port) in done.stderr


def test_addresses_are_logged_only_when_asked_for(operator: Operator) -> None:
    """With --log-addresses the line of a refused login says from where; else nothing does."""
    for option, expected in (("--no-log-addresses", False), ("--log-addresses", True)):
        running = operator.start("--registration", "open", "--log-format", "json", option)
        with Wire(running.port) as stranger:
            stranger.send(Login("nobody", "main", 1, [], Signature(bytes(64))))
            stranger.expect_closed()
        running.stop()
        lines = [json.loads(line) for line in running.log]
        told = next(line for line in lines if line["message"] == "a connection was refused")
        assert told["code"] == "login_refused"
        assert (told.get("peer") == "127.0.0.1") is expected
        assert ("127.0.0.1" in "".join(running.log)) is expected


def test_commit_times_fall_into_their_classes() -> None:
    """Each commit is in the class of the first bound that is not below it."""
    counters = Counters()
    for seconds in (0.0, 0.001, 0.0011, 4.0, 60.0):
        counters.committed(seconds)
    assert counters.commit_times[0] == 2
    assert counters.commit_times[1] == 1
    assert counters.commit_times[len(COMMIT_BUCKETS) - 1] == 1
    assert counters.commit_times[-1] == 1
    assert counters.commits == sum(counters.commit_times) == 5
    assert time.monotonic() >= counters.started
