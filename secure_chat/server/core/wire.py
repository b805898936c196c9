"""The three headers of the message path, read and written without building a message.

A server reads and writes these for every message, so they are worth a way of their own. Each
pattern matches only the canonical form of `secure_chat.protocol.messages`, byte for byte; anything
else takes the general way, with its errors. A test holds both ways equal.
"""

import binascii
import re
import struct
from typing import Final

from msgspec import Struct

from secure_chat.protocol import limits
from secure_chat.protocol.wiretypes import DeliveryId

_PREFIX: Final = struct.Struct("!IH")
_NUMBER: Final = rb"[1-9][0-9]{0,14}"  # below 2^53 - 1; the few larger ones take the general way
_ID: Final = rb"[A-Za-z0-9_-]{21}[AQgw]"  # 16 bytes: the last letter holds two bits
_USER: Final = rb"[a-z][a-z0-9_.-]{%d,%d}" % (limits.USER_ID_MIN - 1, limits.USER_ID_MAX - 1)
_DEVICE: Final = rb"[a-z0-9_.-]{1,%d}" % limits.DEVICE_MAX

_pm = re.compile(
    rb'\{"type":"pm","id":"(%b)","to":"(%b/%b)"(?:,"manifest":(%b))?(,"transient":true)?\}'
    % (_ID, _USER, _DEVICE, _NUMBER)
).fullmatch
_ack = re.compile(rb'\{"type":"ack","seq":(%b)\}' % _NUMBER).fullmatch

_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")


class PmHeader(Struct, gc=False):
    """A `pm` as the router wants it: the id as its 22 letters, the rest decoded."""

    id: bytes
    to: str
    manifest: int
    transient: bool


def read_pm(header: bytes) -> PmHeader | None:
    """A canonical `pm` header, or None: ask the general decoder."""
    found = _pm(header)
    if found is None:
        return None
    letters, to, manifest, transient = found.groups()
    return PmHeader(letters, to.decode(), int(manifest) if manifest else 0, transient is not None)


def read_ack(header: bytes) -> int | None:
    """The sequence of a canonical `ack` header, or None: ask the general decoder."""
    found = _ack(header)
    return None if found is None else int(found[1])


_ACCEPTED: Final = (
    _PREFIX.pack(51, 49) + b'{"type":"accepted","id":"'
)  # all of them are of one size


def accepted(letters: bytes) -> bytes:
    """The frame of an `accepted`."""
    return _ACCEPTED + letters + b'"}'


def delivery(letters: bytes, seq: int, time: int, sender: bytes, body: bytes) -> bytes:
    """The frame of a delivered `pm`; ``seq`` 0: a transient one."""
    if seq:
        header = b'{"type":"pm","id":"%b","seq":%d,"time":%d,"from":"%b"}' % (
            letters, seq, time, sender,
        )  # fmt: skip
    else:
        header = b'{"type":"pm","id":"%b","time":%d,"from":"%b"}' % (letters, time, sender)
    return _PREFIX.pack(2 + len(header) + len(body), len(header)) + header + body


def letters_of(delivery_id: bytes) -> bytes:
    """A delivery id as it stands in a header."""
    return binascii.b2a_base64(delivery_id, newline=False).translate(_TO_URL, b"=")


def id_of(letters: bytes) -> DeliveryId:
    """A delivery id from its 22 letters."""
    return DeliveryId(binascii.a2b_base64(letters.translate(_TO_STANDARD) + b"=="))
