"""Where the rows of a long list are, when only those in view have ever been measured.

A row's height is an estimate until it is drawn once. Heights stand in a Fenwick tree, so that
a new height and the row at a position cost O(log n), with 100,000 rows as with ten.
"""

from collections.abc import Iterable


class _Sums:
    """A list that grows at its end, with sums of its beginnings: a Fenwick tree."""

    def __init__(self, values: Iterable[int] = ()) -> None:
        self.values = list(values)
        self._tree = tree = [0, *self.values]
        for i in range(1, len(tree)):
            above = i + (i & -i)
            if above < len(tree):
                tree[above] += tree[i]

    def append(self, value: int) -> None:
        self.values.append(value)
        i = len(self.values)
        total, child = value, 1
        while child < (i & -i):
            total += self._tree[i - child]
            child *= 2
        self._tree.append(total)

    def set(self, index: int, value: int) -> int:
        change = value - self.values[index]
        if change:
            self.values[index] = value
            i = index + 1
            while i < len(self._tree):
                self._tree[i] += change
                i += i & -i
        return change

    def of_first(self, count: int) -> int:
        total, i = 0, count
        while i > 0:
            total += self._tree[i]
            i -= i & -i
        return total

    def count_within(self, limit: int) -> int:
        """The largest count of first values whose sum is at most ``limit``."""
        index, remaining = 0, limit
        step = 1 << (len(self._tree).bit_length() - 1)
        while step:
            following = index + step
            if following < len(self._tree) and self._tree[following] <= remaining:
                index, remaining = following, remaining - self._tree[following]
            step //= 2
        return index


class Heights:
    """Heights in pixels, summed on demand. Rows join at both ends: `_front` is kept backwards."""

    def __init__(self, heights: Iterable[int] = ()) -> None:
        self._front, self._back = _Sums(), _Sums(heights)

    def __len__(self) -> int:
        return len(self._front.values) + len(self._back.values)

    def __getitem__(self, index: int) -> int:
        front = len(self._front.values)
        if index < front:
            return self._front.values[front - 1 - index]
        return self._back.values[index - front]

    def reset(self, heights: Iterable[int]) -> None:
        """Other rows altogether."""
        self._front, self._back = _Sums(), _Sums(heights)

    def append(self, height: int) -> None:
        """A row at the end."""
        self._back.append(height)

    def prepend(self, heights: list[int]) -> None:
        """Rows before the first one."""
        for height in reversed(heights):
            self._front.append(height)

    def set(self, index: int, height: int) -> int:
        """A row's measured height; returns the difference."""
        front = len(self._front.values)
        if index < front:
            return self._front.set(front - 1 - index, height)
        return self._back.set(index - front, height)

    def top(self, index: int) -> int:
        """The sum of all heights before row ``index``."""
        front = len(self._front.values)
        if index <= front:
            return self._front.of_first(front) - self._front.of_first(front - index)
        return self._front.of_first(front) + self._back.of_first(index - front)

    @property
    def total(self) -> int:
        """The height of everything."""
        return self.top(len(self))

    def at(self, position: int) -> int:
        """The row that covers ``position``; the first or last one beyond the ends."""
        front = len(self._front.values)
        above = self._front.of_first(front)
        if position < above:
            # Backwards: the rows from the seam up whose heights lie wholly below `position`.
            index = front - 1 - self._front.count_within(above - position - 1)
        else:
            index = front + self._back.count_within(position - above)
        return max(0, min(index, len(self) - 1))


class Viewport:
    """A window of ``height`` pixels onto rows of varying height.

    Rows above the view that turn out higher than estimated move the view along, so that what a
    person looks at stays where it is; a view that stood at the end stays at the end.
    """

    def __init__(self) -> None:
        self.heights = Heights()
        self.top = 0
        self.height = 1
        self.at_end = True

    def show(self, estimates: Iterable[int]) -> None:
        """Other rows, shown from the end."""
        self.heights.reset(estimates)
        self.at_end = True
        self.settle()

    def prepend(self, estimates: list[int]) -> None:
        """Earlier rows, in front; the view stays on what it shows."""
        self.heights.prepend(estimates)
        self.top += sum(estimates)

    def append(self, estimate: int) -> None:
        """A row at the end; followed only if the end was in view."""
        self.heights.append(estimate)
        self.settle()

    def measured(self, index: int, height: int) -> None:
        """The real height of a row that was drawn."""
        above = self.heights.top(index) < self.top
        change = self.heights.set(index, height)
        if above and not self.at_end:
            self.top += change

    def scroll_to(self, top: int) -> None:
        """Look at ``top``, or as near as there is something."""
        self.top = max(0, min(top, self.heights.total - self.height))
        self.at_end = self.top >= self.heights.total - self.height
        self.settle()

    def scroll_by(self, pixels: int) -> None:
        """Move down, or up for a negative number."""
        self.scroll_to(self.top + pixels)

    def reveal(self, index: int) -> None:
        """Scroll as little as needed to have a row in view."""
        start = self.heights.top(index)
        end = start + self.heights[index]
        if start < self.top:
            self.scroll_to(start)
        elif end > self.top + self.height:
            self.scroll_to(end - self.height)

    def settle(self) -> None:
        """Stay within what there is after heights have changed."""
        last = max(0, self.heights.total - self.height)
        self.top = last if self.at_end else max(0, min(self.top, last))

    def visible(self) -> range:
        """The rows that are at least partly in view."""
        if not len(self.heights):
            return range(0)
        return range(self.heights.at(self.top), self.heights.at(self.top + self.height - 1) + 1)

    @property
    def fractions(self) -> tuple[float, float]:
        """For a scrollbar: where the view starts and ends, of 1."""
        total = max(self.heights.total, 1)
        return self.top / total, min(1.0, (self.top + self.height) / total)
