"""What the window remembers between starts: nothing about people or messages."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE_NAME = "window.json"
_LARGEST_FILE = 4096


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
    panel_open: bool = True
    path: Path | None = field(default=None, compare=False)

    @classmethod
    def load(cls, path: Path | None, *, language: str) -> "Settings":
        """What was saved, as far as it makes sense; ``language`` where nothing was."""
        settings = cls(language=language, path=path)
        saved = _read(path) if path is not None else {}
        if saved.get("language") in {"en", "fa"}:
            settings.language = str(saved["language"])
        if saved.get("theme") in {"light", "dark"}:
            settings.theme = str(saved["theme"])
        if isinstance(saved.get("panel_open"), bool):
            settings.panel_open = bool(saved["panel_open"])
        return settings

    def save(self) -> None:
        """Remember; a folder that cannot be written only means that nothing is remembered."""
        if self.path is None:
            return
        known = {name: value for name, value in asdict(self).items() if name != "path"}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.write_text(json.dumps(known), encoding="utf-8")
        except OSError:
            return


def _read(path: Path) -> dict[str, object]:
    try:
        saved = json.loads(path.read_bytes()[:_LARGEST_FILE])
    except (OSError, ValueError, RecursionError):
        return {}
    return saved if isinstance(saved, dict) else {}
