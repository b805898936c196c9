"""Who the conversation is with: initial, name, trust, presence; the timer and the safety number."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from secure_chat.client.presenter.rows import HeaderRow
from secure_chat.client.window.icon_button import IconButton
from secure_chat.client.window.palette import AVATARS
from secure_chat.client.window.shapes import Pen, trust_badge
from secure_chat.client.window.ui import Ui

_ANY_WIDTH = 10_000  # pixels, while the window has not placed it yet


class HeaderView(tk.Frame):
    """Drawn anew for each `HeaderRow`."""

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        *,
        on_panel: Callable[[], object],
        on_timer: Callable[[], object],
    ) -> None:
        super().__init__(parent, background=ui.colors.surface, borderwidth=0)
        self._ui, self._on_panel, self._on_timer = ui, on_panel, on_timer
        self._shown: tuple[HeaderRow | None, int] | None = None
        self._buttons: list[ttk.Button | IconButton] = []
        self.bind("<Configure>", self._on_resize)

    def _on_resize(self, _event: "tk.Event[tk.Misc]") -> None:
        if self._shown is not None:
            self.show(self._shown[0])

    def show(self, header: HeaderRow | None) -> None:
        """Who, and what they do now, in the room that there is."""
        if self._shown == (header, self.winfo_width()):
            return
        self._shown = header, self.winfo_width()
        had = [place for place, one in enumerate(self._buttons) if one is self.focus_get()]
        for child in self.winfo_children():
            child.destroy()
        self._build(header)
        for place in had:  # somebody who came or began to write takes the keyboard from nobody
            self._buttons[min(place, len(self._buttons) - 1)].focus_set()

    def _build(self, header: HeaderRow | None) -> None:
        ui, colors = self._ui, self._ui.colors
        inside = ui.frame(self, colors.surface)
        inside.pack(fill="x", padx=ui.px(14), pady=ui.px(7))
        key = ui.button(inside, ui.words("Safety number"), self._on_panel, "Bar")
        key.pack(side=ui.end)
        self._buttons = [key]
        if header is None:
            ui.label(inside, "secure_chat", font="title").pack(anchor=ui.start_anchor)
            return
        wide = self.winfo_width()
        room = (wide if wide > 1 else _ANY_WIDTH) - key.winfo_reqwidth() - ui.px(28 + 38 + 24)
        if header.known:
            timer = IconButton(
                inside, ui, "timer", ui.words("Disappearing messages"), self._on_timer
            )
            timer.pack(side=ui.end)
            self._buttons.append(timer)
            room -= timer.winfo_reqwidth()
        if header.timer:
            span = ui.label(inside, header.timer, font="small", color=colors.accent)
            span.pack(side=ui.end, padx=ui.px(2))
            room -= span.winfo_reqwidth() + ui.px(4)
        avatar(inside, ui, header.user_id).pack(side=ui.start)
        names = ui.frame(inside, colors.surface)
        names.pack(side=ui.start, padx=ui.px(10))
        line = ui.frame(names, colors.surface)
        line.pack(anchor=ui.start_anchor)
        self._names(line, header, room)
        color = colors.good if header.online else colors.muted
        if header.writing:
            color = colors.accent
        status = ui.fitted(header.status, room, "small")
        ui.label(names, status, font="small", color=color).pack(anchor=ui.start_anchor)

    def _names(self, line: tk.Frame, header: HeaderRow, room: int) -> None:
        """Our own name before the account's; the one that they chose last, never instead.

        The sign of trust keeps its room: no name, however long, pushes it out of sight.
        """
        ui, colors = self._ui, self._ui.colors
        first, second = header.title or str(header.user_id), ""
        if header.title:
            second = str(header.user_id)
        elif header.calls_itself:
            second = f"~{header.calls_itself}"
        size, gap = round(ui.line_height * 0.8), ui.px(6)
        room -= size + 2 * gap
        kept = ui.fonts["small"].measure(second) + gap if header.title else 0
        first = ui.fitted(ui.drawable(first), room - min(kept, room // 2), "title")
        room -= ui.fonts["title"].measure(first) + gap
        beside = (gap, 0) if ui.start == "left" else (0, gap)
        ui.label(line, first, font="title").pack(side=ui.start)
        badge = trust_badge(line, ui.discs, colors, header.mark, size)
        badge.pack(side=ui.start, padx=gap)
        # The account's name beside one of our own says who it is; trust has its sign as well.
        texts = (second, header.trust) if header.title else (header.trust, second)
        for text in texts:
            shown = ui.fitted(ui.drawable(text), room, "small")
            if text and len(shown) > 1:
                ui.label(line, shown, font="small", color=colors.muted).pack(
                    side=ui.start, padx=beside if text == texts[1] else 0
                )
                room -= ui.fonts["small"].measure(shown) + gap


def avatar(parent: tk.Misc, ui: Ui, name: str) -> tk.Canvas:
    """Somebody's initial on a colour that is always theirs."""
    size = ui.px(38)
    canvas = tk.Canvas(
        parent, width=size + 2, height=size + 2, highlightthickness=0,
        background=str(parent.cget("background")),
    )  # fmt: skip
    middle = size // 2 + 1
    tint = AVATARS[sum(name.encode()) % len(AVATARS)]
    Pen(canvas, ui.discs, ui.colors).disc(middle, middle, size, tint)
    canvas.create_text(
        middle, middle, text=ui.drawable(name)[:1].upper(), font=ui.fonts["title"], fill="#ffffff"
    )
    return canvas
