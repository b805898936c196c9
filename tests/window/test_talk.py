"""One conversation without a screen: what its rows show, and what a person can do in it."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.events import (
    Attachment,
    Draft,
    FileProgress,
    FileState,
    Message,
    MessageChanged,
    MessageRemoved,
    MessageState,
    Quote,
    Reaction,
    TypingChanged,
)
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.actions import Do
from secure_chat.client.presenter.chat import Chat, Part
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.rows import BubbleRow, FileAction, UnreadRow
from secure_chat.client.presenter.talk import Talk
from secure_chat.client.presenter.timeline import (
    Appended,
    Rearranged,
    Reset,
    Revealed,
    Timeline,
)
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import UserId
from tests.window.fakes import NOW, FakeEngine, at
from tests.window.test_presenter import Monotonic, bubbles, chat_with

BOB, CAROL = UserId("bob"), UserId("carol")


def open_talk(engine: FakeEngine, monotonic: Monotonic | None = None) -> tuple[Chat, Talk]:
    chat = chat_with(engine, monotonic=monotonic)
    chat.select(BOB)
    chat.viewed(len(chat.timeline.rows) - 1)
    chat.poll()
    chat.take_changes()
    return chat, talk_of(chat)


def talk_of(chat: Chat) -> Talk:
    assert chat.talk is not None
    return chat.talk


def does(chat: Chat, number: int) -> list[Do]:
    return [item.do for item in talk_of(chat).menu(number, may_write=True)]


# ---------------------------------------------------------------- what a row shows


def test_an_answer_shows_what_it_answers_and_leads_there() -> None:
    """The quote names its author; pressing it reveals the original, even far outside the page."""
    engine = FakeEngine()
    engine.fill(BOB, (f"line {i}" for i in range(1000)))
    engine.say(BOB, "yes", ours=True, quoted=Quote(b"q", ours=False, number=5, text="line\n 4"))
    chat, talk = open_talk(engine)
    quote = bubbles(chat)[-1].quote
    assert quote is not None
    assert (quote.name, quote.text, quote.number) == ("bob", "line 4", 5)
    assert talk.jump(5)
    assert chat.take_changes()[1] == [Reset("message 5"), Revealed("message 5")]
    assert "line 4" in [row.text for row in bubbles(chat)]
    assert len(chat.timeline.rows) < 500
    assert not talk.jump(5000)


def test_a_contact_is_called_by_our_own_name_in_quotes_reactions_and_results() -> None:
    """From the moment on in which the person chose it; without one by the account's name."""
    engine = FakeEngine()
    engine.say(
        BOB, "yes", ours=True, quoted=Quote(b"q", ours=False, number=1, text="tea?"),
        reactions=(Reaction(ours=False, emoji="👍"),),
    )  # fmt: skip
    chat, talk = open_talk(engine)

    def quoted() -> tuple[str, str]:
        row = bubbles(chat)[-1]
        assert row.quote is not None
        return row.quote.name, row.reactions[0].spoken

    assert quoted() == ("bob", "thumbs up sign: bob")
    engine.set_contact_name(BOB, "Uncle B")
    chat.poll()
    assert quoted() == ("Uncle B", "thumbs up sign: Uncle B")
    assert chat.take_changes()[1] == [Rearranged()]
    engine.say(BOB, "more tea")
    chat.poll()
    assert talk.reply(2)
    assert chat.composer.strip is not None
    assert chat.composer.strip.title == "Reply to Uncle B"
    chat.find("tea")
    assert [row.name for row in chat.found] == ["Uncle B"]
    chat.speak(Words("en"))
    first = bubbles(chat)[0].quote
    assert first is not None
    assert first.name == "Uncle B"


def test_a_search_that_meant_a_file_shows_its_name() -> None:
    """Where the caption lacks the word, the hit is marked inside the file's name."""
    engine = FakeEngine()
    file = Attachment("Tax Report.pdf", 5, "application/pdf", FileState.OFFERED)
    engine.found = [engine.say(BOB, "here you are", file=file)]
    chat = chat_with(engine)
    chat.find("repo")
    (row,) = chat.found
    assert (row.before, row.match, row.after) == ("Tax ", "Report", ".pdf")


def test_a_quote_of_what_is_gone_says_so() -> None:
    """It still names who wrote it, and leads nowhere."""
    engine = FakeEngine()
    engine.say(BOB, "yes", quoted=Quote(b"q", ours=True))
    chat, _ = open_talk(engine)
    quote = bubbles(chat)[-1].quote
    assert quote is not None
    assert quote.number == 0
    assert "not here any more" in quote.text
    assert quote.name == "You"


