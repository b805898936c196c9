"""What a person sees, decided by the presenter: no screen, no toolkit."""

import subprocess
import sys
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.events import (
    ConnectionChanged,
    ConnectionState,
    MessageChanged,
    MessageRemoved,
    MessageState,
    PeopleChanged,
    Person,
    Trust,
)
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.chat import Chat, Part
from secure_chat.client.presenter.rows import (
    Action,
    BubbleRow,
    DayRow,
    Delivery,
    Mark,
    NoticeRow,
    Tone,
    UnreadRow,
)
from secure_chat.client.presenter.timeline import Appended, Prepended, Reset, Updated
from secure_chat.client.presenter.virtual import Heights, Viewport
from secure_chat.errors import Code, ConnectFailed, Refused
from secure_chat.protocol.addresses import UserId
from tests.support.timing import seconds_of
from tests.window.fakes import NOW, NUMBER, FakeEngine

BOB = UserId("bob")


class Monotonic:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def chat_with(engine: FakeEngine, language: str = "en", monotonic: Monotonic | None = None) -> Chat:
    chat = Chat(engine, Words(language), clock=lambda: NOW, monotonic=monotonic or Monotonic())
    chat.poll()
    return chat


def bubbles(chat: Chat) -> list[BubbleRow]:
    return [row for row in chat.timeline.rows if isinstance(row, BubbleRow)]


def standing(chat: Chat) -> tuple[bool, Mark]:
    """Whether one may write, and the panel's mark."""
    return chat.composer.enabled, chat.panel.mark


def warning_text(chat: Chat) -> str:
    return chat.warning.text if chat.warning is not None else ""


def banner_text(chat: Chat) -> str:
    return chat.banner.text if chat.banner is not None else ""


# ---------------------------------------------------------------- conversation


def test_messages_stand_under_their_days_with_times_and_sides() -> None:
    """A day's row comes once before its messages; a run of one side is marked by its first."""
    engine = FakeEngine()
    engine.say(BOB, "yesterday", ago=24 * 60)
    engine.say(BOB, "one", ago=10)
    engine.say(BOB, "two", ago=9)
    engine.say(BOB, "mine", ours=True, ago=8)
    chat = chat_with(engine)
    chat.select(BOB)
    days = [row.text for row in chat.timeline.rows if isinstance(row, DayRow)]
    assert days == ["Yesterday", "Today"]
    assert [(row.text, row.first) for row in bubbles(chat)] == [
        ("yesterday", True), ("one", True), ("two", False), ("mine", True),
    ]  # fmt: skip
    assert bubbles(chat)[-1].when == "13:57"


@pytest.mark.parametrize(
    ("state", "delivery"),
    [
        (MessageState.WAITING, Delivery.WAITING),
        (MessageState.HELD, Delivery.HELD),
        (MessageState.ACCEPTED, Delivery.ACCEPTED),
        (MessageState.DELIVERED, Delivery.DELIVERED),
        (MessageState.READ, Delivery.READ),
    ],
)
def test_a_message_shows_how_far_it_has_come(state: MessageState, delivery: Delivery) -> None:
    """Each state has its own mark and words, and a held message says why."""
    engine = FakeEngine()
    message = engine.say(BOB, "hello", ours=True)
    chat = chat_with(engine)
    chat.select(BOB)
    chat.take_changes()
    engine.become(message, state, problem="The mailbox is full." if state == "held" else "")
    chat.poll()
    row = bubbles(chat)[0]
    assert row.delivery is delivery
    assert row.state
    assert (row.problem == "The mailbox is full.") == (delivery is Delivery.HELD)
    changed = [] if state is MessageState.WAITING else [Updated(1)]  # it was that before
    assert chat.take_changes()[1] == changed


