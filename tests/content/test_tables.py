"""The rules over the vault's own tables: the state machine again, migration, and bounds."""

import apsw
import pytest
from hypothesis import settings

from secure_chat.client import content
from secure_chat.client.content import Content, ContentId, rules
from secure_chat.client.content.rules import OURSELVES, Author, Ref, Sender
from secure_chat.client.engine.effects import Applier
from secure_chat.client.events import MessageState
from secure_chat.client.vault import contacts, history, schema, talk
from secure_chat.protocol.addresses import UserId
from tests.content.model import Shown
from tests.content.talk import Store, Talk

BOB = UserId("bob")
KEY, OTHER_KEY = Author(b"B" * 32), Author(b"C" * 32)


def database(version: int = len(schema.MIGRATIONS)) -> apsw.Connection:
    db = apsw.Connection(":memory:")
    schema.migrate(db, schema.MIGRATIONS[:version])
    return db


class InVault(talk.VaultView):
    """The vault's tables as a `Store`."""

    def __init__(self) -> None:
        self.db = database()
        super().__init__(self.db, BOB)
        self._ids = 2**64

    def _new_id(self) -> ContentId:
        self._ids += 1
        return ContentId(self._ids.to_bytes(16, "big"))

    def apply(self, effect: rules.Effect) -> None:
        with self.db:
            applier = Applier(self.db, BOB, 1_000, self._new_id)
            applier.apply(effect, Content(ContentId(bytes(16)), 0, content.Turn()))
            applier.events()

    def sent(self, content_id: ContentId, to: Author) -> None:
        """Receipts are no part of this machine."""

    def shown(self, me: bytes) -> Shown:
        found: Shown = {}
        for row in self.db.execute("SELECT number, author FROM messages WHERE notice = ''"):
            line, author = history.by_number(self.db, int(str(row[0]))), row[1]
            if line.deleted:
                continue
            quote = self.db.execute(
                "SELECT quote_author, quote_id FROM messages WHERE number = ?", (line.number,)
            ).fetchone()
            reactions = self.db.execute(
                "SELECT reader, emoji FROM reactions WHERE author = ? AND content_id = ?"
                " AND emoji <> ''",
                (author, line.content_id),
            ).fetchall()
            found[_real(author, me), line.content_id] = (
                line.text,
                frozenset((_real(reader, me), str(emoji)) for reader, emoji in reactions),
                _quote(quote, me),
            )
        return found


def _real(author: object, me: bytes) -> bytes:
    assert isinstance(author, bytes)
    return author or me


def _quote(row: object, me: bytes) -> tuple[bytes, bytes]:
    assert isinstance(row, tuple)
    return (b"", b"") if row[1] is None else (row[0] or me, row[1])


class TalkInVault(Talk):
    """The state machine over the real tables."""

    def new_store(self) -> Store:
        return InVault()


TestTalk = TalkInVault.TestCase
TestTalk.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def test_a_vault_from_before_knows_who_wrote_what() -> None:
    """The step to these tables keeps every line, and binds it to the key that is known."""
    db = database(1)
    db.execute(
        "INSERT INTO contacts (user_id, account_key, counter) VALUES (?, ?, 1)", (BOB, bytes(KEY))
    )
    for ours, text, notice in ((1, "ours", ""), (0, "theirs", ""), (0, "", "key-changed")):
        db.execute(
            "INSERT INTO messages (user_id, content_id, ours, text, time, state, notice, unread)"
            " VALUES (?, ?, ?, ?, 5, ?, ?, ?)",
            (BOB, bytes([len(text)]) * 16, ours, text, MessageState.RECEIVED.value, notice, 0),
        )
    schema.migrate(db)
    rows = db.execute("SELECT number, text, ours, author, addressee FROM messages ORDER BY number")
    assert rows.fetchall() == [
        (1, "ours", 1, b"", bytes(KEY)),
        (2, "theirs", 0, bytes(KEY), None),
        (3, "", 0, b"", None),
    ]
    view = talk.VaultView(db, BOB)
    assert view.addressee(ContentId(b"\x04" * 16)) == KEY
    assert view.is_here(Ref(KEY, ContentId(b"\x06" * 16)))
    new = history.add_notice(db, BOB, ContentId(b"n" * 16), "x", "x", 6)[0]
    assert new.number == 4, "numbers are never given twice"


def test_changes_of_messages_that_never_come_are_bounded() -> None:
    """Ten thousand edits, reactions and deletions of nothing leave a thousand rows of each."""
    db = database()
    view = talk.VaultView(db, BOB)
    made = 0
    with db:
        for _ in range(1_100):
            for payload in (
                lambda name: content.Edit(name, 1, "x"),
                lambda name: content.Reaction(
                    content.Reference(own=True, content_id=name), 1, "👍"
                ),
                content.Delete,
            ):
                made += 1
                name = ContentId(made.to_bytes(16, "big"))
                taken = Content(ContentId(bytes(16)), 0, payload(name))
                applier = Applier(db, BOB, made, lambda: ContentId(bytes(16)))
                for effect in rules.take(view, Sender(KEY), taken):
                    applier.apply(effect, taken)
                assert applier.events() == []
    for table in ("edits", "reactions", "gone"):
        assert db.execute(f"SELECT count(*) FROM {table}").get == talk.EARLY_MAX
    newest = Ref(KEY, ContentId((made - 2).to_bytes(16, "big")))
    assert view.edit(newest, 1) == "x", "the oldest go first"
    with db:
        talk.purge(db, made + talk.GONE_KEPT_MS + 1)
    for table in ("edits", "reactions", "gone"):
        assert db.execute(f"SELECT count(*) FROM {table}").get == 0


def test_the_same_id_of_two_authors_is_two_messages() -> None:
    """Whoever repeats another's content id makes a line of their own, and takes nobody's place."""
    db = database()
    with db:
        contacts.engage(db, BOB)
        for author, text in ((KEY, "Bob's"), (OTHER_KEY, "another's"), (OURSELVES, "ours")):
            taken = Content(ContentId(b"i" * 16), 0, content.Text(text))
            applier = Applier(db, BOB, 1, lambda: ContentId(bytes(16)))
            for effect in rules.take(talk.VaultView(db, BOB), Sender(author), taken):
                applier.apply(effect, taken)
    assert [line.text for line in history.page(db, BOB, None, 10)] == ["Bob's", "another's", "ours"]
    talk.erase(db, BOB, Ref(OTHER_KEY, ContentId(b"i" * 16)), 2)
    assert [line.text for line in history.page(db, BOB, None, 10)] == ["Bob's", "", "ours"]


@pytest.mark.parametrize("seconds", [0, 5, 60, 3600, 90, 86_400, 172_800])
def test_a_timer_is_said_as_people_say_it(seconds: int) -> None:
    """In the largest exact unit; a notice on both sides tells who set it."""
    db = database()
    with db:
        applier = Applier(db, BOB, 1, lambda: ContentId(b"n" * 16))
        talk.put_timer(db, BOB, content.Timer(1, 7))
        applier.apply(
            rules.PutTimer(KEY, content.Timer(2, seconds)),
            Content(ContentId(bytes(16)), 0, content.Turn()),
        )
    said = history.page(db, BOB, None, 1)[0].problem
    expected = {
        0: "bob set messages to stay.",
        5: "5 seconds",
        60: "1 minute",
        3600: "1 hour",
        90: "90 seconds",
        86_400: "1 day",
        172_800: "2 days",
    }
    assert expected[seconds] in said
