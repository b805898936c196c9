"""The rows of a long list laid out: which are in view, and where they stand.

No widget is touched here. Only rows that have been in view were ever measured; all others count
with an estimate, which is corrected before anything is drawn.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from secure_chat.client.presenter.rows import BubbleRow, DayRow, NoticeRow, Row, UnreadRow
from secure_chat.client.presenter.timeline import (
    Appended,
    Change,
    Prepended,
    Rearranged,
    Reset,
    Revealed,
    Updated,
)
from secure_chat.client.presenter.virtual import Viewport
from secure_chat.client.window.drawn import Drawn

_KEPT_LAYOUTS = 400
_NEAR_TOP, _WITH_CONTEXT = 0.08, 0.33  # of the view's height


class Painter(Protocol):
    """What knows how rows look."""

    def estimator(self, width: int) -> Callable[[Row], int]:
        """What gives heights of this width for rows that have not been in view yet."""

    def layout(self, row: Row, width: int, *, expanded: bool) -> Drawn:
        """Wrap, shape and measure."""


class Placed(NamedTuple):
    """A row in view; ``y`` counts from the top of the view."""

    row: Row
    y: int
    height: int


class LaidRows:
    """Rows of one width under a `Viewport`, and the one that the keyboard is on."""

    def __init__(self, painter: Painter, width: int) -> None:
        self._painter = painter
        self.rows: Sequence[Row] = ()
        self.view = Viewport()
        self.width = width
        self._estimate = painter.estimator(width)
        self.current: str | None = None  # the key of the row that the keyboard is on
        self._hint = 0  # where `current` was found last
        self._layouts: OrderedDict[str, Drawn] = OrderedDict()
        self._expanded: set[str] = set()
        self._goal: tuple[str, float] | None = None  # a row, and how far down it is wanted

    # ------------------------------------------------------------ other rows, another width

    def show(self, rows: Sequence[Row], changes: Sequence[Change]) -> None:
        """The rows as they are now, and how they came about."""
        anchor = self._anchor() if any(isinstance(c, Rearranged) for c in changes) else None
        self.rows = rows
        for change in changes:
            self._apply(change)
        if len(self.view.heights) != len(rows):  # several changes at once do not add up
            self._rearrange(anchor)

    def resize(self, width: int) -> bool:
        """Another width: everything is wrapped anew. Whether it is another one."""
        if width == self.width:
            return False
        self.width, self._estimate = width, self._painter.estimator(width)
        at_end, here = self.view.at_end, self.view.heights.at(self.view.top)
        self._layouts.clear()
        self.view.heights.reset(map(self._estimate, self.rows))
        self.view.at_end = at_end
        if not at_end:
            self.view.top = self.view.heights.top(here)
        return True

    def to_end(self) -> None:
        """Look at the newest row."""
        self.view.at_end = True
        self.view.settle()
        self.current = self.rows[-1].key if self.rows else None

    def _apply(self, change: Change) -> None:
        view = self.view
        match change:
            case Reset(anchor=anchor):
                self._layouts.clear()
                self.current = None
                view.show(map(self._estimate, self.rows))
                self._goal = (anchor, _NEAR_TOP) if anchor else None
            case Prepended(count=count):
                view.prepend([self._estimate(row) for row in self.rows[:count]])
            case Appended(count=count, ours=ours):
                for row in self.rows[len(view.heights) :][:count]:
                    view.append(self._estimate(row))
                if ours:
                    view.at_end = True
                    view.settle()
            case Updated(index=index):
                self._layouts.pop(self.rows[index].key, None)
            case Rearranged():
                view.heights.reset(())  # `show` puts all of them in their places
            case Revealed(key=key):
                self._reveal(key)

    def _anchor(self) -> tuple[str, int] | None:
        """The first row in view, and how far above it the view begins; None: stay at the end."""
        view = self.view
        if view.at_end or not self.rows or len(view.heights) != len(self.rows):
            return None
        index = view.heights.at(view.top)
        return self.rows[index].key, view.top - view.heights.top(index)

    def _rearrange(self, anchor: tuple[str, int] | None) -> None:
        view, at_end = self.view, anchor is None and self.view.at_end
        known = self._layouts
        view.heights.reset(
            known[row.key].height if row.key in known else self._estimate(row) for row in self.rows
        )
        index = self.index_of(anchor[0]) if anchor is not None else None
        if anchor is not None and index is not None:
            view.scroll_to(view.heights.top(index) + anchor[1])
        else:
            view.at_end = at_end
            view.settle()

    def _reveal(self, key: str) -> None:
        index = self.index_of(key)
        if index is None:
            return
        self.current = key
        view = self.view
        if len(view.heights) != len(self.rows):
            self._rearrange(None)
        if self._goal is not None or index not in view.visible()[1:-1]:
            self._goal = key, _WITH_CONTEXT

    # ------------------------------------------------------------ layouts

    def layout(self, row: Row) -> Drawn:
        """A row wrapped, shaped and measured; those used last are kept."""
        found = self._layouts.get(row.key)
        if found is None or found.row is not row:
            found = self._painter.layout(row, self.width, expanded=row.key in self._expanded)
            self._layouts[row.key] = found
            if len(self._layouts) > _KEPT_LAYOUTS:
                self._layouts.popitem(last=False)
        else:
            self._layouts.move_to_end(row.key)
        return found

    def toggle(self) -> None:
        """Show all of a long message, or fold it again."""
        if self.current is not None:
            self._expanded ^= {self.current}
            self._layouts.pop(self.current, None)

    # ------------------------------------------------------------ what is in view

    def settle(self, *, viewable: bool) -> None:
        """Make the view stand on measured rows only, and where it is wanted."""
        if viewable:
            self._reach_goal()
        self._measure_visible()
        if self.view.top + self.view.height >= self.view.heights.total:
            self.view.at_end = True  # there is room for all of it

    def in_view(self) -> Iterator[Placed]:
        """The rows that are at least partly in view, from the top."""
        heights = self.view.heights
        for index in self.view.visible():
            yield Placed(self.rows[index], heights.top(index) - self.view.top, heights[index])

    def last_whole(self) -> int:
        """The last row that is wholly in view, or the first that is partly."""
        view, visible = self.view, self.view.visible()
        edge = view.top + view.height + 2
        whole = [i for i in visible if view.heights.top(i) + view.heights[i] <= edge]
        return whole[-1] if whole else visible.start

    def at(self, y: int) -> Placed | None:
        """The row at a height of the view."""
        view = self.view
        index = view.heights.at(view.top + y)
        if not 0 <= index < len(self.rows):
            return None
        return Placed(self.rows[index], view.heights.top(index) - view.top, view.heights[index])

    def _reach_goal(self) -> None:
        """Have a row where it is wanted, whatever the heights around it turn out to be."""
        if self._goal is None:
            return
        (key, share), self._goal = self._goal, None
        index, view = self.index_of(key), self.view
        if index is None:
            return
        for _ in range(3):
            view.at_end = False
            view.scroll_to(view.heights.top(index) - round(view.height * share))
            self._measure_visible()

    def _measure_visible(self) -> None:
        """Replace estimates by real heights until the view stands on measured rows only."""
        view = self.view
        view.settle()
        for _ in range(4):
            changed = False
            for index in view.visible():
                height = self.layout(self.rows[index]).height
                if height != view.heights[index]:
                    view.measured(index, height)
                    changed = True
            view.settle()
            if not changed:
                return

    # ------------------------------------------------------------ the keyboard's row

    def index_of(self, key: str | None) -> int | None:
        """Where a row is; most that is asked for is near the place of the last question."""
        if not key:
            return None
        rows, near = self.rows, self._hint
        for index in range(max(near - 2, 0), min(near + 3, len(rows))):
            if rows[index].key == key:
                self._hint = index
                return index
        # Nearly everything else that is asked for is near the end.
        found = next((i for i in range(len(rows) - 1, -1, -1) if rows[i].key == key), None)
        self._hint = near if found is None else found
        return found

    def number(self) -> int | None:
        """The number of the message that the keyboard is on."""
        index = self.index_of(self.current)
        row = self.rows[index] if index is not None else None
        return row.number if isinstance(row, BubbleRow | NoticeRow) else None

    def step(self, step: int) -> None:
        """The keyboard goes so many rows further down (up: negative); from nowhere, to the end."""
        here, last = self.index_of(self.current), len(self.rows) - 1
        self.jump(last if here is None else max(0, min(last, here + step)), step)

    def jump(self, index: int, step: int = 1) -> None:
        """The keyboard goes to a row, or to the next message beyond one that is none."""
        while 0 <= index < len(self.rows) and isinstance(self.rows[index], DayRow | UnreadRow):
            index += step
        if 0 <= index < len(self.rows):
            self.current = self.rows[index].key
            self._hint = index
            self.view.reveal(index)