def test_reactions_are_counted_and_ours_can_be_taken_back() -> None:
    """The same emoji once more takes it back, another one takes its place."""
    engine = FakeEngine()
    both = (Reaction(ours=True, emoji="👍"), Reaction(ours=False, emoji="👍"))
    message = engine.say(BOB, "tea?", reactions=both)
    chat, talk = open_talk(engine)
    (row,) = bubbles(chat)[0].reactions
    assert (row.emoji, row.count, row.ours) == ("👍", 2, True)
    assert row.spoken == "thumbs up sign: You, bob"
    talk.react(message.number, "👍")
    talk.react(message.number, "🔥")
    assert [facts for _, _, facts in engine.changes] == [
        (message.number, ""), (message.number, "🔥"),
    ]  # fmt: skip


def test_messages_close_together_stand_as_a_group() -> None:
    """A group ends with the side, the day, a notice, or five minutes of silence."""
    engine = FakeEngine()
    for ago, ours in ((20, False), (19, False), (18, True), (17, False), (2, False), (1, False)):
        engine.say(BOB, "x", ours=ours, ago=ago)
    engine.say(BOB, "", notice=True, problem="something", ago=0.5)
    engine.unread[BOB] = 0
    chat, _ = open_talk(engine)
    assert [(row.first, row.last) for row in bubbles(chat)] == [
        (True, False), (False, True), (True, True), (True, True), (True, False), (False, True),
    ]  # fmt: skip


def test_a_disappearing_message_counts_down() -> None:
    """Before its time runs the row says how long it will have; then how long it has."""
    engine = FakeEngine()
    now, clock = [NOW], Monotonic()
    message = engine.say(BOB, "secret", timer=3600)
    chat = Chat(engine, Words("en"), clock=lambda: now[0], monotonic=clock)
    chat.select(BOB)
    assert bubbles(chat)[0].expiry == "1 h"
    running = msgspec.structs.replace(message, expires=at(0) + 90_000)
    engine.tell(MessageChanged(running))
    chat.poll()
    assert bubbles(chat)[0].expiry == "1 min"
    now[0] += timedelta(seconds=61)
    clock.now += 61
    chat.poll()
    assert bubbles(chat)[0].expiry == "29 s"
    engine.tell(MessageRemoved(BOB, message.number, message.content_id))
    chat.poll()
    assert bubbles(chat) == []


def test_attack_59_a_file_shows_its_whole_name_and_never_opens() -> None:
    """A double extension cannot hide behind spaces; a file is saved, or its folder is shown."""
    engine = FakeEngine()
    name = "holiday.jpg" + " " * 40 + ".exe"
    file = Attachment(name, 2_500_000, "image/jpeg", FileState.OFFERED)
    message = engine.say(BOB, "look", file=file)
    chat, _ = open_talk(engine)
    row = bubbles(chat)[0].file
    assert row is not None
    assert row.name.endswith(".exe")
    assert (row.note, row.action) == ("2.5 MB", FileAction.SAVE)
    moving = msgspec.structs.replace(file, state=FileState.DOWNLOADING)
    engine.tell(MessageChanged(msgspec.structs.replace(message, file=moving)))
    engine.tell(
        FileProgress(BOB, message.number, message.content_id, FileState.DOWNLOADING, 50, 200)
    )
    chat.poll()
    row = bubbles(chat)[0].file
    assert row is not None
    assert (row.fraction, row.action) == (0.25, FileAction.CANCEL)
    saved = msgspec.structs.replace(file, state=FileState.SAVED, path="/somewhere/holiday")
    engine.tell(MessageChanged(msgspec.structs.replace(message, file=saved)))
    chat.poll()
    row = bubbles(chat)[0].file
    assert row is not None
    assert (row.fraction, row.action) == (None, FileAction.FOLDER)


numbers = st.integers(1, 30)
facts = st.tuples(numbers, st.booleans(), st.booleans(), st.integers(0, 3))
steps = st.lists(st.one_of(facts, numbers), max_size=40)


def _message(number: int, *, ours: bool, notice: bool, minutes: int) -> Message:
    stamp = at(3000) + number * 200 * 60_000 + minutes * 60_000
    state = MessageState.WAITING if ours else MessageState.RECEIVED
    return Message(
        b"", number, BOB, ours, "text", stamp, state, is_notice=notice, problem="p" * notice
    )


