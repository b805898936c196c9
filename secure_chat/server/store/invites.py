"""Invites: who holds a token may register. The store keeps only hashes of them."""

import hashlib
import os
from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection, delete, insert, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from secure_chat.protocol.wiretypes import InviteToken
from secure_chat.server.store.schema import invites


class Invite(Struct, frozen=True):
    """An invite as the operator sees it; ``expires`` in ms, None: never."""

    id: int
    label: str
    uses: int
    used: int
    expires: int | None
    revoked: bool

    def state(self, now_ms: int) -> str:
        """Whether it can be used at ``now_ms``, and if not, why."""
        if self.revoked:
            return "revoked"
        if self.used >= self.uses:
            return "used up"
        if self.expires is not None and self.expires <= now_ms:
            return "expired"
        return "open"


def _hash(token: InviteToken) -> bytes:
    # 128 random bits need no slow hash; looking a hash up leaks nothing about the token.
    return hashlib.sha256(b"secure_chat/1 invite" + token).digest()


def _good(token: InviteToken, now_ms: int) -> ColumnElement[bool]:
    return (
        (invites.c.token_hash == _hash(token))
        & invites.c.revoked.is_(False)
        & (invites.c.used < invites.c.uses)
        & or_(invites.c.expires.is_(None), invites.c.expires > now_ms)
    )


def create(connection: Connection, label: str, uses: int, expires: int | None) -> InviteToken:
    """Make an invite for ``uses`` registrations until ``expires`` (ms; None: for ever)."""
    token = InviteToken(os.urandom(16))
    connection.execute(
        insert(invites).values(token_hash=_hash(token), label=label, uses=uses, expires=expires)
    )
    return token


def listed(connection: Connection) -> list[Invite]:
    """All invites, oldest first."""
    rows = connection.execute(
        select(
            invites.c.id,
            invites.c.label,
            invites.c.uses,
            invites.c.used,
            invites.c.expires,
            invites.c.revoked,
        ).order_by(invites.c.id)
    )
    return [Invite(*row) for row in rows]


def revoke(connection: Connection, ids: Sequence[int], label: str | None = None) -> list[Invite]:
    """Make the invites ``ids``, and those with that label, worthless; those that were not so."""
    wanted = set(ids)
    chosen = [
        invite
        for invite in listed(connection)
        if not invite.revoked and (invite.id in wanted or invite.label == label)
    ]
    for invite in chosen:
        connection.execute(update(invites).where(invites.c.id == invite.id).values(revoked=True))
    return chosen


def forget(connection: Connection, before_ms: int, now_ms: int) -> int:
    """Delete invites of which nobody could make use since ``before_ms``; how many.

    Their labels are often names of people. One that is used up or revoked counts as expired from
    the first call that finds it so.
    """
    useless = invites.c.revoked | (invites.c.used >= invites.c.uses)
    late = or_(invites.c.expires.is_(None), invites.c.expires > now_ms)
    connection.execute(update(invites).where(useless & late).values(expires=now_ms))
    gone = connection.execute(delete(invites).where(invites.c.expires < before_ms))
    return gone.rowcount


def is_good(connection: Connection, token: InviteToken, now_ms: int) -> bool:
    """Whether a token may be used now."""
    return connection.execute(select(invites.c.id).where(_good(token, now_ms))).scalar() is not None


def use(connection: Connection, token: InviteToken, now_ms: int) -> bool:
    """Use a token up by one; whether it was good."""
    changed = connection.execute(
        update(invites).where(_good(token, now_ms)).values(used=invites.c.used + 1)
    )
    return changed.rowcount == 1


def give_back(connection: Connection, token: InviteToken) -> None:
    """Undo `use` in the same transaction."""
    connection.execute(
        update(invites).where(invites.c.token_hash == _hash(token)).values(used=invites.c.used - 1)
    )
