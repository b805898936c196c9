"""What may be wrong with a server's surroundings, looked at one by one.

Each check gives findings and changes nothing. Those of the database run in the server if one runs,
so that no second process opens its files.
"""

import datetime as dt
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography import x509

import secure_chat
from secure_chat import tls
from secure_chat.errors import (
    BadCertificateFile,
    BadHostName,
    BadSetting,
    DataFolderUnusable,
    ListenFailed,
)
from secure_chat.protocol.limits import DAY, MIB
from secure_chat.server import certificates, keyfiles, links, machine, rights, rotation
from secure_chat.server.config import Config
from secure_chat.server.findings import Finding, ok
from secure_chat.server.net.listening import listen
from secure_chat.server.net.settings import EdgeSettings, fitted
from secure_chat.server.store import backup, database

_EXPIRES_SOON: Final = dt.timedelta(days=21)
_CLOCK_OFF: Final = dt.timedelta(days=1)
_GIB: Final = 1024 * MIB
_DISK_FULL: Final = 256 * MIB
_DISK_LOW: Final = _GIB


# ---------------------------------------------------------------- the certificate


def certificate(config: Config, now: dt.datetime) -> Iterator[Finding]:
    """Whether TLS takes it, how long it is valid, whom it names, who can read the key."""
    files = links.files_of(config)
    if waiting := rotation.unfinished(files):
        advice = "run rotate-cert again, or start the server: either finishes it"
        names = " and ".join(str(keyfiles.staged(path)) for path in waiting)
        what = f"a replacement of key and certificate was cut off: {names} must take its place"
        yield Finding("error", what, advice)
        return
    for path in rotation.left_over(files):
        advice = "delete it: nothing uses it"
        yield Finding("warning", f"{path} is left from a rotate-cert that was cut off", advice)
    try:
        tls.server_context(config.cert, config.key)
        found = tls.load_certificates(config.cert)[0]
        pins = links.pins_of(config)
    except BadCertificateFile as wrong:
        yield Finding("error", str(wrong), "name the right files with --cert and --key")
        return
    yield ok(f"{config.cert} fits {config.key}")
    yield dates(config.cert, found, now)
    yield from _names(config, found)
    yield from rights.of_the_key(config.key)
    yield from rights.of_the_account((config.cert, config.key), config.data_dir)
    if files.spare_key.exists():
        advice = f"take {files.spare_key} to a safe place off this machine"
        yield Finding("warning", "the spare key lies beside the key in use", advice)
    elif len(pins) > 1:
        yield ok("invite links carry the pin of a spare key")


def dates(path: Path, found: x509.Certificate, now: dt.datetime) -> Finding:
    """Whether a certificate is valid now, and for how long."""
    begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
    renew = "secure-chat-server rotate-cert renews it; clients with a pin look at no dates"
    if now < begins:
        advice = "look at this machine's clock"
        return Finding("error", f"{path} is not valid before {begins:%Y-%m-%d}", advice)
    if now >= ends:
        return Finding("error", f"{path} expired on {ends:%Y-%m-%d}", renew)
    if now >= ends - _EXPIRES_SOON:
        return Finding("warning", f"{path} expires on {ends:%Y-%m-%d}", renew)
    return ok(f"{path} is valid until {ends:%Y-%m-%d}")


def _names(config: Config, found: x509.Certificate) -> Iterator[Finding]:
    try:
        host = links.public_address(config, config.port or 1).host
        name = certificates.general_name(host)
    except (BadSetting, BadHostName) as wrong:
        yield Finding("error", str(wrong), "set --advertise to HOST:PORT as clients see it")
        return
    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        named = name in list(extension.value)
    except x509.ExtensionNotFound:
        named = False
    if named:
        yield ok(f"the certificate names {host}, as invite links do")
    else:
        yield Finding(
            "warning",
            f"the certificate does not name {host}, as invite links do",
            f"rotate-cert --add-name {host}; clients with a pin look at no names",
        )


# ---------------------------------------------------------------- the machine


