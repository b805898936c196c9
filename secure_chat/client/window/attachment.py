"""How a file looks in its bubble: a sign, the whole name, size and state, and what can be done."""

from secure_chat.client.presenter.rows import FileAction, FileRow
from secure_chat.client.window.drawn import (
    Drawn,
    Hit,
    Shape,
    Sign,
    SignKind,
    Target,
    Text,
    beginning,
)
from secure_chat.client.window.shapes import Radii
from secure_chat.client.window.ui import Ui


class FileBlock:
    """A file laid out for a bubble with ``room`` pixels inside."""

    def __init__(self, ui: Ui, file: FileRow, room: int) -> None:
        self._ui, self._file = ui, file
        self._small = ui.fonts["small"].metrics("linespace")
        self._sign = ui.px(40)
        inside = room - self._sign - ui.px(10)
        # The whole name, on as many lines as it needs: its end says what kind of file it is.
        self._name = ui.layout("bold").wrap(ui.drawable(file.name), inside)
        self._note = ui.say(file.note)
        self._label = ui.say(file.label)
        self._problem = []
        if file.problem:
            shown = ui.drawable(file.problem)
            direction = ui.direction(shown)
            self._problem = ui.layout("small").wrap(shown, inside, rtl=direction)
        small = ui.fonts["small"].measure
        widths = [line.width for line in (*self._name, *self._problem)]
        widths.append(small(self._note) + ui.px(16) + small(self._label))
        self.width = self._sign + ui.px(10) + max(widths)

    def place(self, drawn: Drawn, sides: tuple[int, int], y: int, ink: str, faint: str) -> int:
        """Put it between ``sides`` at ``y``; returns where it ends."""
        ui, file, colors = self._ui, self._file, self._ui.colors
        rtl = ui.words.rtl
        left = sides[1] - self._sign if rtl else sides[0]
        box = (left, y, left + self._sign, y + self._sign)
        drawn.things.append(Shape(box, Radii(*(self._sign // 2,) * 4), colors.accent))
        kind: SignKind = "arrow_down"
        if file.action in {FileAction.CANCEL, FileAction.NONE}:
            kind = "arrow_up"
        sign_size = round(self._sign * 0.42)
        drawn.things.append(
            Sign(kind, left + self._sign // 2, y + self._sign // 2, sign_size, colors.on_accent)
        )
        start = sides[1] - self._sign - ui.px(10) if rtl else sides[0] + self._sign + ui.px(10)
        anchor = beginning(rtl=rtl)
        at = y
        for line in self._name:
            drawn.things.append(Text(start, at, line.text, "bold", ink, anchor, ui.line_height))
            at += ui.line_height
        drawn.things.append(Text(start, at, self._note, "small", faint, anchor, self._small))
        if self._label:
            width = ui.fonts["small"].measure(self._label)
            end = sides[0] if rtl else sides[1] - width
            drawn.things.append(
                Text(end, at, self._label, "small", colors.accent, "nw", self._small)
            )
        at += self._small
        for line in self._problem:
            drawn.things.append(
                Text(start, at, line.text, "small", colors.danger, anchor, self._small)
            )
            at += self._small
        if file.fraction is not None:
            at = self._place_progress(drawn, sides, at, file.fraction)
        bottom = max(at, y + self._sign)
        if file.action is not FileAction.NONE:
            drawn.hits.append(Hit((sides[0], y, sides[1], bottom), Target.FILE, file.action))
        return bottom + ui.px(4)

    def _place_progress(
        self, drawn: Drawn, sides: tuple[int, int], at: int, fraction: float
    ) -> int:
        ui = self._ui
        left, right = sides
        if ui.words.rtl:
            right -= self._sign + ui.px(10)
        else:
            left += self._sign + ui.px(10)
        top, bottom = at + ui.px(4), at + ui.px(8)
        whole = Radii(*(ui.px(2),) * 4)
        drawn.things.append(Shape((left, top, right, bottom), whole, ui.colors.line))
        done = max(round((right - left) * fraction), ui.px(4))
        box = (
            (right - done, top, right, bottom) if ui.words.rtl else (left, top, left + done, bottom)
        )
        drawn.things.append(Shape(box, whole, ui.colors.accent))
        return bottom + ui.px(2)
