"""Invite links: all that a newcomer needs to reach a server (PROTOCOL.md 5).

``securechat://host:port/#v=1&id=<server id>&pin=<SPKI SHA-256>&invite=<token>``

Everything after ``#`` stays on the device that opens the link. ``pin`` may repeat (a spare key kept
offline); ``invite`` is absent where registration is open. Binary values are unpadded base64url.
"""

import ipaddress
import re
from typing import Self, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from msgspec import Struct

from secure_chat.errors import BadEncoding, BadInviteLink
from secure_chat.protocol.encoding import b64url, from_b64url
from secure_chat.protocol.wiretypes import Binary, InviteToken, ServerId

SCHEME = "securechat"
VERSION = "1"
DEFAULT_PORT = 7443
_MAX_LINK = 2048
_MAX_PINS = 4
_B = TypeVar("_B", bound=Binary)
_NAME = re.compile(r"(?!-)[\w-]{1,63}(\.(?!-)[\w-]{1,63})*\.?")  # \w: international names too
_KNOWN = {"v", "id", "pin", "invite"}


class Pin(Binary):
    """SHA-256 of a server's SubjectPublicKeyInfo (DER): with a pin, exactly that key is trusted."""

    size = 32


class ServerAddress(Struct, frozen=True):
    """Where a server listens. ``host`` is a name or an IP address without brackets."""

    host: str
    port: int = DEFAULT_PORT

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host``, ``host:port`` or ``[v6]:port``; raise `BadInviteLink`."""
        try:
            parts = urlsplit(f"//{text.strip()}")
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise BadInviteLink(reason=f"{text!r} is no host:port") from None
        more = parts.path or parts.query or parts.fragment or parts.username is not None
        if more or port == 0 or not _is_host(host):
            raise BadInviteLink(reason=f"{text!r} is no host:port")
        return cls(host, DEFAULT_PORT if port is None else port)


def _is_host(text: str) -> bool:
    """Whether this can be a machine's name, in any script, or an IP address."""
    if _NAME.fullmatch(text):
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class InviteLink(Struct, frozen=True):
    """A parsed link. Without pins the certificate is checked by CA, name and dates."""

    server: ServerAddress
    server_id: ServerId | None = None
    pins: tuple[Pin, ...] = ()
    invite: InviteToken | None = None

    def __str__(self) -> str:
        pairs = [("v", VERSION)]
        if self.server_id is not None:
            pairs.append(("id", b64url(self.server_id)))
        pairs += [("pin", b64url(pin)) for pin in self.pins]
        if self.invite is not None:
            pairs.append(("invite", b64url(self.invite)))
        return f"{SCHEME}://{self.server}/#{urlencode(pairs)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a link as it was pasted; raise `BadInviteLink` with the reason."""
        link = text.strip()
        if len(link) > _MAX_LINK or not link.isprintable():
            raise BadInviteLink(reason="it is too long or has unprintable characters")
        if not link.lower().startswith(f"{SCHEME}://"):
            raise BadInviteLink(reason=f"it does not start with {SCHEME}://")
        place, _, fragment = link[len(SCHEME) + 3 :].partition("#")
        values = _values(fragment)
        return cls(
            ServerAddress.parse(place.rstrip("/")),
            _binary(ServerId, values.get("id", []), "id"),
            tuple(_checked(Pin, pin, "pin") for pin in values.get("pin", [])),
            _binary(InviteToken, values.get("invite", []), "invite"),
        )


def _values(fragment: str) -> dict[str, list[str]]:
    """The fragment's parameters; refuses unknown ones and other versions."""
    try:
        pairs = parse_qsl(fragment, keep_blank_values=True, strict_parsing=True, max_num_fields=16)
    except ValueError:
        raise BadInviteLink(reason="the part after # is damaged") from None
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    if values.get("v") != [VERSION]:
        raise BadInviteLink(reason="it is of a version that this program does not know")
    if unknown := sorted(set(values) - _KNOWN):
        raise BadInviteLink(reason=f"it has an unknown part {unknown[0]!r}")
    if len(values.get("pin", [])) > _MAX_PINS:
        raise BadInviteLink(reason="it has too many pins")
    return values


def _checked(kind: type[_B], text: str, name: str) -> _B:
    try:
        return kind.checked(from_b64url(text))
    except BadEncoding:
        raise BadInviteLink(reason=f"its {name} is damaged") from None


def _binary(kind: type[_B], texts: list[str], name: str) -> _B | None:
    if len(texts) > 1:
        raise BadInviteLink(reason=f"it has more than one {name}")
    return _checked(kind, texts[0], name) if texts else None
