"""``secure-chat-server invite``: links that let people in, and what has become of them."""

import logging
import time
from argparse import ArgumentParser, Namespace

from msgspec import Struct

from secure_chat.errors import BadSetting, NoSuchInvite
from secure_chat.protocol.invite import InviteLink
from secure_chat.protocol.limits import DAY
from secure_chat.server import links
from secure_chat.server.commands import output, words
from secure_chat.server.commands.command import Command
from secure_chat.server.commands.operation import Nothing, Operation, Place, perform
from secure_chat.server.config import Config
from secure_chat.server.store.invites import Invite

_SECONDS = 7 * DAY
_MAX_USES = 100_000
_MAX_ID = 2**53 - 1

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


class Choice(Struct, frozen=True):
    """Which invites to revoke: those ``ids``, or those with that label."""

    ids: list[int] = []
    label: str | None = None


class Invites(Struct, frozen=True):
    """Invites, oldest first. Of a token only its hash is kept, so no link can be shown again."""

    invites: list[Invite]


def create(place: Place, wish: Wish) -> Made:
    """Make an invite. Raises `BadSetting`, `BadCertificateFile`, `StorageUnavailable`."""
    if place.config.registration == "closed":
        raise BadSetting(name="registration", problem="it is closed, so no invite could be used")
    address = links.public_address(place.config, place.port, wish.advertise)
    pins = links.pins_of(place.config)
    expires = (int(time.time()) + wish.seconds) * 1000
    token = place.store.create_invite(wish.label, wish.uses, expires)
    log.info("an invite was made", extra={"uses": wish.uses})
    return Made(str(InviteLink(address, place.store.server_id, pins, token)))


def _listed(place: Place, _: Nothing) -> Invites:
    return Invites(place.store.list_invites())


def _revoke(place: Place, choice: Choice) -> Invites:
    revoked = place.store.revoke_invites(choice.ids, choice.label)
    log.info("invites were revoked", extra={"count": len(revoked)})
    return Invites(revoked)


_CREATE = Operation("invite.create", Wish, Made, create, begins=True)
_LIST = Operation("invite.list", Nothing, Invites, _listed)
_REVOKE = Operation("invite.revoke", Choice, Invites, _revoke)


# ---------------------------------------------------------------- the command line


def _create_arguments(parser: ArgumentParser) -> None:
    uses = words.Number(1, _MAX_USES)
    parser.add_argument("--uses", type=uses, default=1, metavar="N", help="accounts (default: 1)")
    parser.add_argument(
        "--expires", type=words.duration, default=_SECONDS, metavar="TIME",
        help="such as 30m, 12h or 7d (default: 7d)",
    )  # fmt: skip
    parser.add_argument(
        "--label", type=words.label, default="", metavar="TEXT", help="a note for you"
    )


def _run_create(config: Config, options: Namespace) -> int:
    wish = Wish(options.label, options.uses, options.expires, options.advertise or "")
    print(perform(config, _CREATE, wish).link, flush=True)
    return 0


def _list_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--all", action="store_true", help="also those that are used up, expired or revoked"
    )
    output.add_json(parser)


class _Line(Struct, frozen=True):
    """An invite as ``--json`` shows it; ``expires`` in ms since 1970."""

    id: int
    label: str
    uses: int
    used: int
    expires: int | None
    state: str


def _run_list(config: Config, options: Namespace) -> int:
    now = int(time.time() * 1000)
    lines = [
        _Line(one.id, one.label, one.uses, one.used, one.expires, one.state(now))
        for one in perform(config, _LIST, Nothing()).invites
        if options.all or one.state(now) == "open"
    ]
    if options.json:
        print(output.json(lines), flush=True)
    elif not lines:
        print("There are no invites." if options.all else "There are no open invites.", flush=True)
    else:
        rows = [
            (str(x.id), x.label, str(x.used), str(x.uses), output.moment(x.expires), x.state)
            for x in lines
        ]
        print(output.table(("ID", "LABEL", "USED", "OF", "EXPIRES", "STATE"), rows), flush=True)
    return 0


def _revoke_arguments(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "id", nargs="*", type=words.Number(1, _MAX_ID), default=[], metavar="ID",
        help="as the list shows it",
    )  # fmt: skip
    which.add_argument(
        "--label", type=words.label, metavar="TEXT", help="all invites with this label"
    )


def _run_revoke(config: Config, options: Namespace) -> int:
    choice = Choice(options.id, options.label)
    revoked = {one.id for one in perform(config, _REVOKE, choice).invites}
    missing = [str(number) for number in options.id if number not in revoked]
    if revoked:
        print(f"Revoked {output.several(len(revoked), 'invite')}.", flush=True)
    if missing or not revoked:
        which = " or ".join(missing) if missing else f"label {options.label!r}"
        raise NoSuchInvite(which=which)
    return 0


COMMAND = Command(
    name="invite",
    help="make invite links, list and revoke them",
    description="Invite links, whether the server runs or not. Without a COMMAND: create.",
    default="create",
    parts=(
        Command(
            name="create",
            help="make an invite link",
            description="Make an invite link: it carries a token that lets people register.",
            arguments=_create_arguments,
            run=_run_create,
            examples=(
                ("invite --label Alice", "a link for one person, for a week"),
                ("invite --uses 20 --expires 12h --label course", "one for a class, for today"),
            ),
        ),
        Command(
            name="list",
            help="show the invites that can still be used",
            description="Show the invites that can still be used. The links themselves are not "
            "kept, so they cannot be shown again.",
            arguments=_list_arguments,
            run=_run_list,
            examples=(("invite list --all", "with what became of the others"),),
        ),
        Command(
            name="revoke",
            help="make invites worthless",
            description="Make invites worthless. Accounts that were made with them stay.",
            arguments=_revoke_arguments,
            run=_run_revoke,
            examples=(
                ("invite revoke 3 4", "those that the list shows under these numbers"),
                ("invite revoke --label course", "all with this label"),
            ),
        ),
    ),
    operations=(_CREATE, _LIST, _REVOKE),
)
