"""Sentences of this program that are kept, and said in whichever language is spoken when they show.

What went wrong yesterday was written down in no language: its template (a key of the catalogues)
and its facts are in the vault, and `Words.sentence` makes the line of them.
"""

import json
from collections.abc import Mapping
from typing import Final, Self, TypeAlias

from secure_chat.errors import Reason, SecureChatError

Fact: TypeAlias = "str | int | float | Said"
_BEGINNING: Final = '{"template":'


class Said(str):
    """A sentence in English, as a str, that knows its template and facts.

    ``times``: how often it was said in a row, where a line counts instead of repeating itself.
    """

    __slots__ = ("facts", "template", "times")

    template: str
    facts: "Mapping[str, Fact]"
    times: int

    def __new__(cls, template: str, /, **facts: object) -> Self:
        """``template`` with ``{name}`` filled from ``facts``; without facts it stays as it is."""
        known = {name: _fact(value) for name, value in facts.items()}
        return cls._made(template, known, 1)

    @classmethod
    def _made(cls, template: str, facts: "Mapping[str, Fact]", times: int) -> Self:
        english = template.format_map(facts) if facts else template
        made = super().__new__(cls, english if times == 1 else f"{english} ({times}×)")
        made.template, made.facts, made.times = template, facts, times
        return made

    @classmethod
    def of(cls, error: SecureChatError) -> Self:
        """What an error says. A sentence that came ready made is its own template."""
        if error.template.strip("{}").isidentifier():  # nothing but a fact
            return cls(str(error))
        return cls(error.template, **error.facts)

    def counted(self, times: int) -> Self:
        """The same, said so often."""
        return self._made(self.template, self.facts, times)

    # ------------------------------------------------------------ in the vault

    def kept(self) -> str:
        """The text that `recall` reads."""
        return json.dumps({"template": self.template, "facts": _plain(self.facts)})


def kept(text: str) -> str:
    """What the vault keeps of a sentence; nothing stays nothing."""
    return text.kept() if isinstance(text, Said) else text


def recall(stored: str, times: int = 1) -> str:
    """The sentence again. What vaults kept before they kept templates is a plain text."""
    if not stored.startswith(_BEGINNING):
        return stored if times == 1 else f"{stored} ({times}×)"
    return _read(json.loads(stored)).counted(times)


def _read(kept_as: Mapping[str, object]) -> Said:
    template, facts = kept_as["template"], kept_as["facts"]
    assert isinstance(template, str)
    assert isinstance(facts, dict)
    read = {name: _read(one) if isinstance(one, dict) else one for name, one in facts.items()}
    return Said(template, **read)


def _plain(facts: Mapping[str, Fact]) -> dict[str, object]:
    return {
        name: {"template": one.template, "facts": _plain(one.facts)}
        if isinstance(one, Said)
        else one
        for name, one in facts.items()
    }


def _fact(value: object) -> Fact:
    if isinstance(value, SecureChatError):
        return Said.of(value)
    if isinstance(value, Reason):
        return Said(value.template, **value.facts)
    return value if isinstance(value, str | int | float) else str(value)
