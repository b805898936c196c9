"""``secure-chat-server serve``: run the server until it is told to stop."""

import contextlib
import logging
import signal
import sys
import threading
from argparse import Namespace
from functools import partial
from types import FrameType

from secure_chat import __version__
from secure_chat.protocol.encoding import b64url
from secure_chat.protocol.invite import InviteLink
from secure_chat.server import app, interpreter, links, logs, machine
from secure_chat.server.commands import invite
from secure_chat.server.commands.command import Command
from secure_chat.server.config import Config

_WATCH_SECONDS = 0.5

log = logging.getLogger(__name__)


def command(operations: app.Operations) -> Command:
    """The command; its server's door offers ``operations``."""
    return Command(
        name="serve", help="run the server (the default command)", run=partial(_run, operations)
    )


def _run(operations: app.Operations, config: Config, _options: Namespace) -> int:
    """Run a server until SIGINT or SIGTERM; the exit code is 1 if it failed while running."""
    logs.start(config.log_level, config.log_format)
    machine.allow_many_files()
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
    server = app.Server(config, operations)
    server.start()
    interpreter.settle()
    _greet(server)
    while server.net.is_serving and not stopping.wait(_WATCH_SECONDS):
        pass
    if not stopping.is_set():
        log.critical("the network has failed; stopping")
    log.info("stopping")
    server.stop()
    log.info("stopped")
    return 0 if stopping.is_set() else 1


def _greet(server: app.Server) -> None:
    """Say where the server listens; a person at a terminal gets an invite link as well."""
    with contextlib.suppress(OSError):  # nobody has to read this
        print(f"listening on {server.address}", flush=True)
        if sys.stdout.isatty():
            print(_welcome(server), flush=True)


def _welcome(server: app.Server) -> str:
    pin = links.pin_of(server.config)
    head = f"secure_chat {__version__}, pin {b64url(pin)}\n"
    match server.config.registration:
        case "closed":
            return head + "Registration is closed: only existing accounts can log in."
        case "open":
            address = links.public_address(server.config, server.port)
            link = str(InviteLink(address, server.store.server_id, (pin,)))
            who = "Anybody can join with this link"
        case _:
            link = invite.create(server, invite.Wish(label="shown at start")).link
            who = "One person can join with this link, within 7 days"
    more = "More: secure-chat-server invite --help. Ctrl+C stops the server."
    return f"{head}{who}:\n\n{link}\n\n{links.qr(link)}\n{more}"
