"""The cards of a conversation: questions, details, links, emoji, timers, people, shortcuts."""

import tkinter as tk
from collections.abc import Callable, Sequence
from functools import partial
from tkinter import ttk

from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.links import LinkAsk
from secure_chat.client.presenter.rows import Fact
from secure_chat.client.presenter.shortcuts import SHORTCUTS
from secure_chat.client.presenter.talk import Talk
from secure_chat.client.window.emoji_grid import EmojiGrid
from secure_chat.client.window.people_list import PeopleList
from secure_chat.client.window.shaped_entry import ShapedEntry
from secure_chat.client.window.sheet import Sheet
from secure_chat.client.window.ui import Ui
from secure_chat.protocol.addresses import UserId

_LONGEST_VALUE = 600  # characters of a version that a card shows
_MOST_FACTS = 20


def confirm(
    parent: tk.Misc, ui: Ui, title: str, text: str, button: str, act: Callable[[], object]
) -> Sheet:
    """Ask before something that cannot be undone; the keyboard is on Cancel."""
    sheet = Sheet(parent, ui, title)
    sheet.text(text)
    sheet.open(sheet.buttons((button, act, "Danger"))[-1])
    return sheet


def facts(parent: tk.Misc, ui: Ui, title: str, rows: Sequence[Fact]) -> Sheet:
    """Names and values, one under the other."""
    sheet = Sheet(parent, ui, title)
    for fact in rows[:_MOST_FACTS]:
        sheet.text(fact.label, color=ui.colors.muted, font="small").pack_configure(
            pady=(ui.px(10), 0)
        )
        value = fact.value[:_LONGEST_VALUE] + ("…" if len(fact.value) > _LONGEST_VALUE else "")
        # A value may be a message: its own direction, not that of the interface.
        lines = ui.layout("text").wrap(ui.drawable(value), sheet.wrap)
        rtl = bool(lines) and lines[0].rtl
        tk.Label(
            sheet.body, text="\n".join(line.text for line in lines), font=ui.fonts["text"],
            foreground=ui.colors.text, background=ui.colors.surface, borderwidth=0, padx=0,
            justify="right" if rtl else "left",
        ).pack(anchor=ui.start_anchor)  # fmt: skip
    sheet.open(sheet.buttons()[-1])
    return sheet


def link(parent: tk.Misc, ui: Ui, ask: LinkAsk, open_it: Callable[[str], object]) -> Sheet:
    """The real address, before anything opens; the keyboard is on Cancel."""
    sheet = Sheet(parent, ui, ask.title, width=520)
    if ask.site:
        sheet.text(ask.site, font="title", color=ui.colors.text)
    layout = ui.layout("mono_small")
    address = tk.Label(
        sheet.body, font=ui.fonts["mono_small"], justify="left", background=ui.colors.ground,
        foreground=ui.colors.text, padx=ui.px(10), pady=ui.px(8), borderwidth=0,
        text="\n".join(
            line.text
            for line in layout.wrap(ui.drawable(ask.address), sheet.wrap - ui.px(20), rtl=False)
        ),
    )  # fmt: skip
    address.pack(fill="x", pady=(ui.px(10), 0))
    if ask.warning:
        sheet.text(ask.warning, color=ui.colors.warning, font="small")
    copy = (ui.words("Copy"), lambda: _copy(parent, ask.address), "")
    if ask.target:
        text = ui.words("Go on") if ask.contact else ui.words("Open")
        go = (text, lambda: open_it(ask.target), "Accent")
        sheet.open(sheet.buttons(go, copy)[-1])
    else:
        sheet.open(sheet.buttons(copy)[-1])
    return sheet


def _copy(parent: tk.Misc, text: str) -> None:
    parent.clipboard_clear()
    parent.clipboard_append(text)


def people(
    parent: tk.Misc, ui: Ui, chat: Chat, title: str, choose: Callable[[UserId], object]
) -> Sheet:
    """Choose somebody: type a part of the name, arrows, Return."""
    sheet = Sheet(parent, ui, title, width=380)
    entry = ShapedEntry(sheet.body, ui)
    entry.pack(fill="x", pady=(ui.px(12), ui.px(8)))
    frame = tk.Frame(sheet.body, width=sheet.wrap, height=ui.px(300), background=ui.colors.ground)
    frame.pack(fill="x")
    frame.pack_propagate(False)  # noqa: FBT003 - Tk's signature
    listed = PeopleList(frame, ui, lambda user_id: sheet.finish(lambda: choose(user_id)))
    listed.pack(fill="both", expand=True)

    def narrow() -> None:
        listed.show(chat.matching(entry.value), ui.words("Nobody of that name."))

    def first(_event: object = None) -> None:
        rows = chat.matching(entry.value)
        if rows:
            user_id = rows[0].user_id
            sheet.finish(lambda: choose(user_id))

    entry.on_change = narrow
    entry.bind("<<Submit>>", first)
    entry.bind("<Down>", lambda _: listed.canvas.focus_set())
    narrow()
    sheet.buttons()
    sheet.open(entry)
    return sheet


