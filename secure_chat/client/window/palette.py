"""Colours, light and dark; text has a contrast of 4.5 to 1 or more to its ground."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Palette:
    """Every colour that the window uses, by what it is for."""

    ground: str  # behind lists and forms
    surface: str  # cards, fields, header
    chat: str  # behind the bubbles
    chosen: str  # the same, of messages that are selected
    raised: str  # hovered and pressed
    line: str  # borders
    text: str
    muted: str
    accent: str  # focus, links, main buttons
    on_accent: str
    accent_raised: str
    ours: str  # our bubbles
    on_ours: str
    ours_muted: str
    theirs: str
    on_theirs: str
    theirs_muted: str
    quote_ours: str  # behind what a message of ours answers
    quote_theirs: str
    selected: str  # the open conversation in the list
    notice: str
    on_notice: str
    good: str
    warning: str
    warning_ground: str
    read: str  # the mark of a message that was read
    danger: str
    danger_ground: str
    on_danger: str
    quiet_ground: str


LIGHT: Final = Palette(
    ground="#f3f5f8", surface="#ffffff", chat="#e9eef4", chosen="#dbe2ea", raised="#e3e8ef",
    line="#cfd6df",
    text="#1a212b", muted="#5b6675", accent="#1c64a8", on_accent="#ffffff",
    accent_raised="#17538b", ours="#cfe5fa", on_ours="#10243a", ours_muted="#3f5a76",
    theirs="#ffffff", on_theirs="#1a212b", theirs_muted="#5b6675", quote_ours="#b9d7f3",
    quote_theirs="#edf1f6", selected="#d8e7f6",
    notice="#dde3ea", on_notice="#3d4856", good="#15713f", warning="#7a4f00",
    warning_ground="#fdf1d3", read="#0b7a48", danger="#b02318",
    danger_ground="#fde7e4", on_danger="#ffffff", quiet_ground="#e3ebf4",
)  # fmt: skip

DARK: Final = Palette(
    ground="#161b22", surface="#1e252e", chat="#11161c", chosen="#37434f", raised="#2a333f",
    line="#36414f",
    text="#e8ecf1", muted="#9aa7b6", accent="#64b0f2", on_accent="#08192a",
    accent_raised="#8cc5f7", ours="#173d62", on_ours="#f1f6fb", ours_muted="#b4cce4",
    theirs="#262f3a", on_theirs="#e8ecf1", theirs_muted="#a3afbd", quote_ours="#0f2f4e",
    quote_theirs="#1c242d", selected="#24384d",
    notice="#222a34", on_notice="#b4bfcc", good="#5fcf92", warning="#f0c060",
    warning_ground="#3a2f17", read="#7fe3ab", danger="#ff8d82",
    danger_ground="#43211f", on_danger="#2b0805", quiet_ground="#1f2a37",
)  # fmt: skip

PALETTES: Final = {"light": LIGHT, "dark": DARK}
AVATARS: Final = ("#8a4b9c", "#2f6f9f", "#2d7a5f", "#9a5a2b", "#a8435a", "#56629e", "#5f7a2d")
"""Grounds of the initials, all dark enough for white letters."""
