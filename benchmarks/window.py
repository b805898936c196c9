#!/usr/bin/env python3
"""What the window costs a person: how long it takes to appear, to fill, to scroll; and memory.

A real window with the real engine on a real vault, encrypted on the disk; no server, so that
only the window is measured. Needs a screen (on Linux it starts Xvfb by itself where there is none).

    python benchmarks/window.py [--json FILE] [--runs 5] [--clock cpu]
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._machine import memory_kib
from secure_chat.client.content.rules import OURSELVES
from secure_chat.client.engine import ChatEngine
from secure_chat.client.events import (
    ConnectionChanged,
    ConnectionState,
    Event,
    Message,
    MessageState,
)
from secure_chat.client.presenter.profiles import Profiles
from secure_chat.client.presenter.settings import Options, Settings
from secure_chat.client.presenter.timeline import Reset
from secure_chat.client.profile import create_profile, open_profile
from secure_chat.client.vault import contacts, history
from secure_chat.client.vault.database import KEY_FILE
from secure_chat.client.vault.keyfile import unwrap
from secure_chat.client.window.app import App
from secure_chat.client.window.chat_view import ChatView
from secure_chat.protocol.addresses import UserId
from tests.support.processes import ServerProcess
from tests.window.stage import virtual_screen

PASSWORD = "correct horse battery"
SIZES = {"bob": 10_000, "carol": 100_000}
WORDS = ("سلام، فردا ساعت ۱۰ می‌بینمت", "See you at the meeting tomorrow, and bring the minutes")
Figures = dict[str, float]
_COUNTS_CPU = os.environ.get("BENCH_CLOCK") == "cpu"


def fill(home: Path) -> None:
    """A registered profile with two long conversations in two scripts."""
    folder = home / "profiles" / "alice"
    with ServerProcess(home / "server", registration="open") as server:
        engine = ChatEngine(create_profile(folder, server.link(), "alice", PASSWORD))
        engine.start()
        while not _is_online(engine.events.get(timeout=60)):
            pass
        engine.stop()
    profile = open_profile(folder, PASSWORD)
    with profile.vault.write() as db:
        for name, count in SIZES.items():
            contacts.engage(db, UserId(name))
            for i in range(count):
                history.add(db, _message(UserId(name), i), author=OURSELVES)
    profile.close()


def _is_online(event: Event) -> bool:
    return isinstance(event, ConnectionChanged) and event.state is ConnectionState.ONLINE


def _message(user_id: UserId, number: int) -> Message:
    return Message(
        content_id=number.to_bytes(15, "big") + user_id.encode()[:1], number=0, user_id=user_id,
        ours=number % 3 == 0, text=f"{number} " + " ".join(WORDS[number % 2 :][: 1 + number % 2]),
        time=1_700_000_000_000 + number * 60_000,
        state=MessageState.READ if number % 3 == 0 else MessageState.RECEIVED,
    )  # fmt: skip


# ---------------------------------------------------------------- one start, in its own process


def start_once(home: Path) -> Figures:
    """What one start of the program shows; runs in a fresh process."""
    profiles = Profiles(home / "profiles")
    app = App(Options(), profiles, Settings())
    _painted(app, lambda: app.root.winfo_ismapped() == 1)
    figures: Figures = {"sign-in painted, ms": _whole() - float(os.environ["BENCH_STARTED"])}
    started = _whole()
    _sign_in(app)
    _painted(app, lambda: isinstance(app.screen, ChatView))
    total = _whole() - started
    started = _whole()
    unwrap((home / "profiles" / "alice" / KEY_FILE).read_bytes(), PASSWORD)
    derivation = _whole() - started
    figures["password to conversations, ms"] = total
    figures["of which the key's derivation, ms"] = derivation
    figures["without it, ms"] = total - derivation
    figures["memory after signing in, MiB"] = _memory()
    for name, count in SIZES.items():
        figures |= _conversation(app, UserId(name), count)
    figures |= _searching(app)
    figures |= _pasting(app)
    app.close()
    app.stop_engine()
    return figures


def _sign_in(app: App) -> None:
    view = app.screen
    assert view is not None
    entry = app.root.focus_lastfor()
    assert entry is not None
    entry.focus_force()
    app.root.update()
    entry.insert(0, PASSWORD)  # type: ignore[attr-defined]
    entry.event_generate("<Return>")


def _conversation(app: App, user_id: UserId, count: int) -> Figures:
    view, chat = app.screen, app.chat
    assert isinstance(view, ChatView)
    assert chat is not None
    figures: Figures = {}
    label = f"{count:,} messages"
    started = _now()
    view.select(user_id)
    app.root.update()
    figures[f"{label}: opened, ms"] = _ms(started)
    pages = []
    while True:
        started = _now()
        if not chat.load_earlier():
            break
        pages.append(_ms(started))
    view.refresh()
    app.root.update()
    figures[f"{label}: a page read from the vault, ms"] = statistics.median(pages)
    figures[f"{label}: the slowest of {len(pages):,} pages, ms"] = max(pages)
    started = _now()
    view.messages.show(chat.timeline.rows, [Reset()])
    app.root.update()
    figures[f"{label}: the list filled with all of them, ms"] = _ms(started)
    view.messages.canvas.focus_set()
    for key in ("Home", "End"):
        view.messages.canvas.event_generate(f"<{key}>")
        app.root.update()
    page = _repeated(app, lambda: view.messages.canvas.event_generate("<Prior>"))
    wheel = _repeated(app, lambda: view.messages.canvas.event_generate("<Button-4>"))
    view.messages.canvas.event_generate("<End>")
    app.root.update()
    append = _repeated(app, lambda: _take_in(app), before=lambda: _send(app))
    for name, times in (("page up", page), ("wheel step", wheel), ("live append", append)):
        figures[f"{label}: {name}, ms"] = statistics.median(times)
        figures[f"{label}: {name}, p95, ms"] = statistics.quantiles(times, n=20)[-1]
    figures[f"{label}: memory, MiB"] = _memory()
    return figures


def _searching(app: App) -> Figures:
    """Words that most of the 110,000 messages have, words that none has, and a number."""
    view, figures = app.screen, {}
    assert isinstance(view, ChatView)
    for text in ("meeting tomorrow", "فردا", "nothing like it", "99990"):
        started = _now()
        view.side.ask(text)
        app.root.update()
        figures[f"search for {text!r}, ms"] = _ms(started)
    view.side.ask("")
    app.root.update()
    return figures


def _pasting(app: App) -> Figures:
    """The longest that can be sent, and 16,000 characters, which cannot, in one paragraph."""
    assert isinstance(app.screen, ChatView)
    field, figures = app.screen.composer.text, {}
    field.focus_force()
    app.root.update()
    sentence = "سلام، فردا ساعت ۱۰ می‌بینمت (با Python) و حرف می‌زنیم. "
    for count in (8_000, 16_000):
        app.root.clipboard_clear()
        app.root.clipboard_append((sentence * count)[:count])
        started = _now()
        field.event_generate("<<Paste>>")
        app.root.update()
        figures[f"{count:,} Persian characters: pasted, ms"] = _ms(started)
        started = _now()
        field.event_generate("<Return>")
        app.root.update()
        _take_in(app)
        app.root.update()
        figures[f"{count:,} Persian characters: Return, ms"] = _ms(started)
    return figures


def _send(app: App) -> None:
    """A message is written into the vault, which is the engine's work and not counted."""
    assert app.chat is not None
    app.chat.send("one more line")