def emoji(parent: tk.Misc, ui: Ui, choose: Callable[[str], object]) -> Sheet:
    """Choose a reaction from the grid, or type or paste any emoji."""
    sheet = Sheet(parent, ui, ui.words("React"), width=400)
    grid = EmojiGrid(sheet.body, ui, lambda one: sheet.finish(lambda: choose(one)))
    grid.pack(pady=(ui.px(12), 0))
    row = ui.frame(sheet.body, ui.colors.surface)
    row.pack(fill="x", pady=(ui.px(12), 0))
    entry = ttk.Entry(row, font=ui.fonts["reaction"], width=8)
    ui.label(row, ui.words("Any other emoji:"), font="small", color=ui.colors.muted).pack(
        side=ui.start
    )
    entry.pack(side=ui.start, padx=ui.px(8))

    def typed(_event: object = None) -> None:
        wanted = entry.get().strip()
        if wanted:
            sheet.finish(lambda: choose(wanted))

    entry.bind("<Return>", typed)
    sheet.buttons()
    sheet.open(grid)
    return sheet


TIMERS = (0, 30, 5 * 60, 3_600, 8 * 3_600, 86_400, 7 * 86_400, 28 * 86_400)
"""Seconds after which messages may disappear, as the card offers them; 0: never."""


def timer(parent: tk.Misc, ui: Ui, talk: Talk, now: int, choose: Callable[[int], object]) -> Sheet:
    """After how long new messages disappear."""
    sheet = Sheet(parent, ui, ui.words("Disappearing messages"), width=400)
    sheet.text(
        ui.words(
            "New messages of both of you disappear so long after they were read. The other "
            "side's program obeys; whoever copies a message still has it."
        ),
        font="small", color=ui.colors.muted,
    )  # fmt: skip
    grid = ui.frame(sheet.body, ui.colors.surface)
    grid.pack(fill="x", pady=(ui.px(12), 0))
    chosen: ttk.Button | None = None
    for place, seconds in enumerate(dict.fromkeys((*TIMERS, now))):
        text = talk.span(seconds) if seconds else ui.words("Off")
        go_on = partial(sheet.finish, partial(choose, seconds))
        button = ui.button(grid, text, go_on, "Accent" if seconds == now else "")
        column = place % 3
        button.grid(
            row=place // 3, column=2 - column if ui.words.rtl else column, sticky="ew",
            padx=ui.px(3), pady=ui.px(3),
        )  # fmt: skip
        grid.columnconfigure(column, weight=1)
        chosen = button if seconds == now else chosen
    last = sheet.buttons()[-1]
    sheet.open(chosen or last)
    return sheet


def shortcuts(parent: tk.Misc, ui: Ui) -> Sheet:
    """All keys, in words."""
    sheet = Sheet(parent, ui, ui.words("Keyboard"), width=720)
    table = ui.frame(sheet.body, ui.colors.surface)
    table.pack(pady=(ui.px(12), 0))
    rows = (len(SHORTCUTS) + 1) // 2
    for place, shortcut in enumerate(SHORTCUTS):
        row, side = place % rows, place // rows
        columns = (2 * side, 2 * side + 1)
        if ui.words.rtl:
            columns = (3 - columns[0], 3 - columns[1])
        tk.Label(
            table, text=shortcut.shown, font=ui.fonts["mono_small"], background=ui.colors.ground,
            foreground=ui.colors.text, padx=ui.px(7), pady=ui.px(2),
        ).grid(row=row, column=columns[0], sticky=ui.start_anchor, pady=ui.px(2))  # fmt: skip
        ui.label(table, ui.words(shortcut.text), font="small").grid(
            row=row, column=columns[1], sticky=ui.start_anchor, padx=ui.px(12)
        )
    sheet.open(sheet.buttons()[-1])
    return sheet
