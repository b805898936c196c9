"""Links in messages: where they end, and what a person is told before one opens."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.i18n import Words
from secure_chat.client.presenter import links
from secure_chat.client.text import clean
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.invite import ContactLink
from tests.support.habit_calls import KEYS, SERVER, SERVER_ID
from tests.support.timing import seconds_of

WORDS = Words("en")


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("see https://example.org.", ["https://example.org"]),
        ("(https://en.wikipedia.org/wiki/A_(b))", ["https://en.wikipedia.org/wiki/A_(b)"]),
        ("https://a.org/x?y=1&z=2#top, and http://b.org!", ["https://a.org/x?y=1&z=2#top", "http://b.org"]),
        ("به https://example.org/صفحه، نگاه کن", ["https://example.org/صفحه"]),
        ("www.example.org؟", ["www.example.org"]),
        ("mailto:a@example.org", ["mailto:a@example.org"]),
        ("securechat://host:7443/#v=1&id=x", ["securechat://host:7443/#v=1&id=x"]),
        ("no link: javascript:alert(1) file:///etc/passwd data:text/html,x ftp://x", []),
        ("https:// and nothing", []),
        ("a.www.b and x@www.example.org", []),
    ],
)  # fmt: skip
def test_links_are_found_without_the_sentence_around_them(text: str, addresses: list[str]) -> None:
    """Brackets and full stops that belong to the sentence are not part of the address."""
    assert [span.address for span in links.find(text)] == addresses


@given(st.text(max_size=80).map(lambda text: f"x https://a.org/{text} y www.{text}"))
def test_what_opens_is_ascii_and_was_shown(text: str) -> None:
    """Whatever stands in a message: the target is a plain http or https address, and is shown."""
    for span in links.find(clean(text)):
        ask = links.ask(span.address, WORDS)
        assert ask.title
        if ask.target:
            assert ask.target == ask.address
            assert ask.target.isascii()
            assert ask.target.split("://")[0] in {"http", "https"}
            assert not any(one.isspace() or not one.isprintable() for one in ask.target)


def test_attack_72_a_look_alike_site_shows_its_real_name() -> None:
    """Cyrillic letters in a familiar name: the network's form is shown, with a warning."""
    ask = links.ask("https://аррӏе.com/login", WORDS)
    assert ask.site.startswith("xn--")
    assert "other alphabets" in ask.warning
    assert "xn--" in ask.target


def test_attack_72_a_bidi_override_cannot_turn_an_address_round() -> None:
    """Controls are gone before the address is looked at: what is drawn is what opens."""
    text = clean("https://example.org/\u202egpj.exe\u2066 \u2069")
    (span,) = links.find(text)
    assert span.address == "https://example.org/gpj.exe"
    assert links.ask(span.address, WORDS).target == "https://example.org/gpj.exe"


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("https://paypal.com@evil.example/login", "evil.example"),
        ("https://paypal.com:443@evil.example", "evil.example"),
        ("https://example.org:8443/x", "example.org:8443"),
        ("https://[::1]:80/", "[::1]:80"),
        ("HTTPS://EXAMPLE.org/A", "example.org"),
        ("www.example.org/a b", "www.example.org"),
    ],
)
def test_the_site_that_really_opens_is_named(address: str, site: str) -> None:
    """Whatever name stands before an @, and however the address is written."""
    ask = links.ask(address, WORDS)
    assert ask.site == site
    assert "paypal" not in ask.target
    if "@" in address:
        assert "before the @" in ask.warning


@pytest.mark.parametrize("address", ["https://", "https://:80", "https://a..b", "https://x:99999/"])
def test_an_address_that_is_none_does_not_open(address: str) -> None:
    """There is nothing to press then."""
    assert links.ask(address, WORDS).target == ""


def test_an_invite_link_is_copied_and_not_opened() -> None:
    """A browser could do nothing with it; the server that it leads to is named."""
    ask = links.ask("securechat://host:7443/#v=1", WORDS)
    assert ask.target == ""
    assert ask.address.startswith("securechat://")
    assert "invite link" in ask.title
    assert ask.site == "host:7443"


def test_a_contact_link_says_whose_it_is_and_can_be_gone_on_with() -> None:
    """It is named by the account's name and server; the target is the link and nothing else."""
    link = str(ContactLink(SERVER, SERVER_ID, UserId("reza"), KEYS["b"]))
    (span,) = links.find(f"add me: {link}.")
    ask = links.ask(span.address, WORDS)
    assert (ask.contact, ask.target) == (True, link)
    assert "reza" in ask.title
    assert ask.site == f"reza@{SERVER}"


@pytest.mark.parametrize("end", ["contact=reza", "contact=reza&key=AAAA", "invite=\u202ex", ""])
def test_a_damaged_link_of_the_program_says_what_is_wrong(end: str) -> None:
    """It is neither opened nor taken for a contact link."""
    ask = links.ask(f"securechat://host:7443/#v=2&{end}", WORDS)
    assert (ask.target, ask.contact) == ("", False)
    assert "damaged" in ask.title
    assert ask.warning


def test_attack_73_a_message_of_nothing_but_links_is_read_quickly() -> None:
    """Sixteen thousand characters that look like the beginnings of links."""
    for text in (
        "https://" * 2048,
        "www." * 4096,
        "https://a" + ")" * 16_000,
        "(" * 16_000 + "www.a",
    ):
        assert seconds_of(partial(links.find, text)) < 0.1
