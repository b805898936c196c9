"""The window on a virtual screen, with a made-up engine and real key presses."""

import os
import subprocess
import sys
import tkinter as tk
from pathlib import Path

import pytest

from secure_chat.client.events import (
    ConnectionChanged,
    ConnectionState,
    MessageState,
    Problem,
    Trust,
)
from secure_chat.client.presenter.settings import Options, Settings
from secure_chat.client.presenter.signin import Field
from secure_chat.client.presenter.signin import Stage as SignInStage
from secure_chat.client.text.clean import MOST_MARKS
from secure_chat.client.window.app import App
from secure_chat.client.window.page_host import Kind
from secure_chat.client.window.palette import PALETTES
from secure_chat.errors import Code, ConnectFailed, Refused
from secure_chat.protocol.addresses import UserId
from tests.support.timing import seconds_of
from tests.window.fakes import NUMBER, FakeAccounts, FakeEngine
from tests.window.scenes import BOB, PROFILE, signed_in, talking_to_bob
from tests.window.stage import (
    Stage,
    all_texts,
    chat_view,
    drawn_texts,
    item_option,
    items,
    most_marks,
    signin_view,
)

pytestmark = pytest.mark.window
LINK = "securechat://127.0.0.1:7443/#v=1&invite=" + "A" * 22


# ---------------------------------------------------------------- signing in


def test_a_newcomer_signs_up_with_the_keyboard_alone(stage: Stage) -> None:
    """Link, name and password are typed, Tab moves on, Return creates the account."""
    accounts = FakeAccounts(FakeEngine())
    app = stage.open(accounts)
    stage.write(app, LINK)
    stage.press(app, "Tab")
    stage.write(app, "Alice")
    stage.press(app, "Tab")
    stage.write(app, "correct horse")
    stage.press(app, "Tab")
    stage.write(app, "correct horse")
    stage.press(app, "Return")
    stage.until(lambda: app.chat is not None, "the account was made")
    assert accounts.created[0][1] == "alice"
    assert str(accounts.created[0][0]) == LINK


def test_mistakes_stand_beside_their_fields_and_take_the_keyboard_there(stage: Stage) -> None:
    """Both are said at once, and the first of them has the keyboard."""
    app = stage.open(FakeAccounts(FakeEngine()), Options(link=LINK))
    stage.write(app, "9lives")
    stage.press(app, "Return")
    view = signin_view(app)
    assert any("first a letter" in text for text in all_texts(view))
    assert any("At least 8" in text for text in all_texts(view))
    assert view.focus_get() is view.fields[Field.NAME]


def test_giving_up_the_wait_gives_the_form_back(stage: Stage) -> None:
    """Cancel while the server is silent: the profile that may be registered stands in the list."""
    engine = FakeEngine()
    engine.answer_to_start = None
    app = stage.open(FakeAccounts(engine), Options(link=LINK))
    view = signin_view(app)
    for field, text in zip(
        view.fields, (LINK, "Alice", "correct horse", "correct horse"), strict=True
    ):
        view.fields[field].delete(0, "end")
        view.fields[field].insert(0, text)
    view.submit()
    stage.until(lambda: app._signin.stage is SignInStage.REGISTERING, "the server is asked")
    stage.until(view._cancel.winfo_ismapped, "one can give up")
    view._cancel.invoke()
    stage.until(lambda: "may have registered alice" in view.mistake_beside(Field.WHOLE), "said")
    assert list(view.fields) == [Field.PASSWORD], "the profile asks for its password"
    assert not view.fields[Field.PASSWORD].instate(["disabled"])


def test_a_wrong_password_is_said_and_the_window_goes_on(stage: Stage) -> None:
    """The sign-in screen stays, with the sentence on it."""
    app = stage.open(FakeAccounts(FakeEngine(), [PROFILE]))
    stage.write(app, "wrong")
    stage.press(app, "Return")
    stage.until(
        lambda: "The password is wrong." in all_texts(signin_view(app)), "the mistake is said"
    )


