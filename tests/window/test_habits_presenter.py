"""What a person sees and decides around the conversation, without a screen."""

from pathlib import Path

import pytest

from secure_chat.client import qr
from secure_chat.client.events import (
    AccountDeletion,
    ConversationChanged,
    KeyEvent,
    KeyFact,
    Means,
    MessageAdded,
    PeopleChanged,
    Person,
    Problem,
    ServersData,
    Trust,
)
from secure_chat.client.held_words import column
from secure_chat.client.i18n import Words
from secure_chat.client.presenter import deciding, notices
from secure_chat.client.presenter.account import Deleting, Held
from secure_chat.client.presenter.adding import Adding
from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.deciding import Deed
from secure_chat.client.presenter.notices import Notice, Notices
from secure_chat.client.presenter.passwords import PasswordChange, PasswordField, Unlocking
from secure_chat.client.presenter.rows import Mark
from secure_chat.client.presenter.signin import SignIn
from secure_chat.client.presenter.verifying import Verifying
from secure_chat.errors import Code, NoQrCode, ProfileUnwritable, QrImageUnusable, Refused
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.held import HeldRow, Value
from secure_chat.protocol.invite import ContactLink
from secure_chat.server.store.book import SECTIONS
from tests.support.habit_calls import KEYS, SERVER, SERVER_ID
from tests.support.waiting import wait_for
from tests.window.fakes import NOW, THEIRS, FakeAccounts, FakeEngine, at

BOB, SARA, CAROL = UserId("bob"), UserId("sara"), UserId("carol")
WORDS = Words()


def chat_with(engine: FakeEngine) -> Chat:
    chat = Chat(engine, WORDS, clock=lambda: NOW)
    chat.poll()
    return chat


# ---------------------------------------------------------------- the list


def test_a_request_stands_first_with_nothing_but_a_name() -> None:
    """Neither text, display name nor picture of the stranger; nothing can be written to them."""
    engine = FakeEngine()
    engine.say(BOB, "an old friend", ago=1)
    engine.requests.add(SARA)
    engine.persons[SARA] = Person(SARA, online=True, display_name="")
    engine.say(SARA, "click https://evil.example", ago=2)
    chat = chat_with(engine)
    first = chat.people[0]
    assert first.user_id == SARA
    assert first.request
    assert chat.people.headings == {0: "Requests (1)", 1: "Everybody"}
    assert "evil" not in repr(list(chat.people))
    chat.select(SARA)
    assert chat.request == SARA
    assert chat.timeline.rows == []
    assert chat.header is not None
    assert chat.header.mark is Mark.NONE
    assert chat.title == "(1) secure_chat · alice"  # bob's message alone
    assert [one.deed for one in chat.choices(SARA)] == [Deed.ACCEPT, Deed.DELETE, Deed.BLOCK]


@pytest.mark.parametrize(("deed", "stays"), [(Deed.ACCEPT, True), (Deed.BLOCK, False)])
def test_an_answered_request_is_none_any_more(deed: Deed, stays: bool) -> None:
    """Accepted, the conversation opens; blocked, it closes."""
    engine = FakeEngine()
    engine.requests.add(SARA)
    engine.say(SARA, "hello", ago=2)
    chat = chat_with(engine)
    chat.select(SARA)
    assert chat.decide(SARA, deed)
    chat.poll()
    assert chat.request is None
    assert (chat.selected == SARA) is stays


def test_pinned_ones_stand_above_the_rest_in_their_order_and_archived_ones_nowhere() -> None:
    """Under headings of their own; an archived one is found by a search, or in the archive."""
    engine = FakeEngine()
    for name, ago in ((BOB, 3), (SARA, 2), (CAROL, 1)):
        engine.say(name, "x", ago=ago)
    chat = chat_with(engine)
    for name in (SARA, BOB):
        chat.decide(name, Deed.PIN)
    chat.poll()
    assert [row.user_id for row in chat.people] == [SARA, BOB, CAROL]
    assert chat.people.headings == {0: "Pinned", 2: "Everybody"}
    chat.decide(SARA, Deed.ARCHIVE)
    chat.poll()
    assert [row.user_id for row in chat.people] == [BOB, CAROL]
    assert chat.archived == 1
    chat.show_archive(shown=True)
    assert [row.user_id for row in chat.people] == [SARA]
    chat.show_archive(shown=False)
    chat.find("sar")  # a search finds the archive too
    assert [row.user_id for row in chat.people] == [SARA]


