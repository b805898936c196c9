"""How a message looks: a bubble with quote, file, text, remarks, time, mark and reactions."""

from dataclasses import dataclass, field
from typing import NamedTuple

from secure_chat.client.presenter import emoji, links
from secure_chat.client.presenter.rows import BubbleRow
from secure_chat.client.text import marked_lines
from secure_chat.client.text.marked import Part
from secure_chat.client.window.attachment import FileBlock
from secure_chat.client.window.drawn import Drawn, Hit, Shape, Sign, Target, Text, beginning
from secure_chat.client.window.shapes import Radii, mark_width
from secure_chat.client.window.ui import Ui

_FOLD_FROM, _FOLDED = 40, 30  # lines
_WIDEST, _SHARE = 620, 0.74
_MOST_MARKED = 4_096  # characters of a message in which links are looked for


class _Line(NamedTuple):
    parts: tuple[Part, ...]
    rtl: bool
    width: int


class Ink(NamedTuple):
    """The colours of one side."""

    ground: str
    text: str
    faint: str
    quote: str


@dataclass
class _Plan:
    """What is known before the bubble's width is."""

    lines: list[_Line]
    links: list[links.Span]
    small: list[_Line]
    font: str = "text"
    more: str = ""
    inline: bool = False  # the time stands on the last line
    width: int = 0  # inside the padding
    quoted: list[_Line] = field(default_factory=list)
    file: FileBlock | None = None


