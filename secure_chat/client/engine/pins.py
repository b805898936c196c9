"""Which keys the server is trusted by, as they change over the years (PROTOCOL.md 5).

A profile begins with the pins of its invite link. Two things change them, both only on a connection
whose key was one of them:

* The server tells its keys, the one in use first. A spare key becomes known so before it is needed.
* A connection shows a later one of the pins: the key of before was replaced, because it was lost or
  stolen. From then on it is not trusted any more.
"""

from msgspec.structs import replace

from secure_chat.client.profile import Profile
from secure_chat.protocol.invite import Pin


class PinKeeper:
    """Keeps the pins of a profile. On the network thread."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._shown: Pin | None = None

    def greeted(self, shown: Pin | None) -> None:
        """A verified connection has begun, with this key."""
        self._shown = shown
        known = self._profile.link.pins
        if shown in known and known[0] != shown:
            self._keep(known[known.index(shown) :])

    def told(self, pins: list[Pin]) -> None:
        """The server tells its keys. Without the key of this connection among them: no word of it.

        A profile that trusts by authority and name goes on doing so.
        """
        known = self._profile.link.pins
        if self._shown in known and self._shown in pins and tuple(pins) != known:
            self._keep(tuple(dict.fromkeys(pins)))

    def _keep(self, pins: tuple[Pin, ...]) -> None:
        self._profile.use_link(replace(self._profile.link, pins=pins))
