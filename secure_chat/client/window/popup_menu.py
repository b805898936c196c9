"""The menu of a message: a row of quick reactions, and what can be done, drawn in our own look.

Not `tk.Menu`, which neither joins Persian letters nor has room for a row of reactions.
"""

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from secure_chat.client.window.shapes import Pen
from secure_chat.client.window.ui import Ui


@dataclass(frozen=True)
class Entry:
    """A line of the menu; ``apart``: a rule above it."""

    text: str
    act: Callable[[], object]
    apart: bool = False
    danger: bool = False


class PopupMenu(tk.Canvas):
    """Placed inside the window; arrows, Return, Escape, or the mouse. It closes by itself."""

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        entries: Sequence[Entry],
        quick: Sequence[tuple[str, Callable[[], object]]] = (),
    ) -> None:
        self._top = parent.winfo_toplevel()
        self._ui, self._entries, self._quick = ui, entries, quick
        self._back = self._top.focus_lastfor()
        self._row, self._cell = ui.px(31), ui.px(40)
        self._head = self._cell + ui.px(10) if quick else ui.px(6)
        widest = max((ui.fonts["text"].measure(ui.say(e.text)) for e in entries), default=0)
        self._wide = max(widest + ui.px(44), len(quick) * self._cell + ui.px(16), ui.px(180))
        rules = sum(entry.apart for entry in entries) * ui.px(9)
        self._tall = self._head + len(entries) * self._row + rules + ui.px(7)
        super().__init__(
            self._top, width=self._wide, height=self._tall, takefocus=1, cursor="hand2",
            background=ui.colors.surface, highlightthickness=1,
            highlightbackground=ui.colors.muted, highlightcolor=ui.colors.muted,
        )  # fmt: skip
        self._pen = Pen(self, ui.discs, ui.colors)
        self._at = len(quick)  # quick ones first, then the entries
        self._outside = ""
        self._bind_keys()

    @property
    def texts(self) -> list[str]:
        """The lines, as they read."""
        return [entry.text for entry in self._entries]

    def open(self, x_root: int, y_root: int) -> None:
        """Show it at a point of the screen, or as near as the window has room."""
        top = self._top
        x, y = x_root - top.winfo_rootx(), y_root - top.winfo_rooty()
        if self._ui.words.rtl:
            x -= self._wide
        x = max(4, min(x, top.winfo_width() - self._wide - 6))
        y = max(4, min(y, top.winfo_height() - self._tall - 6))
        self.place(x=x, y=y)
        tk.Misc.lift(self)
        self._draw()
        self.focus_set()
        self._outside = top.bind("<Button-1>", self._on_click_anywhere, add="+")

    def close(self) -> None:
        """Take it away; the keyboard goes back."""
        if not self.winfo_exists():
            return
        self._top.unbind("<Button-1>", self._outside)
        had_focus = self._top.focus_lastfor() is self
        self.destroy()
        if had_focus and self._back is not None and self._back.winfo_exists():
            self._back.focus_set()

    # ------------------------------------------------------------ keys and mouse

    def _bind_keys(self) -> None:
        sideways = -1 if self._ui.words.rtl else 1
        self.bind("<Up>", lambda _: self._move(-1))
        self.bind("<Down>", lambda _: self._move(1))
        self.bind("<Left>", lambda _: self._move_quick(-sideways))
        self.bind("<Right>", lambda _: self._move_quick(sideways))
        self.bind("<Tab>", lambda _: self._move(1))
        self.bind("<Return>", lambda _: self._choose(self._at))
        self.bind("<space>", lambda _: self._choose(self._at))
        self.bind("<Escape>", lambda _: self.close())
        self.bind("<FocusOut>", lambda _: self.close())
        self.bind("<Motion>", self._on_motion)
        self.bind("<ButtonRelease-1>", lambda event: self._choose(self._place(event)))

    def _move(self, step: int) -> str:
        """Up and down; the row of quick ones is one step."""
        quick, count = len(self._quick), len(self._quick) + len(self._entries)
        if self._at < quick:
            self._at = quick if step > 0 else count - 1
        elif self._at + step < quick:
            self._at = 0 if quick else count - 1
        elif self._at + step >= count:
            self._at = 0 if quick else quick
        else:
            self._at += step
        self._draw()
        return "break"

    def _move_quick(self, step: int) -> str:
        if self._quick:
            self._at = (self._at + step) % len(self._quick) if self._at < len(self._quick) else 0
            self._draw()
        return "break"

    def _choose(self, place: int | None) -> str:
        if place is not None:
            quick = len(self._quick)
            act = self._quick[place][1] if place < quick else self._entries[place - quick].act
            self.close()
            act()
        return "break"

    def _place(self, event: "tk.Event[tk.Misc]") -> int | None:
        """What lies under the mouse."""
        for place, (x0, y0, x1, y1) in enumerate(self._boxes()):
            if x0 <= event.x < x1 and y0 <= event.y < y1:
                return place
        return None

    def _on_motion(self, event: "tk.Event[tk.Misc]") -> None:
        place = self._place(event)
        if place is not None and place != self._at:
            self._at = place
            self._draw()

    def _on_click_anywhere(self, event: "tk.Event[tk.Misc]") -> None:
        if self.winfo_exists() and event.widget is not self:
            self.close()

    # ------------------------------------------------------------ drawing

    def _boxes(self) -> list[tuple[int, int, int, int]]:
        ui, boxes = self._ui, []
        for place in range(len(self._quick)):
            x = ui.px(8) + place * self._cell
            if ui.words.rtl:
                x = self._wide - x - self._cell
            boxes.append((x, ui.px(5), x + self._cell, ui.px(5) + self._cell))
        y = self._head
        for entry in self._entries:
            y += ui.px(9) if entry.apart else 0
            boxes.append((ui.px(5), y, self._wide - ui.px(5), y + self._row))
            y += self._row
        return boxes

    def _draw(self) -> None:
        ui, colors = self._ui, self._ui.colors
        self.delete("all")
        boxes = self._boxes()
        x0, y0, x1, y1 = boxes[self._at]
        self._pen.rounded((x0, y0, x1, y1), ui.px(7), fill=colors.selected, outline=colors.accent)
        for (picture, _), (x0, y0, x1, y1) in zip(self._quick, boxes, strict=False):
            self.create_text(
                (x0 + x1) // 2, (y0 + y1) // 2, text=ui.picture(picture), font=ui.fonts["title"],
                fill=colors.text,
            )  # fmt: skip
        rtl = ui.words.rtl
        for entry, (x0, y0, x1, y1) in zip(self._entries, boxes[len(self._quick) :], strict=True):
            if entry.apart:
                self.create_line(x0, y0 - ui.px(5), x1, y0 - ui.px(5), fill=colors.line)
            self.create_text(
                x1 - ui.px(12) if rtl else x0 + ui.px(12), (y0 + y1) // 2,
                anchor="e" if rtl else "w", text=ui.say(entry.text), font=ui.fonts["text"],
                fill=colors.danger if entry.danger else colors.text,
            )  # fmt: skip
