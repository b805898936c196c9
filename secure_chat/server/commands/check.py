"""``secure-chat-server check``: what is wrong, or will be, and what to do about it."""

import contextlib
import datetime as dt
import sqlite3
from argparse import Namespace

import msgspec
from msgspec import Struct

from secure_chat import tls
from secure_chat.errors import (
    AdminRefused,
    BadCertificateFile,
    DataFolderInUse,
    DataFolderUnusable,
)
from secure_chat.server import admin, health, machine
from secure_chat.server.commands import output
from secure_chat.server.commands.command import Command
from secure_chat.server.commands.operation import Nothing, Operation, Place
from secure_chat.server.config import Config, file_of
from secure_chat.server.findings import Finding
from secure_chat.server.store import database, lock

_SECONDS = 3600.0


class Findings(Struct, frozen=True):
    """What a running server finds in its database, and what only it knows.

    ``certificate`` is the SHA-256 of the one that new connections are shown; ``advertise`` what its
    invite links name, if it is set.
    """

    findings: list[Finding]
    certificate: str
    advertise: str


def _inside(place: Place, _: Nothing) -> Findings:
    now = dt.datetime.now(dt.UTC)
    found = place.store.examine(lambda reader: health.inside(database.driver_of(reader), now))
    found.append(health.files(place.config, machine.open_files()))
    shown = place.running.certificate if place.running is not None else ""
    return Findings(found, shown, place.config.advertise)


_INSIDE = Operation("check", Nothing, Findings, _inside, _SECONDS)


def _run(config: Config, options: Namespace) -> int:
    now = dt.datetime.now(dt.UTC)
    file = file_of(options)
    told = "no file of settings is named" if file is None else f"the settings of {file} are valid"
    found, running = [Finding("ok", told)], None
    try:
        running = _asked(config)
    except AdminRefused as wrong:  # a server that hangs is a finding like any other
        advice = "see its log; if it is stuck, restart it"
        found.append(Finding("error", str(wrong).rstrip("."), advice))
    if running is not None:  # its links name what it was started with
        advertise = config.advertise or running.advertise
        config = msgspec.structs.replace(config, advertise=advertise)
    found += health.certificate(config, now)
    try:
        found += _of_the_data(config, running, now)
    except DataFolderUnusable as wrong:
        found.append(Finding("error", str(wrong).rstrip(".")))
    print(output.json(found) if options.json else _for_people(found), flush=True)
    return int(any(one.level == "error" for one in found))


def _asked(config: Config) -> Findings | None:
    """What the running server says; None when none runs. Raises `AdminRefused`."""
    answer = admin.ask(config.data_dir, _INSIDE.name, _INSIDE.seconds)
    try:
        return None if answer is None else msgspec.convert(answer, Findings)
    except msgspec.ValidationError:
        reason = "what this version does not understand: restart the server"
        raise AdminRefused(reason=reason) from None


def _of_the_data(config: Config, running: Findings | None, now: dt.datetime) -> list[Finding]:
    """What is found in the data folder and around it. Raises `DataFolderUnusable`."""
    found = [*health.folder(config), *health.clock(config, now)]
    if running is None:
        machine.allow_many_files()  # as the server does
        found += [*health.port(config), health.files(config, machine.open_files())]
        found += _offline(config, now)
    else:
        found += [_served(config, running), *running.findings]
    return found


def _served(config: Config, running: Findings) -> Finding:
    """Whether the running server shows the certificate that lies there."""
    with contextlib.suppress(BadCertificateFile):
        if running.certificate != tls.fingerprint(tls.load_certificates(config.cert)[0]):
            advice = "reload it (SIGHUP); if it has other files, give this command its --config"
            what = f"a server runs, with another certificate than {config.cert}"
            return Finding("warning", what, advice)
    return Finding("ok", "a server runs")


def _offline(config: Config, now: dt.datetime) -> list[Finding]:
    """The database without a server; nothing is made and no schema changed."""
    if not database.exists(config.data_dir):
        return []
    try:
        held = lock.hold(config.data_dir, "check")
    except DataFolderInUse as wrong:
        advice = "look again when it has ended; if it is a server, see why it does not answer"
        return [Finding("error", str(wrong).rstrip("."), advice)]
    with held, contextlib.closing(sqlite3.connect(database.file_of(config.data_dir))) as reader:
        return health.inside(reader, now)


def _for_people(found: list[Finding]) -> str:
    lines = []
    for one in found:
        lines.append(f"{one.level:<8} {one.what}")
        if one.advice:
            lines.append(f"{'':<8} → {one.advice}")
    counts = {level: sum(one.level == level for one in found) for level in ("error", "warning")}
    said = [output.several(count, level) for level, count in counts.items() if count]
    return "\n".join([*lines, "", f"{', '.join(said) or 'All is well'}."])


COMMAND = Command(
    name="check",
    help="look for what is wrong: certificate, files, database, disk, clock, port",
    description="Look at the certificate, the data folder, the database, the disk, the clock and "
    "the port, and say what to do. Nothing is changed. The exit code is 1 if there is an error.",
    arguments=output.add_json,
    run=_run,
    operations=(_INSIDE,),
    examples=(("check --config server.toml", "with the settings that the server has"),),
)
