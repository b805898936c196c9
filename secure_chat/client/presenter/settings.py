"""What the window remembers between starts: nothing about people or messages."""

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from secure_chat.client.i18n import AUTO, CALENDARS, DIGITS, LANGUAGES, Words
from secure_chat.client.presenter.notices import NAME, STYLES
from secure_chat.errors import SettingsUnwritable

FILE_NAME = "window.json"
_LARGEST_FILE = 4096
CHOICES: Final = {
    "language": tuple(language.code for language in LANGUAGES),
    "theme": ("light", "dark"),
    "digits": DIGITS,
    "calendar": CALENDARS,
    "notify": STYLES,
}
"""What each setting that is a word may be; anything else in the file is not believed."""
GEOMETRY: Final = re.compile(r"(\d{3,5})x(\d{3,5})\+(-?\d{1,5})\+(-?\d{1,5})")
"""Width, height, left and upper edge of a window."""
_WIDEST = 2_000
TEXT_SIZES: Final = (85, 100, 115, 130, 150)
"""Per cent of the system's size."""
IDLE_MINUTES: Final = (0, 1, 5, 15, 60)
"""After how long without a key or a move the window locks; 0: never."""
_NUMBERS: Final = {"text_size": TEXT_SIZES, "idle_minutes": IDLE_MINUTES}
_SWITCHES: Final = ("panel_open", "enter_sends")


@dataclass
class Options:
    """What the command line asks of the window; None leaves the choice to what is remembered."""

    profile: Path | None = None  # open this one; None: ask
    link: str = ""  # an invite link to fill in
    ca_file: Path | None = None
    language: str | None = None  # "en", "fa"
    theme: str | None = None  # "light", "dark"
    root: Path | None = None  # where the profiles are; None: the system's data folder


@dataclass
class Settings:
    """The choices of this window. ``path`` is None where nothing shall be remembered."""

    language: str = "en"
    theme: str = "light"
    digits: str = AUTO
    calendar: str = AUTO
    notify: str = NAME
    text_size: int = 100
    idle_minutes: int = 15
    panel_open: bool = True
    enter_sends: bool = True
    geometry: str = ""  # size and place of the window, as Tk writes them
    side_width: int = 300  # of the people's column, in design pixels
    path: Path | None = field(default=None, compare=False)

    @classmethod
    def load(cls, path: Path | None, *, language: str) -> "Settings":
        """What was saved, as far as it makes sense; ``language`` where nothing was."""
        settings = cls(language=language, path=path)
        saved = _read(path) if path is not None else {}
        for name, known in CHOICES.items():
            if saved.get(name) in known:
                setattr(settings, name, saved[name])
        for name, sizes in _NUMBERS.items():
            if not isinstance(saved.get(name), bool) and saved.get(name) in sizes:
                setattr(settings, name, saved[name])
        for name in _SWITCHES:
            if isinstance(saved.get(name), bool):
                setattr(settings, name, saved[name])
        geometry, side = saved.get("geometry"), saved.get("side_width")
        if isinstance(geometry, str) and GEOMETRY.fullmatch(geometry):
            settings.geometry = geometry
        if isinstance(side, int) and 0 < side < _WIDEST:
            settings.side_width = side
        return settings

    @property
    def words(self) -> Words:
        """The person's language, digits and calendar."""
        return Words(self.language, self.digits, self.calendar)

    def save(self) -> None:
        """Remember. Raises `SettingsUnwritable`: they are in force, but gone at the next start."""
        if self.path is None:
            return
        known = {name: value for name, value in asdict(self).items() if name != "path"}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.write_text(json.dumps(known), encoding="utf-8")
        except OSError as wrong:
            folder = self.path.parent
            raise SettingsUnwritable(folder=folder, reason=wrong.strerror) from None


def _read(path: Path) -> dict[str, object]:
    try:
        saved = json.loads(path.read_bytes()[:_LARGEST_FILE])
    except (OSError, ValueError, RecursionError):
        return {}
    return saved if isinstance(saved, dict) else {}
