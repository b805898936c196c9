"""Says what is missing of what others sent, and takes it back when it comes (PROTOCOL.md 12.7)."""

import apsw

from secure_chat.client.content import Place
from secure_chat.client.engine.context import Context
from secure_chat.client.engine.trust import TrustKeeper
from secure_chat.client.events import (
    ConversationChanged,
    MessageAdded,
    MessageChanged,
    MessageRemoved,
)
from secure_chat.client.said import Said
from secure_chat.client.vault import history, sequence
from secure_chat.client.vault.keys import SessionName
from secure_chat.client.vault.sequence import Stream

MISSING = "A message of {user_id} is missing here: it is late, or was withheld."
MANY_MISSING = "Very many messages of {user_id} are missing here: they were lost, or withheld."


class Missing:
    """Draws a line for every gap in what somebody sent, inside the caller's transaction."""

    def __init__(self, context: Context, trust: TrustKeeper) -> None:
        self._context = context
        self._trust = trust

    def arrived(self, db: apsw.Connection, name: SessionName, place: Place) -> int:
        """A content arrived; the line number that is kept for it, 0 if it comes last."""
        user_id = name.address.user_id
        stream = Stream(user_id, name.account_key, place.stream)
        # Who was the account's only device from the beginning has missed nothing before.
        alone = self._context.our_counter == 1
        arrival = sequence.arrived(db, stream, place, from_the_start=alone)
        if arrival.untracked:
            self._trust.notice(db, user_id, "many-missing", Said(MANY_MISSING, user_id=user_id))
        if arrival.changed:
            self._draw(db, stream)
        return arrival.slot

    def skipped(self, db: apsw.Connection, name: SessionName, place: Place) -> None:
        """A content arrived that nobody is to see; what is missing before it is not said."""
        stream = Stream(name.address.user_id, name.account_key, place.stream)
        sequence.passed(db, stream, place)

    def _draw(self, db: apsw.Connection, stream: Stream) -> None:
        context, user_id = self._context, stream.user_id
        said = Said(MISSING, user_id=user_id)
        lines = sequence.draw(db, stream, said, context.new_content_id(), context.now_ms)
        for number, content_id in lines.removed:
            context.emit(MessageRemoved(user_id, number, content_id))
        for number in lines.added:
            context.emit(MessageAdded(history.by_number(db, number)))
        for number in lines.changed:
            context.emit(MessageChanged(history.by_number(db, number)))
        context.emit(ConversationChanged(history.conversation(db, user_id)))