# ---------------------------------------------------------------- talking


def test_enter_sends_and_shift_enter_starts_a_line(stage: Stage) -> None:
    """Both lines go out as one message, and the composer is empty."""
    engine = FakeEngine()
    engine.say(BOB, "hello")
    app = talking_to_bob(stage, engine)
    stage.write(app, "first line")
    stage.press(app, "shift+Return")
    stage.write(app, "second line")
    stage.press(app, "Return")
    stage.until(lambda: len(engine.history(BOB)) == 2, "sent")
    assert engine.history(BOB)[-1].text == "first line\nsecond line"
    assert chat_view(app).composer.written == ""
    stage.until(lambda: "second line" in drawn_texts(app), "drawn")


def test_persian_is_typed_joined_and_stands_at_the_right(stage: Stage) -> None:
    """Typed in logical order, drawn in joined forms from the right."""
    engine = FakeEngine()
    engine.say(BOB, "hello")
    app = talking_to_bob(stage, engine)
    stage.write(app, "سلام دنیا")
    assert chat_view(app).composer.written == "سلام دنیا"
    stage.press(app, "Return")
    stage.until(lambda: len(engine.history(BOB)) == 2, "sent")
    assert engine.history(BOB)[-1].text == "سلام دنیا"
    stage.until(lambda: any("\ufeb3" in text for text in drawn_texts(app)), "joined forms")
    canvas = chat_view(app).messages.canvas
    (item,) = [i for i in items(canvas, "text") if "\ufeb3" in item_option(canvas, i, "text")]
    assert item_option(canvas, item, "anchor") == "ne"


def test_a_low_window_shows_what_has_the_keyboard_at_sign_in(stage: Stage) -> None:
    """Large letters on a small screen: the card does not fit, and Tab still brings each field and
    the button into view."""
    app = stage.open(FakeAccounts(FakeEngine()), settings=Settings(text_size=150))
    app.root.minsize(1, 1)
    app.root.geometry("900x420")
    view = signin_view(app)
    stage.until(lambda: view.winfo_height() < 430, "the window is low")
    low = view._stage.winfo_rooty() + view._stage.winfo_height()
    for widget in (view._button, view.fields[Field.LINK], view.fields[Field.REPEAT]):
        widget.focus_force()

        def seen(one: tk.Misc = widget) -> bool:
            top = one.winfo_rooty()
            return view._stage.winfo_rooty() <= top <= low - one.winfo_height()

        stage.until(seen, str(widget))


def test_the_whole_window_is_reached_by_keyboard(stage: Stage) -> None:
    """Ctrl+K searches, Return opens, Tab goes round; what has the keyboard is marked."""
    engine = FakeEngine()
    for name in ("bob", "carol", "dan"):
        engine.say(UserId(name), f"hi from {name}")
    app = signed_in(stage, engine)
    stage.press(app, "ctrl+k")
    stage.write(app, "car")
    stage.press(app, "Return")
    stage.until(lambda: app.chat is not None and app.chat.selected == "carol", "carol is open")
    assert app.root.focus_get() is chat_view(app).composer.text
    stage.press(app, "alt+Down")
    assert app.chat is not None
    assert app.chat.selected != "carol"
    seen = set()
    for _ in range(12):
        stage.press(app, "Tab")
        focused = app.root.focus_get()
        assert focused is not None
        seen.add(str(focused))
    view = chat_view(app)
    for widget in (view.search, view.people.canvas, view.messages.canvas, view.composer.text):
        assert str(widget) in seen
    area = view.conversation.area
    area.attach.focus_set()
    for one in (view.composer.text, view.composer.button):  # in the order in which they stand
        stage.press(app, "Tab")
        assert app.root.focus_get() is one


