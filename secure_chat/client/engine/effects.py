"""Applies the effects of contents (`client.content.rules`) to the vault, and says what changed.

For both directions: what a peer's content does here, and what our own does before it is sent.
"""

from collections.abc import Callable, Iterable

import apsw

from secure_chat.client.content import Content, ContentId, rules
from secure_chat.client.content.check import in_words
from secure_chat.client.content.rules import OURSELVES, Ref
from secure_chat.client.events import (
    ConversationChanged,
    Event,
    Message,
    MessageAdded,
    MessageChanged,
    MessageRemoved,
    MessageState,
    PeopleChanged,
    TypingChanged,
)
from secure_chat.client.said import Said
from secure_chat.client.vault import attached, habits, history, outbox, talk
from secure_chat.protocol.addresses import UserId

TIMER_SET = "{user_id} set messages to disappear {after} after they are read."
TIMER_SET_BY_US = "You set messages to disappear {after} after they are read."
TIMER_OFF = "{user_id} set messages to stay."
TIMER_OFF_BY_US = "You set messages to stay."
KEY_NOT_ACCEPTED = (
    "{user_id} sent a change under a key that you have not accepted; it was not applied."
)
TIMER_FAR_AHEAD = "{user_id} sent a timer with an impossible number; it was not applied."
_NOT_APPLIED = {
    rules.KEY_NOT_ACCEPTED: KEY_NOT_ACCEPTED,
    rules.TIMER_FAR_AHEAD: TIMER_FAR_AHEAD,
}
_BEFORE_DELIVERED = (MessageState.WAITING, MessageState.HELD, MessageState.ACCEPTED)
_BEFORE_READ = (*_BEFORE_DELIVERED, MessageState.DELIVERED)


class Applier:
    """Applies effects on one conversation inside the caller's transaction; gathers the events."""

    def __init__(
        self,
        db: apsw.Connection,
        user_id: UserId,
        now_ms: int,
        new_id: Callable[[], ContentId],
        *,
        online: bool = False,
        slot: int = 0,
        source: attached.Source | None = None,
    ) -> None:
        self._db = db
        self._user_id = user_id
        self._now = now_ms
        self._new_id = new_id
        self._online = online
        self._slot = slot  # the line number that is kept for a late message
        self._source = source  # of a file of ours
        self._events: list[Event] = []

    def events(self) -> list[Event]:
        """What the faces must know, the conversation's own line last."""
        if not self._events:
            return []
        line = history.conversation(self._db, self._user_id)
        return [*self._events, ConversationChanged(line)]

    def apply(self, effect: rules.Effect, taken: Content) -> None:
        """Change the vault; effects that change nothing in it are the caller's."""
        db, user_id, now = self._db, self._user_id, self._now
        match effect:
            case rules.AddLine():
                self._add(effect, taken)
            case rules.PutEdit(ref=ref, revision=revision, text=text):
                talk.put_edit(db, user_id, ref, revision, text, now)
                self._changed(ref)
            case rules.Erase(ref=ref):
                talk.erase(db, user_id, ref, now)
                self._changed(ref)
            case rules.PutReaction(ref=ref, by=by, version=version):
                talk.put_reaction(db, user_id, ref, by, version, now)
                self._changed(ref, text=False)
            case rules.PutTimer():
                self._timer(effect)
            case rules.PutName(of=of, version=version):
                talk.put_name(db, user_id, of, version)
                self._named()
            case rules.Mark(content_id=content_id, read=read):
                self._mark(content_id, read=read)
            case rules.NotApplied(because=because):
                said = Said(_NOT_APPLIED[because], user_id=user_id)
                self._notice(f"not-applied {because}", said)
            case _:
                pass

    def _add(self, effect: rules.AddLine, taken: Content) -> None:
        ours = effect.ref.author == OURSELVES
        line = Message(
            content_id=effect.ref.content_id,
            number=self._slot,
            user_id=self._user_id,
            ours=ours,
            text=effect.text,
            time=self._now,
            state=MessageState.WAITING if ours else MessageState.RECEIVED,
            claimed_time=0 if ours else taken.time,
            timer=effect.timer,
        )
        added = history.add(
            self._db, line, author=effect.ref.author, quote=effect.quote, unread=not ours
        )
        if added is None:
            return
        if effect.file is not None:
            attached.add(self._db, self._user_id, effect.ref, effect.file, self._source)
        habits.came(self._db, self._user_id, self._now, ours=ours)
        talk.show_newest_edit(self._db, self._user_id, effect.ref)
        self._events.append(MessageAdded(history.by_number(self._db, added.number)))
        self._quotes(effect.ref)

    def _changed(self, ref: Ref, *, text: bool = True) -> None:
        """Tell of a message that is here; what waits for one that is not is bounded."""
        line = history.by_ref(self._db, self._user_id, ref)
        if line is None:
            talk.trim_early(self._db, self._user_id)
            return
        self._events.append(MessageChanged(line))
        if text:
            self._quotes(ref)

    def _quotes(self, ref: Ref) -> None:
        answers = history.quoting(self._db, self._user_id, ref)
        self._events.extend(MessageChanged(answer) for answer in answers)

    def _timer(self, effect: rules.PutTimer) -> None:
        timer = effect.timer
        before = talk.VaultView(self._db, self._user_id).timer()
        talk.put_timer(self._db, self._user_id, timer)
        if timer.seconds == before.seconds:
            return
        if effect.by == OURSELVES:
            words = TIMER_SET_BY_US if timer.seconds else TIMER_OFF_BY_US
        else:
            words = TIMER_SET if timer.seconds else TIMER_OFF
        said = Said(words, user_id=self._user_id, after=in_words(timer.seconds))
        self._notice(f"timer {timer.revision}", said)

    def _named(self) -> None:
        person = history.person(self._db, self._user_id, online=self._online)
        self._events.append(PeopleChanged((person,)))

    def _mark(self, content_id: ContentId, *, read: bool) -> None:
        talk.start_timer(self._db, self._user_id, content_id, self._now)
        changed = history.set_state(
            self._db,
            self._user_id,
            content_id,
            MessageState.READ if read else MessageState.DELIVERED,
            only_from=_BEFORE_READ if read else _BEFORE_DELIVERED,
        )
        outbox.confirmed(self._db, self._user_id, content_id)
        if changed is not None:
            self._events.append(MessageChanged(changed))

    def _notice(self, kind: str, said: str) -> None:
        line, new = history.add_notice(
            self._db, self._user_id, self._new_id(), kind, said, self._now
        )
        self._events.append(MessageAdded(line) if new else MessageChanged(line))


