"""An old database that is made fit for service: what would come twice is gone, the rest stays."""

from pathlib import Path
from typing import Any

from secure_chat.protocol import limits
from secure_chat.server.steady import wall_clock
from secure_chat.server.store import Store, backup
from secure_chat.server.store.backup import SEQUENCE_JUMP

_DAY = limits.DAY * 1000


def filled(folder: Path, ages: dict[int, tuple[int, int]]) -> None:
    """A store with a device for whom messages wait: number -> days by the clock, by own count."""
    store = Store.open(folder)
    now = wall_clock()

    def job(connection: Any) -> None:
        run = connection.exec_driver_sql
        run(
            "INSERT INTO accounts (user_id, skeleton, account_key, manifest, manifest_signature,"
            " manifest_counter) VALUES ('bob', 'bob', x'', x'', x'', 1)"
        )
        run("INSERT INTO devices (account_id, name, signing_key, acked) VALUES (1, 'main', x'', 9)")
        for seq, (by_clock, by_count) in ages.items():
            run(f"INSERT INTO bodies (id, copies, body) VALUES ({seq}, 1, x'00')")
            run(
                "INSERT INTO deliveries (device_id, seq, body_id, delivery_id, sender, time, since,"
                " size) VALUES (1, ?, ?, ?, 'alice/main', ?, ?, 1)",
                (seq, seq, seq.to_bytes(16, "big"), now - by_clock * _DAY, now - by_count * _DAY),
            )

    store.ask(job)
    store.close()


def waiting(folder: Path) -> list[int]:
    store = Store.open(folder)
    query = "SELECT seq FROM deliveries ORDER BY seq"
    found = store.examine(lambda c: [row[0] for row in c.exec_driver_sql(query)])
    store.close()
    return found


def reserved(folder: Path) -> int:
    store = Store.open(folder)
    query = "SELECT reserved FROM devices"
    found = store.examine(lambda c: int(c.exec_driver_sql(query).scalar() or 0))
    store.close()
    return found


def test_what_devices_may_have_forgotten_is_dropped(tmp_path: Path) -> None:
    """Older than the ids that devices keep, by both counts: gone, and its body with it."""
    filled(tmp_path, {10: (60, 60), 11: (60, 1), 12: (1, 60), 13: (1, 1)})
    held = backup.prepare_for_service(tmp_path, wall_clock(), 365 * limits.DAY)
    assert held.messages == 3
    assert waiting(tmp_path) == [11, 12, 13]


def test_the_retention_time_counts_too(tmp_path: Path) -> None:
    """A server that keeps messages for three days restores none that are older."""
    filled(tmp_path, {10: (4, 4), 11: (2, 2)})
    backup.prepare_for_service(tmp_path, wall_clock(), 3 * limits.DAY)
    assert waiting(tmp_path) == [11]


def test_the_jump_begins_at_the_highest_number_known(tmp_path: Path) -> None:
    """What is on disk may be ahead of what was reserved; the jump is over all of it, each time."""
    filled(tmp_path, {5_000: (0, 0)})
    backup.prepare_for_service(tmp_path, wall_clock(), 30 * limits.DAY)
    assert reserved(tmp_path) == 5_000 + SEQUENCE_JUMP
    backup.prepare_for_service(tmp_path, wall_clock(), 30 * limits.DAY)
    assert reserved(tmp_path) == 5_000 + 2 * SEQUENCE_JUMP