def test_what_a_person_decided_is_said_in_words_and_signs() -> None:
    """For a screen reader, and not by colour alone; the menu offers the way back."""
    engine = FakeEngine()
    engine.say(BOB, "x")
    chat = chat_with(engine)
    for deed in (Deed.PIN, Deed.MUTE, Deed.BLOCK):
        chat.decide(BOB, deed)
    chat.poll()
    row = chat.people[0]
    assert {"blocked", "muted", "pinned"} <= set(row.spoken.split(", "))
    assert (row.blocked, row.muted, row.pinned) == (True, True, True)
    offered = {one.deed for one in chat.choices(BOB)}
    assert {Deed.UNPIN, Deed.UNMUTE, Deed.UNBLOCK} <= offered
    assert not {Deed.PIN, Deed.MUTE, Deed.BLOCK} & offered
    chat.select(BOB)
    assert not chat.composer.enabled
    assert chat.warning is not None
    assert "blocked" in chat.warning.text


def test_attack_72_no_chosen_name_takes_the_place_of_the_accounts() -> None:
    """Whatever somebody calls themselves or is called here, the account's name is a field of its
    own; bidi controls and line breaks of a chosen name reach no row."""
    engine = FakeEngine()
    nasty = "carol\u202e\u2066\nYour key is verified"
    engine.persons[BOB] = Person(BOB, online=True, trust=Trust.NEW, display_name=nasty)
    engine.say(BOB, "x")
    engine.persons[BOB] = Person(BOB, online=True, trust=Trust.NEW, display_name=nasty)
    chat = chat_with(engine)
    row = chat.people[0]
    assert row.user_id == BOB
    assert row.title == ""
    assert row.calls_itself == "carol Your key is verified"
    assert not set(row.calls_itself) & set("\u202e\u2066\n")
    chat.decide(BOB, Deed.PIN)
    engine.set_contact_name(BOB, "Carol")
    chat.poll()
    assert chat.people[0].title == "Carol"
    assert chat.people[0].user_id == BOB
    chat.select(BOB)
    assert chat.header is not None
    assert (chat.header.user_id, chat.header.title) == (BOB, "Carol")
    assert chat.panel.their_name == BOB  # trust is in the account's name alone


def test_hurtful_deeds_are_asked_first_and_say_what_they_do() -> None:
    """The question names the person and explains itself in more than a few words."""
    engine = FakeEngine()
    engine.say(BOB, "x")
    for deed in deciding.ASKED_FIRST:
        ask = deciding.question(deed, engine.conversation(BOB), BOB, WORDS)
        assert "bob" in ask.title
        assert len(ask.text) > 40


# ---------------------------------------------------------------- notifications


def heard(style: str, *events: object, looking: bool = False) -> Notice | None:
    made = Notices(WORDS, lambda: style, lambda: at(0))
    for event in events:
        made.take(event, looking=looking)  # type: ignore[arg-type]
    return made.due()


def message(
    engine: FakeEngine, name: UserId, text: str, *, ours: bool = False, notice: bool = False
) -> MessageAdded:
    return MessageAdded(engine.say(name, text, ours=ours, notice=notice))


def test_a_notification_has_no_text_unless_asked_for() -> None:
    """The name alone as it ships, a count or nothing if chosen so; a press leads to the sender."""
    engine = FakeEngine()
    came = message(engine, BOB, "a secret")
    assert heard(notices.NAME, came) == Notice("bob", "1 new message", BOB)
    assert heard(notices.COUNT, came) == Notice("1 new message", "", None)
    assert heard(notices.TEXT, came) == Notice("bob", "a secret", BOB)
    assert heard(notices.OFF, came) is None