def test_an_arriving_message_is_added_once_and_read_while_it_is_in_view() -> None:
    """A message in the open conversation is appended, and the engine hears that it was seen."""
    engine = FakeEngine()
    engine.say(BOB, "one")
    chat = chat_with(engine)
    chat.select(BOB)
    chat.viewed(len(chat.timeline.rows) - 1)
    chat.take_changes()
    message = engine.say(BOB, "two")
    engine.tell(ConnectionChanged(ConnectionState.ONLINE))
    chat.poll()
    chat.poll()
    # The one before is not the last of its group any more.
    assert chat.take_changes()[1] == [Updated(2), Appended(1, ours=False)]
    assert [row.text for row in bubbles(chat)] == ["one", "two"]
    assert engine.calls[-1] == f"read bob {message.number}"


def test_a_message_is_not_read_while_the_window_is_behind_others() -> None:
    """It counts as unread, in the title too, until the window is in front again."""
    engine = FakeEngine()
    engine.say(BOB, "one")
    chat = chat_with(engine)
    chat.select(BOB)
    chat.viewed(len(chat.timeline.rows) - 1)
    chat.look(looking=False)
    engine.say(BOB, "two")
    chat.poll()
    assert chat.title.startswith("(1) ")
    chat.look(looking=True)
    chat.poll()
    assert not chat.title.startswith("(")


def test_a_long_history_is_read_in_pages_without_losing_the_place() -> None:
    """Earlier pages come in front; the rows that were there stay, in order, until the beginning."""
    engine = FakeEngine()
    engine.fill(BOB, (f"line {i}" for i in range(450)))
    chat = chat_with(engine)
    chat.select(BOB)
    assert chat.take_changes()[1] == [Reset()]
    shown = chat.timeline.rows[-1]
    assert chat.load_earlier()
    (change,) = chat.take_changes()[1]
    assert isinstance(change, Prepended)
    assert chat.load_earlier()
    assert not chat.load_earlier()
    assert [row.text for row in bubbles(chat)] == [f"line {i}" for i in range(450)]
    assert chat.timeline.rows[-1] == shown


def test_attack_73_a_message_cannot_become_a_line_of_the_program() -> None:
    """Whatever a peer writes is a bubble; only what the engine marks as a notice is a notice."""
    engine = FakeEngine()
    text = "The key of carol has changed."
    engine.say(BOB, text)
    engine.say(BOB, "", notice=True, problem=text)
    engine.say(BOB, f"\n\n— Today —\n{text}")
    chat = chat_with(engine)
    chat.select(BOB)
    kinds = [type(row) for row in chat.timeline.rows]
    assert kinds == [DayRow, UnreadRow, BubbleRow, NoticeRow, BubbleRow]
    (person,) = chat.people
    assert not person.preview_is_notice


def test_held_messages_say_why_and_can_be_tried_again() -> None:
    """A refusal for now leaves a remark with a button, not a blocked composer."""
    engine = FakeEngine()
    message = engine.say(BOB, "hello", ours=True)
    chat = chat_with(engine)
    chat.select(BOB)
    assert chat.warning is None
    engine.become(message, MessageState.HELD, "The recipient's mailbox is full.")
    chat.poll()
    assert Part.COMPOSER in chat.take_changes()[0]
    assert "mailbox is full" in warning_text(chat)
    assert chat.composer.enabled
    chat.act(Action.RETRY)
    assert engine.calls[-1] == "retry bob"


def test_lines_of_the_engine_are_said_in_the_language_of_the_window() -> None:
    """One that nobody translated is shown as it is, not left out."""
    engine = FakeEngine()
    engine.say(BOB, "", notice=True, problem="The key of bob is not the one known before.")
    engine.say(BOB, "", notice=True, problem="Something nobody translated about bob.")
    chat = chat_with(engine, "fa")
    chat.select(BOB)
    first, second = (row.text for row in chat.timeline.rows if isinstance(row, NoticeRow))
    assert "bob" in first
    assert "کلید" in first
    assert second == "Something nobody translated about bob."


def test_what_was_deleted_or_has_disappeared_leaves_the_screen() -> None:
    """A deleted text is gone but its place is said; a disappeared message leaves no row."""
    engine = FakeEngine()
    first = engine.say(BOB, "regretted")
    second = engine.say(BOB, "for an hour")
    chat = chat_with(engine)
    chat.select(BOB)
    engine.tell(MessageChanged(msgspec.structs.replace(first, text="", deleted=True)))
    engine.tell(MessageRemoved(BOB, second.number, second.content_id))
    chat.poll()
    assert [row.text for row in bubbles(chat)] == ["This message was deleted."]


