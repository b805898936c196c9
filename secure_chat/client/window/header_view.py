"""Who the conversation is with: initial, name, trust, presence; the timer and the safety number."""

import tkinter as tk
from collections.abc import Callable

from secure_chat.client.presenter.rows import HeaderRow
from secure_chat.client.window.icon_button import IconButton
from secure_chat.client.window.palette import AVATARS
from secure_chat.client.window.shapes import Pen, trust_badge
from secure_chat.client.window.ui import Ui


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
        self._shown: HeaderRow | None = None
        self._built = False

    def show(self, header: HeaderRow | None) -> None:
        """Who, and what they do now."""
        if self._built and header == self._shown:
            return
        self._shown, self._built = header, True
        ui, colors = self._ui, self._ui.colors
        for child in self.winfo_children():
            child.destroy()
        inside = ui.frame(self, colors.surface)
        inside.pack(fill="x", padx=ui.px(14), pady=ui.px(7))
        key = ui.button(inside, ui.words("Safety number"), self._on_panel, "Bar")
        key.pack(side=ui.end)
        if header is None:
            ui.label(inside, "secure_chat", font="title").pack(anchor=ui.start_anchor)
            return
        timer = IconButton(inside, ui, "timer", ui.words("Disappearing messages"), self._on_timer)
        if header.timer:
            ui.label(inside, header.timer, font="small", color=colors.accent).pack(
                side=ui.end, padx=ui.px(2)
            )
        if header.known:
            timer.pack(side=ui.end)
        avatar(inside, ui, header.user_id).pack(side=ui.start)
        names = ui.frame(inside, colors.surface)
        names.pack(side=ui.start, padx=ui.px(10))
        line = ui.frame(names, colors.surface)
        line.pack(anchor=ui.start_anchor)
        self._names(line, header)
        size = round(ui.line_height * 0.8)
        badge = trust_badge(line, ui.discs, colors, header.mark, size)
        badge.pack(side=ui.start, padx=ui.px(6))
        ui.label(line, header.trust, font="small", color=colors.muted).pack(side=ui.start)
        color = colors.good if header.online else colors.muted
        if header.writing:
            color = colors.accent
        ui.label(names, header.status, font="small", color=color).pack(anchor=ui.start_anchor)

    def _names(self, line: tk.Frame, header: HeaderRow) -> None:
        """Our own name before the account's; the one that they chose after it, never instead."""
        ui, colors = self._ui, self._ui.colors
        first, second = (
            str(header.user_id),
            f"~{header.calls_itself}" if header.calls_itself else "",
        )
        if header.title:
            first, second = header.title, header.user_id
        ui.label(line, first, font="title").pack(side=ui.start)
        if second:
            ui.label(line, second, font="small", color=colors.muted).pack(
                side=ui.start, padx=(ui.px(6), 0) if ui.start == "left" else (0, ui.px(6))
            )


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
        middle, middle, text=name[:1].upper(), font=ui.fonts["title"], fill="#ffffff"
    )
    return canvas
