"""``secure-chat-server rotate-cert``: another certificate, and no client or connection lost."""

import argparse
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from msgspec import Struct

from secure_chat.errors import CertificatesExist, RotationRefused
from secure_chat.protocol.encoding import b64url
from secure_chat.server import admin, certificates, links, rotation
from secure_chat.server.commands import words
from secure_chat.server.commands.command import Command
from secure_chat.server.commands.operation import Nothing, Operation, Place
from secure_chat.server.config import Config
from secure_chat.server.rotation import Renewed, TlsFiles

_MOST_DAYS = 36_500
_NEW_KEY = """\
A new key has a new pin. Every client that came by an invite link refuses the server from then on,
until its person gets a new link. A renewal keeps the key (leave --new-key out); a spare key that
was made in time (--spare) is trusted already."""
_SPARE = """\
Made the spare key {key} with the pin {pin}.
Take {key} to a safe place off this machine; {public} stays here.
Invite links carry both pins from now on, and a client that has the pin of now learns the spare's at
its next login. Whoever knows both goes on when rotate-cert --use-spare puts the spare in place."""

_FINISHED = """\
An earlier rotate-cert was cut off between two files. What it made is in place now: the key in use
has the pin {pin}. Nothing else was done; run this again if it is not what you want."""


class Served(Struct, frozen=True):
    """What a running server shows from now on: the pin of its key."""

    pin: str


def _reload(place: Place, _: Nothing) -> Served:
    if place.running is not None:
        place.running.reload(place.config)
    return Served(b64url(links.pins_of(place.config)[0]))


_RELOAD = Operation("certificate.reload", Nothing, Served, _reload)


def _arguments(parser: ArgumentParser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--spare", action="store_true", help="make a spare key for later, no more")
    how.add_argument(
        "--use-spare", action="store_true", help="put the spare key in place of the key in use"
    )
    how.add_argument(
        "--new-key", action="store_true",
        help="make a new key: every client that has a pin will refuse it",
    )  # fmt: skip
    parser.add_argument(
        "--spare-key", type=Path, metavar="FILE",
        help="where the spare key lies now (default: beside the certificate)",
    )  # fmt: skip
    parser.add_argument(
        "--add-name", action="append", default=[], metavar="NAME",
        help="another name or address for the certificate; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--days", type=words.Number(1, _MOST_DAYS), default=certificates.SERVER_DAYS, metavar="N",
        help=f"validity (default: {certificates.SERVER_DAYS})",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="do not ask before a new key")
    parser.add_argument("--force", action="store_true", help="replace a spare key")


def _run(config: Config, options: argparse.Namespace) -> int:
    files = links.files_of(config)
    finished = rotation.settle(files)
    try:
        if finished and not options.spare:
            print(_FINISHED.format(pin=b64url(files.pins()[0])), flush=True)
        elif options.spare:
            print(_made_spare(files, force=options.force), flush=True)
        else:
            print(_about(files, _renewed(files, options), options), flush=True)
    except OSError as wrong:
        reason = f"{wrong.filename}: {(wrong.strerror or str(wrong)).lower()}"
        raise RotationRefused(reason=reason) from None
    print(_tell_the_server(config, spare=options.spare), flush=True)
    return 0


def _renewed(files: TlsFiles, options: Namespace) -> Renewed:
    names = tuple(options.add_name)
    if options.use_spare:
        return rotation.use_spare(files, options.spare_key or files.spare_key, names, options.days)
    if options.new_key:
        _must_be_meant(sure=options.yes)
        return rotation.change_key(files, names, options.days)
    return rotation.renew(files, names, options.days)


def _must_be_meant(*, sure: bool) -> None:
    print(_NEW_KEY, file=sys.stderr, flush=True)
    if sure:
        return
    if not sys.stdin.isatty():
        raise RotationRefused(reason="add --yes if that is what you want")
    if words.typed("Type yes to go on: ") != "yes":
        raise RotationRefused(reason="as you wished")


def _made_spare(files: TlsFiles, *, force: bool) -> str:
    try:
        pin = rotation.make_spare(files, force=force)
    except CertificatesExist as wrong:
        raise RotationRefused(
            reason=f"{wrong.facts['path']} exists already. Links carry the pin of that spare, and "
            "another one would be unknown to who has them (--force makes it all the same)"
        ) from None
    return _SPARE.format(key=files.spare_key, pin=b64url(pin), public=files.spare)


def _about(files: TlsFiles, renewed: Renewed, options: Namespace) -> str:
    until = f"{renewed.expires:%Y-%m-%d}"
    lines = [f"{files.certificate} is new: valid until {until}, for {', '.join(renewed.names)}."]
    if options.use_spare:
        lines.append(f"The spare key is in use, with the pin {b64url(renewed.pin)}.")
        lines.append(f"The key of before is kept as {files.key}.old. Make another spare (--spare).")
    elif options.new_key:
        lines.append(f"The key is new, with the pin {b64url(renewed.pin)}: send new invite links.")
        lines.append(f"The key of before is kept as {files.key}.old.")
    else:
        lines.append("The key and its pin are the same: every client goes on trusting it.")
    return "\n".join(lines)


def _tell_the_server(config: Config, *, spare: bool) -> str:
    served = admin.ask(config.data_dir, _RELOAD.name, _RELOAD.seconds)
    if served is None:
        return f"No server runs on {config.data_dir}."
    if served["pin"] != b64url(links.pins_of(config)[0]):
        return "The running server uses another certificate; give this command its --config."
    if spare:
        return "The running server tells its clients of the spare; it goes on with the key of now."
    return "The running server uses it for new connections; those that stand go on."


COMMAND = Command(
    name="rotate-cert",
    help="renew the certificate; keep the key, unless asked",
    description="Make a new certificate with the authority beside it. The key stays the same, and "
    "with it the pin that clients trust. A running server shows it to new connections at once.",
    arguments=_arguments,
    run=_run,
    operations=(_RELOAD,),
    examples=(
        ("rotate-cert", "the same key and names for another year"),
        ("rotate-cert --spare", "once: make a spare key, and take it off this machine"),
        ("rotate-cert --use-spare --spare-key /media/usb/server.spare.key", "the key is lost"),
    ),
)
