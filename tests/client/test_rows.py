"""The vault's rows: receipts gather, notices count, marks only move forward."""

import os
from collections.abc import Iterator

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.content import (
    RECEIPT_IDS,
    ContentId,
    Receipt,
    Text,
    Type,
    decode_payload,
)
from secure_chat.client.events import Message, MessageState
from secure_chat.client.vault import history, outbox, schema
from secure_chat.client.vault.outbox import Copy
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.wiretypes import AccountKey, DeliveryId

BOB = UserId("bob")
KEY = AccountKey(b"k" * 32)
OTHER = AccountKey(b"o" * 32)
ids = st.integers(0, 2_000).map(lambda number: ContentId(number.to_bytes(16, "big")))
batches = st.lists(st.tuples(st.lists(ids, unique=True, max_size=600), st.booleans()), max_size=6)


def _tables() -> apsw.Connection:
    db = apsw.Connection(":memory:")
    db.pragma("foreign_keys", "ON")
    schema.migrate(db)
    return db


@pytest.fixture
def db() -> Iterator[apsw.Connection]:
    db = _tables()
    yield db
    db.close()


def _receipts(db: apsw.Connection, kind: Type) -> list[Receipt]:
    found = [decode_payload(o.kind, o.payload) for o in outbox.waiting(db, BOB) if o.kind == kind]
    return [one for one in found if isinstance(one, Receipt)]


@given(batches)
def test_receipts_gather_until_they_leave(due: list[tuple[list[ContentId], bool]]) -> None:
    """Every message due is named by one waiting receipt, in order, at most 256 to a receipt."""
    db = _tables()
    named: dict[bool, list[ContentId]] = {False: [], True: []}
    for batch, read in due:
        outbox.owe_receipt(db, BOB, batch, KEY, 1, ContentId(os.urandom(16)), read=read)
        named[read] += batch
    for read, kind in ((False, Type.DELIVERED), (True, Type.READ)):
        receipts = _receipts(db, kind)
        assert all(1 <= len(one.content_ids) <= RECEIPT_IDS for one in receipts)
        said = [content_id for one in receipts for content_id in one.content_ids]
        assert set(said) == set(named[read])
        assert list(dict.fromkeys(said)) == list(dict.fromkeys(named[read]))
    db.close()


def test_a_receipt_that_was_encrypted_is_left_alone(db: apsw.Connection) -> None:
    """What is on its way does not change; the next receipt is another content."""
    first, second = ContentId(b"1" * 16), ContentId(b"2" * 16)
    outbox.owe_receipt(db, BOB, [first], KEY, 1, ContentId(b"a" * 16), read=False)
    owed = outbox.first_waiting(db, BOB)
    assert owed is not None
    outbox.add_copy(db, Copy(DeliveryId(b"d" * 16), owed.number, "main", b"sealed"))
    outbox.owe_receipt(db, BOB, [second], KEY, 1, ContentId(b"b" * 16), read=False)
    outbox.owe_receipt(db, BOB, [second], OTHER, 1, ContentId(b"c" * 16), read=False)
    said = [one.content_ids for one in _receipts(db, Type.DELIVERED)]
    assert said == [(first,), (second,), (second,)], "and never to another identity"


def _line(number: int, state: MessageState) -> Message:
    name = number.to_bytes(16, "big")
    return Message(name, 0, BOB, ours=True, text="text", time=1, state=state)


def test_marks_move_only_where_they_may(db: apsw.Connection) -> None:
    """A late `accepted` does not undo a receipt, and an equal state is no change."""
    line = history.add(db, _line(1, MessageState.WAITING))
    assert line is not None
    waiting = (MessageState.WAITING, MessageState.HELD)
    name = line.content_id
    delivered = history.set_state(db, BOB, name, MessageState.DELIVERED)
    assert delivered is not None
    assert delivered.state is MessageState.DELIVERED
    late = history.set_state(db, BOB, name, MessageState.ACCEPTED, only_from=waiting)
    assert late is None
    assert history.set_state(db, BOB, name, MessageState.DELIVERED) is None
    assert history.set_state(db, UserId("eve"), name, MessageState.READ) is None
    assert history.page(db, BOB, None, 10)[0].state is MessageState.DELIVERED


def test_a_content_is_one_line_however_often_it_comes(db: apsw.Connection) -> None:
    """The same content id of the same author again is no second line."""
    assert history.add(db, _line(1, MessageState.WAITING)) is not None
    assert history.add(db, _line(1, MessageState.WAITING)) is None
    assert len(history.page(db, BOB, None, 10)) == 1


def test_a_notice_in_a_row_is_counted(db: apsw.Connection) -> None:
    """A flood of unreadable messages is one line with a number, until something else comes."""
    for number in range(3):
        notice = ContentId(number.to_bytes(16, "big"))
        line, new = history.add_notice(db, BOB, notice, "unreadable", "Unreadable.", number)
        assert new is (number == 0)
    assert line.problem == "Unreadable. (3×)"
    assert line.is_notice
    history.add(db, _line(9, MessageState.WAITING))
    _, new = history.add_notice(db, BOB, ContentId(b"n" * 16), "unreadable", "Unreadable.", 9)
    assert new
    assert [one.is_notice for one in history.page(db, BOB, None, 10)] == [True, False, True]


def test_pages_join_without_gap_or_repetition(db: apsw.Connection) -> None:
    """Walking back page by page gives every line once, in order."""
    for number in range(25):
        history.add(db, _line(number, MessageState.WAITING))
    pages: list[Message] = []
    before: int | None = None
    while page := history.page(db, BOB, before, 7):
        pages = page + pages
        before = page[0].number
    assert [one.content_id for one in pages] == [n.to_bytes(16, "big") for n in range(25)]


def test_what_is_confirmed_is_kept_no_longer(db: apsw.Connection) -> None:
    """A receipt before the server's word, or after it: the content goes when both are there."""
    for order in ("receipt first", "server first"):
        name = ContentId(order.encode().ljust(16)[:16])
        outbox.owe(db, BOB, name, Text(order), KEY, 1)
        owed = outbox.first_waiting(db, BOB)
        assert owed is not None
        delivery = DeliveryId(bytes(name))
        outbox.add_copy(db, Copy(delivery, owed.number, "main", b"sealed"))
        if order == "receipt first":
            outbox.confirmed(db, BOB, name)
            assert outbox.copy_accepted(db, owed, delivery, 2)
        else:
            assert outbox.copy_accepted(db, owed, delivery, 2)
            assert db.execute("SELECT count(*) FROM outgoing").get == 1
            outbox.confirmed(db, BOB, name)
        assert db.execute("SELECT count(*) FROM outgoing").get == 0
        assert db.execute("SELECT count(*) FROM copies").get == 0
