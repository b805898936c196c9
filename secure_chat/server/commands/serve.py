"""``secure-chat-server serve``: run the server until it is told to stop."""

import contextlib
import datetime as dt
import logging
import queue
import signal
import sys
import threading
from argparse import Namespace
from enum import Enum, auto
from functools import partial
from types import FrameType

from secure_chat import __version__
from secure_chat.errors import BadCertificateFile, SecureChatError
from secure_chat.protocol.encoding import b64url
from secure_chat.protocol.invite import InviteLink
from secure_chat.server import app, health, interpreter, links, logs, machine, rights, service
from secure_chat.server.bugs import note_lost_thread
from secure_chat.server.commands import invite
from secure_chat.server.commands.command import Command
from secure_chat.server.config import Config, from_options
from secure_chat.server.findings import Finding
from secure_chat.tls import load_certificates

_WATCH_SECONDS = 0.5

log = logging.getLogger(__name__)


def command(operations: app.Operations) -> Command:
    """The command; its server's door offers ``operations``."""
    return Command(
        name="serve",
        help="run the server (the default command)",
        description="Run the server until Ctrl+C or SIGTERM, which tell its clients. SIGHUP reads "
        "settings and certificate again. On a terminal it shows an invite link and its QR code.",
        run=partial(_run, operations),
        examples=(
            ("--data-dir ~/chat", "for this machine alone"),
            ("--config server.toml", "as a file says"),
            (
                "--host 0.0.0.0 --advertise chat.example.org:7443 --data-dir ~/chat",
                "for everybody who has an invite link",
            ),
        ),
    )


class _Asked(Enum):
    STOP = auto()
    RELOAD = auto()


class _Signals:
    """What the system asks of the process, noticed by the main thread.

    The handlers run in that thread, between any two of its steps: an Event that it was just about
    to wait for would hold it for ever, a SimpleQueue takes what comes.
    """

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[_Asked] = queue.SimpleQueue()
        for asked, names in (
            (_Asked.STOP, ("SIGINT", "SIGTERM", "SIGBREAK")),
            (_Asked.RELOAD, ("SIGHUP",)),
        ):
            for name in names:
                if hasattr(signal, name):
                    signal.signal(getattr(signal, name), partial(self._put, asked))

    def wait(self, seconds: float) -> _Asked | None:
        """What is asked for, to stop before all else; None: nothing for so long."""
        try:
            asked = {self._asked.get(timeout=seconds)}
        except queue.Empty:
            return None
        while not self._asked.empty():
            asked.add(self._asked.get())
        return _Asked.STOP if _Asked.STOP in asked else _Asked.RELOAD

    def _put(self, asked: _Asked, _number: int, _frame: FrameType | None) -> None:
        self._asked.put(asked)


def _run(operations: app.Operations, config: Config, options: Namespace) -> int:
    """Run a server until SIGINT or SIGTERM; the exit code is 1 if it failed while running."""
    logs.start(config.log_level, config.log_format, addresses=config.log_addresses)
    threading.excepthook = note_lost_thread
    machine.allow_many_files()
    signals = _Signals()
    server = app.Server(config, operations)
    server.start()
    interpreter.settle()
    _greet(server)
    _warn_of_dates(server)
    _warn_of(health.files(server.config, machine.open_files()))
    _warn_of(rights.of_the_process(server.config.data_dir))
    service.tell("READY=1", _status(server))
    asked: _Asked | None = None
    while server.net.is_serving and asked is not _Asked.STOP:
        asked = signals.wait(_WATCH_SECONDS)
        if asked is _Asked.RELOAD:
            _reload(server, options)
    if asked is not _Asked.STOP:
        log.critical("the network has failed; stopping")
    service.tell("STOPPING=1")
    log.info("stopping")
    server.stop()
    log.info("stopped")
    return 0 if asked is _Asked.STOP else 1


def _reload(server: app.Server, options: Namespace) -> None:
    """Follow the file as it is now; a bad one is refused, and the settings of before go on."""
    service.tell("RELOADING=1")
    status = _status(server)
    try:
        server.reload(from_options(options))
        _warn_of_dates(server)
    except SecureChatError as wrong:
        log.error("nothing was reloaded, the settings of before go on: %s", wrong)
        status = f"nothing was reloaded, the settings of before go on: {wrong}"
    service.tell("READY=1", status)


def _status(server: app.Server) -> str:
    return f"listening on {server.address}"


def _warn_of_dates(server: app.Server) -> None:
    """A certificate that has expired, or will soon: nobody runs `check` each week."""
    with contextlib.suppress(BadCertificateFile):
        found = load_certificates(server.config.cert)[0]
        _warn_of(health.dates(server.config.cert, found, dt.datetime.now(dt.UTC)))


def _warn_of(said: Finding) -> None:
    """Better said now than found by those who come last."""
    if said.level != "ok":
        log.warning("%s: %s", said.what, said.advice)


def _greet(server: app.Server) -> None:
    """Say where the server listens; a person at a terminal gets an invite link as well."""
    with contextlib.suppress(OSError):  # nobody has to read this
        print(_status(server), flush=True)
        if sys.stdout.isatty():
            print(_welcome(server), flush=True)


def _welcome(server: app.Server) -> str:
    pins = links.pins_of(server.config)
    head = f"secure_chat {__version__}, pin {b64url(pins[0])}\n"
    match server.config.registration:
        case "closed":
            return head + "Registration is closed: only existing accounts can log in."
        case "open":
            address = links.public_address(server.config, server.port)
            link = str(InviteLink(address, server.store.server_id, pins))
            who = "Anybody can join with this link"
        case _:
            link = invite.create(server, invite.Wish(label="shown at start")).link
            who = "One person can join with this link, within 7 days"
    more = "More: secure-chat-server invite --help. Ctrl+C stops the server."
    return f"{head}{who}:\n\n{link}\n\n{links.qr(link)}\n{more}"