def test_a_row_is_copied_as_it_was_written(stage: Stage) -> None:
    """Up selects a message, Ctrl+C copies its logical text, not its drawn forms."""
    engine = FakeEngine()
    engine.say(BOB, "سلام (دنیا)")
    app = talking_to_bob(stage, engine)
    chat_view(app).messages.canvas.focus_set()
    stage.press(app, "Up", "ctrl+c")
    assert app.root.clipboard_get() == "سلام (دنیا)"


def test_a_paste_replaces_what_is_selected(stage: Stage) -> None:
    """Ctrl+A, Ctrl+V: the field holds the clipboard's text, a link without its line end."""
    app = stage.open(FakeAccounts(FakeEngine()))
    stage.write(app, "old text")
    app.root.clipboard_clear()
    app.root.clipboard_append(f" {LINK}\n")
    stage.press(app, "ctrl+a", "ctrl+v")
    assert signin_view(app).entered().link == LINK
    assert any("checked by its certificate" in text for text in all_texts(app.root))


def test_several_lines_are_pasted_into_the_composer(stage: Stage) -> None:
    """With their break, in the place of what was selected."""
    engine = FakeEngine()
    engine.say(BOB, "hello")
    app = talking_to_bob(stage, engine)
    stage.write(app, "old")
    app.root.clipboard_clear()
    app.root.clipboard_append("one\ntwo")
    stage.press(app, "ctrl+a", "ctrl+v")
    assert chat_view(app).composer.written == "one\ntwo"


def test_the_title_counts_what_is_unread(stage: Stage) -> None:
    """So that the task bar shows it while the window is hidden."""
    engine = FakeEngine()
    app = signed_in(stage, engine)
    engine.say(BOB, "hello")
    stage.until(lambda: app.root.title().startswith("(1) "), "unread in the title")


def test_delivery_marks_change_while_one_looks(stage: Stage) -> None:
    """Waiting, accepted, delivered and read are drawn in four different ways."""
    engine = FakeEngine()
    message = engine.say(BOB, "on its way", ours=True)
    app = talking_to_bob(stage, engine)
    seen = [_lines(app)]
    for state in (MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.READ):
        engine.become(message, state)
        message = engine.history(BOB)[-1]
        stage.until(lambda: _lines(app) not in seen, f"{state} is drawn in its own way")
        seen.append(_lines(app))


# ---------------------------------------------------------------- trust


def test_comparing_verifies_a_contact(stage: Stage) -> None:
    """Each group has a label of its own; the button marks the contact verified."""
    engine = FakeEngine()
    engine.say(BOB, "hello")
    app = talking_to_bob(stage, engine)
    chat_view(app).compare()
    stage.until(lambda: set(NUMBER) <= set(all_texts(app.root)), "twelve groups, a label each")
    stage.press(app, "Tab", "Return")
    stage.until(lambda: "verified bob" in engine.calls, "the engine was told")
    stage.press(app, "Escape")
    stage.until(lambda: "Verified" in all_texts(chat_view(app).panel), "the panel says so")


def test_a_changed_key_warns_blocks_and_is_resolved_by_comparing(stage: Stage) -> None:
    """The warning stands above a closed composer, and has the keyboard on the safe choice: typing
    sends nothing, Return leads to comparing, and so does coming back to the conversation."""
    engine = FakeEngine()
    engine.meet("bob", trust=Trust.VERIFIED)
    engine.say(BOB, "hello")
    app = talking_to_bob(stage, engine)
    engine.change_key(BOB)
    stage.until(lambda: "Go on without comparing" in all_texts(app.root), "the warning")
    stage.write(app, "secret")
    stage.press(app, "Return")
    stage.until(lambda: app.pages.kind is Kind.VERIFY, "Return compares")
    assert len(engine.history(BOB)) == 1
    stage.press(app, "Escape")
    assert "accepted bob" not in engine.calls
    stage.press(app, "Return")
    stage.until(lambda: app.pages.kind is Kind.VERIFY, "the keyboard came back to the safe choice")
    stage.press(app, "Tab", "Return")
    stage.until(lambda: "verified bob" in engine.calls, "compared")
    stage.press(app, "Escape")
    stage.write(app, "now it goes")
    stage.press(app, "Return")
    stage.until(lambda: len(engine.history(BOB)) == 2, "sending works again")


