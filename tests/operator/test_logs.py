"""The server's log: readable by people and programs, silent about people."""

import io
import json
import logging
import random

import pytest

from secure_chat.protocol.encoding import b64url
from secure_chat.server import logs


def formatted(formatter: logging.Formatter, message: str, **facts: object) -> str:
    logger = logging.getLogger("secure_chat.server.test")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger.handlers[:] = [handler]
    logger.propagate = False
    try:
        raise ValueError(message)
    except ValueError:
        logger.exception(message, extra=facts)
    return stream.getvalue()


FORMATTERS = [logs.TextFormatter(), logs.JsonFormatter()]


@pytest.mark.parametrize("formatter", FORMATTERS)
@pytest.mark.parametrize(
    "secret",
    [
        "securechat://chat.example.org:7443/#v=1&invite=AAAAAAAAAAAAAAAAAAAAAA",
        "198.51.100.7",
        "2001:db8::7",
        "::1",
        "[2001:db8::7]",
        "fe80::1%eth0",
        "::ffff:198.51.100.7",
        "0123456789abcdef0123456789abcdef",
        "Jua7JEdo1mDbLr5sVDzlX6cqWlKTHJxEvCRujsel-Ao",
    ],
)
def test_attack_76_links_keys_and_addresses_are_taken_out(
    formatter: logging.Formatter, secret: str
) -> None:
    """In the message, in a fact and in a traceback alike, even when a caller logs them."""
    line = formatted(formatter, f"lost {secret}, sorry", detail=secret)
    assert secret not in line
    assert line.count(logs.HIDDEN) >= 3
    assert "sorry" in line


@pytest.mark.parametrize("size", [16, 32, 64])
def test_attack_76_random_tokens_never_show(size: int) -> None:
    """Tokens, keys and signatures in base64url or hex are taken out."""
    source = random.Random(76)
    for _ in range(1000):
        token = source.randbytes(size)
        for text in (b64url(token), token.hex()):
            assert text not in logs.redact(f"token {text} end")


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_a_record_is_one_line(formatter: logging.Formatter) -> None:
    """Nobody forges a second line or a terminal escape with what he sends."""
    line = formatted(formatter, "a\nb\r\x1b[31m\u202e\u2028c", fact="x\ny")
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert not {"\r", "\x1b", "\u202e", "\u2028"} & set(line)


def test_json_lines_carry_facts() -> None:
    """A program reads time, level, logger, message and every fact."""
    line = json.loads(formatted(logs.JsonFormatter(), "peer left", count=3))
    assert line["message"] == "peer left"
    assert line["count"] == "3"
    assert line["level"] == "error"
    assert line["logger"] == "secure_chat.server.test"
    assert line["time"].endswith("Z")


def test_ordinary_words_stay() -> None:
    """Paths, names and numbers that a log is read for are not taken out."""
    text = "wrote /var/lib/secure-chat/database.sqlite3 for ali_99 in 1234567 us (3.11.2)"
    assert logs.redact(text) == text


def test_attack_76_a_peer_is_named_only_when_that_is_asked_for() -> None:
    """The one fact that holds an address is left out whole, or shown; the rest stays hidden."""
    for form in (logs.TextFormatter, logs.JsonFormatter):
        silent = formatted(form(), "refused", peer="198.51.100.7", code="x")
        assert "peer" not in silent
        assert "198.51" not in silent
        told = formatted(
            form(addresses=True), "refused 203.0.113.9", peer="198.51.100.7\n", code="x"
        )
        assert "198.51.100.7" in told
        assert "203.0.113.9" not in told
        assert told.count("\n") == 1
