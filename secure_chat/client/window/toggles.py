"""Buttons that choose: one of several, or yes and no. Their signs grow with the letters.

Ttk's own signs are 10 pixels on every screen and stand at the left in every language.
"""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Literal

from secure_chat.client.window.smooth import Layer, box, circle, stroke
from secure_chat.client.window.ui import Ui

Kind = Literal["Radiobutton", "Checkbutton"]
_SIZE = 18  # of a sign, designed


def radio(
    parent: tk.Misc, ui: Ui, text: str, *, variable: str, value: str,
    command: Callable[[], object],
) -> ttk.Radiobutton:  # fmt: skip
    """One of several; ``variable`` is the name of a Tcl variable that they share."""
    return ttk.Radiobutton(
        parent, text=ui.say(text), value=value, command=command, style=_style(ui, "Radiobutton"),
        variable=variable,  # type: ignore[arg-type]
    )  # fmt: skip


def check(parent: tk.Misc, ui: Ui, text: str, *, variable: str) -> ttk.Checkbutton:
    """Yes or no; the Tcl variable of this name is 1 or 0."""
    return ttk.Checkbutton(
        parent, text=ui.say(text), onvalue="1", offvalue="0", style=_style(ui, "Checkbutton"),
        variable=variable,  # type: ignore[arg-type]
    )  # fmt: skip


def _style(ui: Ui, kind: Kind) -> str:
    """The style of the look that stands, made when it is first asked for."""
    colors, style = ui.colors, ttk.Style(ui.root)
    name = f"{ui.start}.Card.T{kind}"
    sign = f"{name}.{colors.surface}.{colors.accent}.{ui.px(_SIZE)}.sign"
    if sign not in style.element_names():
        on, off, strong = (
            ui.discs.stacked(colors.surface, _layers(ui, kind, on=on, strong=strong))
            for on, strong in ((True, False), (False, False), (False, True))
        )
        style.element_create(
            sign, "image", off, ("selected", on), ("active", strong),
            width=ui.px(_SIZE) + ui.px(8), sticky="w" if ui.start == "left" else "e",
        )  # fmt: skip
    side = ui.start
    inside = [
        (sign, {"side": side, "sticky": ""}),
        (f"{kind}.focus", {"side": side, "sticky": "nswe", "children": [
            (f"{kind}.label", {"sticky": "nswe"})]}),
    ]  # fmt: skip
    padding = (f"{kind}.padding", {"sticky": "nswe", "children": inside})
    style.layout(name, [padding])  # type: ignore[list-item]
    style.configure(
        name, background=colors.surface, foreground=colors.text, focuscolor=colors.accent,
        focusthickness=ui.px(2), padding=(0, ui.px(3)), font=ui.fonts["text"],
    )  # fmt: skip
    style.map(
        name, background=[("active", colors.surface)], foreground=[("disabled", colors.muted)]
    )
    return name


def _layers(ui: Ui, kind: Kind, *, on: bool, strong: bool) -> list[Layer]:
    """From below: an edge, what is inside it, and the sign of what is chosen."""
    colors, size = ui.colors, ui.px(_SIZE)
    edge, thick = colors.accent if on or strong else colors.muted, max(2, size // 10)
    if kind == "Radiobutton":
        layers = [(edge, circle(size, 0)), (colors.surface, circle(size, thick))]
        return [*layers, (colors.accent, circle(size, size * 0.28))] if on else layers
    corner = size * 0.22
    fill = colors.accent if on else colors.surface
    layers = [(edge, box(size, 0, corner)), (fill, box(size, thick, corner - thick / 2))]
    tick = ((0.24, 0.52), (0.43, 0.71), (0.77, 0.32))
    return [*layers, (colors.on_accent, stroke(size, tick, size * 0.12))] if on else layers
