"""What operators scrape: `/metrics` for Prometheus and `/healthz` for whoever restarts the server.

Everything is read when somebody asks, from counters that cost the server next to nothing. No metric
has a label that names a person or an address. The listener is plain HTTP on loopback, unless the
operator asks for another place by two settings.
"""

import collections
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated, Any, ClassVar, Final, get_args, get_origin, get_type_hints

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from secure_chat import __version__, tls
from secure_chat.errors import BadCertificateFile, Code, ListenFailed
from secure_chat.protocol.invite import ServerAddress
from secure_chat.server import machine
from secure_chat.server.bugs import note_bug
from secure_chat.server.commands.operation import Place, Running
from secure_chat.server.counters import COMMIT_BUCKETS, Counters
from secure_chat.server.liveness import Health
from secure_chat.server.store import database, overview
from secure_chat.server.store.overview import Held

_PREFIX: Final = "secure_chat_"
_HELD_SECONDS: Final = 60.0  # counting a large store takes a while
_REQUEST_SECONDS: Final = 5.0

log = logging.getLogger(__name__)


# ---------------------------------------------------------------- what is told


class _Numbers(Collector):
    """The server's numbers at this moment."""

    def __init__(self, place: Place, running: Running) -> None:
        self._place = place
        self._running = running
        self._held: Held | None = None
        self._held_at = 0.0

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        counters = self._place.store.counters
        yield from _counted(counters)
        yield _commits(counters)
        yield from self._gauges()
        yield from self._stored()

    def _gauges(self) -> Iterator[Metric]:
        store, running = self._place.store, self._running
        info = GaugeMetricFamily(
            f"{_PREFIX}build_info", "The program's version.", labels=["version"]
        )
        info.add_metric([__version__], 1)
        yield info
        yield _gauge("uptime_seconds", "Time since the server's start.", store.counters.uptime)
        yield _gauge(
            "connections", "Connections that stand, logged in or not.", running.net.connections
        )
        yield _gauge("logged_in", "Devices that are logged in.", running.hub.logged_in)
        yield _gauge(
            "handshakes_under_way", "TLS handshakes that have begun.", running.net.handshakes
        )
        with contextlib.suppress(BadCertificateFile):
            ends = tls.load_certificates(self._place.config.cert)[0].not_valid_after_utc
            text = "When the certificate expires, in seconds since 1970."
            yield _gauge("certificate_expiry_timestamp_seconds", text, ends.timestamp())
        queues = GaugeMetricFamily(
            f"{_PREFIX}queue_length", "Work that waits for a thread of the store.", labels=["queue"]
        )
        for name, length in store.queues().items():
            queues.add_metric([name], length)
        yield queues

    def _stored(self) -> Iterator[Metric]:
        held = self._fresh_held()
        yield _gauge("accounts", "Accounts, disabled ones too.", held.accounts)
        yield _gauge("accounts_disabled", "Accounts that the operator has disabled.", held.disabled)
        yield _gauge("devices", "Devices of all accounts.", held.devices)
        yield _gauge(
            "mailbox_messages", "Messages that wait on disk for their device.", held.queued_messages
        )
        yield _gauge(
            "mailbox_bytes", "Encrypted bytes of the messages that wait.", held.queued_bytes
        )
        folder = self._place.store.folder
        file = database.file_of(folder)
        yield _gauge("database_bytes", "Size of the database.", machine.file_bytes(file))
        log_file = file.with_name(file.name + "-wal")
        yield _gauge(
            "database_log_bytes",
            "Size of the database's write-ahead log.",
            machine.file_bytes(log_file),
        )
        yield _gauge(
            "disk_free_bytes", "Room on the disk of the database.", machine.free_bytes(folder)
        )

    def _fresh_held(self) -> Held:
        now = time.monotonic()
        if self._held is None or now - self._held_at > _HELD_SECONDS:
            store = self._place.store
            self._held = store.examine(lambda db: overview.held(db, store.clock.now_ms()))
            self._held_at = now
        return self._held


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


def _counted(counters: Counters) -> Iterator[Metric]:
    """The numbers in `Counters`, and the numbers by code; `_commits` tells of the rest."""
    for name, hint in get_type_hints(Counters, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            continue
        kind, meta = get_args(hint)
        value = getattr(counters, name)
        if kind is int:
            yield CounterMetricFamily(f"{_PREFIX}{meta.title}", meta.description, value=value)
        elif get_origin(kind) is collections.Counter:
            by_code = CounterMetricFamily(
                f"{_PREFIX}{meta.title}", meta.description, labels=["code"]
            )
            counts = value.copy()
            for code in Code:  # those that did not happen too, so that the first one shows as one
                by_code.add_metric([str(code)], counts[code])
            yield by_code


def _commits(counters: Counters) -> Metric:
    """Commit latency as a histogram."""
    total = 0
    buckets = []
    counts = list(counters.commit_times)
    for bound, count in zip((*map(str, COMMIT_BUCKETS), "+Inf"), counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return HistogramMetricFamily(
        f"{_PREFIX}commit_duration_seconds",
        "Time that a commit took, with its fsync.",
        buckets=buckets,
        sum_value=counters.commit_seconds,
    )


# ---------------------------------------------------------------- the listener


class MetricsServer:
    """Serves both on a thread of its own until `stop`."""

    def __init__(self, address: ServerAddress, place: Place, running: Running) -> None:
        """Listen. Raises `ListenFailed`."""
        registry = CollectorRegistry()
        registry.register(_Numbers(place, running))
        ProcessCollector(registry=registry)
        health = running.health

        class Handler(_Handler):
            pages: ClassVar = {
                "/metrics": lambda: (200, CONTENT_TYPE_LATEST, generate_latest(registry)),
                "/healthz": lambda: _health_page(health),
            }

        try:
            self._server = _Listener(address, Handler)
        except OSError as wrong:
            reason = (wrong.strerror or str(wrong)).lower()
            raise ListenFailed(address=str(address), reason=reason) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()
        log.info("metrics on port %d", self.port)

    def stop(self) -> None:
        """End the thread and close the listener."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(_REQUEST_SECONDS)
        self._server.server_close()


def _health_page(health: Health) -> tuple[int, str, bytes]:
    complaints = health.complaints()
    text = "\n".join(complaints) if complaints else "ok"
    return (503 if complaints else 200), "text/plain; charset=utf-8", f"{text}\n".encode()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, address: ServerAddress, handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in address.host:
            self.address_family = socket.AF_INET6
        self._room = threading.BoundedSemaphore(8)  # requests at once
        super().__init__((address.host, address.port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, *_: object) -> None:
        """Somebody went away in the middle."""
        log.debug("a request for metrics failed")


class _Handler(BaseHTTPRequestHandler):
    timeout = _REQUEST_SECONDS  # for the request to arrive
    server_version = "secure_chat"
    sys_version = ""
    pages: ClassVar[dict[str, Callable[[], tuple[int, str, bytes]]]] = {}

    def do_HEAD(self) -> None:  # the name that http.server calls
        """As a GET, without the page: some watchers ask so."""
        self.do_GET()

    def do_GET(self) -> None:  # the name that http.server calls
        """One of the two pages, or 404."""
        page = self.pages.get(self.path.partition("?")[0])
        if page is None:
            self.send_error(404)
            return
        try:
            status, kind, body = page()
        except Exception as bug:
            note_bug(bug, "metrics cannot be collected")
            status, kind, body = 500, "text/plain", b"the numbers cannot be read\n"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody's address goes to the log."""
