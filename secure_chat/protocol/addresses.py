"""Names of accounts and devices (PROTOCOL.md 1).

An account is a ``user_id``, a device ``user_id/device``. Both are canonical in lower case; signed
data names a device ``user@server-id/device`` so that no signature holds on another server.
"""

import re
from typing import NewType, Self

import msgspec

from secure_chat.errors import BadAddress
from secure_chat.protocol import limits

UserId = NewType("UserId", str)
"""A canonical account name: 3-32 of a-z, 0-9, ``_ . -``, first a letter."""

DeviceName = NewType("DeviceName", str)
"""A canonical device name: 1-32 of a-z, 0-9, ``_ . -``."""

FIRST_DEVICE = DeviceName("main")

_USER_ID = re.compile(rf"[a-z][a-z0-9_.-]{{{limits.USER_ID_MIN - 1},{limits.USER_ID_MAX - 1}}}")
_DEVICE = re.compile(rf"[a-z0-9_.-]{{1,{limits.DEVICE_MAX}}}")


def canonical_user_id(text: str) -> UserId:
    """Return the canonical form of a name as somebody typed it; raise `BadAddress`."""
    # str.lower() maps U+212A (the Kelvin sign) to k: only ASCII may be folded.
    if not text.isascii() or not _USER_ID.fullmatch(text.lower()):
        raise BadAddress(text=text)
    return UserId(text.lower())


_LOOK_ALIKE = str.maketrans({"0": "o", "1": "l", "i": "l"})


def skeleton(user_id: str) -> str:
    """One text for all names that look alike: 0/O, 1/l/I, rn/m. Unique among the accounts."""
    return user_id.translate(_LOOK_ALIKE).replace("rn", "m")


def canonical_device(text: str) -> DeviceName:
    """Return the canonical form of a device name; raise `BadAddress`."""
    if not text.isascii() or not _DEVICE.fullmatch(text.lower()):
        raise BadAddress(text=text)
    return DeviceName(text.lower())


class DeviceAddress(msgspec.Struct, frozen=True, order=True):
    """One device of one account. ``str()`` gives the wire form ``user_id/device``."""

    user_id: UserId
    device: DeviceName

    def __str__(self) -> str:
        return f"{self.user_id}/{self.device}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``user_id/device``; raise `BadAddress`."""
        user_id, slash, device = text.partition("/")
        if not slash:
            raise BadAddress(text=text)
        return cls(canonical_user_id(user_id), canonical_device(device))

    def qualified(self, server_id: bytes) -> bytes:
        """``user@server-id/device``: the form in signed data; server id as 32 hex digits."""
        return f"{self.user_id}@{server_id.hex()}/{self.device}".encode()


def qualified_account(user_id: UserId, server_id: bytes) -> bytes:
    """``user@server-id``: the form in signed data; server id as 32 hex digits."""
    return f"{user_id}@{server_id.hex()}".encode()
