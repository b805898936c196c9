"""Hypothesis strategies for everything that travels: derived from the table of messages itself."""

import types
import typing
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import Meta

from secure_chat.protocol import messages
from secure_chat.protocol.wiretypes import Binary

CLIENT_TYPES: tuple[type[messages.Message], ...] = typing.get_args(messages.ClientMessage)
SERVER_TYPES: tuple[type[messages.Message], ...] = typing.get_args(messages.ServerMessage)


def binaries(kind: type[Binary]) -> st.SearchStrategy[Any]:
    """Values of a binary type, of its exact size or up to a small one."""
    low, high = (kind.size, kind.size) if kind.size is not None else (0, 64)
    if (low or 0) > 256:  # a long key costs hypothesis much and shows nothing more
        return st.integers(0, 255).map(lambda byte: kind(bytes([byte]) * (low or 0)))
    return st.binary(min_size=low or 0, max_size=high).map(kind)


def values(annotation: Any, meta: Meta | None = None) -> st.SearchStrategy[Any]:
    """Values that a field's annotation allows."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        inner, bounds = typing.get_args(annotation)
        return values(inner, bounds)
    if origin in (types.UnionType, typing.Union):
        return st.one_of([values(part) for part in typing.get_args(annotation)])
    if origin is list:
        return st.lists(values(typing.get_args(annotation)[0]), max_size=3)
    return _plain(annotation, meta)


def _plain(kind: Any, meta: Meta | None) -> st.SearchStrategy[Any]:
    if kind is type(None):
        return st.none()
    if kind is bool:
        return st.booleans()
    if kind is int:
        low, high = (0, 2**31) if meta is None else (int(meta.ge or 0), int(meta.le or 0))
        return st.integers(low, high)
    if kind is float:
        return st.floats(0, 1e6, allow_nan=False)
    if kind is str:
        if meta is not None and meta.pattern:
            return st.sampled_from(["open", "invite", "closed"])
        low, high = (0, 8) if meta is None else (meta.min_length or 0, meta.max_length or 8)
        return st.text(min_size=low, max_size=min(high, 12))
    if issubclass(kind, Binary):
        return binaries(kind)
    if issubclass(kind, msgspec.Struct):
        return structs(kind)
    return st.sampled_from(list(kind))  # an enumeration


def structs(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Instances of a message or of a part of one."""
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {name: values(hints[name]) for name in kind.__struct_fields__}
    return st.builds(kind, **fields)