# ---------------------------------------------------------------- looks


def test_language_and_theme_switch_while_the_window_is_open(stage: Stage) -> None:
    """Persian and dark, and the draft stays in the composer."""
    engine = FakeEngine()
    engine.say(BOB, "hello")
    app = talking_to_bob(stage, engine)
    stage.write(app, "a draft")
    app.speak("fa")
    app.switch_theme()
    stage.pump()
    view = chat_view(app)
    assert view.composer.written == "a draft"
    assert str(view.messages.canvas.cget("background")) == PALETTES["dark"].chat
    joined = "".join(all_texts(view))
    assert any("\ufb50" <= char <= "\ufeff" for char in joined)


def test_a_narrow_window_leaves_the_room_to_the_conversation(stage: Stage) -> None:
    """The panel goes when the window gets narrow, comes when asked for, and back when wide."""
    engine = FakeEngine()
    engine.say(BOB, "hello")
    app = talking_to_bob(stage, engine)
    panel = chat_view(app).panel
    assert panel.winfo_ismapped()
    app.root.geometry("780x620")
    stage.until(lambda: not panel.winfo_ismapped(), "it is hidden")
    view = chat_view(app)
    view.search.focus_set()
    view.toggle_panel()
    stage.until(panel.winfo_ismapped, "it was asked for")
    # It takes the people's room, not the conversation's, and the keyboard is never out of sight.
    stage.until(lambda: not view.side.winfo_ismapped(), "the people make room")
    assert view.composer.text.winfo_width() > 200
    assert app.root.focus_get() is view.composer.text
    stage.press(app, "ctrl+k")
    stage.until(view.side.winfo_ismapped, "the search is there when it is asked for")
    assert app.root.focus_get() is view.search
    view.toggle_panel()
    app.root.geometry("1120x720")
    stage.until(panel.winfo_ismapped, "there is room again")


def test_an_offline_banner_says_why_and_when(stage: Stage) -> None:
    """The reason in words, and a button to try at once."""
    engine = FakeEngine()
    app = signed_in(stage, engine)
    problem = ConnectFailed(server="here:7443", reason="connection refused")
    engine.tell(ConnectionChanged(ConnectionState.OFFLINE, problem, retry_in=30))
    stage.until(
        lambda: "connection refused" in "".join(all_texts(app.root)).replace("\n", " "), "why"
    )
    assert "Try now" in all_texts(app.root)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_enough_contrast(theme: str) -> None:
    """Every text colour on its ground has 4.5 to 1 or more (WCAG 2, 1.4.3)."""
    c = PALETTES[theme]
    for text, ground in (
        (c.text, c.ground), (c.text, c.surface), (c.muted, c.ground), (c.muted, c.surface),
        (c.muted, c.chat), (c.muted, c.selected), (c.accent, c.ground), (c.accent, c.surface),
        (c.on_accent, c.accent), (c.on_ours, c.ours), (c.ours_muted, c.ours), (c.accent, c.ours),
        (c.on_theirs, c.theirs), (c.theirs_muted, c.theirs), (c.on_notice, c.notice),
        (c.warning, c.warning_ground), (c.danger, c.danger_ground), (c.danger, c.surface),
        (c.danger, c.ours), (c.on_danger, c.danger), (c.text, c.quiet_ground), (c.good, c.surface),
        (c.good, c.ground),
    ):  # fmt: skip
        assert _contrast(text, ground) >= 4.5, (text, ground)


# ---------------------------------------------------------------- hostile text


