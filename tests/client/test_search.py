"""Finding messages, and drafts: what the vault keeps, and what it must not keep."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.content import ContentId, File
from secure_chat.client.content.rules import OURSELVES, Ref
from secure_chat.client.events import Draft, Message, MessageState
from secure_chat.client.vault import attached, contacts, drafts, history, schema, search, talk
from secure_chat.crypto.files import FileKey
from secure_chat.protocol.addresses import UserId
from tests.support.timing import seconds_of

BOB, EVE = UserId("bob"), UserId("eve")


@pytest.fixture
def db() -> Iterator[apsw.Connection]:
    db = tables()
    yield db
    db.close()


def tables() -> apsw.Connection:
    db = apsw.Connection(":memory:")
    schema.migrate(db)
    contacts.engage(db, BOB)
    return db


def say(db: apsw.Connection, text: str, user_id: UserId = BOB) -> Message:
    line = Message(
        os.urandom(16), 0, user_id, ours=True, text=text, time=1, state=MessageState.WAITING
    )
    added = history.add(db, line)
    assert added is not None
    return added


def found(db: apsw.Connection, text: str) -> list[str]:
    return [message.text for message in search.find(db, text, 50)]


def ref(message: Message) -> Ref:
    return Ref(OURSELVES, ContentId(message.content_id))


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Hello World", "world"),
        ("Hello World", "WOR hel"),
        ("crème brûlée", "creme"),
        ("STRASSE", "straße"),
        ("سلام، خوبی؟", "سلام"),
        ("كتاب علي", "کتاب علی"),  # Arabic letters in the text, Persian ones in the question
        ("می‌شود", "می‌شود"),
        ("مُدیر", "مدیر"),
        ("ساعت ۱۰", "10"),
        ("see https://example.org/a?b=c", "example.org"),
        ('a "quoted" AND (nasty) text*', '"quoted" AND ('),
    ],
)
def test_a_message_is_found_by_the_beginnings_of_its_words(
    db: apsw.Connection, text: str, asked: str
) -> None:
    """Without regard to case, accents, Arabic or Persian forms; nothing in a question is syntax."""
    say(db, text)
    say(db, "something else")
    assert found(db, asked) == [text]


@given(st.text(max_size=60))
def test_no_question_is_an_error(asked: str) -> None:
    """Whatever is typed into the search box is looked for, never obeyed."""
    db = tables()
    say(db, "something")
    assert found(db, asked) in ([], ["something"])


def test_the_newest_come_first_and_strangers_stay_hidden(db: apsw.Connection) -> None:
    """A stranger cannot put words into somebody's search before being accepted."""
    for text in ("one tea", "two tea"):
        say(db, text)
    say(db, "free tea", EVE)
    assert found(db, "tea") == ["two tea", "one tea"]
    contacts.engage(db, EVE)
    assert found(db, "tea") == ["free tea", "two tea", "one tea"]


def test_what_is_edited_is_found_by_its_present_text(db: apsw.Connection) -> None:
    """The former wording has left the index."""
    message = say(db, "the old wording")
    talk.put_edit(db, BOB, ref(message), 1, "the new phrase", 2)
    assert found(db, "wording") == []
    assert found(db, "phrase") == ["the new phrase"]


@pytest.mark.parametrize("remove", [talk.erase, talk.remove])
def test_attack_64_the_words_of_a_deleted_message_leave_the_index(
    tmp_path: Path, remove: object
) -> None:
    """Neither the search nor a raw look at the file knows the word any more."""
    db = apsw.Connection(str(tmp_path / "plain.db"))
    db.pragma("secure_delete", "ON")
    schema.migrate(db)
    contacts.engage(db, BOB)
    for number in range(300):
        say(db, f"chatter number {number}")
    message = with_file(db, "canaryname.txt", "canaryword")
    assert found(db, "canaryword") == found(db, "canaryname") == ["canaryword"]
    assert b"canaryword" in (tmp_path / "plain.db").read_bytes()
    assert callable(remove)
    remove(db, BOB, ref(message), 5)
    assert found(db, "canary") == []
    db.close()
    assert b"canary" not in (tmp_path / "plain.db").read_bytes()


def with_file(db: apsw.Connection, name: str, caption: str = "") -> Message:
    message = say(db, caption)
    file = File(name, 5, "text/plain", FileKey(bytes(32)), b"")
    attached.add(db, BOB, ref(message), file, None)
    return message