@given(st.lists(facts, max_size=12), steps)
def test_rows_are_the_same_however_they_came_about(
    first: list[tuple[int, bool, bool, int]], steps: list[tuple[int, bool, bool, int] | int]
) -> None:
    """Added, changed, removed, loaded before or behind: as if all had been read at once."""
    words = Words("en")
    timeline = Timeline(words, Times(words, lambda: NOW))
    timeline.complete, timeline.unread_from, timeline.unread_count = True, 7, 1
    known = {n: _message(n, ours=o, notice=i, minutes=m) for n, o, i, m in first}
    half = [message for number, message in known.items() if number > 10]
    timeline.load(half or list(known.values()))
    if half:
        timeline.load_earlier([message for number, message in known.items() if number <= 10])
    for step in steps:
        if isinstance(step, int):
            known.pop(step, None)
            timeline.remove(step)
        else:
            number, ours, notice, minutes = step
            old = known.get(number)
            message = _message(number, ours=ours, notice=notice, minutes=minutes)
            if old is not None:  # what changes of a message is neither its side nor its time
                message = msgspec.structs.replace(old, text="other")
            known[number] = message
            timeline.put(message)
    fresh = Timeline(words, Times(words, lambda: NOW))
    fresh.complete, fresh.unread_from, fresh.unread_count = True, 7, 1
    fresh.load(list(known.values()))
    assert timeline.rows == fresh.rows


# ---------------------------------------------------------------- reading


def test_a_conversation_opens_where_reading_stopped() -> None:
    """A line above the first unread message; only what came into view counts as read."""
    engine = FakeEngine()
    engine.fill(BOB, (f"line {i}" for i in range(600)))
    engine.unread[BOB] = 390
    chat = chat_with(engine)
    chat.select(BOB)
    (change,) = chat.take_changes()[1]
    assert change == Reset("unread")
    place = next(i for i, row in enumerate(chat.timeline.rows) if isinstance(row, UnreadRow))
    assert chat.timeline.rows[place].text == "390 unread messages"
    assert not [call for call in engine.calls if call.startswith("read")]
    chat.viewed(place + 3)
    chat.poll()
    conversation = chat.conversation
    assert conversation is not None
    assert 385 < conversation.unread < 390
    assert chat.title.startswith(f"({conversation.unread})")
    while talk_of(chat).load_later():
        pass
    chat.viewed(len(chat.timeline.rows) - 1)
    chat.poll()
    assert not chat.title.startswith("(")
    assert [row.text for row in bubbles(chat)][-1] == "line 599"


def test_news_do_not_tear_what_one_reads_far_above() -> None:
    """Away from the end new messages wait; going to the end shows them."""
    engine = FakeEngine()
    engine.fill(BOB, (f"line {i}" for i in range(900)))
    chat, talk = open_talk(engine)
    talk.jump(100)
    chat.take_changes()
    engine.say(BOB, "news")
    chat.poll()
    assert chat.take_changes()[1] == []
    assert bubbles(chat)[-1].text != "news"
    talk.to_end()
    assert bubbles(chat)[-1].text == "news"


def test_what_disappears_leaves_the_rest_where_it_is() -> None:
    """A removed message rearranges the rows, and does not scroll to the end."""
    engine = FakeEngine()
    first = engine.say(BOB, "one")
    engine.say(BOB, "two")
    chat, _ = open_talk(engine)
    engine.tell(MessageRemoved(BOB, first.number, first.content_id))
    chat.poll()
    assert chat.take_changes()[1] == [Rearranged()]


# ---------------------------------------------------------------- writing


def test_an_answer_is_sent_as_one_and_its_strip_goes() -> None:
    """The strip above the composer shows who and what is answered."""
    engine = FakeEngine()
    message = engine.say(BOB, "shall we?")
    chat, talk = open_talk(engine)
    assert talk.reply(message.number)
    strip = chat.composer.strip
    assert strip is not None
    assert (strip.title, strip.text) == ("Reply to bob", "shall we?")
    assert chat.send("yes")
    assert chat.composer.strip is None
    assert engine.answered == [message.number]


def test_the_last_own_message_is_edited_and_what_was_written_comes_back() -> None:
    """Up edits; Escape or Save gives back the draft; an unchanged text changes nothing."""
    engine = FakeEngine()
    own = engine.say(BOB, "firts", ours=True)
    engine.say(BOB, "what?")
    chat, talk = open_talk(engine)
    chat.written("half a draft")
    assert talk.edit()
    assert chat.draft == "firts"
    assert chat.composer.button == "Save"
    assert talk.composing.cancel()
    assert chat.draft == "half a draft"
    talk.edit()
    assert chat.send("firts")
    assert "edit" not in [what for what, _, _ in engine.changes]
    talk.edit()
    assert chat.send("first")
    assert engine.changes[-1] == ("edit", BOB, (own.number, "first"))
    assert chat.draft == "half a draft"


