"""Real windows on a virtual screen, and a person at the keyboard (xdotool) in front of them."""

import os
import shutil
import subprocess
import time
import tkinter as tk
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from secure_chat.client.presenter.accounts import Accounts
from secure_chat.client.presenter.notices import Notice
from secure_chat.client.presenter.settings import Options, Settings
from secure_chat.client.window.app import App
from secure_chat.client.window.chat_view import ChatView
from secure_chat.client.window.desktop import Desktop
from secure_chat.client.window.signin_view import SignInView
from tests.window import keyboard

PATIENCE = 60.0
_KEY_DELAY = "2"  # milliseconds
_LOST_SECONDS = 2.0
_WHEEL_UP, _WHEEL_DOWN = 4, 5  # as buttons of X
_SCREEN = "2500x1000x24"
_X_OPTIONS = ("-nolisten", "tcp", "-noreset", "-r")
_T = TypeVar("_T")
_KEPT: list[App] = []
"""Windows are never collected: a Tcl interpreter that another thread frees ends the process."""


def missing_programs() -> list[str]:
    """What has to be installed for these tests."""
    return [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]


@contextmanager
def virtual_screen() -> Iterator[str]:
    """An Xvfb of our own, on a display number that it chose itself.

    It keeps its keyboard when the last window closes (-noreset), and a key that is held down for
    long, as by a busy machine, is one press (-r).
    """
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", _SCREEN, *_X_OPTIONS],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as pipe:
            display = pipe.readline().strip()
        assert display, "Xvfb did not start"
        keyboard.install(f":{display}")
        yield f":{display}"
    finally:
        server.terminate()
        server.wait(10)