def test_a_clock_that_is_far_off_is_said() -> None:
    """A sender's clock ten years ahead is shown as a remark, never as the message's time."""
    engine = FakeEngine()
    far = round((NOW + timedelta(days=3650)).timestamp() * 1000)
    engine.say(BOB, "from the future", claimed=far)
    engine.say(BOB, "nonsense", claimed=2**62)
    chat = chat_with(engine)
    chat.select(BOB)
    assert "2036" in bubbles(chat)[0].flag
    assert bubbles(chat)[0].when == "14:05"
    assert bubbles(chat)[1].flag


def test_a_text_that_is_too_long_stays_and_is_explained() -> None:
    """The limit stands in the person's digits; blank texts are not sent, good ones are trimmed."""
    engine = FakeEngine()
    engine.say(BOB, "hi")
    chat = chat_with(engine)
    chat.select(BOB)
    assert not chat.send("x" * 20_000)
    assert "16384" in chat.problem
    chat.speak(Words("fa"))  # a banner that stands speaks the language of now
    assert "۱۶۳۸۴" in chat.problem
    chat.speak(Words("en"))
    assert "16384" in chat.problem
    assert not chat.send("  \n ")
    assert chat.send(" fine ")
    assert engine.history(BOB)[-1].text == "fine"


def test_drafts_belong_to_their_conversations() -> None:
    """Changing to another conversation and back brings what was written for this one."""
    engine = FakeEngine()
    engine.say(BOB, "hi")
    engine.say(UserId("carol"), "hi")
    chat = chat_with(engine)
    chat.select(BOB)
    chat.keep_draft("for bob")
    chat.select(UserId("carol"))
    assert chat.draft == ""
    chat.select(BOB)
    assert chat.draft == "for bob"


# ---------------------------------------------------------------- people


def test_people_come_by_last_message_then_presence_then_name() -> None:
    """A search ignores case and spaces around it, and says when it found nobody."""
    engine = FakeEngine()
    engine.meet("zoe", online=True)
    engine.meet("adam", online=False)
    engine.meet("mina", online=True)
    engine.say(UserId("carol"), "older", ago=60)
    engine.say(BOB, "newer", ago=1)
    chat = chat_with(engine)
    assert [row.user_id for row in chat.people] == ["bob", "carol", "mina", "zoe", "adam"]
    chat.find(" MI")
    assert [row.user_id for row in chat.people] == ["mina"]
    chat.find("nobody")
    assert len(chat.people) == 0
    assert chat.people_hint


def test_ten_thousand_people_cost_little() -> None:
    """A change of presence among 10,000 people is drawn within a frame or two."""
    engine = FakeEngine()
    for number in range(10_000):
        name = UserId(f"user{number}")
        engine.persons[name] = Person(name, online=number % 2 == 0)
    chat = chat_with(engine)
    assert seconds_of(lambda: chat.people[:12]) < 0.1
    assert len(chat.people[:12]) == 12


def test_where_nobody_is_listed_an_exact_name_can_be_typed() -> None:
    """A server by name: whoever is not known yet is found by typing the name, and nobody else."""
    engine = FakeEngine()
    mina = engine.meet("mina")
    chat = chat_with(engine)
    for listed, found in ((True, []), (False, ["stranger"])):
        engine.put(PeopleChanged((engine.persons[mina],), complete=True, listed=listed))
        chat.poll()
        chat.find("Stranger")
        assert [row.user_id for row in chat.people] == found
        assert [row.user_id for row in chat.matching("stranger")] == found
    chat.find("no name")
    assert len(chat.people) == 0
    chat.find("alice")  # ourselves
    assert len(chat.people) == 0
    chat.find("")
    assert [row.user_id for row in chat.people] == ["mina"]
    chat.select(UserId("stranger"))
    assert engine.opened == "stranger"


