"""How a row of the list of people is drawn: initial, names, trust, signs, the last line."""

import tkinter as tk
from typing import Literal

from secure_chat.client.presenter.rows import PersonRow
from secure_chat.client.window.palette import AVATARS
from secure_chat.client.window.shapes import Pen
from secure_chat.client.window.ui import Ui


class PersonPen:
    """Draws on the list's canvas. What others chose is an item of its own: it disturbs nothing."""

    def __init__(self, canvas: tk.Canvas, ui: Ui) -> None:
        self._canvas, self._ui = canvas, ui
        self._pen = Pen(canvas, ui.discs, ui.colors)

    def heading(self, text: str, y: int, height: int) -> None:
        """What stands above a section."""
        ui = self._ui
        self._text(ui.px(16), y + height * 0.6, ui.say(text), "small_bold", ui.colors.muted)

    def row(self, row: PersonRow, y: int, height: int, *, focused: bool) -> None:
        """One person."""
        ui, colors = self._ui, self._ui.colors
        width, pad = self._canvas.winfo_width(), ui.px(6)
        ground = colors.selected if row.selected else colors.ground
        if row.selected or focused:
            self._pen.rounded(
                (pad, y + 2, width - pad, y + height - 2), ui.px(10),
                fill=ground, outline=colors.accent if focused else "",
                ground=colors.ground,
            )  # fmt: skip
        self._avatar(row, y + height // 2, ground)
        name_y, preview_y = y + height * 0.33, y + height * 0.68
        end = width - ui.px(16)
        when = ui.say(row.when)
        when_width = ui.fonts["small"].measure(when)
        self._text(end, name_y, when, "small", colors.muted, at_end=True)
        self._names(row, name_y, end - when_width)
        taken = self._unread(row, end, round(preview_y))
        taken += self._signs(row, end - taken, round(preview_y))
        self._preview(row, preview_y, end - ui.px(64) - taken)

    # ------------------------------------------------------------ names

    def _names(self, row: PersonRow, y: float, end: int) -> None:
        """Our own name before the account's, the one that they chose after it, and trust."""
        ui, colors = self._ui, self._ui.colors
        size, gap = round(ui.line_height * 0.68), ui.px(5)
        x, room = ui.px(64), end - ui.px(64) - size - ui.px(14)
        first, second = str(row.user_id), ""
        if row.title:
            first, second = row.title, row.user_id
        elif row.calls_itself and row.calls_itself.lower() != row.user_id:
            second = f"~{row.calls_itself}"
        name = ui.fitted(ui.drawable(first), room, "bold")
        self._text(x, y, ui.layout("bold").line(name), "bold", colors.text)
        x += ui.fonts["bold"].measure(name) + gap
        if row.request:
            return
        self._pen.trust(self._x(x + size // 2), round(y), size, row.mark)
        x += size + gap
        left = end - x - ui.px(10)
        if second and left > ui.px(26):
            shown = ui.fitted(ui.drawable(second), left, "small")
            self._text(x, y, ui.layout("small").line(shown), "small", colors.muted)

    # ------------------------------------------------------------ the second line

    def _preview(self, row: PersonRow, y: float, room: int) -> None:
        ui, colors = self._ui, self._ui.colors
        prefix = ""
        if row.preview_is_draft and not row.writing:
            prefix = ui.words("Draft:")
        elif row.preview_is_ours and not row.writing:
            prefix = ui.words("You: ").strip()
        elif row.preview_is_notice:
            prefix = "ⓘ"
        font = ui.fonts["small"]
        used = font.measure(prefix + " ") if prefix else 0
        # Each part in its own direction: the text's must not turn the prefix round, nor inversely.
        # A sentence of ours has the interface's, even if it begins with somebody's name.
        text = ui.fitted(ui.drawable(row.preview), room - used, "small")
        ours = row.preview_is_notice or row.writing or row.request
        shown = ui.layout("small").line(text, rtl=ui.direction(text) if ours else None)
        parts = [ui.say(prefix), shown] if prefix else [shown]
        line = " ".join(reversed(parts) if ui.words.rtl else parts)
        color = colors.accent if row.writing or row.request else colors.muted
        if row.unread and not row.muted:
            color = colors.text
        self._text(ui.px(64), y, line, "small", color)

    def _signs(self, row: PersonRow, end: int, y: int) -> int:
        """Blocked, muted, pinned; returns the room they take."""
        ui, color = self._ui, self._ui.colors.muted
        size = round(ui.line_height * 0.62)
        drawings = (
            (row.pinned, self._pen.pin),
            (row.muted, self._pen.muted),
            (row.blocked, self._pen.blocked),
        )
        taken = 0
        for holds, draw in drawings:
            if holds:
                draw(self._x(end - taken - size // 2), y, size, color)
                taken += size + ui.px(5)
        return taken

    def _unread(self, row: PersonRow, end: int, y: int) -> int:
        """The number of unread messages; returns the room it takes."""
        if not row.unread or row.blocked:
            return 0
        ui, colors = self._ui, self._ui.colors
        text = ui.words.digits(row.unread if row.unread < 1000 else "999+")
        width = max(ui.fonts["small_bold"].measure(text) + ui.px(10), ui.px(20))
        left, right = sorted((self._x(end - width), self._x(end)))
        half = ui.px(9)
        fill, ink = (colors.line, colors.text) if row.muted else (colors.accent, colors.on_accent)
        self._pen.rounded((left, y - half, right, y + half), half, fill=fill)
        self._canvas.create_text(
            (left + right) // 2, y, text=text, font=ui.fonts["small_bold"], fill=ink
        )
        return width + ui.px(8)

    def _avatar(self, row: PersonRow, middle: int, ground: str) -> None:
        ui, colors = self._ui, self._ui.colors
        x, half = self._x(ui.px(36)), ui.px(19)
        # By the account's name alone: nobody looks like somebody else by choosing a name.
        tint = AVATARS[sum(row.user_id.encode()) % len(AVATARS)]
        self._pen.disc(x, middle, 2 * half, colors.line if row.request else tint, ground)
        self._canvas.create_text(
            x, middle, text="?" if row.request else ui.drawable(row.user_id)[:1].upper(),
            font=ui.fonts["title"], fill=colors.text if row.request else "#ffffff",
        )  # fmt: skip
        if row.online and not row.blocked:
            dot, at_x, at_y = ui.px(6), x + round(half * 0.72), middle + round(half * 0.72)
            self._pen.disc(at_x, at_y, 2 * dot + 4, ground)
            self._pen.disc(at_x, at_y, 2 * dot, colors.good)

    # ------------------------------------------------------------ help

    def _x(self, from_start: int) -> int:
        """A distance from the side where reading starts, as a coordinate."""
        return self._canvas.winfo_width() - from_start if self._ui.words.rtl else from_start

    def _text(
        self, x: int, y: float, text: str, font: str, color: str, *, at_end: bool = False
    ) -> None:
        anchor: Literal["e", "w"] = "e" if at_end != self._ui.words.rtl else "w"
        self._canvas.create_text(
            self._x(x), y, text=text, anchor=anchor, font=self._ui.fonts[font], fill=color
        )
