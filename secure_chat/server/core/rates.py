"""How often: the token buckets of accounts and addresses, all in one place (PROTOCOL.md 3, Rates).

Each has the name of its setting. What counts for one connection alone (``frames``, ``refusals``) is
kept by its `Session`.
"""

from typing import Final

from secure_chat.server.core.buckets import Buckets
from secure_chat.server.core.settings import Settings

_MANY: Final = 1_000  # keys in one set of buckets, above which those that are full are forgotten

Left = dict[str, object]
"""What is left of one rate: its ``rate``, ``left`` of ``of``, and the ``device`` asked for."""


class Rates:
    """Lives on the I/O thread. Each attribute is a set of buckets, by what the comment says."""

    def __init__(self, settings: Settings) -> None:
        # by account id
        self.requests = Buckets(settings.requests)
        self.messages = Buckets(settings.messages)
        self.blob_chunks = Buckets(settings.blob_chunks)
        self.bundles = Buckets(settings.bundles)
        self.logins_of_account = Buckets(settings.logins_of_account)
        self.book_pages = Buckets(settings.book_pages)
        self.misses = Buckets(settings.misses)
        # by account id and device asked for
        self.one_time_keys = Buckets(settings.one_time_keys)
        # by network
        self.registrations = Buckets(settings.registrations)
        self.logins = Buckets(settings.logins)
        # by network and device asked for
        self.one_time_keys_of_address = Buckets(settings.one_time_keys_of_address)

    def all(self) -> dict[str, Buckets]:
        """Every set of buckets, by its name."""
        return {name: each for name, each in vars(self).items() if isinstance(each, Buckets)}

    def forget_full(self, now: float) -> None:
        """Keep memory small where many came."""
        for buckets in self.all().values():
            if len(buckets) > _MANY:
                buckets.forget_full(now)

    def left_to(self, who: int | str, now: float) -> list[Left]:
        """What is left to an account id or a network of every rate that it has used lately."""
        found: list[Left] = []
        for name, buckets in self.all().items():
            for key, left in buckets.levels(who, now):
                line: Left = {"rate": name, "left": int(left), "of": int(buckets.burst)}
                if isinstance(key, tuple):
                    line["device"] = key[1]
                found.append(line)
        return found