def test_a_message_is_found_by_the_name_of_its_file(db: apsw.Connection) -> None:
    """By words of the name, of the caption, and of both; by the name no more once it is gone."""
    bare = with_file(db, "Tax_Report-2026.pdf")
    told = with_file(db, "گزارش سال.ods", "the new figures")
    for asked, message in (
        ("report", bare), ("tax 2026", bare), ("گزارش", told), ("figures گزارش", told)
    ):  # fmt: skip
        assert [one.number for one in search.find(db, asked, 5)] == [message.number], asked
    talk.put_edit(db, BOB, ref(told), 1, "older figures", 2)
    assert [one.number for one in search.find(db, "older گزارش", 5)] == [told.number]
    assert found(db, "new") == []
    talk.erase(db, BOB, ref(told), 5)
    attached.drop(db, BOB, ref(bare))
    assert found(db, "report") == found(db, "گزارش") == found(db, "older") == []


def test_a_vault_from_before_finds_the_files_that_it_has() -> None:
    """The migration indexes the names that are there, and each row's words can leave again."""
    db = apsw.Connection(":memory:")
    schema.migrate(db, schema.MIGRATIONS[: schema.MIGRATIONS.index(schema._FILE_NAMES)])
    contacts.engage(db, BOB)
    message = with_file(db, "minutes.txt", "as promised")
    other = say(db, "nothing")
    assert found(db, "minutes") == []
    schema.migrate(db)
    assert found(db, "minutes promised") == ["as promised"]
    talk.remove(db, BOB, ref(message), 5)
    talk.remove(db, BOB, ref(other), 5)
    assert found(db, "minutes") == found(db, "promised") == found(db, "nothing") == []
    db.execute("INSERT INTO search (search) VALUES ('integrity-check')")


def test_a_vault_from_before_the_search_finds_its_old_messages() -> None:
    """The migration indexes what is there."""
    db = apsw.Connection(":memory:")
    schema.migrate(db, schema.MIGRATIONS[:3])
    contacts.engage(db, BOB)
    db.execute(
        "INSERT INTO messages (user_id, content_id, ours, text, time, state)"
        " VALUES ('bob', x'01', 0, 'from long ago', 1, 'received')"
    )
    schema.migrate(db)
    assert search.find(db, "long", 5)[0].text == "from long ago"


def test_a_hundred_thousand_messages_are_searched_at_typing_speed(db: apsw.Connection) -> None:
    """A rare and a frequent word each answer within a fifth of a second."""
    db.execute("BEGIN")
    db.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        " INSERT INTO messages (user_id, content_id, ours, text, time, state)"
        " SELECT 'bob', CAST(i AS BLOB), 0, 'we talk about thing' || i || ' today', i, 'received'"
        " FROM n"
    )
    db.execute("COMMIT")
    for asked, most in (("thing777", 50), ("talk today", 50), ("t", 50)):
        assert seconds_of(partial(found, db, asked)) < 0.2
        assert 0 < len(found(db, asked)) <= most


def test_drafts_are_kept_and_an_empty_one_leaves_nothing(db: apsw.Connection) -> None:
    """With the message that it answers; no row stays of one that was emptied."""
    draft = Draft("half a sen", reply_to=7)
    drafts.put(db, BOB, draft)
    assert drafts.get(db, BOB) == draft
    assert history.conversation(db, BOB).draft == "half a sen"
    drafts.put(db, BOB, Draft())
    assert drafts.get(db, BOB) == Draft()
    assert db.execute("SELECT count(*) FROM drafts").get == 0


def test_a_conversation_names_its_oldest_unread_message(db: apsw.Connection) -> None:
    """So that a face can open it where reading stopped, and read a page from both sides of it."""
    numbers = []
    for text in ("seen", "first new", "second new"):
        line = Message(
            os.urandom(16), 0, BOB, ours=False, text=text, time=1, state=MessageState.RECEIVED
        )
        added = history.add(db, line, unread=text != "seen")
        assert added is not None
        numbers.append(added.number)
    assert history.conversation(db, BOB).first_unread == numbers[1]
    assert [m.text for m in history.page_after(db, BOB, numbers[0], 1)] == ["first new"]
    history.mark_read(db, BOB, numbers[1], 5)
    assert history.conversation(db, BOB).first_unread == numbers[2]
