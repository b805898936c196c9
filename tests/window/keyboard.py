"""The keyboard of the virtual screen: every letter that a test types has a key of its own.

xdotool puts a letter that no key has on a free one, types it and takes it away again; a window
that looks up later what the key means, as on a busy machine, finds another letter or none.
"""

import subprocess

LETTERS = "ضصثقفغعهخحجچشسیبلاتنمکگظطزرذدپوژآئ،؟\u200c۰۱۲۳۴۵۶۷۸۹☕"
"""All but those of an English keyboard."""

LAST = "F35"
"""A key that means nothing: once its release has come, all that was typed before has come too."""

_FIRST_FREE = 136  # the key codes from here on are free in "pc+us", up to 186
_KEYMAP = """
xkb_keymap {{
    xkb_keycodes {{ include "evdev+aliases(qwerty)" }};
    xkb_types {{ include "complete" }};
    xkb_compat {{ include "complete" }};
    xkb_symbols {{ include "pc+us" {keys} }};
}};
"""


def install(display: str) -> None:
    """Give an X server these keys; xkbcomp comes with each."""
    names = [LAST, *(f"U{ord(letter):04X}" for letter in LETTERS)]
    keys = " ".join(
        f"key <I{code}> {{ [ {name} ] }};" for code, name in enumerate(names, _FIRST_FREE)
    )
    subprocess.run(
        ["xkbcomp", "-w0", "-", display], input=_KEYMAP.format(keys=keys), text=True, check=True
    )


def has(text: str) -> bool:
    """Whether every letter of a text can be typed."""
    return all(letter.isascii() or letter in LETTERS for letter in text)