def test_trust_is_seen_in_the_list_and_said_in_words() -> None:
    """Each state of a key has a mark of its own, and a changed key is said to a screen reader."""
    engine = FakeEngine()
    for name, trust in (("bob", Trust.VERIFIED), ("carol", Trust.CHANGED), ("dan", Trust.NEW)):
        engine.meet(name, trust=trust)
    engine.meet("eve")
    chat = chat_with(engine)
    marks = {row.user_id: row.mark for row in chat.people}
    assert marks == {
        "bob": Mark.VERIFIED, "carol": Mark.CHANGED, "dan": Mark.NEW, "eve": Mark.NONE,
    }  # fmt: skip
    assert "key changed" in next(row.spoken for row in chat.people if row.user_id == "carol")


# ---------------------------------------------------------------- trust


def test_a_changed_key_blocks_until_the_person_decides() -> None:
    """The warning says it in two sentences, nothing can be sent, and comparing frees the way."""
    engine = FakeEngine()
    engine.meet("bob", trust=Trust.VERIFIED)
    engine.say(BOB, "hi")
    chat = chat_with(engine)
    chat.select(BOB)
    engine.change_key(BOB)
    chat.poll()
    assert {Part.COMPOSER, Part.PANEL, Part.HEADER} <= chat.take_changes()[0]
    warning = chat.warning
    assert warning is not None
    assert warning.tone is Tone.DANGER
    assert warning.text.count(".") == 2
    assert warning.action is Action.COMPARE
    assert standing(chat) == (False, Mark.CHANGED)
    assert not chat.send("secret")
    assert len(engine.history(BOB)) == 1
    assert chat.panel.must_decide
    engine.mark_verified(BOB, " ".join(NUMBER))
    chat.poll()
    assert standing(chat) == (True, Mark.VERIFIED)


def test_a_changed_key_can_be_accepted_without_becoming_verified() -> None:
    """One can write again, and the mark says that nobody has compared."""
    engine = FakeEngine()
    engine.meet("bob", trust=Trust.CHANGED)
    engine.say(BOB, "hi")
    chat = chat_with(engine)
    chat.select(BOB)
    assert chat.accept_changed_key()
    chat.poll()
    assert standing(chat) == (True, Mark.NEW)


def test_the_panel_has_each_group_apart_and_tells_when_there_is_no_key() -> None:
    """Twelve groups of five digits once there is a key; before, a sentence instead of digits."""
    engine = FakeEngine()
    engine.meet("bob")
    chat = chat_with(engine)
    assert chat.panel.their_name is None
    assert chat.panel.our_fingerprint
    chat.select(BOB)
    assert not chat.panel.safety_number
    assert "bob" in chat.panel.explanation
    engine.set_trust(BOB, Trust.NEW)
    chat.poll()
    assert chat.panel.safety_number == NUMBER
    assert all(len(group) == 5 for group in chat.panel.safety_number)


# ---------------------------------------------------------------- connection


def test_the_banner_says_what_is_wrong_and_counts_down() -> None:
    """Offline: why, and the seconds until the next attempt; online: no banner."""
    engine, monotonic = FakeEngine(), Monotonic()
    chat = chat_with(engine, monotonic=monotonic)
    problem = ConnectFailed(server="here:1", reason="connection refused")
    engine.tell(ConnectionChanged(ConnectionState.OFFLINE, problem, retry_in=2.5))
    chat.poll()
    assert chat.banner is not None
    assert "connection refused" in chat.banner.text
    assert "3 seconds" in chat.banner.text
    chat.take_changes()
    monotonic.now += 2
    chat.poll()
    assert Part.BANNER in chat.take_changes()[0]
    assert chat.banner is not None
    assert "1 second." in chat.banner.text
    chat.poll()
    assert Part.BANNER not in chat.take_changes()[0]
    assert chat.banner is not None
    assert chat.banner.action is Action.RECONNECT
    chat.act(Action.RECONNECT)
    assert "reconnect" in engine.calls
    engine.tell(ConnectionChanged(ConnectionState.ONLINE, tls_group="X25519MLKEM768"))
    chat.poll()
    assert "X25519MLKEM768" in chat.secured
    assert banner_text(chat) == ""


