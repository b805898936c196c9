"""The catalogues: nothing of the window untranslated, and the binary files as new as the texts."""

import ast
import gettext
from pathlib import Path

import pytest

import catalogues
from secure_chat.client.i18n import LANGUAGES, Words
from secure_chat.errors import Code, Refused, TextTooLong

CLIENT = Path(__file__).parents[2] / "secure_chat" / "client"
FOLDER = CLIENT / "locale" / "fa" / "LC_MESSAGES"


def test_every_text_of_the_window_is_in_persian() -> None:
    """Presenter and window have no text without its translation, with the same facts in it."""
    known = catalogues.read_po(FOLDER / "secure_chat.po")
    keys = [
        key
        for part in ("window", "presenter")
        for path in sorted((CLIENT / part).rglob("*.py"))
        for key in catalogues.keys_in(ast.parse(path.read_text("utf-8")))
    ]
    assert len(keys) > 90
    assert catalogues.problems("fa", keys, known) == []


def test_the_compiled_catalogue_is_the_one_of_the_texts() -> None:
    """The .mo file that ships says what the .po file says, as gettext reads it."""
    known = catalogues.read_po(FOLDER / "secure_chat.po")
    with (FOLDER / "secure_chat.mo").open("rb") as file:
        shipped = gettext.GNUTranslations(file)
    translated = {key: forms for key, forms in known.items() if all(forms)}
    assert len(translated) > 150
    for key, forms in translated.items():
        if key.plural:
            assert shipped.ngettext(key.text, key.plural, 1) == forms[0]
            assert shipped.ngettext(key.text, key.plural, 5) == forms[1]
        else:
            assert shipped.gettext(key.text) == forms[0]


def test_a_catalogue_survives_writing_and_reading(tmp_path: Path) -> None:
    """Quotes, line breaks and backslashes come back as they were."""
    key, plural = catalogues.Key('a "b" \\ c\nd'), catalogues.Key("{number} x", "{number} xs")
    known = {key: ('«"\\\n»',), plural: ("یک", "چند")}
    path = tmp_path / "x.po"
    path.write_text(catalogues.write_po("fa", [key, plural], known), "utf-8")
    assert catalogues.read_po(path) == known


def test_errors_and_codes_speak_persian_with_their_facts() -> None:
    words = Words("fa")
    assert "۱۶" not in words.error(TextTooLong(size=99, limit=16))
    assert "99" in words.error(TextTooLong(size=99, limit=16))
    assert words.error(Refused(Code.NAME_TAKEN)) != str(Refused(Code.NAME_TAKEN))


@pytest.mark.parametrize("language", [language.code for language in LANGUAGES])
def test_a_text_that_no_catalogue_knows_stays_as_it_is(language: str) -> None:
    words = Words(language)
    assert words("") == words.sentence("", "bob") == ""
    assert words("no such text {x}", x=1) == "no such text 1"
    assert words.plural("{number} thing", "{number} things", 1).endswith("thing")