def test_drafts_answers_and_edits_survive_a_restart() -> None:
    """A second after the last key the draft is kept; another start finds it, with its strip."""
    engine, clock = FakeEngine(), Monotonic()
    message = engine.say(BOB, "shall we?")
    own = engine.say(BOB, "mine", ours=True)
    chat, talk = open_talk(engine, clock)
    talk.reply(message.number)
    chat.written("perhaps")
    clock.now += 2
    chat.poll()
    assert engine.drafts[BOB] == Draft("perhaps", reply_to=message.number)
    again = chat_with(engine)
    assert again.people[0].preview_is_draft
    assert again.people[0].preview == "perhaps"
    again.select(BOB)
    assert again.draft == "perhaps"
    assert again.composer.strip is not None
    talk_of(again).edit(own.number)
    again.written("mine!")
    again.close()
    third = chat_with(engine)
    third.select(BOB)
    assert third.draft == "mine!"
    assert talk_of(third).composing.cancel()
    assert third.draft == "perhaps"


def test_what_is_answered_may_go_while_one_writes() -> None:
    """The strip goes with its message; the words stay."""
    engine = FakeEngine()
    message = engine.say(BOB, "shall we?")
    chat, talk = open_talk(engine)
    talk.reply(message.number)
    chat.written("yes")
    chat.take_changes()
    engine.tell(MessageChanged(msgspec.structs.replace(message, text="", deleted=True)))
    chat.poll()
    assert Part.COMPOSER in chat.take_changes()[0]
    assert chat.composer.strip is None
    assert chat.draft == "yes"