def test_a_refusal_is_said_and_nothing_pretends_to_try_again() -> None:
    """A login elsewhere ends this connection for good, and the banner says only that."""
    engine = FakeEngine()
    chat = chat_with(engine)
    engine.tell(ConnectionChanged(ConnectionState.STOPPED, Refused(Code.REPLACED)))
    chat.poll()
    assert chat.banner is not None
    assert "elsewhere" in chat.banner.text
    assert "again" not in chat.banner.text


def test_a_flood_of_events_is_taken_in_portions() -> None:
    """One poll takes a bounded number of events, and none is lost."""
    engine = FakeEngine()
    chat = chat_with(engine)
    for number in range(2_000):
        engine.meet(f"user{number}")
    chat.poll()
    assert 0 < len(chat.people) < 2_000
    for _ in range(4):
        chat.poll()
    assert len(chat.people) == 2_000


def test_a_flood_of_slow_events_is_taken_in_moments() -> None:
    """However long each takes, one poll ends soon, so that keys are heard; and none is lost."""

    class Slow(Monotonic):
        def __call__(self) -> float:
            self.now += 0.01  # as if each event took so long
            return super().__call__()

    engine = FakeEngine()
    chat = chat_with(engine, monotonic=Slow())
    for number in range(20):
        engine.meet(f"user{number}")
    chat.poll()
    assert 0 < len(chat.people) < 5
    for _ in range(20):
        chat.poll()
    assert len(chat.people) == 20


# ---------------------------------------------------------------- virtual rows


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.data())
def test_heights_agree_with_plain_sums(heights: list[int], data: st.DataObject) -> None:
    """Positions and rows found by the tree are those that adding up gives, after any change."""
    front = data.draw(st.integers(0, len(heights) - 1))
    tree = Heights(heights[front:-1])
    tree.append(heights[-1])
    tree.prepend(heights[front // 2 : front])
    tree.prepend(heights[: front // 2])
    assert [tree[i] for i in range(len(tree))] == heights
    index = data.draw(st.integers(0, len(heights) - 1))
    heights = [*heights]
    heights[index] = data.draw(st.integers(1, 50))
    tree.set(index, heights[index])
    assert tree.total == sum(heights)
    assert tree.at(-1) == 0
    assert tree.at(sum(heights)) == len(heights) - 1
    for i in range(len(heights)):
        assert tree.top(i) == sum(heights[:i])
        assert tree.at(tree.top(i)) == i
        assert tree.at(tree.top(i) + heights[i] - 1) == i


def test_what_is_in_view_stays_when_rows_above_turn_out_higher() -> None:
    """Rows are measured, put in front, appended: only at the end do new ones move the view."""
    view = Viewport()
    view.height = 100
    view.show([20] * 100)
    assert view.at_end
    view.scroll_to(500)
    top_row = view.heights.at(view.top)
    view.measured(3, 90)
    view.prepend([20] * 50)
    assert view.heights.at(view.top) == top_row + 50
    before = view.top
    view.append(40)
    assert view.top == before
    view.scroll_to(10**9)
    view.append(40)
    assert view.top == view.heights.total - 100


# ---------------------------------------------------------------- the language and what loads


def test_another_language_says_everything_anew() -> None:
    """Switching to Persian redraws every part, with the same conversation open."""
    engine = FakeEngine()
    engine.say(BOB, "hi")
    chat = chat_with(engine)
    chat.select(BOB)
    chat.viewed(len(chat.timeline.rows) - 1)
    chat.poll()
    chat.take_changes()
    chat.speak(Words("fa"))
    changed, rows = chat.take_changes()
    assert changed == set(Part)
    assert rows == [Reset()]
    assert isinstance(chat.timeline.rows[0], DayRow)
    assert chat.timeline.rows[0].text == "امروز"
    assert bubbles(chat)[0].when == "۱۴:۰۵"


def test_presenter_and_text_import_no_tkinter() -> None:
    """A client without a screen never loads tkinter."""
    code = (
        "import sys, secure_chat.client.presenter.chat, secure_chat.client.presenter.signin, "
        "secure_chat.client.text, secure_chat.client.i18n; sys.exit('tkinter' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
