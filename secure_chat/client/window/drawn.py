"""A row laid out: a list of things to draw, and where it can be pressed.

Positions are pixels; ``y`` counts from the top of the row, so that a layout outlives scrolling.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from secure_chat.client.presenter.rows import Delivery, Row
from secure_chat.client.window.shapes import Box, Radii

Anchor = Literal["n", "nw", "ne", "w", "e", "center"]
SignKind = Literal["delivery", "clock", "arrow_down", "arrow_up"]


def beginning(*, rtl: bool) -> Anchor:
    """The corner where a line begins."""
    return "ne" if rtl else "nw"


@dataclass(frozen=True)
class Text:
    """A line of text."""

    x: int
    y: int
    text: str
    font: str
    color: str
    anchor: Anchor = "nw"
    height: int = 0


@dataclass(frozen=True)
class Shape:
    """A filled box with round corners.

    ``ground``: what it lies on, where that is one colour; ``takes_focus``: its outline shows who
    has the keyboard.
    """

    box: Box
    radii: Radii
    fill: str
    ground: str = ""
    outline: str = ""
    takes_focus: bool = False


@dataclass(frozen=True)
class Sign:
    """A small drawing of `Pen`, by its name, with its left end or middle at (x, y)."""

    kind: SignKind
    x: int
    y: int
    size: int
    color: str
    delivery: Delivery = Delivery.NONE


Thing = Text | Shape | Sign


class Target(StrEnum):
    """What a press on a part of a row means."""

    QUOTE = "quote"
    LINK = "link"
    REACTION = "reaction"
    MORE = "more"
    FILE = "file"


@dataclass(frozen=True)
class Hit:
    """A part that can be pressed; ``value`` is the address or the emoji."""

    box: Box
    target: Target
    value: str = ""


@dataclass
class Drawn:
    """A row laid out for one width."""

    row: Row
    width: int  # of the whole list
    height: int
    things: list[Thing] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    foldable: bool = False

    def hit(self, x: int, y: int) -> Hit | None:
        """What lies at a point; the last drawn first."""
        for one in reversed(self.hits):
            x0, y0, x1, y1 = one.box
            if x0 <= x < x1 and y0 <= y < y1:
                return one
        return None
