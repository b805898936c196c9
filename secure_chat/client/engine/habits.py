"""What a person decides about others beside trust: requests, block, mute, pin, archive, names.

None of it is told to anybody. A blocked person's messages are acknowledged to the server and then
dropped, so that the sender sees ``accepted`` and never ``delivered``, as with somebody who is away.
"""

from collections.abc import Callable

import apsw
import msgspec

from secure_chat.client import content
from secure_chat.client.engine.effects import remove
from secure_chat.client.engine.intents import Intents, now_ms
from secure_chat.client.engine.trust import released
from secure_chat.client.engine.wants import Wrote
from secure_chat.client.events import ConversationChanged, Event
from secure_chat.client.vault import contacts, habits, history
from secure_chat.client.vault.habits import FOREVER, Habit
from secure_chat.protocol.addresses import UserId


class HabitIntents(Intents):
    """The part of the engine that keeps these decisions."""

    def accept_request(self, user_id: UserId) -> None:
        """They are no stranger any more: what they wrote is shown, and confirmed to them."""
        other = self._other(user_id)

        def accept(db: apsw.Connection) -> tuple[None, list[Event]]:
            writer = self._writer(db, other)
            if not habits.is_blocked(db, other):
                writer.admit()
                writer.introduce()
            return None, writer.admitted

        self._change(accept)
        self._network.post(Wrote(other))

    def delete_conversation(self, user_id: UserId) -> None:
        """Every line of a conversation leaves this device; a request is refused in silence.

        What waits to be sent of it does not go out. Keys, trust and decisions stay.
        """
        other = self._other(user_id)

        def delete(db: apsw.Connection) -> tuple[None, list[Event]]:
            return None, [*_delete(db, other), *self._standing(db, other)]

        self._change(delete)
        self._vault.scrub()

    def block(self, user_id: UserId) -> None:
        """Drop what they send from now on, and send them nothing. A stranger's request goes too."""
        other = self._other(user_id)

        def block(db: apsw.Connection) -> tuple[None, list[Event]]:
            habit, contact = habits.get(db, other), contacts.get(db, other)
            if habit.blocked:
                return None, []
            events = _delete(db, other) if habits.is_request(db, other) else []
            decided = msgspec.structs.replace(habit, blocked=now_ms(), was_engaged=contact.engaged)
            habits.put(db, decided)
            # To the rest of the engine they are a stranger: no receipts, turns, names or typing.
            contacts.put(db, msgspec.structs.replace(contact, engaged=False))
            return None, [*events, *self._standing(db, other)]

        self._change(block)
        self._vault.scrub()

    def unblock(self, user_id: UserId) -> None:
        """Take in again what they send; what came meanwhile is gone."""
        other = self._other(user_id)

        def unblock(db: apsw.Connection) -> tuple[None, list[Event]]:
            habit, contact = habits.get(db, other), contacts.get(db, other)
            if not habit.blocked:
                return None, []
            contact = msgspec.structs.replace(contact, engaged=habit.was_engaged)
            contacts.put(db, contact)
            habits.put(db, msgspec.structs.replace(habit, blocked=0, was_engaged=False))
            return None, [*released(db, contact), *self._standing(db, other)]

        self._change(unblock)
        self._network.post(Wrote(other))

    def mute(self, user_id: UserId, seconds: float | None) -> None:
        """No notifications of them for so long; None: until unmuted, 0: not any more."""
        until = FOREVER if seconds is None else now_ms() + round(seconds * 1000) if seconds else 0
        self._decide(user_id, lambda habit: msgspec.structs.replace(habit, muted=until))

    def pin(self, user_id: UserId, *, pinned: bool) -> None:
        """Keep a conversation at the top."""
        since = now_ms() if pinned else 0
        self._decide(user_id, lambda habit: msgspec.structs.replace(habit, pinned=since))

    def archive(self, user_id: UserId, *, archived: bool) -> None:
        """Put a conversation out of sight; a new message brings it back unless it is muted."""
        since = now_ms() if archived else 0
        self._decide(user_id, lambda habit: msgspec.structs.replace(habit, archived=since))

    def set_contact_name(self, user_id: UserId, name: str) -> None:
        """What we call somebody on this device; empty: by the account's name. Raises `BadName`."""
        chosen = content.checked_name(name)
        self._decide(user_id, lambda habit: msgspec.structs.replace(habit, name=chosen))

    def _decide(self, user_id: UserId, decide: Callable[[Habit], Habit]) -> None:
        other = self._other(user_id)

        def change(db: apsw.Connection) -> tuple[None, list[Event]]:
            habits.put(db, decide(habits.get(db, other)))
            return None, self._standing(db, other)

        self._change(change)


def _delete(db: apsw.Connection, user_id: UserId) -> list[Event]:
    """Everything said in a conversation goes; the events, without one for each line's answers."""
    events: list[Event] = []
    for number, ref in history.refs(db, user_id):
        events += remove(db, user_id, number, ref, now_ms())[:1]
    history.forget(db, user_id)
    return [*events, ConversationChanged(history.conversation(db, user_id))]