def remove(db: apsw.Connection, user_id: UserId, number: int, ref: Ref, now_ms: int) -> list[Event]:
    """A message leaves this device: it disappeared, or the person removed it here."""
    answers = history.quoting(db, user_id, ref)
    talk.remove(db, user_id, ref, now_ms)
    return [
        MessageRemoved(user_id, number, ref.content_id),
        *(MessageChanged(history.by_number(db, one.number)) for one in answers),
        ConversationChanged(history.conversation(db, user_id)),
    ]


def shown(db: apsw.Connection, events: list[Event]) -> list[Event]:
    """``events`` without the lines of requests: no face learns what a stranger wrote."""
    requests: dict[UserId, bool] = {}
    kept = []
    for event in events:
        of = _of_a_line(event)
        if of is not None and of not in requests:
            requests[of] = habits.is_request(db, of)
        if of is None or not requests[of]:
            kept.append(event)
    return kept


def takes_away(events: Iterable[Event]) -> bool:
    """Whether words of a conversation left the vault: then its log of changes is cut, too."""
    return any(
        event.message.deleted
        if isinstance(event, MessageChanged)
        else isinstance(event, MessageRemoved)
        for event in events
    )


def _of_a_line(event: Event) -> UserId | None:
    """Whose conversation an event shows something of."""
    match event:
        case MessageAdded(message=message) | MessageChanged(message=message):
            return message.user_id
        case MessageRemoved(user_id=user_id) | TypingChanged(user_id=user_id):
            return user_id
        case _:
            return None


def vanish(db: apsw.Connection, now_ms: int) -> list[Event]:
    """Remove every message whose time is over."""
    return [
        event
        for user_id, number, ref in talk.expired(db, now_ms)
        for event in remove(db, user_id, number, ref, now_ms)
    ]