class BubbleLayouter:
    """Lays messages out for one look."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._pad, self._inset, self._margin = ui.px(11), ui.px(7), ui.px(14)
        self._small = ui.fonts["small"].metrics("linespace")
        self._mark = round(self._small * 0.72)
        self._radius, self._joint = ui.px(14), ui.px(4)

    def room(self, width: int) -> int:
        """The widest text in a list of this width."""
        ui = self._ui
        return max(min(round(width * _SHARE), ui.px(_WIDEST)) - 2 * self._pad, ui.px(80))

    def layout(self, row: BubbleRow, width: int, *, expanded: bool) -> Drawn:
        """Wrap, shape, measure and place."""
        plan = self._plan(row, self.room(width), expanded=expanded)
        drawn = Drawn(row, width, 0, foldable=bool(plan.more) or expanded)
        ui, ink = self._ui, self._ink(row)
        left, right = self._sides(width, plan.width, ours=row.ours)
        top = ui.px(9) if row.first else ui.px(2)
        large = plan.font == "emoji"
        inner = (left + self._pad, right - self._pad)
        y = top + self._inset
        if row.quote is not None:
            y = self._place_quote(drawn, row, plan, inner, y, ink)
        if plan.file is not None:
            y = plan.file.place(drawn, inner, y, ink.text, ink.faint)
        y = self._place_lines(drawn, plan, inner, y, ink, row)
        if plan.small:
            tint = ui.colors.danger if row.problem else ink.faint
            for line in plan.small:
                self._text(drawn, line.parts[0].text, inner, y, "small", tint, rtl=line.rtl)
                y += self._small
        if not plan.inline:
            y += self._small + ui.px(1)
        bottom = y + self._inset
        self._place_meta(drawn, row, plan, inner, bottom - self._inset, ink)
        if not large:
            radii = self._radii(row)
            drawn.things.insert(
                0, Shape((left, top, right, bottom), radii, ink.ground, ui.colors.chat,
                         takes_focus=True),
            )  # fmt: skip
        drawn.height = bottom + ui.px(2)
        if row.reactions:
            self._place_reactions(drawn, row, (left, right), bottom)
        return drawn

    # ------------------------------------------------------------ planning

    def _plan(self, row: BubbleRow, room: int, *, expanded: bool) -> _Plan:
        ui = self._ui
        text = ui.drawable(row.text)
        font = "italic" if row.deleted else "text"
        if ui.astral and row.quote is None and emoji.is_picture(row.text):
            font, text = "emoji", emoji.bare(row.text)
        spans = [] if row.deleted else links.find(text[:_MOST_MARKED])
        lines = self._wrap(text, room, font, spans) if text or row.file is None else []
        plan = _Plan(lines, spans, self._remarks(row, room), font)
        if len(lines) > _FOLD_FROM:
            plan.more = ui.say(ui.words("Show less"))
            if not expanded:
                plan.more = ui.say(
                    ui.words.plural("Show the {number} line", "Show all {number} lines", len(lines))
                )
                plan.lines = lines[:_FOLDED]
        if row.file is not None:
            plan.file = FileBlock(ui, row.file, room)
        quote_width = 0
        if row.quote is not None:
            quote_width, plan.quoted = self._plan_quote(row, room)
        meta = self._meta_width(row)
        gap = ui.px(12)
        last = lines[-1].width if lines and not plan.more else room
        plan.inline = last + gap + meta <= room and not plan.small and font != "emoji"
        plan.width = max(
            *(line.width for line in (*plan.lines, *plan.small)), 0,
            ui.fonts["text"].measure(plan.more),
            last + gap + meta if plan.inline else meta,
            quote_width,
            plan.file.width if plan.file is not None else 0,
            ui.px(40),
        )  # fmt: skip
        return plan

    def _wrap(self, text: str, room: int, font: str, spans: list[links.Span]) -> list[_Line]:
        ui = self._ui
        measure = ui.fonts[font].measure
        layout = ui.layout(font)
        if not spans:
            return [
                _Line((Part(line.text, -1),), line.rtl, line.width)
                for line in layout.wrap(text, room)
            ]
        marked = marked_lines(layout, text, room, [(span.start, span.end) for span in spans])
        return [
            _Line(line.parts, line.rtl, sum(measure(part.text) for part in line.parts))
            for line in marked
        ]

    def _remarks(self, row: BubbleRow, room: int) -> list[_Line]:
        ui, lines = self._ui, []
        for text in (row.problem, row.flag):
            if text:
                shown = ui.drawable(text)
                wrapped = ui.layout("small").wrap(shown, room, rtl=ui.direction(text))
                lines += [_Line((Part(one.text, -1),), one.rtl, one.width) for one in wrapped]
        return lines

    def _plan_quote(self, row: BubbleRow, room: int) -> tuple[int, list[_Line]]:
        """The quoted lines, at most two, and the width that all of it takes."""
        ui, quote = self._ui, row.quote
        assert quote is not None
        inside = room - ui.px(22)
        wrapped = ui.layout("small").wrap(ui.drawable(quote.text), inside)[:2]
        lines = [_Line((Part(one.text, -1),), one.rtl, one.width) for one in wrapped]
        name = ui.fonts["small_bold"].measure(ui.say(quote.name))
        return max(name, *(line.width for line in lines)) + ui.px(22), lines

    def _meta_width(self, row: BubbleRow) -> int:
        ui = self._ui
        measure = ui.fonts["small"].measure
        width = measure(ui.say(row.when))
        if row.expiry:
            width += self._mark + ui.px(3) + measure(ui.say(row.expiry)) + ui.px(8)
        mark = mark_width(row.delivery, self._mark)
        return width + (mark + ui.px(5) if mark else 0)

    # ------------------------------------------------------------ placing

    def _ink(self, row: BubbleRow) -> Ink:
        c = self._ui.colors
        if row.ours:
            return Ink(c.ours, c.on_ours, c.ours_muted, c.quote_ours)
        return Ink(c.theirs, c.on_theirs, c.theirs_muted, c.quote_theirs)

    def _sides(self, whole: int, inside: int, *, ours: bool) -> tuple[int, int]:
        """Ours stand where lines end, theirs where they start."""
        width = inside + 2 * self._pad
        if ours != self._ui.words.rtl:
            return whole - self._margin - width, whole - self._margin
        return self._margin, self._margin + width

    def _radii(self, row: BubbleRow) -> Radii:
        """Bubbles of a group lean on each other at their own side."""
        top = self._radius if row.first else self._joint
        bottom = self._radius if row.last else self._joint
        if row.ours != self._ui.words.rtl:
            return Radii(self._radius, top, self._radius, bottom)
        return Radii(top, self._radius, bottom, self._radius)

    def _text(
        self, drawn: Drawn, text: str, sides: tuple[int, int], y: int, font: str, color: str,
        *, rtl: bool,
    ) -> None:  # fmt: skip
        height = self._small if font.startswith("small") else self._height(font)
        x = sides[1] if rtl else sides[0]
        drawn.things.append(Text(x, y, text, font, color, beginning(rtl=rtl), height))

    def _height(self, font: str) -> int:
        ui = self._ui
        return ui.fonts["emoji"].metrics("linespace") if font == "emoji" else ui.line_height

    def _place_lines(
        self, drawn: Drawn, plan: _Plan, sides: tuple[int, int], y: int, ink: Ink, row: BubbleRow
    ) -> int:
        ui, height = self._ui, self._height(plan.font)
        color = ink.faint if row.deleted else ink.text
        for line in plan.lines:
            if len(line.parts) == 1 and line.parts[0].mark < 0:
                self._text(drawn, line.parts[0].text, sides, y, plan.font, color, rtl=line.rtl)
            else:
                self._place_parts(drawn, plan, line, sides, y, color)
            y += height
        if plan.more:
            rtl = ui.words.rtl
            self._text(drawn, plan.more, sides, y, "text", ui.colors.accent, rtl=rtl)
            drawn.hits.append(Hit((sides[0], y, sides[1], y + height), Target.MORE))
            y += height
        return y

    def _place_parts(
        self, drawn: Drawn, plan: _Plan, line: _Line, sides: tuple[int, int], y: int, color: str
    ) -> None:
        """A line with links: each part for itself, from left to right."""
        ui = self._ui
        x = sides[1] - line.width if line.rtl else sides[0]
        for part in line.parts:
            width = ui.fonts[plan.font].measure(part.text)
            font, tint = ("link", ui.colors.accent) if part.mark >= 0 else (plan.font, color)
            drawn.things.append(Text(x, y, part.text, font, tint, "nw", ui.line_height))
            if part.mark >= 0:
                box = (x, y, x + width, y + ui.line_height)
                drawn.hits.append(Hit(box, Target.LINK, plan.links[part.mark].address))
            x += width

    def _place_quote(
        self, drawn: Drawn, row: BubbleRow, plan: _Plan, sides: tuple[int, int], y: int, ink: Ink
    ) -> int:
        ui, quote = self._ui, row.quote
        assert quote is not None
        height = (1 + len(plan.quoted)) * self._small + ui.px(8)
        box = (sides[0], y, sides[1], y + height)
        round_ = Radii(*(ui.px(6),) * 4)
        drawn.things.append(Shape(box, round_, ink.quote, ink.ground))
        rtl = ui.words.rtl
        bar = (box[2] - ui.px(4), box[2]) if rtl else (box[0], box[0] + ui.px(4))
        edge = (bar[0], y, bar[1], y + height)
        drawn.things.append(Shape(edge, Radii(*(ui.px(2),) * 4), ui.colors.accent, ink.quote))
        inside = (sides[0] + ui.px(10), sides[1] - ui.px(10))
        at = y + ui.px(4)
        name = ui.say(quote.name)
        self._text(drawn, name, inside, at, "small_bold", ui.colors.accent, rtl=rtl)
        at += self._small
        for line in plan.quoted:
            self._text(drawn, line.parts[0].text, inside, at, "small", ink.faint, rtl=line.rtl)
            at += self._small
        if quote.number:
            drawn.hits.append(Hit(box, Target.QUOTE, str(quote.number)))
        return y + height + ui.px(5)

    def _place_meta(
        self, drawn: Drawn, row: BubbleRow, plan: _Plan, sides: tuple[int, int], bottom: int,
        ink: Ink,
    ) -> None:  # fmt: skip
        """Time and delivery mark, where the last line leaves room."""
        ui = self._ui
        middle = bottom - self._small // 2 + ui.px(1)
        rtl = plan.lines[-1].rtl if plan.inline and plan.lines else ui.words.rtl
        x = sides[0] if rtl else sides[1] - self._meta_width(row)
        measure = ui.fonts["small"].measure
        if row.expiry:
            drawn.things.append(Sign("clock", x, middle, self._mark, ink.faint))
            x += self._mark + ui.px(3)
            said = ui.say(row.expiry)
            drawn.things.append(Text(x, middle, said, "small", ink.faint, "w", self._small))
            x += measure(said) + ui.px(8)
        when = ui.say(row.when)
        drawn.things.append(Text(x, middle, when, "small", ink.faint, "w", self._small))
        x += measure(when) + ui.px(5)
        if mark_width(row.delivery, self._mark):
            sign = Sign("delivery", x, middle, self._mark, ink.faint, row.delivery)
            drawn.things.append(sign)

    def _place_reactions(
        self, drawn: Drawn, row: BubbleRow, sides: tuple[int, int], bottom: int
    ) -> None:
        """Pills that overlap the lower edge, from the bubble's own side inwards."""
        ui, colors = self._ui, self._ui.colors
        font = ui.fonts["reaction"]
        height = font.metrics("linespace") + ui.px(4)
        top = bottom - ui.px(4)
        at_left = row.ours == ui.words.rtl
        x = sides[0] + ui.px(10) if at_left else sides[1] - ui.px(10)
        for one in row.reactions:
            text = ui.picture(one.emoji)
            text += f" {ui.words.digits(one.count)}" if one.count > 1 else ""
            width = font.measure(text) + ui.px(14)
            left = x if at_left else x - width
            box = (left, top, left + width, top + height)
            fill = colors.selected if one.ours else colors.surface
            shape = Shape(box, Radii(*(height // 2,) * 4), fill, outline=colors.line)
            drawn.things.append(shape)
            middle = (left + width // 2, top + height // 2)
            drawn.things.append(Text(*middle, text, "reaction", colors.text, "center", height))
            drawn.hits.append(Hit(box, Target.REACTION, one.emoji))
            x += (width + ui.px(4)) * (1 if at_left else -1)
        drawn.height = top + height + ui.px(2)
