"""Write the tables of PROTOCOL.md from the code: messages, error codes, limits and rates.

    python3 scripts/protocol_tables.py            rewrite the tables in place
    python3 scripts/protocol_tables.py --check    exit 1 if a table is out of date

The text between ``<!-- table: NAME -->`` and ``<!-- end -->`` is replaced.
"""

import argparse
import enum
import inspect
import re
import sys
import types
import typing
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from secure_chat.errors import CODES
from secure_chat.protocol import limits, messages
from secure_chat.protocol.wiretypes import Binary
from secure_chat.server.core import settings
from secure_chat.server.net import settings as edge

PROTOCOL = Path(__file__).resolve().parent.parent / "PROTOCOL.md"
_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def field_type(annotation: Any) -> str:
    """A field's type as the document writes it."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return field_type(typing.get_args(annotation)[0])
    if origin in (types.UnionType, typing.Union):
        return field_type(typing.get_args(annotation)[0])
    if origin is list:
        return f"list of {field_type(typing.get_args(annotation)[0])}"
    if issubclass(annotation, Binary):
        size = f"{annotation.size}" if annotation.size is not None else f"≤ {annotation.largest}"
        return f"{size} bytes"
    if issubclass(annotation, msgspec.Struct):
        return str(annotation.__name__)
    plain = {str: "text", int: "number", float: "seconds", bool: "true/false"}
    return plain.get(annotation, "code" if issubclass(annotation, enum.Enum) else "?")


def fields_of(kind: type[msgspec.Struct]) -> str:
    """The fields in wire order; optional ones in brackets."""
    hints = typing.get_type_hints(kind, include_extras=True)
    shown = []
    for info in msgspec.structs.fields(kind):
        text = f"`{info.encode_name}` {field_type(hints[info.name])}"
        shown.append(text if info.required else f"[{text}]")
    return ", ".join(shown)


def message_table(union: Any) -> str:
    """One row a message: type, fields, whether a body follows, what it is for."""
    rows = [
        "| type | fields in order (optional ones in brackets) | body | meaning |",
        "|---|---|---|---|",
    ]
    for kind in typing.get_args(union):
        meaning = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split()).replace("``", "`")
        body = "yes" if kind.has_body else ""
        tag = kind.__struct_config__.tag
        rows.append(f"| `{tag}` | {fields_of(kind)} | {body} | {meaning} |")
    return "\n".join(rows)


def part_table() -> str:
    """The structures that stand inside headers."""
    parts = (
        messages.SignedPrekey, messages.KemPrekey, messages.OneTimePrekey, messages.UserEntry,
    )  # fmt: skip
    rows = ["| structure | fields |", "|---|---|"]
    rows += [f"| {kind.__name__} | {fields_of(kind)} |" for kind in parts]
    return "\n".join(rows)


def error_table() -> str:
    """One row a code."""
    rows = ["| code | message | closes | worth a retry |", "|---|---|---|---|"]
    for code, info in CODES.items():
        closes, retry = ("yes" if flag else "" for flag in (info.closes, info.retry))
        rows.append(f"| `{code}` | {info.message} | {closes} | {retry} |")
    return "\n".join(rows)


def limit_table() -> str:
    """Every number of limits.py with the comment beside it."""
    rows = ["| limit | value | note |", "|---|---|---|"]
    for line in inspect.getsource(limits).splitlines():
        found = re.match(r"([A-Z_]+): Final = [^#]+(?:# (.*))?$", line)
        if found and found[1] not in ("KIB", "MIB", "MINUTE", "HOUR", "DAY"):
            value = getattr(limits, found[1])
            shown = f"{value:,}" if isinstance(value, int) else ", ".join(map(str, value))
            rows.append(f"| `{found[1]}` | {shown} | {found[2] or ''} |")
    return "\n".join(rows)


def rate_table() -> str:
    """Every token bucket of the server's core, with the sentence below it."""
    rows = ["| rate | a second | at once | of what |", "|---|---|---|---|"]
    pattern = re.compile(r'^    (\w+): Rate = [^\n]*\n    """(.+?)"""', re.MULTILINE | re.DOTALL)
    for name, meaning in pattern.findall(inspect.getsource(settings)):
        rate = getattr(settings.Settings(), name)
        often = rate.per_second >= 0.1
        shown = f"{rate.per_second:g}" if often else f"1 in {1 / rate.per_second:g}"
        rows.append(f"| `{name}` | {shown} | {rate.burst:,} | {' '.join(meaning.split())} |")
    return "\n".join(rows)


def connection_table() -> str:
    """Every bound of the server's edge with the comment beside it."""
    rows = ["| bound | value | note |", "|---|---|---|"]
    for line in inspect.getsource(edge).splitlines():
        found = re.match(r"    ([a-z_]+): \w+ = [^#]+(?:# (.*))?$", line)
        if found:
            value = getattr(edge.EdgeSettings(), found[1])
            rows.append(f"| `{found[1]}` | {value:,} | {found[2] or ''} |")
    return "\n".join(rows)


TABLES = {
    "client": lambda: message_table(messages.ClientMessage),
    "server": lambda: message_table(messages.ServerMessage),
    "parts": part_table,
    "errors": error_table,
    "limits": limit_table,
    "rates": rate_table,
    "connections": connection_table,
}


def rewritten(text: str) -> str:
    """The document with every table made anew."""
    return _TABLE.sub(lambda found: found[1] + TABLES[found[2]]() + "\n" + found[3], text)


def main() -> int:
    """Rewrite or check PROTOCOL.md."""
    parser = argparse.ArgumentParser(description="Write the tables of PROTOCOL.md from the code.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if outdated")
    check = parser.parse_args().check
    old = PROTOCOL.read_text(encoding="utf-8")
    new = rewritten(old)
    if new == old:
        return 0
    if check:
        print("PROTOCOL.md is out of date: run python3 scripts/protocol_tables.py")
        return 1
    PROTOCOL.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