def test_attack_71_tcl_and_markup_in_messages_stay_text(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tcl commands, variables and braces from a peer are drawn as they are; nothing runs."""
    mark = tmp_path / "touched"
    monkeypatch.chdir(tmp_path)
    touch = f"exec touch {mark.name}"
    hostile = [
        f"[{touch}]", "$env(HOME)", f'"; {touch}; "', "{unbalanced", "}{", "\\", f"\\[{touch}\\]",
        "%W %s", "<b>bold</b>", "[image create photo]", "-text oops",
    ]  # fmt: skip
    engine = FakeEngine()
    for text in hostile:
        engine.say(BOB, text)
    engine.say(BOB, "", notice=True, problem=f"[exec touch {mark.name}] $env(HOME)")
    app = talking_to_bob(stage, engine)
    stage.until(lambda: set(hostile) <= set(drawn_texts(app)), "drawn as they were sent")
    assert any(f"[exec touch {mark.name}] $env(HOME)" in text for text in drawn_texts(app))
    canvas = chat_view(app).messages.canvas
    canvas.focus_set()
    stage.press(app, "Home", "ctrl+c")
    stage.press(app, "Down", "ctrl+c")
    assert app.root.clipboard_get() in hostile
    engine.tell(ConnectionChanged(
        ConnectionState.OFFLINE, ConnectFailed(server="[exec x]", reason="$env(HOME)"), retry_in=9,
    ))  # fmt: skip
    stage.until(lambda: "$env(HOME)" in "".join(all_texts(app.root)), "the banner")
    assert not mark.exists()


def test_a_servers_words_cannot_disturb_the_screen(stage: Stage) -> None:
    """Errors with bidi overrides, escapes and a megabyte of text are cleaned and cut."""
    engine = FakeEngine()
    app = signed_in(stage, engine)
    evil = "\u202eevil\x1b[31m\u2066" + "x" * 1_000_000
    engine.tell(Problem(Refused(Code.OVERLOADED, evil)))
    engine.tell(ConnectionChanged(ConnectionState.OFFLINE, Refused(Code.OVERLOADED, evil), 9))
    stage.until(lambda: "".join(all_texts(app.root)).count("evil") == 2, "problem and banner")
    shown = "".join(all_texts(app.root))
    assert not {"\u202e", "\u2066", "\x1b"} & set(shown)
    assert len(shown) < 3_000


def _take_in(app: App) -> None:
    """Hear of a message and draw it."""
    assert app.chat is not None
    app.chat.poll()
    chat_view(app).refresh()
    app.root.update()


def test_attack_73_the_longest_message_of_marks_answers_within_200_ms(stage: Stage) -> None:
    """Combining marks, bidi controls, escapes and emoji at the limit: the window goes on."""
    engine = FakeEngine()
    engine.say(BOB, "hello")
    app = talking_to_bob(stage, engine)
    for hostile in (
        "e" + "\u0301" * 8_000, "\u202e" * 5_000 + "abc", "ن" * 8_000, "\n" * 16_000,
        "\U0001f468\u200d" * 2_000, "\x1b[2J" * 4_000, "ﷺ" * 5_000,
    ):  # fmt: skip
        message = engine.say(BOB, hostile)
        assert seconds_of(lambda: _take_in(app)) < 0.2, ascii(hostile[:10])
        assert _last_number(app) == message.number
        assert max(map(most_marks, drawn_texts(app))) <= MOST_MARKS
    stage.write(app, "still here")
    assert chat_view(app).composer.written == "still here"
    assert all(len(text) < 2_000 for text in drawn_texts(app))


def test_attack_73_a_message_does_not_look_like_a_line_of_the_program(stage: Stage) -> None:
    """The same words as message and as notice: a bubble at a side, a framed line in the middle."""
    engine = FakeEngine()
    words = "The key of carol has changed."
    engine.say(BOB, words)
    engine.say(BOB, "", notice=True, problem=words)
    app = talking_to_bob(stage, engine)
    canvas = chat_view(app).messages.canvas
    message, notice = (i for i in items(canvas, "text") if words in item_option(canvas, i, "text"))
    assert item_option(canvas, message, "fill") != item_option(canvas, notice, "fill")
    assert item_option(canvas, message, "anchor") == "nw"
    assert item_option(canvas, notice, "anchor") == "n"
    assert item_option(canvas, message, "font") != item_option(canvas, notice, "font")


# ---------------------------------------------------------------- size and failure


def test_a_failing_callback_is_said_in_words_and_logged_without_content(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """No traceback reaches the person, no message reaches the log, and the window goes on."""
    engine = FakeEngine()
    engine.say(BOB, "hello")
    app = talking_to_bob(stage, engine)
    secret = "a very private text"

    def fail() -> None:
        raise ValueError(secret)

    app.root.after_idle(fail)
    stage.until(lambda: "ValueError" in "".join(all_texts(app.root)), "said")
    assert "ValueError" in caplog.text
    assert secret not in caplog.text
    assert secret not in "".join(all_texts(app.root))
    stage.write(app, "on it goes")
    assert chat_view(app).composer.written == "on it goes"


def test_a_failure_while_signing_in_is_said_too(stage: Stage) -> None:
    """There is no conversation to say it in: it stands on the form."""
    app = stage.open(FakeAccounts(FakeEngine()))
    app.root.after_idle(lambda: 1 // 0)
    stage.until(lambda: "ZeroDivisionError" in "".join(all_texts(app.root)), "said")


def test_a_choice_that_cannot_be_kept_is_in_force_and_said(stage: Stage, tmp_path: Path) -> None:
    """The disk refuses the settings: the window turns dark all the same, and says it."""
    (tmp_path / "file").touch()
    settings = Settings(path=tmp_path / "file" / "window.json")
    app = signed_in(stage, FakeEngine(), settings)
    app.root.after_idle(app.switch_theme)
    stage.until(lambda: "cannot be kept in" in " ".join(all_texts(app.root)), "said")
    assert app.ui.colors == PALETTES["dark"]
    stage.close(app)
    assert app._stopping


def test_closing_stops_the_engine(stage: Stage) -> None:
    """Nothing goes on in the background, and the profile is free for another program."""
    engine = FakeEngine()
    app = signed_in(stage, engine)
    stage.close(app)
    assert engine.stopped


def test_the_program_ends_cleanly_when_it_is_told_to(screen: str, tmp_path: Path) -> None:
    """``secure-chat window`` shows itself, and SIGTERM closes it with exit code 0 and no noise."""
    environment = {**os.environ, "DISPLAY": screen, "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "secure_chat.client", "window", "--link", LINK]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        search = ["xdotool", "search", "--sync", "--onlyvisible", "--pid", str(process.pid)]
        subprocess.run(
            [*search, "--name", "secure_chat"],
            timeout=60,
            check=True,
            stdout=subprocess.DEVNULL,
            env=environment,
        )
        process.terminate()
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err
    assert (out, err) == ("", "")


def test_without_a_screen_the_caller_gets_an_error_to_explain() -> None:
    """`run` raises TclError where there is no display, and exits with no traceback of its own."""
    code = (
        "import os, tkinter; os.environ.pop('DISPLAY', None)\n"
        "from secure_chat.client.window import Options, run\n"
        "try: run(Options(), None)\nexcept tkinter.TclError: print('no screen')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "no screen", done.stderr


def _lines(app: App) -> list[tuple[object, ...]]:
    """The strokes of delivery marks: where they are and in which colour."""
    canvas = chat_view(app).messages.canvas
    return [
        (*canvas.coords(item), item_option(canvas, item, "fill")) for item in items(canvas, "line")
    ]


def _last_number(app: App) -> int | None:
    return app.chat.timeline.last_number if app.chat is not None else None


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
