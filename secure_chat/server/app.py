"""The whole server put together: store, core, network and the operator's door.

Whoever needs another part in one place (a demonstration, a test) subclasses `Server`; the server
itself has no option that could look into what it carries.
"""

import contextlib
import io
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

import msgspec
import segno

from secure_chat import __version__, tls
from secure_chat.errors import BadSetting, DataFolderUnusable
from secure_chat.protocol.encoding import b64url
from secure_chat.protocol.invite import InviteLink, Pin, ServerAddress
from secure_chat.protocol.limits import DAY
from secure_chat.server import logs
from secure_chat.server.admin import AdminServer, ask
from secure_chat.server.config import Config, advertised
from secure_chat.server.core.hub import Hub
from secure_chat.server.core.settings import Settings
from secure_chat.server.interfaces import Core, Loop
from secure_chat.server.net.server import NetServer
from secure_chat.server.store import Store

INVITE_SECONDS = 7 * DAY
_WILDCARDS = {"0.0.0.0", "::", "", "*"}  # noqa: S104 - recognised, not listened on
_WATCH_SECONDS = 0.5

log = logging.getLogger(__name__)


class InviteWish(msgspec.Struct, frozen=True):
    """An invite as the operator asks for it; ``seconds`` is how long it can be used."""

    label: str = ""
    uses: int = 1
    seconds: int = INVITE_SECONDS
    advertise: str = ""


class Server:
    """A server that runs between `start` and `stop`."""

    def __init__(self, config: Config) -> None:
        """Check the certificate, open the store.

        Raises `BadCertificateFile`, `DataFolderInUse`, `DataFolderTooNew`, `DataFolderUnusable`.
        """
        self.config = config
        tls.server_context(config.cert, config.key)  # a bad one is said before anything is opened
        self.pin = pin_of(config)
        self._admin: AdminServer | None = None
        self.store = Store.open(config.data_dir)
        try:
            self.net = NetServer(
                (config.host, config.port),
                lambda: tls.server_context(config.cert, config.key),
                self.make_core,
            )
        except BaseException:
            self.store.close()
            raise

    def make_core(self, loop: Loop) -> Core:
        """The core that the network serves."""
        return Hub(self.store, loop, core_settings(self.config))

    def start(self) -> None:
        """Listen, and open the operator's door. Raises `ListenFailed`, `DataFolderUnusable`."""
        try:
            self.net.start()
            self._admin = self._door()
            self._admin.start()
        except BaseException:
            self.stop()
            raise

    def _door(self) -> AdminServer:
        folder = self.config.data_dir
        try:
            return AdminServer(folder, {"invite": self._answer_invite})
        except OSError as wrong:
            raise DataFolderUnusable(folder=folder, reason=wrong.strerror or "no socket") from None

    def stop(self) -> None:
        """Tell the clients, let commits finish, close everything."""
        if self._admin is not None:
            self._admin.stop()
        self.net.stop()
        self.store.close()

    @property
    def address(self) -> ServerAddress:
        """Where it listens."""
        return ServerAddress(self.config.host, self.net.port)

    def invite(self, wish: InviteWish) -> InviteLink:
        """Make an invite. Raises `StorageUnavailable`, `BadSetting`."""
        address = public_address(self.config, self.net.port, wish.advertise)
        return _make_invite(self.store, self.pin, address, self.config, wish)

    def link(self) -> InviteLink:
        """Where newcomers find this server, without a token: for open registration."""
        address = public_address(self.config, self.net.port)
        return InviteLink(address, self.store.server_id, (self.pin,))

    def _answer_invite(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"link": str(self.invite(msgspec.convert(facts, InviteWish)))}


def serve(config: Config) -> int:
    """Run a server until SIGINT or SIGTERM; the exit code is 1 if it failed while running."""
    logs.start(config.log_level, config.log_format)
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
    server = Server(config)
    server.start()
    _greet(server)
    while server.net.is_serving and not stopping.wait(_WATCH_SECONDS):
        pass
    if not stopping.is_set():
        log.critical("the network has failed; stopping")
    log.info("stopping")
    server.stop()
    log.info("stopped")
    return 0 if stopping.is_set() else 1


def invite(config: Config, wish: InviteWish) -> str:
    """An invite link, from the running server or, when none runs, from its store.

    Raises `AdminRefused` and what `Server` raises.
    """
    facts = ask(config.data_dir, "invite", **msgspec.structs.asdict(wish))
    if facts is not None:
        return str(facts["link"])
    pin = pin_of(config)
    address = public_address(config, config.port, wish.advertise)
    with contextlib.closing(Store.open(config.data_dir)) as store:
        return str(_make_invite(store, pin, address, config, wish))


def pin_of(config: Config) -> Pin:
    """The pin of the configured certificate. Raises `BadCertificateFile`."""
    return tls.spki_pin(tls.load_certificates(config.cert)[0])


def core_settings(config: Config) -> Settings:
    """What the core is told of the configuration."""
    return Settings(registration=config.registration, retention_seconds=config.retention_days * DAY)


def public_address(config: Config, port: int, advertise: str = "") -> ServerAddress:
    """The address that an invite link names. Raises `BadSetting` if there is none to name."""
    if text := advertise or config.advertise:
        return advertised(text)
    if port == 0:
        raise BadSetting(
            name="--advertise", problem="the port is not fixed (0), so say which one to name"
        )
    host = _own_address() if config.host in _WILDCARDS else config.host
    return ServerAddress(host, port)


def _own_address() -> str:
    """The machine's address on its network; nothing is sent to find it out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: an address that belongs to nobody
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _make_invite(
    store: Store, pin: Pin, address: ServerAddress, config: Config, wish: InviteWish
) -> InviteLink:
    if config.registration == "closed":
        raise BadSetting(name="registration", problem="it is closed, so no invite could be used")
    expires = (int(time.time()) + wish.seconds) * 1000
    token = store.create_invite(wish.label, wish.uses, expires)
    log.info("an invite was made", extra={"uses": wish.uses})
    return InviteLink(address, store.server_id, (pin,), token)


def _greet(server: Server) -> None:
    """Say where the server listens; a person at a terminal gets an invite link as well."""
    with contextlib.suppress(OSError):  # nobody has to read this
        print(f"listening on {server.address}", flush=True)
        if sys.stdout.isatty():
            print(_welcome(server), flush=True)


def _welcome(server: Server) -> str:
    head = f"secure_chat {__version__}, pin {b64url(server.pin)}\n"
    match server.config.registration:
        case "closed":
            return head + "Registration is closed: only existing accounts can log in."
        case "open":
            link, who = server.link(), "Anybody can join with this link"
        case _:
            link = server.invite(InviteWish(label="shown at start"))
            who = "One person can join with this link, within 7 days"
    more = "More: secure-chat-server invite --help. Ctrl+C stops the server."
    return f"{head}{who}:\n\n{link}\n\n{qr(str(link))}\n{more}"


def qr(text: str) -> str:
    """A QR code in block characters, or nothing where the terminal has none."""
    drawn = io.StringIO()
    segno.make(text, error="l").terminal(out=drawn, border=2, compact=True)
    try:
        drawn.getvalue().encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ""
    return drawn.getvalue()
