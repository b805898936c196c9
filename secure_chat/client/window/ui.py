"""The window's look in one object: fonts, colours, ttk styles, and labels that read right.

All sizes come from the interface font's line height, since Tk does not scale pixels.
"""

import tkinter as tk
from collections.abc import Callable
from tkinter import font as tkfont
from tkinter import ttk
from typing import Literal

from secure_chat.client.i18n import Words
from secure_chat.client.presenter import emoji as emojis
from secure_chat.client.presenter.settings import Settings
from secure_chat.client.text import TextLayout, clean
from secure_chat.client.text.levels import has_rtl
from secure_chat.client.window.clipboard import Clipboard
from secure_chat.client.window.palette import PALETTES, Palette
from secure_chat.client.window.smooth import Discs
from secure_chat.client.window.styles import Styles
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
        self.clipboard = Clipboard(root)
        self.fonts = _make_fonts(root)
        self._sizes = {name: int(font.cget("size")) for name, font in self.fonts.items()}
        self.astral = draws_astral()
        self.shapes = toolkit_shapes(self.fonts["text"])
        self.layouts = {
            name: TextLayout(font.measure, toolkit_shapes=self.shapes)
            for name, font in self.fonts.items()
        }

    def forget_texts(self) -> None:
        """The widths of words are kept by their letters."""
        for layout in self.layouts.values():
            layout.forget()

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


class Ui:
    """Fonts, colours and words of one window. A theme or language switch makes another one."""

    def __init__(self, assets: Assets, settings: Settings, words: Words) -> None:
        assets.resize(settings.text_size)
        self.root = assets.root
        self.enter_sends = settings.enter_sends
        self.words = words
        self.colors: Palette = PALETTES[settings.theme]
        self.discs, self.fonts = assets.discs, assets.fonts
        self.clipboard = assets.clipboard
        self.astral, self.shapes = assets.astral, assets.shapes
        self._layouts = assets.layouts
        self.line_height = self.fonts["text"].metrics("linespace")
        Styles(self.root, self.colors, self.fonts, self.discs, self.px).apply()

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

    def card(self, parent: tk.Misc) -> tk.Frame:
        """A box with an outline, which stays what it is while something in it has the keyboard."""
        line = self.colors.line
        return tk.Frame(
            parent, background=self.colors.surface, highlightthickness=self.px(1),
            highlightbackground=line, highlightcolor=line,
        )  # fmt: skip

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
        """A button; ``style`` is nothing or one of those in `Styles`. Return presses it too."""
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
        made = ttk.Style(self.root)
        made.configure(name, background=ground)
        made.map(name, background=[("disabled", ground), ("active", ground)])  # clam has its own
        return name

    def has_glyph(self, picture: str) -> bool:
        """Whether some font has an emoji, as far as widths tell; if in doubt, it has."""
        measure = self.fonts["text"].measure
        return all(measure(one) != measure(_NO_CHARACTER) for one in picture)


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