def test_what_comes_together_is_told_together() -> None:
    """One notification counts them, and shows no text even where texts are asked for."""
    engine = FakeEngine()
    both = [message(engine, BOB, "a"), message(engine, SARA, "b"), message(engine, BOB, "c")]
    assert heard(notices.TEXT, *both) == Notice("3 new messages", "", None)


def test_muted_blocked_own_and_seen_messages_are_silent() -> None:
    """Nor does a line of the program's own make a notification."""
    engine = FakeEngine()
    engine.mute(BOB, None)
    muted = ConversationChanged(engine.conversation(BOB))
    came = message(engine, BOB, "a")
    assert heard(notices.NAME, muted, came) is None
    assert heard(notices.NAME, came, looking=True) is None
    assert heard(notices.NAME, message(engine, SARA, "mine", ours=True)) is None
    assert heard(notices.NAME, message(engine, SARA, "", notice=True)) is None


def test_a_request_is_told_without_a_name_and_once() -> None:
    """A stranger chooses the name: no notification shows it, and none comes a second time."""
    engine = FakeEngine()
    engine.requests.add(SARA)
    engine.say(SARA, "buy")
    asks = ConversationChanged(engine.conversation(SARA))
    made = Notices(WORDS, lambda: notices.NAME, lambda: at(0))
    made.take(asks, looking=False)
    assert made.due() == Notice("Somebody new wants to write to you.", "")
    made.take(asks, looking=False)
    assert made.due() is None


# ---------------------------------------------------------------- adding somebody


def test_somebody_is_added_by_name_when_the_server_knows_them() -> None:
    """A wrong name is said at once, an unknown one when the server has answered."""
    engine = FakeEngine()
    adding = Adding(engine, WORDS)
    adding.enter("9lives")
    assert "first a letter" in adding.mistake
    adding.enter("Reza")
    assert adding.busy
    assert "open reza" in engine.calls
    assert adding.take(Problem(Refused(Code.UNKNOWN_USER), UserId("reza")))
    assert adding.mistake == "Nobody on this server has this name."
    adding.enter("reza")
    assert adding.take(PeopleChanged((Person(UserId("reza"), online=True, trust=Trust.NEW),)))
    assert adding.found == "reza"


def test_a_contact_link_verifies_only_after_the_question() -> None:
    """Whoever is not sure gets the conversation, not the mark."""
    link = ContactLink(SERVER, SERVER_ID, UserId("reza"), KEYS["b"])
    for trusted, call in ((False, "link reza"), (True, "link, verified reza")):
        engine = FakeEngine()
        adding = Adding(engine, WORDS)
        adding.enter(f" {link}\n")
        assert adding.asks is not None
        assert "reza" in adding.asks.text
        assert engine.calls == []
        adding.answer(trusted=trusted)
        assert engine.calls == [call]
        assert adding.found == "reza"


def test_attack_26_a_forged_contact_link_is_said_to_be_one() -> None:
    """A link with another key than the server's, an invite, a link cut short: each in its words."""
    engine = FakeEngine()
    adding = Adding(engine, WORDS)
    adding.enter(str(ContactLink(SERVER, SERVER_ID, UserId("reza"), KEYS["h"])))
    adding.answer(trusted=True)
    assert "another key" in adding.mistake
    assert adding.found is None
    adding.enter("securechat://host/#v=1")
    assert "invite link" in adding.mistake
    adding.enter(str(ContactLink(SERVER, SERVER_ID, UserId("reza"), KEYS["b"]))[:-4])
    assert "cannot be used" in adding.mistake


# ---------------------------------------------------------------- verifying


def verifying(engine: FakeEngine) -> Verifying:
    return Verifying(engine, BOB, WORDS, Times(WORDS, lambda: NOW))


def test_a_code_is_read_from_an_image_file_and_from_pasted_text(tmp_path: Path) -> None:
    """The image is what another screen shows; reading it needs the extra, pasting nothing."""
    pytest.importorskip("zxingcpp")
    engine = FakeEngine()
    engine.say(BOB, "x")
    engine.codes[BOB] = "01" + "5" * 60
    shown = tmp_path / "photo.png"
    shown.write_bytes(qr.png(engine.codes[BOB], 300))
    for from_image in (True, False):
        page = verifying(engine)
        assert page.read_image(shown) if from_image else page.read_text(engine.codes[BOB])
        assert page.said is not None
        assert page.said.good
    assert engine.calls == ["scanned bob"] * 2


