"""A text field that shows Persian joined, in order, with caret and selection where they belong.

Tk's own Text stays the model: typing, undo, clipboard and input methods are its work. Where the
toolkit does not shape letters by itself, a picture lies over it as soon as something in it runs
from right to left; clicks and arrow keys then follow what is drawn. Elsewhere, and for text in
other scripts, the Text is what one sees.
"""

import contextlib
import tkinter as tk
from collections.abc import Callable
from typing import Any

from secure_chat.client.text.editing import EditLayout
from secure_chat.client.text.levels import has_rtl
from secure_chat.client.window.bindings import Bindings
from secure_chat.client.window.text_picture import TextPicture
from secure_chat.client.window.ui import Ui

_SHIFT = 1
_WHEEL_STEP = 120


class ShapedText(tk.Text):
    """A `tk.Text` with a picture over it. ``single``: one row, as an entry has it.

    Tab leaves it, as it leaves every other field.
    ``on_rows`` hears after each layout how many rows there are.
    """

    def __init__(self, parent: tk.Misc, ui: Ui, *, single: bool = False, **options: Any) -> None:
        super().__init__(parent, **options)
        self._ui, self.single = ui, single
        self.edit_layout = EditLayout(ui.layout("text"), ui.fonts["text"].measure, astral=ui.astral)
        self.picture = TextPicture(self, ui, self.edit_layout)
        self.on_rows: Callable[[int], None] | None = None
        self._column: int | None = None  # where the caret wants to be while it goes up and down
        self._anchor = 0  # the end of the selection that stays
        self._due = ""
        self._gone = False
        self._bindings = Bindings(self)
        self._bind_keys()
        self._bind_mouse()

    # ------------------------------------------------------------ what stands where

    @property
    def written(self) -> str:
        """What stands in the field."""
        return self.get("1.0", "end-1c")

    @property
    def insertion(self) -> int:
        """The caret's index, in characters."""
        return len(self.get("1.0", "insert"))

    @property
    def selection(self) -> tuple[int, int] | None:
        """First and last index of what is selected."""
        ranges = self.tag_ranges("sel")
        if not ranges:
            return None
        return len(self.get("1.0", ranges[0])), len(self.get("1.0", ranges[1]))

    def put_insertion(self, index: int, *, extend: bool = False) -> None:
        """Move the caret; ``extend``: select on the way."""
        if not extend:
            self.tag_remove("sel", "1.0", "end")
            self.mark_set("insert", self._tk_index(index))
            self._changed()
            return
        chosen, here = self.selection, self.insertion
        if chosen is None:
            self._anchor = here
        elif here in chosen:
            self._anchor = chosen[0] if here == chosen[1] else chosen[1]
        self._select(self._anchor, index)

    def _select(self, anchor: int, index: int) -> None:
        first, last = sorted((anchor, index))
        self.tag_remove("sel", "1.0", "end")
        self.tag_add("sel", self._tk_index(first), self._tk_index(last))
        self.mark_set("insert", self._tk_index(index))
        self._changed()

    def _tk_index(self, index: int) -> str:
        """Tk 8 counts UTF-16 units, later ones characters."""
        before = self.written[:index]
        row = before.count("\n")
        column = before[before.rfind("\n") + 1 :]
        units = len(column) if _counts_characters(self) else len(column.encode("utf-16-le")) // 2
        return f"{row + 1}.{units}"

    # ------------------------------------------------------------ looks

    def refresh(self) -> None:
        """Draw again now: another text, another width, another look."""
        if self._due:
            self.after_cancel(self._due)
            self._due = ""
        written = self.written
        if written != self.edit_layout.text:
            self._column = None
        if self._ui.shapes or not has_rtl(written):
            if self.picture.shown:
                self.picture.uncover()
                self.see("insert")
            rows = 1 if self.single else self._counted_rows()
        else:
            self.picture.cover()
            rtl = self._ui.words.rtl
            self.edit_layout.set(written, self.picture.room, single=self.single, empty_rtl=rtl)
            self._draw()
            rows = len(self.edit_layout.rows)
        if self.on_rows is not None:
            self.on_rows(rows)

    def _draw(self, *, follow: bool = True) -> None:
        self.picture.draw(self.insertion, self.selection, follow=follow)

    def _counted_rows(self) -> int:
        counted = self.count("1.0", "end", "displaylines")
        return counted[0] if counted else 1

    def _changed(self, _event: object = None) -> None:
        """Something may look different: draw when Tk has done its own work."""
        if self._gone:  # the key that closed the screen comes by here last
            return
        self.picture.wake_caret()
        if not self._due:
            self._due = self.after_idle(self.refresh)

    # ------------------------------------------------------------ keys

    @property
    def _behind(self) -> str:
        """A tag behind the class."""
        return f"Shaped{self}"

    def bind_behind(self, sequence: str, act: Callable[["tk.Event[tk.Misc]"], object]) -> None:
        """Hear of an event after Tk's own bindings have done their work."""
        self._bindings.of_class(self._behind, sequence, act)

    def _bind_keys(self) -> None:
        layout = self.edit_layout
        self._bind_move("PrevChar", lambda i: layout.beside(i, right=False))
        self._bind_move("NextChar", lambda i: layout.beside(i, right=True))
        self._bind_move("PrevWord", lambda i: layout.word_beside(i, right=False))
        self._bind_move("NextWord", lambda i: layout.word_beside(i, right=True))
        self._bind_move("LineStart", layout.row_start)
        self._bind_move("LineEnd", layout.row_end)
        self._bind_move("PrevLine", lambda i: layout.below(i, -1, self._column), vertical=True)
        self._bind_move("NextLine", lambda i: layout.below(i, 1, self._column), vertical=True)
        self.bindtags((*self.bindtags(), self._behind))
        for sequence in ("<Key>", "<KeyRelease>", "<ButtonRelease>", "<FocusIn>", "<FocusOut>"):
            self.bind_behind(sequence, self._changed)
        self.bind("<<Selection>>", self._changed)
        self.bind("<Configure>", self._changed)
        self.bind("<Destroy>", self._forget)
        self.bind("<Tab>", lambda _: _leave_to(self.tk_focusNext()))
        self.bind("<Shift-Tab>", lambda _: _leave_to(self.tk_focusPrev()))
        if self.tk.call("tk", "windowingsystem") == "x11":
            self.bind("<ISO_Left_Tab>", lambda _: _leave_to(self.tk_focusPrev()))

    def _bind_move(self, name: str, move: Callable[[int], int], *, vertical: bool = False) -> None:
        def moved(*, extend: bool) -> str | None:
            if not self._ready():
                return None
            here = self.insertion
            if not vertical:
                self._column = None
            elif self._column is None:
                self._column = self.edit_layout.caret(here).x
            self.put_insertion(move(here), extend=extend)
            return "break"

        self.bind(f"<<{name}>>", lambda _: moved(extend=False))
        self.bind(f"<<Select{name}>>", lambda _: moved(extend=True))

    def _ready(self) -> bool:
        """Whether keys follow the picture; a change that is not drawn yet is drawn first."""
        if self._due:
            self.refresh()
        return self.picture.shown

    def _forget(self, event: "tk.Event[tk.Misc]") -> None:
        if event.widget is self:
            self._gone = True
            self._bindings.release()
            if self._due:
                self.after_cancel(self._due)

    # ------------------------------------------------------------ mouse

    def _bind_mouse(self) -> None:
        picture = self.picture
        picture.bind("<Button-1>", self._press)
        picture.bind("<Double-Button-1>", self._press_word)
        picture.bind("<Triple-Button-1>", self._press_row)
        picture.bind("<B1-Motion>", self._drag)
        picture.bind("<Button-2>", self._paste_selection)
        picture.bind("<Button-3>", self._menu)
        picture.bind("<MouseWheel>", lambda event: self._wheel(-event.delta / _WHEEL_STEP))
        if self.tk.call("tk", "windowingsystem") == "x11":
            picture.bind("<Button-4>", lambda _: self._wheel(-1))
            picture.bind("<Button-5>", lambda _: self._wheel(1))

    @property
    def _enabled(self) -> bool:
        return str(self.cget("state")) == "normal"

    def _press(self, event: "tk.Event[tk.Misc]") -> None:
        if not self._enabled:
            return
        self.focus_set()
        self._column = None
        index = self.picture.index_at(event.x, event.y)
        held = isinstance(event.state, int) and bool(event.state & _SHIFT)
        if not held:
            self._anchor = index
        self.put_insertion(index, extend=held)

    def _press_word(self, event: "tk.Event[tk.Misc]") -> None:
        if self._enabled:
            first, last = self.edit_layout.word_at(self.picture.index_at(event.x, event.y))
            self._anchor = first
            self._select(first, last)

    def _press_row(self, event: "tk.Event[tk.Misc]") -> None:
        if self._enabled:
            row = self.edit_layout.row_of(self.picture.index_at(event.x, event.y))
            self._anchor = self.edit_layout.rows[row].start
            self._select(self._anchor, self.edit_layout.rows[row].end)

    def _drag(self, event: "tk.Event[tk.Misc]") -> None:
        if self._enabled:
            self._select(self._anchor, self.picture.index_at(event.x, event.y))

    def _paste_selection(self, event: "tk.Event[tk.Misc]") -> None:
        """The middle button of X11 puts in what is selected anywhere."""
        if self._enabled:
            with contextlib.suppress(tk.TclError):  # nothing is selected, or no text
                text = str(self.tk.call("selection", "get", "-displayof", str(self)))
                self.insert(self._tk_index(self.picture.index_at(event.x, event.y)), text)
                self._changed()

    def _wheel(self, rows: float) -> str:
        self.picture.scroll(rows)
        self._draw(follow=False)
        return "break"

    def _menu(self, event: "tk.Event[tk.Misc]") -> None:
        self.event_generate("<Button-3>", rootx=event.x_root, rooty=event.y_root)


def _leave_to(other: tk.Misc | None) -> str:
    if other is not None:
        other.focus_set()
    return "break"


def _counts_characters(widget: tk.Misc) -> bool:
    return int(widget.tk.call("string", "length", "\U0001f600")) == 1
