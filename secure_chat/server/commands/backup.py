"""``secure-chat-server backup``: a consistent copy of all that the server holds, while it runs."""

import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from msgspec import Struct

from secure_chat import __version__
from secure_chat.errors import BackupFailed, BackupUnusable, BadCertificateFile
from secure_chat.protocol.encoding import b64url
from secure_chat.server import archive, links, machine
from secure_chat.server.commands import output
from secure_chat.server.commands.command import Command
from secure_chat.server.commands.operation import Nothing, Operation, Place, perform
from secure_chat.server.config import Config
from secure_chat.server.store import backup, database

_SECONDS = 3600.0


class Staged(Struct, frozen=True):
    """Where the copy lies, for whoever asked to fetch and delete."""

    folder: str


def _stage(place: Place, _: Nothing) -> Staged:
    folder = place.store.folder
    needed = machine.file_bytes(database.file_of(folder))
    if machine.free_bytes(folder) < needed:
        reason = f"the disk of {folder} has no room for a copy of {output.size(needed)}"
        raise BackupFailed(reason=reason)
    staged = place.store.examine(lambda connection: backup.stage(connection, folder))
    return Staged(str(staged.absolute()))


_STAGE = Operation("backup", Nothing, Staged, _stage, _SECONDS)


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="where to write the backup")
    parser.add_argument(
        "--with-key",
        action="store_true",
        help="also the certificate and its private key: whoever has the file can then pose as the "
        "server",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing FILE")


def _run(config: Config, options: Namespace) -> int:
    target: Path = options.file
    if target.is_dir():
        raise BackupFailed(reason=f"{target} is a folder; name a file")
    if target.exists() and not options.force:
        raise BackupFailed(reason=f"{target} exists already; choose another name, or use --force")
    if not target.absolute().parent.is_dir():
        raise BackupFailed(reason=f"there is no folder {target.absolute().parent}")
    tls = _tls_files(config) if options.with_key else {}
    for half in archive.left_behind(target.absolute().parent):
        half.unlink(missing_ok=True)
        print(f"Deleted {half}: half of a backup that was cut off.", file=sys.stderr)
    staged = Path(perform(config, _STAGE, Nothing()).folder)
    try:
        blobs = _fetched(config, staged, target, tls)
    except BackupUnusable as wrong:
        raise BackupFailed(reason=f"of what is to be saved, {wrong.facts['reason']}") from None
    except OSError as wrong:
        raise BackupFailed(reason=wrong.strerror or str(wrong)) from None
    print(_said(target, blobs, with_key=options.with_key), flush=True)
    return 0


def _fetched(config: Config, staged: Path, target: Path, tls: dict[str, Path]) -> int:
    """Check the copy and write the archive; how many blobs are in it."""
    with backup.fetching(staged):
        server_id = backup.check(staged)
        files = {backup.DATABASE: staged / backup.DATABASE, **tls}
        blobs = backup.blobs_in(staged / backup.BLOBS)
        index = archive.Index(
            archive.FORMAT,
            b64url(server_id),
            _pin(config),
            int(time.time() * 1000),
            __version__,
            {name: archive.digest(path) for name, path in files.items()},
            len(blobs),
        )
        archive.write(target, index, files, blobs)
        return len(blobs)


def _tls_files(config: Config) -> dict[str, Path]:
    """The parts of an archive with a key. Raises `BackupFailed`."""
    files = links.tls_files(config)
    if not files[links.SPARE].exists():
        del files[links.SPARE]
    for path in files.values():
        if not path.is_file():
            raise BackupFailed(reason=f"there is no file {path}")
    return {f"tls/{name}": path for name, path in files.items()}


def _pin(config: Config) -> str:
    try:
        return b64url(links.pins_of(config)[0])
    except BadCertificateFile:
        return ""


def _said(target: Path, blobs: int, *, with_key: bool) -> str:
    size = output.size(machine.file_bytes(target))
    files = f" and {output.several(blobs, 'file')}" if blobs else ""
    key = (
        "It holds the private key too: keep it as safe as the key itself."
        if with_key
        else ("The private key is not in it (--with-key): keep a copy of that elsewhere.")
    )
    return f"Wrote {target}: the database{files}, {size}.\n{key}"


COMMAND = Command(
    name="backup",
    help="write a consistent copy of the server's data to a file",
    description="Write the database and the users' encrypted files to FILE, for its owner alone "
    "(0600), while the server runs or not. The copy is checked before it is kept.",
    arguments=_arguments,
    run=_run,
    operations=(_STAGE,),
    examples=(
        ("backup chat.backup --force", "replaces the last one once the new one is whole"),
        ("backup chat.backup --with-key", "all that another machine needs; keep it safe"),
    ),
)
