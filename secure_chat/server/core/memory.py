"""What the server holds of an account in its memory alone: the last chapter of the open book.

It is gone with a restart, and most of it minutes after the account has left.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from secure_chat.protocol.held import HeldRow, held_row
from secure_chat.server.core.mailboxes import Mailboxes
from secure_chat.server.core.post import Post
from secure_chat.server.core.presence import PresenceBoard
from secure_chat.server.core.rates import Rates
from secure_chat.server.core.session import Session

TABLE: Final = "memory"
"""The name under which the book lists what is not on disk."""

_COUNT_SECONDS: Final = 30.0


class Memory:
    """Reads what the other parts hold. Lives on the I/O thread.

    ``sessions`` lists those that are logged in as an account, ``clock`` gives the seconds that the
    core goes by.
    """

    def __init__(
        self,
        post: Post,
        rates: Rates,
        presence: PresenceBoard,
        sessions: Callable[[int], list[Session]],
        clock: Callable[[], float],
    ) -> None:
        self._post = post
        self._mailboxes: Mailboxes = post.mailboxes
        self._rates = rates
        self._presence = presence
        self._sessions = sessions
        self._clock = clock
        self._counted_at = float("-inf")
        self._on_the_way: Counter[str] = Counter()  # ids, by account
        self._done: Counter[str] = Counter()

    def rows(self, user_id: str, account: int, *, to_owner: bool) -> list[HeldRow]:
        """All of it, in one order.

        The network address that limits count by is shown to nobody but the account itself.
        """
        now = self._clock()
        sessions = self._sessions(account)
        found = [self._connection(session, now, to_owner=to_owner) for session in sessions]
        found += self._of_mailboxes(user_id)
        found += self._of_messages(user_id, now)
        found += [dict(left) for left in self._rates.left_to(account, now)]
        if to_owner:
            for network in sorted({session.network for session in sessions}):
                found += [
                    {**left, "network": network} for left in self._rates.left_to(network, now)
                ]
        return [held_row(TABLE, values) for values in found]

    def _connection(self, session: Session, now: float, *, to_owner: bool) -> dict[str, object]:
        values: dict[str, object] = {"connection": session.device.device}
        if to_owner:
            values["network"] = session.network
        return values | {
            "features": " ".join(session.features),
            "connected_seconds": int(now - session.opened_at),
            "silent_seconds": int(now - session.heard_at),
            "unread_bytes": session.connection.buffered,
            "frames_lately": int(session.frames),
            "refusals_lately": int(session.refusals),
            "requests_open": session.jobs,
            "uploads_open": len(session.uploads),
            "watches": self._presence.watched_by(session),
        }

    def _of_mailboxes(self, user_id: str) -> list[dict[str, object]]:
        """Those in use, and how much waits in them, as the quotas count it."""
        return [
            {
                "mailbox": mailbox.address,
                "waiting": mailbox.count,
                "waiting_bytes": mailbox.size,
                "senders": len(mailbox.senders),
                "unacknowledged": len(mailbox.in_flight),
            }
            for mailbox in self._mailboxes.of_account(user_id)
        ]

    def _of_messages(self, user_id: str, now: float) -> list[dict[str, object]]:
        """Ids of messages that it sent or got: on their way, and done lately.

        All are counted at once for everybody, and not anew for each who asks: there are many.
        """
        if now - self._counted_at >= _COUNT_SECONDS:
            self._on_the_way, self._done = self._post.count_ids()
            self._counted_at = now
        on_the_way, done = self._on_the_way[user_id], self._done[user_id]
        if not on_the_way and not done:
            return []
        return [{"delivery_ids_on_the_way": on_the_way, "delivery_ids_done_lately": done}]
