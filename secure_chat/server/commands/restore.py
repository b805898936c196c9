"""``secure-chat-server restore``: put a backup in place of what was lost.

Everything is unpacked beside its place and checked before anything moves. What is in the way is
refused, or with ``--force`` moved aside and kept.
"""

import contextlib
import datetime as dt
import secrets
import shutil
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from secure_chat.errors import BackupUnusable, BadCertificateFile, RestoreRefused
from secure_chat.protocol.encoding import b64url
from secure_chat.protocol.limits import DAY
from secure_chat.server import links, ownership
from secure_chat.server.archive import ArchiveReader
from secure_chat.server.commands import output
from secure_chat.server.commands.command import Command
from secure_chat.server.config import Config
from secure_chat.server.store import backup, database, lock
from secure_chat.server.store.backup import ASIDE, BLOBS, DATABASE, UNFINISHED, Contents

_MEANING = """\
What happened after it is lost: accounts that were made, and messages that waited. Invites that were
used or revoked are open again, accounts that were disabled or deleted are back: see invite list and
users list. Devices log in as before and publish new one-time keys by themselves; messages that they
have already are not shown twice."""

_OURS = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", BLOBS)


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a backup")
    parser.add_argument(
        "--with-key",
        action="store_true",
        help="also put back the certificate and its private key (to --cert and --key)",
    )
    parser.add_argument(
        "--force", action="store_true", help="move what is there aside, and keep it"
    )


def _run(config: Config, options: Namespace) -> int:
    folder = config.data_dir
    with ArchiveReader(options.file) as archive:
        tls = _tls_targets(config, archive, force=options.force) if options.with_key else {}
        database.prepare(folder)
        with contextlib.closing(lock.hold(folder, "restore")):  # no server runs now
            if not options.force and _in_the_way(folder):
                reason = f"{folder} is not empty; --force moves what is there aside"
                raise RestoreRefused(reason=reason)
            backup.sweep(folder)
            coming = folder / f"{backup.COMING}{secrets.token_hex(8)}"
            try:
                contents = _unpack(archive, coming, tls, config.retention_days * DAY)
                ownership.give(ownership.within(coming), folder)
                aside = _put_in_place(folder, coming, tls)
            except OSError as wrong:
                raise RestoreRefused(reason=wrong.strerror or str(wrong)) from wrong
            finally:
                shutil.rmtree(coming, ignore_errors=True)
                ownership.give(folder.iterdir(), folder)
        print(_said(archive, contents, aside), flush=True)
        print(_about_the_key(config, archive), end="", flush=True)
    return 0


def _in_the_way(folder: Path) -> bool:
    """Also a log without its database: SQLite would carry it into the one that is put there."""
    blobs = folder / BLOBS
    leftovers = (folder / UNFINISHED, folder / f"{DATABASE}-wal")
    return (
        database.exists(folder)
        or any(path.exists() for path in leftovers)
        or (blobs.is_dir() and any(blobs.iterdir()))
    )


def _tls_targets(config: Config, archive: ArchiveReader, *, force: bool) -> dict[str, Path]:
    """Which part of the archive goes to which file outside the data folder."""
    found = {
        f"tls/{name}": path
        for name, path in links.tls_files(config).items()
        if archive.has(f"tls/{name}")
    }
    if not found:
        raise RestoreRefused(reason="the backup holds no key; it was made without --with-key")
    for path in found.values():
        if path.exists() and not force:
            raise RestoreRefused(reason=f"{path} exists; --force moves it aside")
    return found


def _unpack(
    archive: ArchiveReader, coming: Path, tls: dict[str, Path], retention_seconds: int
) -> Contents:
    """All of it, into a folder of its own, checked and made fit for service."""
    coming.mkdir(mode=0o700)
    (coming / BLOBS).mkdir(mode=0o700)
    (coming / "tls").mkdir(mode=0o700)
    archive.copy(DATABASE, coming / DATABASE)
    archive.copy_blobs(coming / BLOBS)
    for name in tls:
        archive.copy(name, coming / name)
    if b64url(backup.check(coming)) != archive.index.server_id:
        raise BackupUnusable(reason="its database is that of another server than it says")
    return backup.prepare_for_service(coming, int(time.time() * 1000), retention_seconds)


def _put_in_place(folder: Path, coming: Path, tls: dict[str, Path]) -> Path | None:
    """Move the old aside and the new in; where the old lies now, if there was any."""
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    aside = folder / f"{ASIDE}{stamp}"
    moved = [name for name in _OURS if (folder / name).exists()] if _in_the_way(folder) else []
    (folder / UNFINISHED).touch(mode=0o600)  # no server starts with one half of each
    if moved:
        aside.mkdir(mode=0o700)
    for name in moved:
        (folder / name).rename(aside / name)
    for name, path in tls.items():
        ownership.make_folder(path.parent, 0o700)
        old = path.with_name(f"{path.name}.{ASIDE}{stamp}")
        if path.exists():
            path.rename(old)
        shutil.move(coming / name, path)  # perhaps to another disk
        ownership.like(path, old)
    for name in (BLOBS, DATABASE):  # the database last: with it the server is there again
        target = folder / name
        if name == BLOBS and target.is_dir():
            target.rmdir()  # empty, or moved away
        (coming / name).replace(target)
    (folder / UNFINISHED).unlink()
    return aside if moved else None


def _said(archive: ArchiveReader, contents: Contents, aside: Path | None) -> str:
    made, server_id = output.moment(archive.index.made), archive.index.server_id
    held = (
        output.several(contents.devices, "device"),
        output.several(contents.messages, "waiting message"),
        output.several(contents.open_invites, "open invite"),
    )
    lines = [f"Restored the backup of {made}: server {server_id}, {', '.join(held)}.", _MEANING]
    if aside is not None:
        lines.append(f"What was there before lies in {aside}; delete it when all is well.")
    return "\n".join(lines)


def _about_the_key(config: Config, archive: ArchiveReader) -> str:
    """Clients pin the key: say so when another one is in place."""
    try:
        pin = b64url(links.pins_of(config)[0])
    except BadCertificateFile:
        pin = "none"
    if archive.index.pin in {"", pin}:
        return ""
    return (
        f"\nTake care: clients trust the key with the pin {archive.index.pin},\nand {config.cert} "
        f"has {pin}. Put the old certificate and key\nthere before you start the server, or every "
        "client that came by a link refuses it.\n"
    )


COMMAND = Command(
    name="restore",
    help="put a backup in place",
    description="Put a backup in place of what was lost, while no server runs. It is checked "
    "before anything is changed. Mailboxes then go on with numbers that were never given out, "
    "and one-time keys that may have been handed out already are dropped.",
    arguments=_arguments,
    run=_run,
    examples=(
        ("restore chat.backup", "into an empty data folder"),
        ("restore chat.backup --force", "moves aside what is there, and keeps it"),
    ),
)
