"""Links: all that a newcomer needs to reach a server (PROTOCOL.md 5), and a contact (9).

``securechat://host:port/#v=1&id=<server id>&pin=<SPKI SHA-256>&invite=<token>``
``securechat://host:port/#v=1&id=<server id>&contact=<account>&key=<account key>``

Everything after ``#`` stays on the device that opens the link. ``pin`` may repeat (a spare key kept
offline); ``invite`` is absent where registration is open. Binary values are unpadded base64url.
"""

import ipaddress
import re
from typing import Self, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from msgspec import Struct

from secure_chat.errors import BadAddress, BadContactLink, BadEncoding, BadInviteLink, Reason
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import UserId, canonical_user_id
from secure_chat.protocol.encoding import b64url, from_b64url
from secure_chat.protocol.wiretypes import AccountKey, Binary, InviteToken, ServerId

SCHEME = "securechat"
VERSION = "1"
DEFAULT_PORT = 7443
_MAX_LINK = 2048
_B = TypeVar("_B", bound=Binary)
_NAME = re.compile(r"(?!-)[\w-]{1,63}(\.(?!-)[\w-]{1,63})*\.?")  # \w: international names too
_KNOWN = {"v", "id", "pin", "invite"}
_KNOWN_OF_CONTACT = {"v", "id", "contact", "key"}


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
            raise BadInviteLink(reason=Reason("{text!r} is no host:port", text=text)) from None
        more = parts.path or parts.query or parts.fragment or parts.username is not None
        if more or port == 0 or not _is_host(host):
            raise BadInviteLink(reason=Reason("{text!r} is no host:port", text=text))
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
        server, values = _read(text, _KNOWN)
        return cls(
            server,
            _binary(ServerId, values.get("id", []), "id"),
            tuple(_checked(Pin, pin, "pin") for pin in values.get("pin", [])),
            _binary(InviteToken, values.get("invite", []), "invite"),
        )


class ContactLink(Struct, frozen=True):
    """Who somebody is on a server: the account's name and its whole key.

    Whoever got it over a way they trust needs to compare nothing.
    """

    server: ServerAddress
    server_id: ServerId
    user_id: UserId
    account_key: AccountKey

    def __str__(self) -> str:
        pairs = [
            ("v", VERSION),
            ("id", b64url(self.server_id)),
            ("contact", self.user_id),
            ("key", b64url(self.account_key)),
        ]
        return f"{SCHEME}://{self.server}/#{urlencode(pairs)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a link as it was pasted; raise `BadContactLink` with the reason."""
        try:
            server, values = _read(text, _KNOWN_OF_CONTACT)
            server_id = _binary(ServerId, values.get("id", []), "id")
            account_key = _binary(AccountKey, values.get("key", []), "key")
        except BadInviteLink as wrong:
            raise BadContactLink(reason=wrong.facts["reason"]) from None
        names = values.get("contact", [])
        if server_id is None or account_key is None or len(names) != 1:
            raise BadContactLink(reason="it lacks the server's id, the name or the key")
        try:
            return cls(server, server_id, canonical_user_id(names[0]), account_key)
        except BadAddress:
            raise BadContactLink(reason="its name is no account's") from None


def is_link(text: str) -> bool:
    """Whether a link of either kind was meant."""
    return text.strip().lower().startswith(f"{SCHEME}:")


def is_contact_link(text: str) -> bool:
    """Whether a link is of a contact rather than an invite; it may be damaged all the same."""
    return is_link(text) and "contact=" in text.partition("#")[2]


def _read(text: str, known: set[str]) -> tuple[ServerAddress, dict[str, list[str]]]:
    link = text.strip()
    if len(link) > _MAX_LINK or not link.isprintable():
        raise BadInviteLink(reason="it is too long or has unprintable characters")
    if not link.lower().startswith(f"{SCHEME}://"):
        raise BadInviteLink(reason=Reason("it does not start with {scheme}", scheme=f"{SCHEME}://"))
    place, _, fragment = link[len(SCHEME) + 3 :].partition("#")
    return ServerAddress.parse(place.rstrip("/")), _values(fragment, known)


def _values(fragment: str, known: set[str]) -> dict[str, list[str]]:
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
    if unknown := sorted(set(values) - known):
        raise BadInviteLink(reason=Reason("it has an unknown part {name!r}", name=unknown[0]))
    if len(values.get("pin", [])) > limits.PINS:
        raise BadInviteLink(reason="it has too many pins")
    return values


def _checked(kind: type[_B], text: str, name: str) -> _B:
    try:
        return kind.checked(from_b64url(text))
    except BadEncoding:
        raise BadInviteLink(reason=Reason("its {name} is damaged", name=name)) from None


def _binary(kind: type[_B], texts: list[str], name: str) -> _B | None:
    if len(texts) > 1:
        raise BadInviteLink(reason=Reason("it has more than one {name}", name=name))
    return _checked(kind, texts[0], name) if texts else None
