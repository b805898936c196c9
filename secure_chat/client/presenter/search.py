"""What the search shows of a message: a line around the word that was meant."""

import re
from collections.abc import Callable

from secure_chat.client.api import Engine
from secure_chat.client.events import Message
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.rows import ResultRow
from secure_chat.client.text import one_line, words_of
from secure_chat.protocol.addresses import UserId

_WORD = re.compile(r"[\w\u0300-\u036f\u064b-\u0652]+")
_BEFORE, _AFTER = 24, 120  # characters
_SHORTEST = 2  # characters from which messages are looked for
_LOOKED_AT = 4_000  # characters of a long message


class Search:
    """Looks for messages while somebody types, and keeps what was found."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked = ""
        self._found: list[Message] = []

    def find(self, text: str) -> None:
        """Another question; one letter is none yet."""
        asked = text.strip()
        if asked != self._asked:
            self._asked, self._found = asked, []
            if len(asked) >= _SHORTEST:
                self._found = self._engine.search(asked)

    def rows(self, words: Words, times: Times, named: Callable[[UserId], str]) -> list[ResultRow]:
        """What was found, the newest first; ``named``: what we call somebody, perhaps nothing."""
        return [
            result(message, self._asked, words, times, named(message.user_id))
            for message in self._found
        ]


def result(message: Message, asked: str, words: Words, times: Times, called: str = "") -> ResultRow:
    """A row for a message that was found by ``asked``; ``called``: our name for the other side."""
    text, wanted = message.text, words_of(asked)
    start, end = _place(text[:_LOOKED_AT], wanted)
    if end == 0 and message.file is not None:
        text = message.file.name
        start, end = _place(text, wanted)
    cut = max(0, start - _BEFORE)
    before = one_line(text[cut:start], _BEFORE + 1)
    gap = " " if start and text[start - 1].isspace() else ""
    after = one_line(text[end : end + _AFTER], _AFTER)
    space = " " if end < len(text) and text[end].isspace() else ""
    name = called or message.user_id
    if message.ours:
        name = words("You → {name}", name=name)
    return ResultRow(
        message.user_id, message.number, name, times.short(message.time),
        ("…" if cut else "") + before + gap, one_line(text[start:end], _AFTER), space + after,
    )  # fmt: skip


def _place(text: str, asked: list[str]) -> tuple[int, int]:
    """Where the first word stands that begins as one of those asked for."""
    for match in _WORD.finditer(text):
        parts = words_of(match.group())
        if any(part.startswith(word) for part in parts for word in asked):
            return match.span()
    return 0, 0
