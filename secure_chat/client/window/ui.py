"""The window's look in one object: fonts, colours, ttk styles, and labels that read right.

All sizes come from the interface font's line height, since Tk does not scale pixels.
"""

import tkinter as tk
from collections.abc import Callable
from tkinter import font as tkfont
from tkinter import ttk
from typing import Literal, NamedTuple

from secure_chat.client.i18n import Words
from secure_chat.client.presenter import emoji as emojis
from secure_chat.client.presenter.settings import Settings
from secure_chat.client.text import TextLayout, clean
from secure_chat.client.text.levels import has_rtl
from secure_chat.client.window.palette import PALETTES, Palette
from secure_chat.client.window.smooth import Discs
from secure_chat.client.window.system import draws_astral, toolkit_shapes

Side = Literal["left", "right"]
_FAMILIES = ("Segoe UI", "SF Pro Text", "Noto Sans", "Cantarell", "Ubuntu", "DejaVu Sans")
_MONO = ("Cascadia Mono", "SF Mono", "DejaVu Sans Mono", "Noto Sans Mono", "Liberation Mono")
_NO_CHARACTER = "\U0010fffe"  # what is drawn for it is drawn for whatever has no glyph
_SMALLEST, _DESIGN_LINE = 10, 20
_SMALLEST_SIZE = 6  # points of the smallest font at the smallest text size
LOGICAL_LONGEST = 16 * 1024  # characters of a message that are drawn; the protocol allows no more


class Assets:
    """What outlives a switch of theme or language: fonts, images, what the system can do."""

    def __init__(self, root: tk.Tk) -> None:
        self.root = root
        self.discs = Discs(root)
        self.fonts = _make_fonts(root)
        self._sizes = {name: int(font.cget("size")) for name, font in self.fonts.items()}
        self.astral = draws_astral()
        self.shapes = toolkit_shapes(self.fonts["text"])
        self.layouts = {
            name: TextLayout(font.measure, toolkit_shapes=self.shapes)
            for name, font in self.fonts.items()
        }

    def resize(self, per_cent: int) -> None:
        """Fonts of another size, for a `Ui` that is made afterwards."""
        changed = False
        for name, font in self.fonts.items():
            size = max(_SMALLEST_SIZE, round(self._sizes[name] * per_cent / 100))
            if int(font.cget("size")) != size:
                font.configure(size=size)
                changed = True
        if changed:
            self.layouts = {
                name: TextLayout(font.measure, toolkit_shapes=self.shapes)
                for name, font in self.fonts.items()
            }


class Face(NamedTuple):
    """The colours of a button or field."""

    ground: str
    raised: str  # under the mouse
    border: str
    focus: str  # the border of what has the keyboard


