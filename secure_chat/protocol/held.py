"""The pages of ``my_data``: rows that the server holds on one account (PROTOCOL.md 3).

A page is a JSON array in a message's body, so that any later table fits without a new message.
Binary columns are unpadded base64url; long ones are told by size and SHA-256.
"""

import hashlib

import msgspec
from msgspec import Struct

from secure_chat.errors import BadEncoding
from secure_chat.protocol.encoding import b64url

Value = int | str | bool | None
_SHOWN_WHOLE = 2_048  # bytes; a manifest or a key is shown, a message's ciphertext is not


class HeldRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One row of ``table``, its values by column."""

    table: str
    values: dict[str, Value]


def held_row(table: str, values: dict[str, object]) -> HeldRow:
    """A row as it came from a database."""
    return HeldRow(table, {name: _value(value) for name, value in values.items()})


def _value(value: object) -> Value:
    if value is None or isinstance(value, int | str | bool):
        return value
    if not isinstance(value, bytes):
        return str(value)
    if len(value) <= _SHOWN_WHOLE:
        return b64url(value)
    return f"{len(value)} bytes, SHA-256 {hashlib.sha256(value).hexdigest()}"


def encode_rows(rows: list[HeldRow]) -> bytes:
    """A page's body."""
    return msgspec.json.encode(rows)


def encoded_size(row: HeldRow) -> int:
    """How many bytes a row takes in a page."""
    return len(msgspec.json.encode(row)) + 1


_decoder = msgspec.json.Decoder(list[HeldRow])


def decode_rows(body: bytes) -> list[HeldRow]:
    """Read a page. Raises `BadEncoding`."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadEncoding(what="page of my_data") from None
