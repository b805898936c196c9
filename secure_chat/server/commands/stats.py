"""``secure-chat-server stats``: how the server does, in numbers that tell of no person."""

from argparse import ArgumentParser, Namespace
from collections import Counter
from datetime import timedelta

from msgspec import Struct, field

from secure_chat import __version__
from secure_chat.errors import Code, ServerNotRunning
from secure_chat.server import admin, machine
from secure_chat.server.commands import output
from secure_chat.server.commands.command import Command
from secure_chat.server.commands.operation import Nothing, Operation, Place, Running, perform
from secure_chat.server.config import Config
from secure_chat.server.store import database, overview
from secure_chat.server.store.overview import Held

_SECONDS = 300.0


class Now(Struct, frozen=True):
    """Of a running server alone; `Counters` says what the later ones count.

    ``complaints``: what does not work at this moment, a sentence each.
    """

    uptime_seconds: int
    connections: int
    logged_in: int
    handshakes_under_way: int
    memory_bytes: int | None
    handshakes: int
    handshakes_failed: int
    logins: int
    accepted: int
    delivered: int
    stored: int
    expired: int
    refusals: dict[str, int]
    farewells: dict[str, int]
    commits: int
    commit_seconds: float
    commits_failed: int
    complaints: list[str] = field(default_factory=list)


class Stats(Struct, frozen=True):
    """Sizes in bytes. ``now`` is None when no server runs."""

    version: str
    held: Held
    database_bytes: int
    wal_bytes: int
    disk_free_bytes: int
    now: Now | None


def collect(place: Place, _: Nothing) -> Stats:
    """All of it; raises `StorageUnavailable`."""
    file = database.file_of(place.store.folder)
    running = place.running
    return Stats(
        version=__version__,
        held=place.store.examine(lambda c: overview.held(c, place.store.clock.now_ms())),
        database_bytes=machine.file_bytes(file),
        wal_bytes=machine.file_bytes(file.with_name(file.name + "-wal")),
        disk_free_bytes=machine.free_bytes(place.store.folder),
        now=None if running is None else _now(place, running),
    )


def _now(place: Place, running: Running) -> Now:
    counters = place.store.counters
    return Now(
        uptime_seconds=int(counters.uptime),
        connections=running.net.connections,
        logged_in=running.hub.logged_in,
        handshakes_under_way=running.net.handshakes,
        memory_bytes=machine.resident_bytes(),
        handshakes=counters.handshakes,
        handshakes_failed=counters.handshakes_failed,
        logins=counters.logins,
        accepted=counters.accepted,
        delivered=counters.delivered,
        stored=counters.stored,
        expired=counters.expired,
        refusals=_plain(counters.refusals),
        farewells=_plain(counters.farewells),
        commits=counters.commits,
        commit_seconds=round(counters.commit_seconds, 6),
        commits_failed=counters.commits_failed,
        complaints=running.health.complaints(),
    )


def _plain(counts: Counter[Code]) -> dict[str, int]:
    return {str(code): count for code, count in counts.copy().items()}


_STATS = Operation("stats", Nothing, Stats, collect, _SECONDS)


def _arguments(parser: ArgumentParser) -> None:
    output.add_json(parser)
    parser.add_argument(
        "--running",
        action="store_true",
        help="fail unless a server answers (exit code 2) and does its work (1)",
    )


def _run(config: Config, options: Namespace) -> int:
    if options.running and admin.ask(config.data_dir, _STATS.name, _STATS.seconds) is None:
        raise ServerNotRunning(folder=config.data_dir)
    stats = perform(config, _STATS, Nothing())
    print(output.json(stats) if options.json else _for_people(stats), flush=True)
    return 1 if options.running and stats.now is not None and stats.now.complaints else 0


def _for_people(stats: Stats) -> str:
    lines = [("version", stats.version)]
    if stats.now is None:
        lines.append(("server", "not running"))
    else:
        lines += _live(stats.now)
    held = stats.held
    disabled = f", {held.disabled:,} of them disabled" if held.disabled else ""
    queued = output.several(held.queued_messages, "message"), output.size(held.queued_bytes)
    file, log = output.size(stats.database_bytes), output.size(stats.wal_bytes)
    lines += [
        ("accounts", f"{held.accounts:,}{disabled}; {output.several(held.devices, 'device')}"),
        ("open invites", f"{held.open_invites:,}"),
        ("queued", ", ".join(queued)),
        ("files", f"{held.files:,}, {output.size(held.file_bytes)}"),
        ("database", f"{file}, and {log} in its log"),
        ("disk", f"{output.size(stats.disk_free_bytes)} free"),
    ]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)


def _live(now: Now) -> list[tuple[str, str]]:
    mean = 1000 * now.commit_seconds / now.commits if now.commits else 0.0
    failed = f", {now.commits_failed:,} refused by the disk" if now.commits_failed else ""
    under_way = output.several(now.handshakes_under_way, "handshake")
    messages = (
        f"{now.accepted:,} accepted", f"{now.delivered:,} delivered",
        f"{now.stored:,} written to disk", f"{now.expired:,} expired",
    )  # fmt: skip
    return [
        *(("trouble", complaint) for complaint in now.complaints),
        ("running for", str(timedelta(seconds=now.uptime_seconds))),
        ("connections", f"{now.connections:,}; {now.logged_in:,} logged in, {under_way} under way"),
        ("memory", "unknown" if now.memory_bytes is None else output.size(now.memory_bytes)),
        ("handshakes", f"{now.handshakes:,}, and {now.handshakes_failed:,} failed"),
        ("logins", f"{now.logins:,}"),
        ("messages", ", ".join(messages)),
        ("commits", f"{now.commits:,}, {mean:.1f} ms each{failed}"),
        ("refused", _by_code(now.refusals)),
        ("sent away", _by_code(now.farewells)),
    ]


def _by_code(counts: dict[str, int]) -> str:
    most_first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{code} {count:,}" for code, count in most_first) or "none"


COMMAND = Command(
    name="stats",
    help="show how the server does, in numbers",
    description="Show connections, messages, commits and sizes. Nothing in it tells of a person.",
    arguments=_arguments,
    run=_run,
    operations=(_STATS,),
    examples=(
        ("stats", "for people"),
        ("stats --running --json", "for a watchdog: exit code 0 while a server does its work"),
    ),
)
