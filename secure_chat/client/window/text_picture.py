"""The picture of an edited text: shaped rows, the selection under them, a caret that blinks."""

import tkinter as tk

from secure_chat.client.text.editing import EditLayout
from secure_chat.client.window.ui import Ui

_BLINK_ON, _BLINK_OFF = 600, 300  # milliseconds
Stretch = tuple[int, int]


class TextPicture(tk.Canvas):
    """Draws an `EditLayout`. ``field`` is the Text whose place it takes, colours included."""

    def __init__(self, field: tk.Text, ui: Ui, layout: EditLayout) -> None:
        super().__init__(
            field, background=str(field.cget("background")), borderwidth=0, highlightthickness=0,
            cursor="xterm", takefocus=False,
        )  # fmt: skip
        self._field, self._layout = field, layout
        self._font = ui.fonts["text"]
        self._flag = ui.px(4)
        self._quiet = ui.colors.muted
        self._row_height = self._font.metrics("linespace")
        self._edge = int(str(field.cget("highlightthickness")))
        self._pad_x, self._pad_y = int(str(field.cget("padx"))), int(str(field.cget("pady")))
        self._top = self._left = 0  # what is scrolled out of sight
        self._blink = ""
        self._caret_on = True
        self.bind("<Destroy>", self._forget)

    @property
    def shown(self) -> bool:
        """Whether it covers the field."""
        return bool(self.winfo_manager())

    @property
    def room(self) -> int:
        """The width that a row may have."""
        return self._field.winfo_width() - 2 * (self._edge + self._pad_x)

    def cover(self) -> None:
        """Lie over the field, its frame left free."""
        if not self.shown:
            self._top = self._left = 0
            edge = self._edge
            self.place(
                x=edge, y=edge, relwidth=1, width=-2 * edge, relheight=1, height=-2 * edge,
                bordermode="outside",
            )  # fmt: skip
            self._blink_on()

    def uncover(self) -> None:
        """Show the field itself."""
        self.place_forget()

    def index_at(self, x: int, y: int) -> int:
        """The index under a point of the picture."""
        row = (y - self._pad_y + self._top) // self._row_height
        return self._layout.index_at(row, x - self._pad_x + self._left)

    # ------------------------------------------------------------ drawing

    def draw(self, insertion: int, selection: Stretch | None, *, follow: bool = True) -> None:
        """Draw everything; ``follow`` brings the caret into view."""
        caret = self._layout.caret(insertion)
        if follow:
            self._scroll_to(caret.row, caret.x)
        self.delete("all")
        if selection is not None:
            self._draw_selection(*selection)
        enabled = str(self._field.cget("state")) == "normal"
        ink = str(self._field.cget("foreground")) if enabled else self._quiet
        for number in self._rows_in_view():
            row = self._layout.rows[number]
            self.create_text(
                self._x(self._layout.left(row)), self._y(number), anchor="nw", text=row.text,
                font=self._font, fill=ink,
            )  # fmt: skip
        if enabled:
            self._draw_caret(caret.row, caret.x, rtl=caret.rtl)

    def _draw_selection(self, start: int, end: int) -> None:
        color = self._selection_color()
        for number, left, right in self._layout.selected(start, end):
            box = self._x(left), self._y(number), self._x(right), self._y(number + 1)
            self.create_rectangle(*box, fill=color, width=0)

    def _selection_color(self) -> str:
        """The selection lies under letters of the usual colour, so it is the accent, thinned."""
        accent = self.winfo_rgb(str(self._field.cget("selectbackground")))
        ground = self.winfo_rgb(str(self.cget("background")))
        return "#" + "".join(
            f"{(a + 2 * g) // 3 >> 8:02x}" for a, g in zip(accent, ground, strict=True)
        )

    def _draw_caret(self, row: int, x: int, *, rtl: bool) -> None:
        color = str(self._field.cget("insertbackground"))
        left, top, bottom = self._x(x), self._y(row), self._y(row + 1)
        self.create_rectangle(left - 1, top, left + 1, bottom, fill=color, width=0, tags="caret")
        tip = left - self._flag if rtl else left + self._flag
        self.create_polygon(  # shows the way in which the next letter will run
            left, top, tip, top, left, top + self._flag, fill=color, width=0, tags="caret"
        )
        self._show_caret()

    def _x(self, x: int) -> int:
        return self._pad_x + x - self._left

    def _y(self, row: int) -> int:
        return self._pad_y + row * self._row_height - self._top

    def _rows_in_view(self) -> range:
        first = max(0, (self._top - self._pad_y) // self._row_height)
        last = (self._top + self.winfo_height()) // self._row_height + 1
        return range(first, min(last, len(self._layout.rows)))

    # ------------------------------------------------------------ scrolling

    @property
    def _height(self) -> int:
        inside = self._field.winfo_height() - 2 * (self._edge + self._pad_y)
        return max(inside, self._row_height)

    @property
    def _lowest(self) -> int:
        return max(0, len(self._layout.rows) * self._row_height - self._height)

    def scroll(self, rows: float) -> None:
        """Move by so many rows, as far as there are some; draw afterwards."""
        wanted = self._top + round(rows * self._row_height)
        self._top = min(max(wanted, 0), self._lowest)

    def _scroll_to(self, row: int, x: int) -> None:
        top, bottom = row * self._row_height, (row + 1) * self._row_height
        self._top = min(max(self._top, bottom - self._height), top, self._lowest)
        first, width = self._layout.rows[0], self._layout.width
        if len(self._layout.rows) > 1 or first.width <= width:
            self._left = 0
        else:  # a single row that is longer than the field moves sideways
            self._left = min(max(self._left, x - width), x)

    # ------------------------------------------------------------ the caret

    def wake_caret(self) -> None:
        """Show the caret at once: somebody writes."""
        self._caret_on = True

    def _show_caret(self) -> None:
        here = self._caret_on and self.tk.call("focus") == str(self._field)
        self.itemconfigure("caret", state="normal" if here else "hidden")

    def _blink_on(self) -> None:
        if not self._blink:
            self._blink = self.after(_BLINK_ON, self._turn_caret)

    def _turn_caret(self) -> None:
        self._blink = ""
        if not self.shown:
            return
        self._caret_on = not self._caret_on
        self._show_caret()
        wait = _BLINK_ON if self._caret_on else _BLINK_OFF
        self._blink = self.after(wait, self._turn_caret)

    def _forget(self, _event: object) -> None:
        if self._blink:
            self.after_cancel(self._blink)
            self._blink = ""