def test_attack_25_a_code_of_other_keys_is_an_alarm(tmp_path: Path) -> None:
    """Digits of other keys alarm, somebody else's link names its owner, and nobody is verified."""
    engine = FakeEngine()
    engine.say(BOB, "x")
    page = verifying(engine)
    assert not page.read_text("01" + "7" * 60)
    assert page.said is not None
    assert page.said.alarm
    other = ContactLink(SERVER, SERVER_ID, SARA, KEYS["b"])
    assert not page.read_text(str(other))
    assert "sara" in page.said.text
    assert not page.read_text("")


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_an_image_that_is_none_is_said_in_words(tmp_path: Path, content: bytes) -> None:
    """Empty, damaged or absent, it raises `QrImageUnusable` and nothing of the library's own."""
    pytest.importorskip("zxingcpp")
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(QrImageUnusable):
        qr.read_image(path)
    with pytest.raises(QrImageUnusable, match="No such file"):
        qr.read_image(tmp_path / "missing.png")


def test_an_image_without_a_code_is_said_to_be_one(tmp_path: Path) -> None:
    """A good picture that holds no QR code is told from one that cannot be read."""
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "white.png"
    image.new("L", (60, 60), 255).save(path)
    with pytest.raises(NoQrCode):
        qr.read_image(path)


def test_the_history_of_a_key_says_what_and_how_the_newest_first() -> None:
    """How it was verified stands with it, and another key that was offered is an alarm."""
    engine = FakeEngine()
    engine.histories[BOB] = [
        KeyEvent(at(90), KeyFact.SEEN, None, THEIRS),
        KeyEvent(at(60), KeyFact.VERIFIED, Means.QR, THEIRS),
        KeyEvent(at(1), KeyFact.CHANGED),
    ]
    rows = verifying(engine).history
    assert [row.what for row in rows] == [
        "another key was offered", "verified by QR code", "seen for the first time",
    ]  # fmt: skip
    assert [row.alarm for row in rows] == [True, False, False]
    assert rows[0].key == ()
    assert rows[1].key == tuple(THEIRS.split()[:3])


# ---------------------------------------------------------------- password, lock, account


def test_a_password_is_changed_beside_the_window_with_mistakes_at_their_fields() -> None:
    """Nothing begins with a mistake; the old password is asked for, and the new one then holds."""
    engine = FakeEngine()
    change = PasswordChange(engine, WORDS)
    for fields, wrong in (
        (("", "long enough", "long enough"), PasswordField.OLD),
        (("correct horse", "short", "short"), PasswordField.NEW),
        (("correct horse", "correct horse", "correct horse"), PasswordField.NEW),
        (("correct horse", "long enough", "another"), PasswordField.REPEAT),
    ):
        assert not change.begin(*fields)
        assert set(change.mistakes) == {wrong}
    assert change.begin("not the old one", "long enough", "long enough")
    wait_for(change.poll)
    assert set(change.mistakes) == {PasswordField.OLD}
    assert change.begin("correct horse", "long enough", "long enough")
    wait_for(change.poll)
    assert change.done
    assert engine.password == "long enough"


def test_the_lock_opens_for_the_password_alone() -> None:
    """An empty or wrong one is said in words, and may be followed by the right one."""
    unlocking = Unlocking(FakeEngine(), WORDS)
    unlocking.enter("")
    assert unlocking.mistake
    unlocking.enter("wrong")
    wait_for(unlocking.poll)
    assert not unlocking.done
    assert unlocking.mistake == "The password is wrong."
    unlocking.enter("correct horse")
    wait_for(unlocking.poll)
    assert unlocking.done