def test_the_room_left_is_counted_and_too_much_is_not_sent() -> None:
    """In bytes of UTF-8, as the limit is; shown only near it."""
    engine = FakeEngine()
    engine.say(BOB, "hi")
    chat, _ = open_talk(engine)
    chat.written("short")
    assert chat.composer.counter == ""
    chat.written("س" * (limits.TEXT // 2 - 5))
    assert chat.composer.counter == "10 bytes left"
    chat.written("x" * (limits.TEXT + 1))
    assert chat.composer.over
    assert chat.composer.counter == "1 byte too long"


def test_others_learn_that_we_write_and_that_we_stopped() -> None:
    """Not with each key; and never of an edit, which is no new message."""
    engine, clock = FakeEngine(), Monotonic()
    engine.say(BOB, "hi", ours=True)
    chat, talk = open_talk(engine, clock)
    told = engine.changes
    for text in ("h", "he", "hel"):
        chat.written(text)
    assert [facts for what, _, facts in told if what == "typing"] == [(True,)]
    clock.now += 7
    chat.poll()
    assert [facts for what, _, facts in told if what == "typing"] == [(True,), (False,)]
    chat.written("")
    talk.edit()
    chat.written("changed")
    assert len([what for what, _, _ in told if what == "typing"]) == 2


def test_that_somebody_writes_to_us_is_seen_in_header_and_list() -> None:
    """And no longer once they stop: the list shows the last message again."""
    engine = FakeEngine()
    engine.say(BOB, "hi")
    chat, _ = open_talk(engine)
    engine.tell(TypingChanged(BOB, active=True))
    chat.poll()
    assert chat.header is not None
    assert chat.header.writing
    assert chat.people[0].preview == "writing…"
    engine.tell(TypingChanged(BOB, active=False))
    chat.poll()
    assert [row.preview for row in chat.people] == ["hi"]


# ---------------------------------------------------------------- menus, copies, search


def test_a_menu_offers_what_is_possible() -> None:
    """Not to edit what others wrote, to answer a notice, or to write where one may not."""
    engine = FakeEngine()
    theirs = engine.say(BOB, "theirs")
    ours = engine.say(BOB, "ours", ours=True, edited=at(0))
    notice = engine.say(BOB, "", notice=True, problem="said by us")
    gone = engine.say(BOB, "", ours=True, deleted=True)
    held = engine.say(BOB, "held", ours=True, state=MessageState.HELD, problem="full")
    chat, talk = open_talk(engine)
    assert not {Do.EDIT, Do.DELETE, Do.VERSIONS, Do.RETRY} & set(does(chat, theirs.number))
    assert {Do.EDIT, Do.DELETE, Do.VERSIONS, Do.REPLY} <= set(does(chat, ours.number))
    assert does(chat, notice.number) == [Do.COPY]
    assert does(chat, gone.number) == [Do.SELECT, Do.INFO, Do.REMOVE]
    assert Do.RETRY in does(chat, held.number)
    silent = [item.do for item in talk.menu(ours.number, may_write=False)]
    assert not {Do.REPLY, Do.EDIT, Do.REACT} & set(silent)


def test_attack_56_nobody_edits_or_deletes_what_another_wrote() -> None:
    """Neither menu nor key offers it, and an answer quotes by reference, not by words."""
    engine = FakeEngine()
    theirs = engine.say(BOB, "I owe you ten")
    chat, talk = open_talk(engine)
    assert not talk.edit()
    assert not talk.edit(theirs.number)
    assert not {Do.EDIT, Do.DELETE} & set(does(chat, theirs.number))
    assert talk.reply(theirs.number)
    assert chat.send("thanks")
    assert engine.answered == [theirs.number]


def test_details_say_how_far_a_message_has_come_in_words() -> None:
    """Also the sender's own time where it differs, and when the message disappears."""
    engine = FakeEngine()
    far = round((NOW + timedelta(days=3650)).timestamp() * 1000)
    ours = engine.say(BOB, "x", ours=True, state=MessageState.ACCEPTED)
    theirs = engine.say(BOB, "y", claimed=far, timer=300)
    _, talk = open_talk(engine)
    said = {fact.label: fact.value for fact in talk.details(ours.number)}
    assert "the recipient does not have it yet" in said["Delivery"]
    said = {fact.label: fact.value for fact in talk.details(theirs.number)}
    assert "2036" in said["Sent"]
    assert said["Disappears"] == "5 min after reading"


def test_several_messages_are_copied_with_names_and_times_one_without() -> None:
    """In logical order, as they were written, whatever the order of selecting was."""
    engine = FakeEngine()
    one = engine.say(BOB, "سلام (دنیا)", ago=2)
    two = engine.say(BOB, "hello", ours=True, ago=1)
    engine.say(BOB, "", notice=True, problem="a notice cannot be selected")
    chat, talk = open_talk(engine)
    assert talk.copied({one.number}) == "سلام (دنیا)"
    for number in (two.number, one.number, 3):
        talk.choose(number)
    assert talk.chosen == {one.number, two.number}
    assert talk.copied(talk.chosen) == (
        "bob, 22 November 2026 at 14:03\nسلام (دنیا)\n\nalice, 22 November 2026 at 14:04\nhello"
    )
    file = Attachment("plan.pdf", 5, "application/pdf", FileState.OFFERED)
    bare = engine.say(BOB, "", file=file)
    chat.poll()
    assert chat.forward({*talk.chosen, bare.number}, CAROL)
    assert chat.selected == CAROL
    assert [row.text for row in bubbles(chat)] == ["سلام (دنیا)", "hello", ""]
    sent = bubbles(chat)[-1].file
    assert sent is not None
    assert sent.name == "plan.pdf"


@pytest.mark.parametrize(
    ("text", "asked", "shown"),
    [
        ("we meet at the Café tomorrow", "cafe", ("we meet at the ", "Café", " tomorrow")),
        ("كتاب علي را بیاور", "علی", ("كتاب ", "علي", " را بیاور")),
        ("nothing of it in here", "xyz", ("", "", "nothing of it in here")),
    ],
)
def test_a_search_shows_where_the_word_stands(
    text: str, asked: str, shown: tuple[str, str, str]
) -> None:
    """Before, match and after as they are written, and opening it reveals that message."""
    engine = FakeEngine()
    engine.say(BOB, text)
    chat = chat_with(engine)
    engine.found = engine.messages[BOB]
    chat.find(asked)
    (row,) = chat.found
    assert (row.before, row.match, row.after) == shown
    assert chat.open_at(row.user_id, row.number)
    assert chat.selected == BOB
    assert chat.take_changes()[1][-1] == Revealed(f"message {row.number}")


def test_the_conversation_of_the_last_run_is_opened_again() -> None:
    """Where there was none, nothing is opened."""
    engine = FakeEngine()
    engine.say(BOB, "hi")
    engine.say(CAROL, "hi")
    chat, _ = open_talk(engine)
    chat.close()
    again = chat_with(engine)
    assert again.resume()
    assert again.selected == BOB
    assert not chat_with(FakeEngine()).resume()


def test_appending_keeps_rows_few() -> None:
    """A message of ours scrolls to the end, one of theirs does not by itself."""
    engine = FakeEngine()
    engine.say(BOB, "one", ago=100)
    chat, _ = open_talk(engine)
    engine.say(BOB, "two", ours=True)
    chat.poll()
    assert chat.take_changes()[1] == [Appended(1, ours=True)]
    assert all(isinstance(row, BubbleRow) for row in chat.timeline.rows[-2:])
