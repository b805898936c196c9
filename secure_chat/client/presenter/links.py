"""Addresses in messages: where they are, and what a person is told before one opens.

What is shown is what opens: a link's address is its own text, never a text beside it. Letters that
imitate others are shown in the form that the network uses (punycode), and nothing opens by itself.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from secure_chat.client.i18n import Words
from secure_chat.client.text import clean
from secure_chat.errors import SecureChatError
from secure_chat.protocol.invite import ContactLink, InviteLink, is_contact_link

_LINK = re.compile(
    r"(?:https?://|securechat://|mailto:|(?<![\w.@/-])www\.(?=[\w-]))"
    r"[^\s<>\"`{}|\\^\u00ab\u00bb\u200b\u2028\u2029\ufffd]+",
    re.IGNORECASE,
)
_CLOSING = {")": "(", "]": "["}
_TAIL = ".,;:!?'…*_~\u060c\u061b\u061f\u2019\u201d"
_LONGEST = 2_000  # characters of an address
_MOST = 100  # links of one message that can be pressed


@dataclass(frozen=True)
class Span:
    """A link within a text: from ``start`` up to ``end``."""

    start: int
    end: int
    address: str


@dataclass(frozen=True)
class LinkAsk:
    """What a person reads before a link opens. ``target`` is empty if it cannot be opened."""

    title: str
    address: str  # complete, as it will be opened or copied
    site: str = ""  # the part that says whose it is
    warning: str = ""
    target: str = ""
    contact: bool = False  # ``target`` is a contact link, which the window itself opens


def find(text: str) -> list[Span]:
    """The links of a text that is already clean, in order."""
    if ":" not in text and "www." not in text.lower():
        return []
    spans = []
    for match in _LINK.finditer(text):
        if len(match.group()) > _LONGEST:
            continue
        end = match.start() + len(_trimmed(match.group()))
        address = text[match.start() : end]
        if len(address) > len("https://"):
            spans.append(Span(match.start(), end, address))
        if len(spans) == _MOST:
            break
    return spans


def _trimmed(address: str) -> str:
    """Without the punctuation that ends a sentence, and brackets that opened before it."""
    while address:
        last = address[-1]
        opening = _CLOSING.get(last)
        if last in _TAIL or (opening and address.count(last) > address.count(opening)):
            address = address[:-1]
        else:
            break
    return address


def ask(address: str, words: Words) -> LinkAsk:
    """What to say about a link that was pressed."""
    shown = clean(address).replace("\n", "")
    lower = shown.lower()
    if lower.startswith("securechat:"):
        return _ask_ours(shown, words)
    if lower.startswith("mailto:"):
        target = quote(shown, safe=_SAFE)
        return LinkAsk(words("Write an e-mail?"), target, target=target)
    return _ask_web(f"https://{shown}" if lower.startswith("www.") else shown, words)


def _ask_ours(address: str, words: Words) -> LinkAsk:
    try:
        if is_contact_link(address):
            link = ContactLink.parse(address)
            return LinkAsk(
                words("Contact link of {name}", name=link.user_id), address,
                site=f"{link.user_id}@{link.server}",
                warning=words("It says which key is {name}'s. Go on, and you are asked whether "
                              "you trust the way on which it came.", name=link.user_id),
                target=str(link), contact=True,
            )  # fmt: skip
        invite = InviteLink.parse(address)
    except SecureChatError as wrong:
        return LinkAsk(
            words("A link of secure_chat that is damaged"), address, warning=words.error(wrong)
        )
    return LinkAsk(
        words("An invite link of secure_chat"), address, site=str(invite.server),
        warning=words("It makes an account on this server. Copy it and paste it where you sign "
                      "in, if you expected it from this person."),
    )  # fmt: skip


_SAFE = "%/:=&?~#+!$,;'@()*[]-._"


def _ask_web(address: str, words: Words) -> LinkAsk:
    title = words("Open this page in the browser?")
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
        site = _ascii_host(host)
    except (ValueError, UnicodeError):
        return LinkAsk(
            words("A link that cannot be opened"), address,
            warning=words("This is not a valid address."),
        )  # fmt: skip
    where = f"[{site}]" if ":" in site else site
    where += f":{port}" if port is not None else ""
    rest = quote(parts.path, safe=_SAFE)
    rest += f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
    rest += f"#{quote(parts.fragment, safe=_SAFE)}" if parts.fragment else ""
    warnings = []
    if not host.isascii():
        warnings.append(
            words("The name of this site has letters of other alphabets: {name}.", name=host)
        )
    if parts.username is not None:
        warnings.append(words("What stood before the @ was left out: it is no part of the name."))
    if parts.scheme.lower() == "http":
        warnings.append(words("The connection will not be encrypted (http)."))
    target = f"{parts.scheme.lower()}://{where}{rest}"
    return LinkAsk(title, target, where, " ".join(warnings), target)


def _ascii_host(host: str) -> str:
    """The name that the network uses; raises ValueError where it is none."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    name = host.encode("idna").decode().lower()
    if not re.fullmatch(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", name):
        raise ValueError(host)
    return name