def _take_in(app: App) -> None:
    """The window hears of it and draws it."""
    assert app.chat is not None
    assert isinstance(app.screen, ChatView)
    app.chat.poll()
    app.screen.refresh()


def _repeated(
    app: App, act: Callable[[], object], before: Callable[[], object] = int
) -> list[float]:
    times = []
    for _ in range(40):
        before()
        started = _now()
        act()
        app.root.update()
        times.append(_ms(started))
    return times


def _painted(app: App, condition: Callable[[], bool]) -> None:
    """Let the window run as `mainloop` does, asleep between events: others need the time."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the window did not get there within a minute")
        app.root.tk.dooneevent(0)
    app.root.update()


def _now() -> float:
    """Seconds of the clock that was chosen, for what Tk's thread does alone."""
    return time.thread_time() if _COUNTS_CPU else time.perf_counter()


def _ms(started: float) -> float:
    return (_now() - started) * 1000


def _whole() -> float:
    """Milliseconds of the clock that was chosen, for all threads and from the process's start."""
    return (time.process_time() if _COUNTS_CPU else time.time()) * 1000


def _memory() -> float:
    return (memory_kib(os.getpid()) or 0.0) / 1024


# ---------------------------------------------------------------- several starts


@contextlib.contextmanager
def screen() -> Iterator[dict[str, str]]:
    """The environment of a process that has a screen."""
    if sys.platform == "linux" and "DISPLAY" not in os.environ:
        with virtual_screen() as display:
            yield {**os.environ, "DISPLAY": display}
    else:
        yield dict(os.environ)


def main() -> int:
    """Measure several starts and print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument(
        "--clock", choices=["wall", "cpu"], default="wall",
        help="cpu: processor time of the window alone, for a machine that has other work",
    )  # fmt: skip
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once is not None:
        print(json.dumps(start_once(options.once)))
        return 0
    with tempfile.TemporaryDirectory() as folder, screen() as environment:
        fill(Path(folder))
        # As it is installed: with its modules compiled, which the first start does.
        environment |= {
            "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": f"{folder}/compiled",
            "BENCH_CLOCK": options.clock,
        }  # fmt: skip
        _run(Path(folder), environment)
        runs = [_run(Path(folder), environment) for _ in range(options.runs)]
    for name in runs[0]:
        values = [run[name] for run in runs]
        spread = f"({min(values):.1f} to {max(values):.1f})"
        print(f"{name:<60} {statistics.median(values):>10.1f}   {spread}")
    if options.json is not None:
        options.json.write_text(json.dumps(runs, indent=1), encoding="utf-8")
    return 0


def _started(clock: str) -> float:
    """When a process begins: processor time counts from there by itself."""
    return 0.0 if clock == "cpu" else time.time() * 1000


def _run(home: Path, environment: dict[str, str]) -> Figures:
    done = subprocess.run(
        [sys.executable, __file__, "--once", str(home)],
        env={**environment, "BENCH_STARTED": str(_started(environment["BENCH_CLOCK"]))},
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    figures: Figures = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    sys.exit(main())
