"""Ttk's clam theme in our colours and sizes: what buttons, fields and scrollbars look like."""

import tkinter as tk
from collections.abc import Callable, Mapping
from tkinter import font as tkfont
from tkinter import ttk
from typing import NamedTuple

from secure_chat.client.window.palette import Palette
from secure_chat.client.window.smooth import Discs


class Face(NamedTuple):
    """The colours of a button or field."""

    ground: str
    raised: str  # under the mouse
    border: str
    focus: str  # the border of what has the keyboard


class Styles:
    """Makes the styles of one look; ``px`` gives this screen's pixels for a designed length."""

    def __init__(
        self,
        root: tk.Tk,
        colors: Palette,
        fonts: Mapping[str, tkfont.Font],
        discs: Discs,
        px: Callable[[float], int],
    ) -> None:
        self._root, self._style = root, ttk.Style(root)
        self._colors, self._fonts, self._discs, self._px = colors, fonts, discs, px

    def apply(self) -> None:
        """Every widget looks so from now on."""
        c = self._colors
        self._style.theme_use("clam")
        self._root.configure(background=c.ground)
        self._style.configure(
            ".", background=c.ground, foreground=c.text, font=self._fonts["text"],
            bordercolor=c.line, lightcolor=c.line, darkcolor=c.line, troughcolor=c.ground,
            focuscolor=c.accent, selectbackground=c.accent, selectforeground=c.on_accent,
            insertcolor=c.text, fieldbackground=c.surface,
        )  # fmt: skip
        self._buttons()
        self._fields()
        self._scrollbars()

    def _buttons(self) -> None:
        c, style, px = self._colors, self._style, self._px
        kinds = {
            "TButton": (c.surface, c.text, c.raised, c.line),
            "Accent.TButton": (c.accent, c.on_accent, c.accent_raised, c.accent),
            "Choice.TButton": (c.surface, c.text, c.raised, c.line),
            "Chosen.TButton": (c.accent, c.on_accent, c.accent_raised, c.accent),
            "Danger.TButton": (c.danger_ground, c.danger, c.raised, c.danger),
            "Quiet.TButton": (c.ground, c.accent, c.raised, c.ground),
            "Bar.TButton": (c.surface, c.accent, c.raised, c.surface),
        }
        for name, (ground, text, raised, border) in kinds.items():
            style.configure(
                name, background=c.ground, foreground=text, padding=(px(14), px(6)), borderwidth=0,
                anchor="center", width=0,
            )  # fmt: skip
            style.map(name, foreground=[("disabled", c.muted)])
            strong = c.text if ground == c.accent else c.accent
            self._face(name, "Button.label", Face(ground, raised, border, strong))
        for name in ("Choice.TButton", "Chosen.TButton"):
            style.configure(name, width=-4)
        for name in ("Quiet.TButton", "Bar.TButton"):
            style.configure(name, padding=(px(8), px(4)))

    def _fields(self) -> None:
        c, style, px = self._colors, self._style, self._px
        style.configure("TEntry", padding=(px(9), px(6)), foreground=c.text, background=c.ground)
        style.map("TEntry", foreground=[("disabled", c.muted)])
        self._face("TEntry", "Entry.textarea", Face(c.surface, c.surface, c.line, c.accent))
        style.configure(
            "TProgressbar", background=c.accent, troughcolor=c.raised, bordercolor=c.raised,
            lightcolor=c.accent, darkcolor=c.accent, thickness=px(4),
        )  # fmt: skip

    def _scrollbars(self) -> None:
        c, style, px = self._colors, self._style, self._px
        thumb = ("Vertical.Scrollbar.thumb", {"expand": True, "sticky": "nswe"})
        trough = ("Vertical.Scrollbar.trough", {"sticky": "ns", "children": [thumb]})
        for name, ground in (
            ("Slim.Vertical.TScrollbar", c.ground),
            ("Chat.Slim.Vertical.TScrollbar", c.chat),
        ):
            hidden = [("disabled", ground)]
            style.layout(name, [trough])  # type: ignore[list-item]
            style.configure(
                name, width=px(9), arrowsize=px(9), background=c.line, troughcolor=ground,
                bordercolor=ground, lightcolor=c.line, darkcolor=c.line, gripcount=0,
            )  # fmt: skip
            style.map(
                name, background=[("active", c.muted), *hidden], lightcolor=hidden,
                darkcolor=hidden,
            )  # fmt: skip

    def _face(self, name: str, inside: str, face: Face) -> None:
        """Round corners for a kind of widget: its layout is an image that stretches."""
        radius, raised = self._px(8), self._colors.raised
        thin, thick = self._px(1), self._px(2)
        element = f"{face.ground}{face.raised}{face.border}{face.focus}.{radius}.{name}.face"
        if element not in self._style.element_names():
            box = self._discs.box
            self._style.element_create(
                element, "image", box(face.ground, face.border, radius, thin),
                ("disabled", box(raised, raised, radius, thin)),
                ("focus", "active", box(face.raised, face.focus, radius, thick)),
                ("focus", box(face.ground, face.focus, radius, thick)),
                ("active", box(face.raised, face.border, radius, thin)),
                border=radius, padding=thick, sticky="nswe",
                width=2 * radius, height=2 * radius,  # no larger for the size of its image
            )  # fmt: skip
        within = (inside, {"sticky": "nswe"})
        kind = inside.partition(".")[0]
        padding = (f"{kind}.padding", {"sticky": "nswe", "children": [within]})
        layout = [(element, {"sticky": "nswe", "children": [padding]})]
        self._style.layout(name, layout)  # type: ignore[arg-type]
