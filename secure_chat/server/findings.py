"""What a look at a server's surroundings gives: findings, each with what to do about it."""

from typing import Literal

from msgspec import Struct


class Finding(Struct, frozen=True):
    """One thing that was looked at; ``advice`` says what to do, empty if all is well."""

    level: Literal["ok", "warning", "error"]
    what: str
    advice: str = ""


def ok(what: str) -> Finding:
    """All is well with it."""
    return Finding("ok", what)
