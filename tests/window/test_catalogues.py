"""The catalogues: nothing untranslated, and the binary files as new as the texts."""

import ast
import gettext
from pathlib import Path

import pytest

import catalogues
from secure_chat.client.content.check import in_words
from secure_chat.client.engine import effects
from secure_chat.client.engine.missing import MISSING
from secure_chat.client.i18n import LANGUAGES, Words, system_language
from secure_chat.client.said import Said, kept, recall
from secure_chat.errors import (
    BadBundle,
    BadEncoding,
    BadManifest,
    CertificateRefused,
    Code,
    ConnectFailed,
    ConnectionLost,
    Reason,
    Refused,
    SecureChatError,
    TextTooLong,
    UndecryptableMessage,
    UnexpectedAnswer,
    UnknownPrekey,
    Unreadable,
)
from secure_chat.protocol.invite import InviteLink

_FAILED_CHECK = "its certificate failed check {code} of OpenSSL"
_CUT = "the other side cut the connection"
_NO_DEVICE = "it lists no device {device}"
CLIENT = Path(__file__).parents[2] / "secure_chat" / "client"
FOLDER = CLIENT / "locale" / "fa" / "LC_MESSAGES"


def test_every_text_that_a_person_may_read_is_in_persian() -> None:
    """Window, command line, the engine's lines and the errors: each text has its translation, with
    the same facts in it."""
    known = catalogues.read_po(FOLDER / "secure_chat.po")
    keys = catalogues.find_keys()
    assert len(keys) > 700
    assert catalogues.problems("fa", keys, known) == []


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"LANG": "fa_IR.UTF-8"}, "fa"),
        ({"LANGUAGE": "fa:en", "LANG": "en_US.UTF-8"}, "fa"),
        ({"LC_ALL": "C", "LANG": "fa_IR.UTF-8"}, "en"),
        ({"LC_MESSAGES": "de_DE.UTF-8"}, "en"),
        ({"LANGUAGE": "", "LC_ALL": "fa"}, "fa"),
    ],
)
def test_the_system_says_which_language(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], code: str
) -> None:
    """The variables of POSIX decide, in gettext's order, whether or not the locale is installed."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert system_language() == code


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
    """In Persian digits unless Latin ones are chosen."""
    words = Words("fa")
    assert "۹۹" in words.error(TextTooLong(size=99, limit=16))
    assert "99" in Words("fa", digits="latin").error(TextTooLong(size=99, limit=16))
    assert words.error(Refused(Code.NAME_TAKEN)) != str(Refused(Code.NAME_TAKEN))


@pytest.mark.parametrize("language", [language.code for language in LANGUAGES])
def test_a_text_that_no_catalogue_knows_stays_as_it_is(language: str) -> None:
    """With its facts filled in, and the empty text stays empty."""
    words = Words(language)
    assert words("") == words.sentence("", "bob") == ""
    assert words("no such text {x}", x=1) == "no such text 1"
    assert words.plural("{number} thing", "{number} things", 1).endswith("thing")


@pytest.mark.parametrize(
    "reason", ["nothing listens there", "no greeting came: the other side closed the connection"]
)
def test_reasons_within_errors_speak_persian_too(reason: str) -> None:
    """No half sentence of English stands in the offline banner; what the system or a peer says
    beyond the catalogue stays as it is."""
    said = Words("fa").error(ConnectFailed(server="chat.example.org:7443", reason=reason))
    assert not set(said.replace("chat.example.org", "")) & set("abcdefghijklmnopqrstuvwxyz")
    assert "odd thing" in Words("fa").error(ConnectFailed(server="here", reason="odd thing"))
    assert reason in str(ConnectFailed(server="here", reason=reason))


def _refusal(link: str) -> SecureChatError:
    with pytest.raises(SecureChatError) as refused:
        InviteLink.parse(link)
    return refused.value


@pytest.mark.parametrize(
    "error",
    [
        *(_refusal(f"securechat://{rest}") for rest in ("a b/#v=1", "h/#v=1&x=1", "h/#v=1&id=A")),
        _refusal("https://h"),
        CertificateRefused(server="1.2.3.4", reason=Reason(_FAILED_CHECK, code=23)),
        ConnectionLost(reason=Reason("{reason}, within a message", reason=_CUT)),
        BadBundle(address=1, reason=BadManifest(user_id=2, reason=Reason(_NO_DEVICE, device=3))),
    ],
    ids=str,
)
def test_reasons_with_facts_speak_persian_too(error: SecureChatError) -> None:
    """Of a link, a certificate, a connection and keys: what stands in them is filled in after the
    translation."""
    said = Words("fa").error(error)
    for fact in ("'a b'", "host:port", "'x'", "securechat://", "OpenSSL", "id"):
        said = said.replace(fact, "")
    assert said
    assert not set(said) & set("abcdefghijklmnopqrstuvwxyz")


def test_no_reason_of_the_clients_side_is_made_up_before_it_is_translated() -> None:
    """Every reason with something to fill in is a `Reason`, so that a catalogue can know it."""
    made_up = [
        f"{path.name}:{node.value.lineno}"
        for place in catalogues.REASONED
        for path in (sorted(place.rglob("*.py")) if place.is_dir() else [place])
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.keyword) and node.arg in {"reason", "what"}
        if isinstance(node.value, ast.JoinedStr)
        if path.name not in _EXCEPTED
    ]
    assert made_up == []


_EXCEPTED = {
    "tls.py",  # a server's own certificates and keys, which its operator reads
    "parser.py",  # argparse speaks, in words that were translated before
}


@pytest.mark.parametrize("sentence", [
    effects.TIMER_SET, effects.TIMER_SET_BY_US, effects.TIMER_OFF, effects.TIMER_OFF_BY_US,
])  # fmt: skip
@pytest.mark.parametrize("seconds", [1, 30, 300, 3_600, 8 * 3_600, 7 * 86_400, 90])
def test_what_the_engine_writes_of_timers_speaks_persian(sentence: str, seconds: int) -> None:
    """The time within the sentence as well, in Persian digits."""
    line = Said(sentence, user_id="bob", after=in_words(seconds))
    for kept_as in (line, str.__str__(line)):  # as vaults kept it before, too
        said = Words("fa").sentence(kept_as, "bob").replace("bob", "")
        assert said.strip()
        assert not set(said) & set("abcdefghijklmnopqrstuvwxyz0123456789")
        assert Words("en").sentence(kept_as, "bob") == line


FACTS = [
    UnexpectedAnswer(what="more of a file than there is"), BadEncoding(what="message header"),
    Unreadable(sender=Reason("somebody"), reason=UnknownPrekey(what="signed prekey", key_id=7)),
    TextTooLong(size=99, limit=16), ConnectionLost(reason="the other side closed the connection"),
    Unreadable(sender="bob", reason=UndecryptableMessage(address="bob/main", sessions=2)),
    Refused(Code.MAILBOX_FULL), Refused(Code.INTERNAL_ERROR, "{user_id} {0} odd"),
]  # fmt: skip


@pytest.mark.parametrize("error", FACTS, ids=lambda error: type(error).__name__)
def test_what_went_wrong_is_kept_in_no_language(error: SecureChatError) -> None:
    """Out of the vault comes what Persian and English can both be made of, facts included."""
    read = recall(kept(Said.of(error)))
    assert read == str(error)
    assert Words("en").sentence(read, "bob") == str(error)
    assert Words("fa").sentence(read, "bob") == Words("fa").error(error)
    if "odd" not in str(error):
        said = Words("fa").sentence(read, "bob").replace("bob/main", "").replace("bob", "")
        assert not set(said) & set("abcdefghijklmnopqrstuvwxyz0123456789")


def test_a_line_that_counts_itself_counts_in_each_language() -> None:
    """A line that was kept before lines had facts counts too."""
    line = recall(kept(Said(MISSING, user_id="bob")), 12)
    assert line.endswith("(12×)")
    assert Words("fa").sentence(line, "bob").endswith("(۱۲×)")
    assert recall("A plain text of before.", 2) == "A plain text of before. (2×)"
