"""The server's log: what happened, without what was said or who was where.

Nothing in the server logs content, keys or tokens. This is the second line behind that rule: of an
exception, a library's too, only type and place are printed, for its text may hold what people sent
(an SQL error holds its parameters). A filter takes out of every record what looks like an invite
link, a key or an address, and the control characters that could forge a line.
"""

import contextlib
import datetime as dt
import json
import logging
import re
import sys
from collections.abc import Iterator
from typing import TextIO

from secure_chat.bugs import described

HIDDEN = "<hidden>"
_LINK = re.compile(r"securechat://\S*", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
_IPV6 = re.compile(
    r"(?<![\w:])\[?(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:%\w+)?\]?(?![\w:])", re.IGNORECASE
)
_SECRET = re.compile(r"[A-Za-z0-9_+/-]{22,}={0,2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


PEER = "peer"
"""The fact that holds a network address. It is left out unless the operator asked for it."""


def start(level: str, form: str, stream: TextIO | None = None, *, addresses: bool = False) -> None:
    """Send the log of secure_chat to ``stream`` (standard error) as ``text`` or ``json``.

    ``addresses``: with the peers' network addresses, where a line has one.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter((JsonFormatter if form == "json" else TextFormatter)(addresses=addresses))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # libraries speak only of trouble
    logging.getLogger("secure_chat").setLevel(level.upper())


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Without a log: for commands, which say themselves what went wrong."""
    ours = logging.getLogger("secure_chat")
    before, ours.propagate = ours.propagate, False
    nowhere = logging.NullHandler()
    ours.addHandler(nowhere)
    try:
        yield
    finally:
        ours.removeHandler(nowhere)
        ours.propagate = before


def redact(text: str) -> str:
    """``text`` without links, keys, addresses and control characters."""
    text = _LINK.sub(HIDDEN, text)
    text = _SECRET.sub(_if_random, text)
    text = _IPV4.sub(HIDDEN, text)
    text = _IPV6.sub(HIDDEN, text)
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _if_random(found: re.Match[str]) -> str:
    """Hide long runs of mixed letters or hex digits; leave words, paths and plain numbers."""
    run = found[0]
    mixed = any(c.islower() for c in run) and any(c.isupper() for c in run)
    hexadecimal = all(c in "0123456789abcdefABCDEF" for c in run) and not run.isdecimal()
    return HIDDEN if mixed or hexadecimal else run


class _Formatter(logging.Formatter):
    """Facts are what a caller passed as ``extra``; of an exception type and place are one."""

    def __init__(self, *, addresses: bool = False) -> None:
        super().__init__()
        self._addresses = addresses

    def _parts(self, record: logging.LogRecord) -> dict[str, str]:
        facts = {k: v for k, v in vars(record).items() if k not in _STANDARD}
        peer = facts.pop(PEER, None)
        parts = {name: redact(str(value)) for name, value in facts.items()}
        if self._addresses and peer is not None:
            parts[PEER] = _CONTROL.sub("", str(peer))
        if record.exc_info and record.exc_info[1] is not None:
            parts["exception"] = described(record.exc_info[1])
        return parts

    @staticmethod
    def _time(record: logging.LogRecord) -> str:
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextFormatter(_Formatter):
    """``time level logger: message key=value``, one line a record."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{self._time(record)} {record.levelname:<7} {_short(record.name)}: "
        line += redact(record.getMessage())
        return line + "".join(f" {k}={_quoted(v)}" for k, v in self._parts(record).items())


class JsonFormatter(_Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self._time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        return json.dumps({**self._parts(record), **line}, ensure_ascii=False)


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text


def _short(name: str) -> str:
    return name.removeprefix("secure_chat.")