class Ui:
    """Fonts, colours and words of one window. A theme or language switch makes another one."""

    def __init__(self, assets: Assets, settings: Settings, words: Words) -> None:
        assets.resize(settings.text_size)
        self.root = assets.root
        self.enter_sends = settings.enter_sends
        self.words = words
        self.colors: Palette = PALETTES[settings.theme]
        self.discs, self.fonts = assets.discs, assets.fonts
        self.astral, self.shapes = assets.astral, assets.shapes
        self._layouts = assets.layouts
        self.line_height = self.fonts["text"].metrics("linespace")
        self._style()

    # ------------------------------------------------------------ sizes and sides

    def px(self, design: float) -> int:
        """A length drawn for a line height of 20 pixels, in this screen's pixels."""
        return max(1, round(design * self.line_height / _DESIGN_LINE))

    @property
    def start(self) -> Side:
        """The side where reading starts, for pack."""
        return "right" if self.words.rtl else "left"

    @property
    def end(self) -> Side:
        """The side where a line ends, for pack."""
        return "left" if self.words.rtl else "right"

    @property
    def start_anchor(self) -> Literal["e", "w"]:
        """The side where reading starts, as an anchor."""
        return "e" if self.words.rtl else "w"

    # ------------------------------------------------------------ text

    def layout(self, font: str) -> TextLayout:
        """Wrapping and shaping by the widths of one of our fonts."""
        return self._layouts[font]

    def drawable(self, text: str) -> str:
        """A peer's text made safe to draw, still in logical order."""
        return clean(text[:LOGICAL_LONGEST], astral=self.astral)

    def picture(self, emoji: str) -> str:
        """An emoji ready to draw: in words where the system would die of it."""
        bare = emojis.bare(emoji)
        return bare if self.astral or all(one <= "\uffff" for one in bare) else emojis.name(emoji)

    def say(self, text: str) -> str:
        """A single line of ours, ready for a widget."""
        shown = self.drawable(text)  # a server's or a peer's words may stand in it
        return self._layouts["text"].line(shown, rtl=self.direction(shown))

    def direction(self, text: str) -> bool | None:
        """The direction of a sentence of ours: a name at its beginning must not turn it round.

        A sentence that the catalogue lacks, in English, keeps its own.
        """
        return True if self.words.rtl and has_rtl(text) else None

    def paragraph(self, text: str, width: int, font: str = "text") -> str:
        """A wrapped text ready for a label of ``width`` pixels."""
        shown = self.drawable(text)  # a server's or a peer's words may stand in it
        lines = self._layouts[font].wrap(shown, width, rtl=self.direction(shown))
        return "\n".join(line.text for line in lines)

    def fitted(self, text: str, room: int, font: str) -> str:
        """As much of a line as there is room for, in pixels; what is left out shows as "…"."""
        measure = self.fonts[font].measure
        if measure(text) <= room:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            fits = measure(text[:middle] + "…") <= room
            low, high = (middle, high) if fits else (low, middle - 1)
        return text[:low].rstrip() + "…"

    # ------------------------------------------------------------ widgets

    def frame(self, parent: tk.Misc, ground: str = "") -> tk.Frame:
        """A plain area."""
        return tk.Frame(parent, background=ground or self.colors.ground, borderwidth=0)

    def label(
        self,
        parent: tk.Misc,
        text: str = "",
        *,
        font: str = "text",
        color: str = "",
        ground: str = "",
        wrap: int = 0,
    ) -> tk.Label:
        """A label of our own words; ``wrap`` is its width in pixels."""
        label = tk.Label(
            parent,
            font=self.fonts[font],
            foreground=color or self.colors.text,
            background=ground or str(parent.cget("background")),
            justify="right" if self.words.rtl else "left",
            anchor=self.start_anchor,
            borderwidth=0,
            padx=0,
        )
        self.write(label, text, font=font, wrap=wrap)
        return label

    def write(self, label: tk.Label, text: str, *, font: str = "text", wrap: int = 0) -> None:
        """Put another text into a label."""
        shown = self.paragraph(text, wrap, font) if wrap else self.say(text)
        label.configure(text=shown)

    def flowing(
        self, parent: tk.Misc, text: str, *, font: str = "text", color: str = ""
    ) -> tk.Label:
        """A label that wraps to whatever width it gets."""
        label = self.label(parent, text, font=font, color=color)

        def rewrap(event: "tk.Event[tk.Misc]") -> None:
            shown = self.paragraph(text, event.width, font)
            if label.cget("text") != shown:
                label.configure(text=shown)

        label.bind("<Configure>", rewrap)
        return label

    def button(
        self, parent: tk.Misc, text: str, command: Callable[[], object], style: str = ""
    ) -> ttk.Button:
        """A button; ``style`` is nothing or one of those in `_style`. Return presses it too."""
        button = ttk.Button(
            parent,
            text=self.say(text),
            command=command,
            style=self._on_ground(f"{style}.TButton" if style else "TButton", parent),
        )
        button.bind("<Return>", lambda _: button.invoke())
        button.bind("<KP_Enter>", lambda _: button.invoke())
        return button

    def _on_ground(self, style: str, parent: tk.Misc) -> str:
        """The same style for where it stands: that is what round corners leave visible."""
        ground = str(parent.cget("background"))
        name = f"{ground.removeprefix('#')}.{style}"
        ttk.Style(self.root).configure(name, background=ground)
        return name

    def has_glyph(self, picture: str) -> bool:
        """Whether some font has an emoji, as far as widths tell; if in doubt, it has."""
        measure = self.fonts["text"].measure
        return all(measure(one) != measure(_NO_CHARACTER) for one in picture)

    # ------------------------------------------------------------ once

    def _style(self) -> None:
        """Ttk's clam theme in our colours."""
        c, style = self.colors, ttk.Style(self.root)
        style.theme_use("clam")
        self.root.configure(background=c.ground)
        style.configure(
            ".", background=c.ground, foreground=c.text, font=self.fonts["text"],
            bordercolor=c.line, lightcolor=c.line, darkcolor=c.line, troughcolor=c.ground,
            focuscolor=c.accent, selectbackground=c.accent, selectforeground=c.on_accent,
            insertcolor=c.text, fieldbackground=c.surface,
        )  # fmt: skip
        padding = (self.px(14), self.px(6))
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
                name, background=c.ground, foreground=text, padding=padding, borderwidth=0,
                anchor="center", width=0,
            )  # fmt: skip
            style.map(name, foreground=[("disabled", c.muted)])
            strong = c.text if ground == c.accent else c.accent
            self._face(style, name, "Button.label", Face(ground, raised, border, strong))
        for name in ("Choice.TButton", "Chosen.TButton"):
            style.configure(name, width=-4)
        style.configure("Quiet.TButton", padding=(self.px(8), self.px(4)))
        style.configure("Bar.TButton", padding=(self.px(8), self.px(4)))
        style.configure("TEntry", padding=(self.px(9), self.px(6)), foreground=c.text,
                        background=c.ground)  # fmt: skip
        style.map("TEntry", foreground=[("disabled", c.muted)])
        self._face(style, "TEntry", "Entry.textarea", Face(c.surface, c.surface, c.line, c.accent))
        thumb = ("Vertical.Scrollbar.thumb", {"expand": True, "sticky": "nswe"})
        trough = ("Vertical.Scrollbar.trough", {"sticky": "ns", "children": [thumb]})
        style.layout("Slim.Vertical.TScrollbar", [trough])  # type: ignore[list-item]
        style.layout("Chat.Slim.Vertical.TScrollbar", [trough])  # type: ignore[list-item]
        style.configure("Chat.Slim.Vertical.TScrollbar", troughcolor=c.chat, bordercolor=c.chat)
        style.map("Chat.Slim.Vertical.TScrollbar", background=[("disabled", c.chat)],
                  lightcolor=[("disabled", c.chat)], darkcolor=[("disabled", c.chat)])  # fmt: skip
        style.configure("Slim.Vertical.TScrollbar", width=self.px(9), arrowsize=self.px(9),
                        background=c.line, troughcolor=c.ground, bordercolor=c.ground,
                        lightcolor=c.line, darkcolor=c.line, gripcount=0)  # fmt: skip
        style.map("Slim.Vertical.TScrollbar",
                  background=[("active", c.muted), ("disabled", c.ground)],
                  lightcolor=[("disabled", c.ground)],
                  darkcolor=[("disabled", c.ground)])  # fmt: skip
        style.configure(
            "Card.TCheckbutton", background=c.surface, foreground=c.text, focuscolor=c.accent,
            indicatorbackground=c.surface, indicatorforeground=c.accent, padding=self.px(2),
            indicatormargin=(self.px(5), 0, self.px(5), 0),
            font=self.fonts["text"],
        )  # fmt: skip
        inside = [
            ("Checkbutton.indicator", {"side": "right", "sticky": ""}),
            ("Checkbutton.label", {"side": "right", "sticky": "nswe"}),
        ]
        focus = ("Checkbutton.focus", {"side": "right", "sticky": "w", "children": inside})
        padding_around = ("Checkbutton.padding", {"sticky": "nswe", "children": [focus]})
        style.layout("Rtl.Card.TCheckbutton", [padding_around])  # type: ignore[list-item]
        style.map(
            "Card.TCheckbutton",
            background=[("active", c.surface)], foreground=[("disabled", c.muted)],
            indicatorbackground=[("selected", c.surface), ("active", c.raised)],
        )  # fmt: skip
        style.configure("TProgressbar", background=c.accent, troughcolor=c.raised,
                        bordercolor=c.raised, lightcolor=c.accent, darkcolor=c.accent,
                        thickness=self.px(4))  # fmt: skip

    def _face(self, style: ttk.Style, name: str, inside: str, face: Face) -> None:
        """Round corners for a kind of widget: its layout is an image that stretches."""
        radius = self.px(8)
        element = f"{face.ground}{face.raised}{face.border}{face.focus}.{radius}.{name}.face"
        if element not in style.element_names():
            box = self.discs.box
            style.element_create(
                element, "image", box(face.ground, face.border, radius, 1),
                ("disabled", box(self.colors.raised, self.colors.raised, radius, 1)),
                ("focus", "active", box(face.raised, face.focus, radius, 2)),
                ("focus", box(face.ground, face.focus, radius, 2)),
                ("active", box(face.raised, face.border, radius, 1)),
                border=radius, padding=2, sticky="nswe",
            )  # fmt: skip
        within = (inside, {"sticky": "nswe"})
        kind = inside.partition(".")[0]
        padding = (f"{kind}.padding", {"sticky": "nswe", "children": [within]})
        style.layout(name, [(element, {"sticky": "nswe", "children": [padding]})])  # type: ignore[list-item]


def _make_fonts(root: tk.Tk) -> dict[str, tkfont.Font]:
    available = set(tkfont.families(root))
    default = tkfont.nametofont("TkDefaultFont", root).actual()
    family = next((one for one in _FAMILIES if one in available), str(default["family"]))
    mono = next((one for one in _MONO if one in available), "TkFixedFont")
    size = max(_SMALLEST, abs(int(default["size"])))
    make = tkfont.Font
    return {
        "text": make(root, family=family, size=size),
        "bold": make(root, family=family, size=size, weight="bold"),
        "italic": make(root, family=family, size=size, slant="italic"),
        "link": make(root, family=family, size=size, underline=True),
        "emoji": make(root, family=family, size=size * 3),
        "reaction": make(root, family=family, size=size + 1),
        "small": make(root, family=family, size=max(8, size - 2)),
        "small_bold": make(root, family=family, size=max(8, size - 2), weight="bold"),
        "title": make(root, family=family, size=size + 2, weight="bold"),
        "huge": make(root, family=family, size=size + 8, weight="bold"),
        "mono": make(root, family=mono, size=size),
        "mono_small": make(root, family=mono, size=max(8, size - 2)),
        "mono_big": make(root, family=mono, size=size + 6),
    }