def folder(config: Config) -> Iterator[Finding]:
    """Who may look into the data folder, and how much room its disk has."""
    place = config.data_dir
    has_data = database.exists(place)
    yield from _of_restores(place)
    if not has_data:
        yield Finding("warning", f"there is no data in {place} yet", "the first start makes it")
        return
    yield from rights.of_the_folder(place)
    free = machine.free_bytes(place)
    shown = f"{free / _GIB:.1f} GiB are free on the disk of {place}"
    if free < _DISK_FULL:
        yield Finding("error", shown, "make room: soon nothing can be accepted any more")
    elif free < _DISK_LOW:
        yield Finding("warning", shown, "make room, or lower retention_days and max_file_mib")
    else:
        yield ok(shown)


def _of_restores(place: Path) -> Iterator[Finding]:
    """What a restore left: half of its work, or the data of before, with all that it held."""
    try:
        backup.must_be_finished(place)
    except DataFolderUnusable:
        advice = "restore the backup again, with --force"
        yield Finding("error", f"a restore of {place} was cut off", advice)
    for aside in sorted(place.glob(f"{backup.ASIDE}*")):
        advice = "delete it when all is well: it keeps messages and accounts that are gone"
        yield Finding("warning", f"{aside} holds what a restore replaced", advice)


def clock(config: Config, now: dt.datetime) -> Iterator[Finding]:
    """Whether the clock can be right: it is not before what has certainly happened."""
    known = [Path(secure_chat.__file__), database.file_of(config.data_dir)]
    latest = max(path.stat().st_mtime for path in known if path.exists())
    written = dt.datetime.fromtimestamp(latest, dt.UTC)
    shown = f"the clock says {now:%Y-%m-%d %H:%M} UTC"
    if now < written - _CLOCK_OFF:
        advice = "set it, or let it be set (NTP): keys and invites expire by it"
        what = f"{shown}, but files here were written on {written:%Y-%m-%d}"
        yield Finding("error", what, advice)
    else:
        yield ok(shown)


def port(config: Config) -> Iterator[Finding]:
    """Whether the port is free. Only while no server runs."""
    try:
        for listener in listen(config.host, config.port, EdgeSettings()):
            listener.close()
    except ListenFailed as wrong:
        yield Finding("error", str(wrong).rstrip("."), "set --host and --port")
    else:
        yield ok(f"{config.host}:{config.port} is free to listen on")


def files(config: Config, open_files: int | None) -> Finding:
    """Whether all connections that the settings permit fit into the limit on open files."""
    most = fitted(config.connections, open_files).connections
    if most >= config.connections:
        return ok(f"{most:,} connections fit into the limit on open files")
    what = f"the limit on open files, {open_files:,}, has room for {most:,} of the"
    advice = "raise it (LimitNOFILE= of a unit, ulimit -n of a shell), or set fewer connections"
    return Finding("warning", f"{what} {config.connections:,} connections that are set", advice)


# ---------------------------------------------------------------- the database


def inside(connection: sqlite3.Connection, now: dt.datetime) -> list[Finding]:
    """Whether the database is whole, of this version, and not ahead of the clock."""
    try:
        found = [_whole(connection), _schema(connection)]
        found += _ahead(connection, now)
    except sqlite3.Error as wrong:
        return [_broken(f"the database cannot be read ({wrong})")]
    return found


def _broken(what: str) -> Finding:
    return Finding("error", what, "stop the server, keep a copy of its folder, restore a backup")


def _whole(connection: sqlite3.Connection) -> Finding:
    problems = database.problems(connection)
    if problems:
        return _broken(f"the database is damaged: {problems[0]}")
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    return ok(f"the database is whole ({pages:,} pages, SQLite {sqlite3.sqlite_version})")


def _schema(connection: sqlite3.Connection) -> Finding:
    present, known = database.revision(connection), database.revisions()
    if present not in known:
        advice = "upgrade this program"
        return Finding("error", f"its schema {present} is of a newer version", advice)
    if present != known[0]:
        advice = "the next start brings it up to date; make a backup before"
        return Finding("warning", f"its schema is {present}, this program's {known[0]}", advice)
    return ok(f"its schema is {present}, as this program's")


def _ahead(connection: sqlite3.Connection, now: dt.datetime) -> list[Finding]:
    latest = connection.execute("SELECT max(time) FROM deliveries").fetchone()[0]
    if latest is None or latest / 1000 < now.timestamp() + DAY:
        return []
    shown = dt.datetime.fromtimestamp(latest / 1000, dt.UTC)
    what = f"messages wait that were accepted on {shown:%Y-%m-%d}, which is to come"
    return [Finding("warning", what, "the clock was or is wrong: they expire late")]
