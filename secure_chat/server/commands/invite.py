"""``secure-chat-server invite``: links that let people in."""

import logging
import time
from argparse import ArgumentParser, Namespace

from msgspec import Struct

from secure_chat.errors import BadSetting
from secure_chat.protocol.invite import InviteLink
from secure_chat.protocol.limits import DAY
from secure_chat.server import links
from secure_chat.server.commands import words
from secure_chat.server.commands.command import Command
from secure_chat.server.commands.operation import Operation, Place, perform
from secure_chat.server.config import Config

_SECONDS = 7 * DAY
_MAX_USES = 100_000

log = logging.getLogger(__name__)


class Wish(Struct, frozen=True):
    """An invite as the operator asks for it; ``seconds`` is how long it can be used."""

    label: str = ""
    uses: int = 1
    seconds: int = _SECONDS
    advertise: str = ""


class Made(Struct, frozen=True):
    """The link, with its token: for the operator's eyes."""

    link: str


def create(place: Place, wish: Wish) -> Made:
    """Make an invite. Raises `BadSetting`, `BadCertificateFile`, `StorageUnavailable`."""
    if place.config.registration == "closed":
        raise BadSetting(name="registration", problem="it is closed, so no invite could be used")
    address = links.public_address(place.config, place.port, wish.advertise)
    pin = links.pin_of(place.config)
    expires = (int(time.time()) + wish.seconds) * 1000
    token = place.store.create_invite(wish.label, wish.uses, expires)
    log.info("an invite was made", extra={"uses": wish.uses})
    return Made(str(InviteLink(address, place.store.server_id, (pin,), token)))


_CREATE = Operation("invite", Wish, Made, create)


def _arguments(parser: ArgumentParser) -> None:
    uses = words.Number(1, _MAX_USES)
    parser.add_argument("--uses", type=uses, default=1, metavar="N", help="accounts (default: 1)")
    parser.add_argument(
        "--expires", type=words.duration, default=_SECONDS, metavar="TIME",
        help="such as 30m, 12h or 7d (default: 7d)",
    )  # fmt: skip
    parser.add_argument(
        "--label", type=words.label, default="", metavar="TEXT", help="a note for you"
    )


def _run(config: Config, options: Namespace) -> int:
    wish = Wish(options.label, options.uses, options.expires, options.advertise or "")
    print(perform(config, _CREATE, wish).link, flush=True)
    return 0


COMMAND = Command(
    name="invite",
    help="make an invite link",
    description="Make an invite link, whether the server runs or not.",
    arguments=_arguments,
    run=_run,
    operations=(_CREATE,),
)
