"""The server's log: readable by people and programs, silent about people."""

import ast
import io
import json
import logging
import random
import threading
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy.exc import OperationalError

from secure_chat.protocol.encoding import b64url
from secure_chat.server import bugs, logs


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
    """In the message and in a fact, even when a caller logs them."""
    line = formatted(formatter, f"lost {secret}, sorry", detail=secret)
    assert secret not in line
    assert line.count(logs.HIDDEN) >= 2
    assert "sorry" in line


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_attack_76_of_an_exception_only_type_and_place_are_printed(
    formatter: logging.Formatter,
) -> None:
    """Whoever logs it, a library too: an SQL error's text is its statement and parameters."""
    stream = io.StringIO()
    logger = logging.getLogger("a.library")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger.handlers[:], logger.propagate = [handler], False
    try:
        with sqlalchemy.create_engine("sqlite://").connect() as connection:
            connection.execute(sqlalchemy.text("SELECT :name FROM nowhere"), {"name": "Alice"})
    except OperationalError:
        logger.exception("it failed")
    assert "it failed" in stream.getvalue()
    assert "OperationalError in do_execute:" in stream.getvalue()
    for word in ("Alice", "SELECT", "nowhere"):
        assert word not in stream.getvalue()


def test_attack_76_a_lost_thread_says_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Python's own hook prints the exception's text past every filter; the server's does not."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    bugs.log.addHandler(handler)
    before, threading.excepthook = threading.excepthook, bugs.note_lost_thread
    try:
        lost = threading.Thread(target=[].remove, args=("Alice",), name="io")
        lost.start()
        lost.join()
    finally:
        threading.excepthook = before
        bugs.log.removeHandler(handler)
    assert "the thread io has ended: ValueError in run:" in stream.getvalue()
    assert "Alice" not in stream.getvalue() + capsys.readouterr().err


def test_attack_76_no_line_of_the_server_logs_an_exceptions_text() -> None:
    """`note_bug` alone speaks of exceptions: no `exc_info`, no `log.exception`, no traceback."""
    folder = Path(logs.__file__).parent
    found = [
        f"{path.relative_to(folder)}:{node.lineno}"
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (
            any(word.arg in {"exc_info", "stack_info"} for word in node.keywords)
            or ast.unparse(node.func).endswith((".exception", "print_exc", "format_exc"))
        )
    ]
    assert not found


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
