"""The vault: what it hides, what it refuses, and that its transactions are whole."""

import json
import os
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import apsw
import pytest

from secure_chat.client.vault import Vault, database, keyfile, schema, search
from secure_chat.client.vault.lock import ProfileLock
from secure_chat.errors import (
    BadPassword,
    ProfileExists,
    ProfileInUse,
    ProfileMissing,
    ProfileUnwritable,
    SecureChatError,
    VaultDamaged,
    VaultNotEncrypted,
    VaultTooNew,
    WeakVaultKey,
    WrongPassword,
)

PASSWORD = "گذرواژه correct horse"
CANARY = "canary-in-the-vault-سلام"


def _write_text(vault: Vault, text: str = CANARY) -> None:
    with vault.write() as db:
        db.execute(
            "INSERT INTO messages (user_id, content_id, ours, text, time, state)"
            " VALUES ('bob', ?, 1, ?, 1, 'waiting')",
            (os.urandom(16), text),
        )


def _texts(vault: Vault) -> list[str]:
    with vault.read() as db:
        return [text for (text,) in db.execute("SELECT text FROM messages ORDER BY number")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "root" / "profile"


def test_what_was_written_is_there_after_reopening(folder: Path) -> None:
    """A commit is durable, and only the right password brings it back."""
    vault = Vault.create(folder, PASSWORD)
    _write_text(vault)
    vault.close()
    with pytest.raises(WrongPassword):
        Vault.open(folder, PASSWORD + "x")
    vault = Vault.open(folder, PASSWORD)
    assert _texts(vault) == [CANARY]
    vault.close()


def test_a_password_typed_in_another_normal_form_is_the_same(folder: Path) -> None:
    """Keyboards differ in how they compose é; the password does not."""
    Vault.create(folder, "caf\u00e9 au lait").close()
    Vault.open(folder, "cafe\u0301 au lait").close()


def test_attack_63_key_and_content_are_nowhere_in_the_folder(folder: Path) -> None:
    """No file of the profile holds the key or a text, while open (with its WAL) or closed."""
    vault = Vault.create(folder, PASSWORD)
    key = vault._key
    _write_text(vault)

    def search() -> set[str]:
        found = set()
        for path in folder.iterdir():
            content = path.read_bytes()
            found.add(path.name)
            for secret in (key, key.hex().encode(), CANARY.encode(), CANARY.encode("utf-16-le")):
                assert secret not in content, f"{path.name} holds a secret"
            assert PASSWORD.encode() not in content
            assert not content.startswith(b"SQLite format 3")
        return found

    assert {"vault.db", "vault.db-wal", "vault.db-shm", "key.json", "lock"} <= search()
    vault.close()
    assert {"vault.db", "key.json"} <= search()


def test_attack_63_a_database_in_the_clear_is_never_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a library without encryption nor a key that was not applied goes unnoticed."""
    monkeypatch.delattr(apsw, "mc_version")
    with pytest.raises(VaultNotEncrypted):
        Vault.create(folder, PASSWORD)
    monkeypatch.undo()

    class Forgetful(apsw.Connection):
        def pragma(self, name: str, *value: object, **more: object) -> object:
            return None if name == "key" else super().pragma(name, *value, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(apsw, "Connection", Forgetful)
    with pytest.raises(VaultNotEncrypted):
        Vault.create(folder.with_name("other"), PASSWORD)


def test_attack_67_each_altered_page_is_refused(folder: Path) -> None:
    """Flip one bit in any page: the vault does not open, and says that it is damaged."""
    vault = Vault.create(folder, PASSWORD)
    for number in range(20):
        _write_text(vault, f"{number} " + "x" * 3000)
    vault._connection().execute("VACUUM")  # pages that are not in use are never read
    vault.close()
    path = folder / "vault.db"
    sound = path.read_bytes()
    page = 4096
    assert len(sound) // page > 20
    for start in range(0, len(sound), page):
        for offset in (0, 20, 500, page - 1):
            broken = bytearray(sound)
            broken[start + offset] ^= 1
            path.write_bytes(broken)
            with pytest.raises(VaultDamaged):
                _open_with_key(folder, vault._key)
    path.write_bytes(sound[: len(sound) - page])
    with pytest.raises(VaultDamaged):
        _open_with_key(folder, vault._key)
    path.write_bytes(sound)
    _open_with_key(folder, vault._key).close()


def _open_with_key(folder: Path, key: bytes) -> Vault:
    """`Vault.open` without the slow derivation, for a key that is known to be right."""
    lock = ProfileLock(folder)
    try:
        vault = Vault(folder, key, lock)
        vault._prepare()
    except BaseException:
        lock.release()
        raise
    return vault


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"passes": 1}, WeakVaultKey),
        ({"passes": 0}, WeakVaultKey),
        ({"memory": 8192}, WeakVaultKey),
        ({"passes": 2**32 - 1}, WeakVaultKey),
        ({"memory": 2**60}, WeakVaultKey),
        ({"kdf": "none"}, WeakVaultKey),
        ({"version": 0}, WeakVaultKey),
        ({"salt": ""}, VaultDamaged),
        ({"nonce": "AAAA"}, VaultDamaged),
        ({"wrapped": ""}, WrongPassword),
        ({"passes": 4}, WrongPassword),
        ({"more": 1}, VaultDamaged),
        ({"passes": "3"}, VaultDamaged),
    ],
)
def test_attack_67_a_weakened_key_file_is_refused(
    folder: Path, change: dict[str, object], error: type[SecureChatError]
) -> None:
    """Lowered or raised work, another derivation and altered fields never open the vault."""
    Vault.create(folder, PASSWORD).close()
    path = folder / "key.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(error):
        Vault.open(folder, PASSWORD)


def test_a_key_file_that_is_no_json_is_damage(folder: Path) -> None:
    """Garbage in key.json is said in words."""
    Vault.create(folder, PASSWORD).close()
    for garbage in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
        (folder / "key.json").write_bytes(garbage)
        with pytest.raises(VaultDamaged):
            Vault.open(folder, PASSWORD)


@pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_attack_68_only_the_owner_may_read_under_any_umask(folder: Path, umask: int) -> None:
    """Folder 0700 and every file in it 0600, when made and after somebody loosened them."""

    def modes() -> dict[str, int]:
        return {p.name: stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()}

    before = os.umask(umask)
    try:
        vault = Vault.create(folder, PASSWORD)
        _write_text(vault)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert set(modes().values()) == {0o600}
        assert len(modes()) == 5
        vault.close()
        folder.chmod(0o755)
        for path in folder.iterdir():
            path.chmod(0o644)
        vault = Vault.open(folder, PASSWORD)
        _write_text(vault)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert set(modes().values()) == {0o600}
        vault.close()
    finally:
        os.umask(before)


def test_a_second_process_gets_a_clear_error(folder: Path) -> None:
    """The lock holds across processes, and is free again when its holder was killed."""
    Vault.create(folder, PASSWORD).close()
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from secure_chat.client.vault import Vault
        vault = Vault.open(Path(sys.argv[1]), sys.stdin.readline().rstrip("\\n"))
        print("open", flush=True)
        sys.stdin.read()
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write(PASSWORD + "\n")
        other.stdin.flush()
        assert other.stdout.readline() == "open\n"
        with pytest.raises(ProfileInUse, match="another program"):
            Vault.open(folder, PASSWORD)
        other.kill()
    Vault.open(folder, PASSWORD).close()


def test_a_vault_that_is_open_here_is_not_opened_again(folder: Path) -> None:
    """The lock holds within one process too."""
    vault = Vault.create(folder, PASSWORD)
    with pytest.raises(ProfileInUse):
        Vault.open(folder, PASSWORD)
    vault.close()


def test_nothing_is_overwritten_and_missing_is_said(folder: Path, tmp_path: Path) -> None:
    """Creating over something and opening nothing are clear errors."""
    with pytest.raises(ProfileMissing):
        Vault.open(folder, PASSWORD)
    Vault.create(folder, PASSWORD).close()
    with pytest.raises(ProfileExists):
        Vault.create(folder, PASSWORD)
    file = tmp_path / "file"
    file.write_text("here")
    with pytest.raises(ProfileExists):
        Vault.create(file, PASSWORD)
    with pytest.raises(ProfileUnwritable):
        Vault.create(file / "below", PASSWORD)
    with pytest.raises(BadPassword):
        Vault.create(tmp_path / "new", "")


def test_an_unfinished_creation_is_no_obstacle_and_an_emptied_vault_no_vault(folder: Path) -> None:
    """A crash before key.json leaves nothing that anybody could read; emptying is tampering."""
    Vault.create(folder, PASSWORD).close()
    (folder / "key.json").unlink()
    with pytest.raises(ProfileMissing):
        Vault.open(folder, PASSWORD)
    Vault.create(folder, PASSWORD).close()
    Vault.open(folder, PASSWORD).close()
    (folder / "vault.db").write_bytes(b"")
    with pytest.raises(VaultDamaged, match="empty"):
        Vault.open(folder, PASSWORD)
    with pytest.raises(ProfileExists):
        Vault.create(folder, PASSWORD)


def test_a_failed_transaction_leaves_nothing(folder: Path) -> None:
    """All of a transaction or none of it."""
    vault = Vault.create(folder, PASSWORD)

    def fail() -> None:
        with vault.write() as db:
            db.execute("INSERT INTO seen VALUES (x'01', x'02', 3)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with vault.read() as db:
        assert db.execute("SELECT count(*) FROM seen").get == 0
    vault.close()


def test_threads_write_at_once_and_lose_nothing(folder: Path) -> None:
    """Each thread has its own connection; 4 threads of 50 transactions leave 200 rows."""
    vault = Vault.create(folder, PASSWORD)
    wrong: list[BaseException] = []

    def work(name: int) -> None:
        try:
            for number in range(50):
                _write_text(vault, f"{name}-{number}")
        except BaseException as caught:
            wrong.append(caught)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(set(_texts(vault))) == 200
    vault.close()
    with pytest.raises(ProfileUnwritable, match="closed"), vault.read():
        pass


def test_an_old_vault_is_brought_up_to_date_whole_or_not_at_all(folder: Path) -> None:
    """Steps run in order, once; a step that fails leaves the version before it."""
    vault = Vault.create(folder, PASSWORD)
    _write_text(vault)
    next_step = "ALTER TABLE messages ADD COLUMN colour TEXT NOT NULL DEFAULT 'none'"
    with vault.read() as db:
        assert db.pragma("user_version") == len(schema.MIGRATIONS)
    db = vault._connection()
    with pytest.raises(apsw.Error):
        schema.migrate(db, (*schema.MIGRATIONS, next_step + "; SELECT nothing FROM nowhere"))
    assert db.pragma("user_version") == len(schema.MIGRATIONS)
    schema.migrate(db, (*schema.MIGRATIONS, next_step))
    schema.migrate(db, (*schema.MIGRATIONS, next_step))
    assert db.execute("SELECT text, colour FROM messages").fetchall() == [(CANARY, "none")]
    vault.close()
    with pytest.raises(VaultTooNew, match="Update"):
        _open_with_key(folder, vault._key)


def test_a_migration_that_fails_says_its_own_reason() -> None:
    """SQLite ends a transaction by itself when its disk is full; that reason reaches the person."""
    db = apsw.Connection(":memory:")
    with pytest.raises(apsw.SQLError, match="no such table: nowhere"):
        schema.migrate(db, ("ROLLBACK; SELECT * FROM nowhere",))
    assert db.pragma("user_version") == 0
    db.close()


def test_every_released_version_of_the_tables_still_opens(folder: Path) -> None:
    """A vault of each earlier version migrates to today's tables."""
    for version in range(1, len(schema.MIGRATIONS) + 1):
        old, fresh = apsw.Connection(":memory:"), apsw.Connection(":memory:")
        schema.migrate(old, schema.MIGRATIONS[:version])
        schema.migrate(old)
        schema.migrate(fresh)
        tables = "SELECT name, sql FROM sqlite_schema ORDER BY name"
        columns = "SELECT m.name, p.name FROM sqlite_schema m, pragma_table_info(m.name) p"
        assert old.execute(columns).fetchall() == fresh.execute(columns).fetchall()
        assert [n for n, _ in old.execute(tables)] == [n for n, _ in fresh.execute(tables)]
        old.close()
        fresh.close()


def test_settings_that_keep_promises_are_on(folder: Path) -> None:
    """Commits are on disk, and deleted content is overwritten."""
    vault = Vault.create(folder, PASSWORD)
    db = vault._connection()
    assert db.pragma("synchronous") == 2
    assert db.pragma("secure_delete") == 1
    assert db.pragma("journal_mode") == "wal"
    vault.close()


def test_a_short_key_never_becomes_a_passphrase(folder: Path) -> None:
    """The cipher would take fewer hex digits for a password of its own."""
    Vault.create(folder, PASSWORD).close()
    with pytest.raises(VaultDamaged):
        database._connect(folder / "vault.db", b"short")


def test_two_vaults_with_one_password_have_nothing_in_common(folder: Path) -> None:
    """Key, salt and nonce are random for each vault."""
    first, a = keyfile.new_key_file(PASSWORD, os.urandom)
    second, b = keyfile.new_key_file(PASSWORD, os.urandom)
    assert first != second
    for name in ("salt", "nonce", "wrapped"):
        assert json.loads(a)[name] != json.loads(b)[name]


def test_another_password_opens_and_the_old_one_does_not(folder: Path) -> None:
    """The same vault, the same key; nothing but key.json has changed, under 0600."""
    vault = Vault.create(folder, PASSWORD)
    _write_text(vault)
    with pytest.raises(WrongPassword):
        vault.change_password("not it", "another one")
    for short in ("", "a", "seven 7"):
        with pytest.raises(BadPassword):
            vault.change_password(PASSWORD, short)
    vault.check_password(PASSWORD)
    vault.change_password(PASSWORD, "another one")
    with pytest.raises(WrongPassword):
        vault.check_password(PASSWORD)
    _write_text(vault, "written after")
    vault.close()
    assert stat.S_IMODE((folder / "key.json").stat().st_mode) == 0o600
    with pytest.raises(WrongPassword):
        Vault.open(folder, PASSWORD)
    vault = Vault.open(folder, "another one")
    assert _texts(vault) == [CANARY, "written after"]
    vault.close()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_change_of_password_that_is_cut_off_leaves_the_old_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A full disk or a crash on the way: the old password opens, and what was half done is gone."""
    vault = Vault.create(folder, PASSWORD)
    before = (folder / "key.json").read_bytes()

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", fails)
    else:
        monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(ProfileUnwritable, match="No space"):
        vault.change_password(PASSWORD, "another one")
    monkeypatch.undo()
    vault.close()
    assert (folder / "key.json").read_bytes() == before
    Vault.open(folder, PASSWORD).close()
    assert {path.name for path in folder.iterdir()} <= {"key.json", "vault.db", "lock"}


def test_a_vault_of_the_version_before_keeps_all_it_had(folder: Path) -> None:
    """Contacts of every kind come over with what is known of their keys' history."""
    key, other, manifest = bytes([1]) * 32, bytes([2]) * 32, b"m"
    db = apsw.Connection(":memory:")
    search.register(db)
    schema.migrate(db, schema.MIGRATIONS[: schema.MIGRATIONS.index(schema._HABITS)])
    db.executemany(
        "INSERT INTO contacts (user_id, account_key, manifest, counter, pending_key,"
        " pending_manifest, first_seen, changed, verified, engaged) VALUES (?,?,?,1,?,?,?,?,?,1)",
        [
            ("ann", key, manifest, None, None, 10, 0, 30),
            ("ben", key, manifest, other, manifest, 10, 40, 20),
            ("cem", key, manifest, None, None, 10, 40, 0),
            ("dan", None, None, None, None, 0, 0, 0),
        ],
    )
    before = db.execute("SELECT * FROM contacts ORDER BY user_id").fetchall()
    schema.migrate(db)
    assert db.execute("SELECT * FROM contacts ORDER BY user_id").fetchall() == before
    history = db.execute(
        "SELECT user_id, account_key, fact, means, time FROM key_history ORDER BY user_id, id"
    ).fetchall()
    assert history == [
        ("ann", key, "seen", "", 10),
        ("ann", key, "verified", "digits", 30),
        ("ben", key, "seen", "", 10),
        ("ben", key, "verified", "digits", 20),
        ("ben", other, "changed", "", 40),
        ("cem", None, "seen", "", 10),  # which key it was then, nobody wrote down
        ("cem", key, "changed", "", 40),
    ]
    db.close()