class Silent(Desktop):
    """The desktop, which shows nothing and remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Notice] = []

    def show(self, notice: Notice) -> None:
        self.told.append(notice)


class Stage:
    """Several windows in turn, and what a person does with them."""

    def __init__(self) -> None:
        self._apps: list[App] = []
        self._closed: set[int] = set()
        self._typed = 0  # what was typed so often has come to an end
        self._places: dict[int, int] = {}  # which place of the screen a window has, by its id()

    def open(
        self, accounts: Accounts, options: Options | None = None, settings: Settings | None = None
    ) -> App:
        """A window, beside those that are open already."""
        app = App(options or Options(), accounts, settings or Settings(), Silent())
        taken = {self._places[id(one)] for one in self._apps if id(one) not in self._closed}
        self._places[id(app)] = next(place for place in range(9) if place not in taken)
        app.root.geometry(f"+{1200 * self._places[id(app)]}+0")
        self._apps.append(app)
        _KEPT.append(app)
        app.root.bind_all(f"<KeyRelease-{keyboard.LAST}>", self._on_last, add="+")
        app.root.wait_visibility()
        # Tk gives a widget the focus once it is mapped, a moment after its window.
        self.until(lambda: app.root.focus_lastfor() is not app.root, "the first field is ready")
        return app

    def close(self, app: App) -> None:
        """Close one window as its title bar would, and stop its engine."""
        if id(app) not in self._closed:
            self._closed.add(id(app))
            app.close()
            app.stop_engine()

    def close_all(self) -> None:
        for app in self._apps:
            self.close(app)

    def pump(self) -> None:
        """Let every window do what is due."""
        for app in self._apps:
            if id(app) not in self._closed:
                app.root.update()

    def until(self, condition: Callable[[], _T], what: str = "") -> _T:
        """Run the windows until ``condition`` is true; its value."""
        deadline = time.monotonic() + PATIENCE
        while not (value := condition()):
            assert time.monotonic() < deadline, f"not within {PATIENCE:g} s: {what}"
            self.pump()
            time.sleep(0.01)
        return value

    def front(self, app: App) -> None:
        """Give a window the keyboard, on the widget that had it last."""
        app.root.lift()
        self.pump()  # a widget that was just made gets the focus when it is mapped
        self.pump()
        widget = app.root.focus_lastfor() or app.root
        widget.focus_force()
        self.until(lambda: app.root.focus_get() is not None, "the window has the keyboard")
        self.pump()

    def press(self, app: App, *keys: str) -> None:
        """Press keys, each when all that the one before did is seen: a menu has opened, say."""
        self.front(app)
        for key in keys:
            self._xdotool("key", "--delay", _KEY_DELAY, key, keyboard.LAST)

    def write(self, app: App, text: str) -> None:
        """Type a text."""
        assert keyboard.has(text), text
        self.front(app)
        then = ("key", "--delay", _KEY_DELAY, keyboard.LAST)
        self._xdotool("type", "--delay", _KEY_DELAY, "--args", "1", text, *then)

    def tab_to(self, app: App, text: str) -> None:
        """Go on with Tab until the keyboard is on the button or choice that says this."""
        self.front(app)
        for _ in range(80):
            if label_of(app.root.focus_get()) == text:
                return
            before = app.root.focus_get()
            self._xdotool("key", "--delay", _KEY_DELAY, "Tab", keyboard.LAST)
            self.until(lambda: app.root.focus_get() is not before, "Tab leads on")  # noqa: B023
        raise AssertionError(f"no Tab leads to {text!r}")

    def push(self, app: App, text: str) -> None:
        """Press the button that says this, with the keyboard."""
        self.tab_to(app, text)
        self.press(app, "space")

    def click(self, app: App, text: str, *, button: int = 1) -> None:
        """Press what says this with the mouse: a button, or a text that is drawn on a canvas."""
        for _ in range(40):
            found = self.until(lambda: place_of(app.root, text), f"{text!r} is there")
            assert found is not None
            x, y = found
            below = y - app.root.winfo_rooty()
            if 8 < below < app.root.winfo_height() - 8:
                self._click(x, y, button)
                return
            middle = app.root.winfo_rooty() + app.root.winfo_height() // 2
            self._click(x, middle, _WHEEL_UP if below < 0 else _WHEEL_DOWN)
        raise AssertionError(f"no wheel brings {text!r} into sight")

    def _click(self, x: int, y: int, button: int) -> None:
        self._run("xdotool", "mousemove", str(x), str(y), "click", str(button))
        for _ in range(3):
            self.pump()

    def _xdotool(self, *arguments: str) -> None:
        """Let a person act; returns once a window has taken the last key.

        Then it does what is due: Tk's update goes on until the X server has nothing more to tell.
        """
        before = self._typed
        self._run("xdotool", *arguments)
        again = time.monotonic() + _LOST_SECONDS

        def arrived() -> bool:
            nonlocal again
            if time.monotonic() > again:  # it came while one screen gave way to another
                self._run("xdotool", "key", keyboard.LAST)
                again = time.monotonic() + _LOST_SECONDS
            return self._typed > before

        self.until(arrived, "what was typed arrives")
        self.pump()

    def _run(self, *command: str) -> None:
        """A program that ends well, while the windows go on."""
        process = subprocess.Popen(command)
        self.until(lambda: process.poll() is not None, f"{command[0]} ends")
        assert process.returncode == 0

    def _on_last(self, _event: "tk.Event[tk.Misc]") -> None:
        self._typed += 1


def chat_view(app: App) -> ChatView:
    """The conversation screen, which must be the one shown."""
    assert isinstance(app.screen, ChatView)
    return app.screen


def signin_view(app: App) -> SignInView:
    """The sign-in screen, which must be the one shown."""
    assert isinstance(app.screen, SignInView)
    return app.screen


def drawn_texts(app: App) -> list[str]:
    """Every text that stands in the conversation now, as it is drawn."""
    canvas = chat_view(app).messages.canvas
    return [item_option(canvas, item, "text") for item in items(canvas, "text")]


def all_texts(widget: tk.Misc) -> list[str]:
    """The texts of all labels and buttons under a widget that are on the screen."""
    found = []
    for child in widget.winfo_children():
        if "text" in child.keys() and child.winfo_ismapped():  # noqa: SIM118 - a Tk method
            found.append(str(child.cget("text")))
        found += all_texts(child)
    return found


def shown(app: App) -> str:
    """All words of labels and buttons in the window, on one line."""
    return " ".join(all_texts(app.root)).replace("\n", " ")


def label_of(widget: tk.Misc | None) -> str:
    """What a button or a choice says."""
    has_text = widget is not None and "text" in widget.keys()  # noqa: SIM118 - a Tk method
    return str(widget.cget("text")) if widget is not None and has_text else ""


def place_of(root: tk.Misc, text: str) -> tuple[int, int] | None:
    """The middle of what says this, on the screen; of several the one that was made last."""
    found = None
    for widget in root.winfo_children():
        if widget.winfo_viewable():
            if label_of(widget) == text:
                left, top = widget.winfo_rootx(), widget.winfo_rooty()
                found = left + widget.winfo_width() // 2, top + widget.winfo_height() // 2
            elif isinstance(widget, tk.Canvas):
                found = _drawn_place(widget, text) or found
            found = place_of(widget, text) or found
    return found


def _drawn_place(canvas: tk.Canvas, text: str) -> tuple[int, int] | None:
    for item in reversed(items(canvas, "text")):
        if item_option(canvas, item, "text") == text:
            x0, y0, x1, y1 = canvas.bbox(item)
            return canvas.winfo_rootx() + (x0 + x1) // 2, canvas.winfo_rooty() + (y0 + y1) // 2
    return None


def items(canvas: tk.Canvas, kind: str) -> list[int]:
    """The items of one kind that are drawn now."""
    return [i for i in canvas.find_all() if canvas.tk.call(str(canvas), "type", i) == kind]


def item_option(canvas: tk.Canvas, item: int, name: str) -> str:
    """One option of a drawn item."""
    return str(canvas.tk.call(str(canvas), "itemcget", item, f"-{name}"))


def most_marks(text: str) -> int:
    """The longest run of combining marks."""
    most = run = 0
    for char in text:
        run = run + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        most = max(most, run)
    return most