def test_what_the_server_holds_is_shown_as_it_says_it() -> None:
    """Long values and long tables are cut with a word about it; a failure is said."""
    held = Held(FakeEngine(), WORDS)
    held.ask()
    assert held.busy
    rows = [HeldRow("one_time_keys", {"key_id": n, "key": "k" * 500}) for n in range(40)]
    assert held.take(ServersData((HeldRow("accounts", {"user_id": "alice"}), *rows)))
    assert held.tables[0].title == "Your account"
    assert held.tables[1].more == "10 more rows"
    assert all(len(one.value) <= 90 for row in held.tables[1].rows for one in row)
    held.ask()
    assert held.take(ServersData((), Refused(Code.RATE_LIMITED)))
    assert held.problem


def test_a_server_that_tells_without_end_fills_a_page_and_no_more() -> None:
    """Thousands of rows, of tables without number and in any order: a page that is drawn at once,
    each table once, and a word about the rest."""
    rows = tuple(
        HeldRow(f"t{n % 200}", {f"c{k}": "x" * 90 for k in range(60)}) for n in range(5000)
    )
    held = Held(FakeEngine(), WORDS)
    assert held.take(ServersData(rows))
    assert len({table.name for table in held.tables}) == len(held.tables) <= 31
    assert sum(len(row) for table in held.tables for row in table.rows) < 1500
    assert held.tables[0].more
    assert held.tables[-1].count == "4250 more rows"


def test_what_the_server_holds_is_said_in_words() -> None:
    """Every column of the book has words, its own name beside them; times and sizes are readable.
    A column of a newer server shows by its name."""
    held = Held(FakeEngine(), Words("fa"))
    values: dict[str, Value] = {"time": 1_700_000_000_000, "size": 343, "sender": "bob/main",
                                "whole": True, "of_later": 2**62, "expires": 2**62}  # fmt: skip
    held.take(ServersData((HeldRow("uploads", values),)))
    shown = {one.column: one for one in held.tables[0].rows[0]}
    assert held.tables[0].name == "uploads"
    assert (shown["size"].what, shown["size"].value) == ("اندازه", "۳۴۳ بایت")
    assert "۱۴۰۲" in shown["time"].value
    assert shown["whole"].value == "بله"
    assert shown["of_later"].what == ""
    assert shown["of_later"].value == Words("fa").digits(2**62) == shown["expires"].value
    columns = {str(c.name) for section in SECTIONS for c in section.table.c}
    for name in (*columns, "device", "network", "unacknowledged"):
        assert column(name, Words("en")), f"no words for {name}"
        assert column(name, Words("fa")) != column(name, Words("en"))


def test_an_account_is_deleted_only_by_its_typed_name() -> None:
    """A refusal by the server removes nothing here; its consent removes both."""
    engine = FakeEngine()
    removed: list[bool] = []
    deleting = Deleting(engine, WORDS, lambda: removed.append(True))
    assert not deleting.begin("bob", also_here=True)
    assert "alice" in deleting.mistake
    assert deleting.begin(" Alice ", also_here=True)
    assert deleting.busy
    assert deleting.take(AccountDeletion(Refused(Code.RATE_LIMITED)))
    assert deleting.mistake
    still_busy: bool = deleting.busy
    assert not still_busy
    assert deleting.begin("alice", also_here=True)
    assert deleting.take(AccountDeletion())
    wait_for(deleting.poll)
    assert deleting.done
    assert deleting.said == "The account alice is deleted, at the server and here."
    assert removed == [True]


def test_files_that_stay_after_the_account_is_deleted_are_said() -> None:
    """The account is gone, its files could not be removed: both are said, on the next screen."""

    def fail() -> None:
        raise ProfileUnwritable(folder=Path("/p/alice"), reason="Read-only file system")

    deleting = Deleting(FakeEngine(), WORDS, fail)
    assert deleting.begin("alice", also_here=True)
    assert deleting.take(AccountDeletion())
    wait_for(deleting.poll)
    assert deleting.said.startswith("The account alice is deleted at the server, but its files")
    assert "Read-only file system" in deleting.said
    assert SignIn(FakeAccounts(FakeEngine()), WORDS, deleting.said).said == deleting.said
