"""The whole server put together: store, core, network and the operator's door.

Whoever needs another part in one place (a demonstration, a test) subclasses `Server`; the server
itself has no option that could look into what it carries.
"""

import logging
import threading
from typing import TYPE_CHECKING, Self

from OpenSSL import SSL

from secure_chat import tls
from secure_chat.errors import DataFolderUnusable
from secure_chat.protocol.invite import ServerAddress
from secure_chat.protocol.limits import DAY, MIB
from secure_chat.server import links, logs, machine, rotation
from secure_chat.server.admin import AdminServer
from secure_chat.server.commands.operation import AnyOperation, door_commands
from secure_chat.server.config import Config, metrics_address, reloaded
from secure_chat.server.core.hub import Hub
from secure_chat.server.core.settings import Rate, Settings, blob_size_of
from secure_chat.server.interfaces import Core, Loop
from secure_chat.server.liveness import Health
from secure_chat.server.net.server import NetServer
from secure_chat.server.net.settings import fitted
from secure_chat.server.store import Store

if TYPE_CHECKING:
    from secure_chat.server.metrics import MetricsServer

log = logging.getLogger(__name__)

Operations = tuple[AnyOperation, ...]


class Server:
    """A server that runs between `start` and `stop`; the `Place` of its operator's commands."""

    def __init__(self, config: Config, operations: Operations = ()) -> None:
        """Check the certificate, open the store.

        Raises `BadCertificateFile`, `DataFolderInUse`, `DataFolderTooNew`, `DataFolderUnusable`,
        `ListenFailed` (the metrics).
        """
        self.config = config
        self.certificate = ""  # SHA-256 of what new connections are shown
        self._reloading = threading.Lock()
        self._operations = operations
        _settle(config)
        tls.server_context(config.cert, config.key)  # a bad one is said before anything is opened
        self._admin: AdminServer | None = None
        self.store = Store.open(config.data_dir)
        try:
            self.net = NetServer(
                (config.host, config.port),
                self._context,
                self.make_core,
                fitted(config.connections, machine.open_files()),
                counters=self.store.counters,
            )
            self.health = Health(self.store, self.net)
            self._metrics = self._make_metrics()
        except BaseException:
            self.store.close()
            raise

    def _make_metrics(self) -> "MetricsServer | None":
        if not self.config.metrics:
            return None
        from secure_chat.server.metrics import MetricsServer  # most servers do without it

        place = metrics_address(self.config.metrics, anywhere=self.config.metrics_anywhere)
        return MetricsServer(place, self, self)

    def make_core(self, loop: Loop) -> Core:
        """The core that the network serves."""
        self.hub = Hub(self.store, loop, core_settings(self.config))
        return self.hub

    def _context(self) -> SSL.Context:
        """For new connections: from the files of now."""
        context = tls.server_context(self.config.cert, self.config.key)
        self.certificate = tls.fingerprint(tls.load_certificates(self.config.cert)[0])
        return context

    def reload(self, new: Config) -> None:
        """Follow other settings, and read the certificate anew for new connections.

        Those that stand go on as they are. Raises `BadCertificateFile`; nothing is changed then.
        Thread-safe; not for the I/O thread.
        """
        with self._reloading:
            before = self.config
            self.config, changed, waiting = reloaded(before, new)
            try:
                _settle(self.config)
                settings = core_settings(self.config)
                self.net.reload()
            except BaseException:
                self.config = before
                raise
            self.net.call_soon(lambda: self.hub.reconfigure(settings))
            config = self.config
            logs.start(config.log_level, config.log_format, addresses=config.log_addresses)
        log.info("reloaded: %s", ", ".join(["the certificate", *changed]))
        if waiting:
            log.warning("these settings are followed after a restart: %s", ", ".join(waiting))

    def start(self) -> None:
        """Listen, and open the operator's door. Raises `ListenFailed`, `DataFolderUnusable`."""
        try:
            self.net.start()
            self._admin = self._door()
            self._admin.start()
            if self._metrics is not None:
                self._metrics.start()
        except BaseException:
            self.stop()
            raise

    def _door(self) -> AdminServer:
        folder = self.config.data_dir
        try:
            return AdminServer(folder, door_commands(self._operations, self))
        except OSError as wrong:
            raise DataFolderUnusable(folder=folder, reason=wrong.strerror or "no socket") from None

    def stop(self) -> None:
        """Tell the clients, let commits finish, close everything."""
        if self._metrics is not None:
            self._metrics.stop()
        if self._admin is not None:
            self._admin.stop()
        self.net.stop()
        self.store.close()

    @property
    def address(self) -> ServerAddress:
        """Where it listens."""
        return ServerAddress(self.config.host, self.net.port)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self.net.port

    @property
    def running(self) -> Self:
        """Itself: it is the running server."""
        return self


def _settle(config: Config) -> None:
    """Finish what a killed ``rotate-cert`` left half-way. Raises `BadCertificateFile`."""
    if rotation.settle(links.files_of(config)):
        log.warning("a key or certificate was replaced only half-way; that is finished now")


def core_settings(config: Config) -> Settings:
    """What the core is told of the configuration. Raises `BadCertificateFile`."""
    return Settings(
        registration=config.registration,
        pins=links.pins_of(config),
        directory=config.directory,
        retention_seconds=config.retention_days * DAY,
        blob_size=blob_size_of(config.max_file_mib),
        blob_bytes_per_account=config.account_files_mib * MIB,
        messages=Rate(config.account_messages, Settings().messages.burst),
    )
