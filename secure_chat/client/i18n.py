"""The words of the window in the person's language (gettext catalogues under ``locale/``).

A message's English text is its key. ``scripts/catalogues.py`` finds the keys in the code: they are
the arguments of ``words(...)``, ``words.plural(...)`` and ``N_(...)``, and the templates of the
errors. A text that a catalogue lacks appears in English.
"""

import gettext
import locale
import os
import re
import string
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from secure_chat.client.said import Fact, Said
from secure_chat.errors import SecureChatError

_LOCALE = Path(__file__).parent / "locale"
_DOMAIN = "secure_chat"
_SPAN = re.compile(r"\b(\d{1,9}) (second|minute|hour|day)s?\b")
_PERSIAN_DIGITS = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")


AUTO: Final = "auto"
DIGITS: Final = (AUTO, "latin", "persian")
CALENDARS: Final = (AUTO, "gregorian", "jalali")


class Language(NamedTuple):
    """A language of the interface, named in itself."""

    code: str
    name: str
    rtl: bool


LANGUAGES: Final = (Language("en", "English", rtl=False), Language("fa", "فارسی", rtl=True))


def N_(text: str) -> str:  # noqa: N802 - the name that gettext tools know
    """Mark ``text`` for the catalogues; it is translated where it is shown."""
    return text


def system_language() -> str:
    """The language that the system asks for, if we have it; English otherwise.

    The variables of POSIX come first, in gettext's order, since a locale that is not installed
    still says what its owner reads.
    """
    known = {language.code for language in LANGUAGES}
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if asked := os.environ.get(name, ""):
            code = asked.split(":")[0].partition("_")[0].partition(".")[0].lower()
            return code if code in known else "en"
    code = _own_language()[:2].lower()
    return code if code in known else "en"


def _own_language() -> str:
    """What the system itself is set to, where no variable says so: such as ``fa_IR``."""
    if sys.platform == "win32":
        import ctypes

        return locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")
    try:
        return locale.getlocale()[0] or ""
    except ValueError:  # a locale name that Python cannot parse
        return ""


class Words:
    """Translates into one language. Immutable: another language is another object.

    ``digits`` and ``calendar`` are a person's own choice; "auto" is the language's habit.
    """

    def __init__(self, code: str = "en", digits: str = AUTO, calendar: str = AUTO) -> None:
        self.language = next((one for one in LANGUAGES if one.code == code), LANGUAGES[0])
        persian = self.language.code == "fa"
        self._persian_digits = persian if digits == AUTO else digits == "persian"
        self.jalali = persian if calendar == AUTO else calendar == "jalali"
        self._catalogue = gettext.translation(
            _DOMAIN, _LOCALE, languages=[self.language.code], fallback=True
        )

    @property
    def rtl(self) -> bool:
        """Whether the interface runs from right to left."""
        return self.language.rtl

    def __call__(self, text: str, **facts: object) -> str:
        """``text`` in this language, with ``{name}`` filled from ``facts``."""
        translated = self._translated(text)
        return translated.format_map(facts) if facts else translated

    def plural(self, one: str, many: str, number: int, **facts: object) -> str:
        """The form for ``number``, which also fills ``{number}`` in digits of the language."""
        translated = self._catalogue.ngettext(one, many, number)
        return translated.format_map({"number": self.digits(number), **facts})

    def digits(self, value: object) -> str:
        """A number, time or date in the person's digits. Never for safety numbers."""
        text = str(value)
        return text.translate(_PERSIAN_DIGITS) if self._persian_digits else text

    def error(self, error: SecureChatError) -> str:
        """What an error says, translated where its template is in the catalogue."""
        return self.said(Said.of(error))

    def said(self, said: Said) -> str:
        """A sentence made anew from its template and facts; in English where no catalogue has it.

        Numbers among the facts stand in the person's digits.
        """
        facts = {name: self._fact(name, fact) for name, fact in said.facts.items()}
        translated = self._translated(said.template)
        line = self._filled(translated, facts) if facts else translated
        if said.times == 1 or not line:
            return line or str(said)
        return f"{line} ({self.digits(said.times)}×)"

    def _fact(self, name: str, fact: Fact) -> object:
        if isinstance(fact, Said):
            return self.said(fact)
        if name in {"reason", "what"} and isinstance(fact, str):
            return self._reason(fact)
        return self.span(fact) if name == "after" and isinstance(fact, str) else fact

    def _reason(self, reason: str) -> str:
        """Why something failed, or what; it may be said in two steps: ``what failed: why``."""
        return ": ".join(self._translated(part) for part in reason.split(": "))

    def sentence(self, text: str, user_id: str) -> str:
        """A line that the engine wrote about somebody, where the catalogue knows its like.

        Vaults of before `Said` have plain texts, of which the name and a time are known.
        """
        if isinstance(text, Said):
            return self.said(text)
        template = text.replace(user_id, "{user_id}") if user_id else text
        facts = {"user_id": user_id}
        span = _SPAN.search(template)
        if span is not None:
            template = template.replace(span.group(), "{after}")
            facts["after"] = self.span(span.group())
        translated = self._translated(template)
        return text if translated == template else self._filled(translated, facts)

    def span(self, text: str) -> str:
        """A time that was written as "8 hours"."""
        found = _SPAN.fullmatch(text)
        if found is None:
            return text
        number = int(found.group(1))
        return {
            "second": lambda: self.plural("{number} second", "{number} seconds", number),
            "minute": lambda: self.plural("{number} minute", "{number} minutes", number),
            "hour": lambda: self.plural("{number} hour", "{number} hours", number),
            "day": lambda: self.plural("{number} day", "{number} days", number),
        }[found.group(2)]()

    def _translated(self, text: str) -> str:
        """Gettext keeps its own header under the empty text: that is nothing to show."""
        return self._catalogue.gettext(text) if text else ""

    def _filled(self, template: str, facts: Mapping[str, object]) -> str:
        """The template with its facts; nothing if a translation names one that is not there."""
        try:
            return _Filler(self.digits).vformat(template, (), facts)
        except (KeyError, IndexError, ValueError):
            return ""


class _Filler(string.Formatter):
    """Fills templates with numbers in a person's digits."""

    def __init__(self, digits: Callable[[object], str]) -> None:
        self._digits = digits

    def format_field(self, value: object, format_spec: str) -> str:
        shown = str(super().format_field(value, format_spec))
        return self._digits(shown) if isinstance(value, int | float) else shown
