"""The list of people: conversations by their last message, then everybody else by name."""

from collections.abc import Callable, Iterable, Sequence
from typing import overload

from secure_chat.client.events import Conversation, Message, Person, Trust
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.rows import Mark, PersonRow
from secure_chat.client.text import one_line
from secure_chat.protocol.addresses import UserId

_PREVIEW = 80  # characters
MARKS = {Trust.NEW: Mark.NEW, Trust.VERIFIED: Mark.VERIFIED, Trust.CHANGED: Mark.CHANGED}


class People:
    """Everybody we know of, and the conversations with them."""

    def __init__(self, ourselves: UserId) -> None:
        self._ourselves = ourselves
        self._people: dict[UserId, Person] = {}
        self._conversations: dict[UserId, Conversation] = {}
        self.search = ""
        self.writing: set[UserId] = set()

    def set_writing(self, user_id: UserId, *, active: bool) -> None:
        """Somebody writes to us, or has stopped."""
        if active:
            self.writing.add(user_id)
        else:
            self.writing.discard(user_id)

    def update(self, people: Iterable[Person], *, complete: bool = False) -> None:
        """New presence or trust; ``complete``: who is missing is gone."""
        if complete:
            self._people.clear()
        for person in people:
            if person.user_id != self._ourselves:
                self._people[person.user_id] = person

    def put(self, conversation: Conversation) -> None:
        """A conversation is new or has changed."""
        self._conversations[conversation.user_id] = conversation

    def conversation(self, user_id: UserId) -> Conversation | None:
        """The conversation with somebody, if there is one."""
        return self._conversations.get(user_id)

    def is_online(self, user_id: UserId) -> bool:
        """Whether somebody is here now, as far as the server told us."""
        person = self._people.get(user_id)
        return person is not None and person.online

    def mark(self, user_id: UserId) -> Mark:
        """Trust at a glance."""
        conversation = self._conversations.get(user_id)
        person = self._people.get(user_id)
        trust = conversation.trust if conversation else person.trust if person else None
        return MARKS[trust] if trust is not None else Mark.NONE

    @property
    def unread(self) -> int:
        """Messages that nobody has looked at, in all conversations."""
        return sum(conversation.unread for conversation in self._conversations.values())

    def rows(
        self, selected: UserId | None, words: Words, times: Times, search: str | None = None
    ) -> "PersonRows":
        """The list as it is drawn, narrowed by ``search``, or else by our own."""
        wanted = (self.search if search is None else search).strip().lower()
        everybody = {*self._people, *self._conversations}
        found = sorted((one for one in everybody if wanted in one), key=self._order)
        return PersonRows(found, lambda one: self._row(one, words, times, selected=one == selected))

    def _order(self, user_id: UserId) -> tuple[int, bool, str]:
        """The last conversation first; then who is here; then by name."""
        conversation = self._conversations.get(user_id)
        last = conversation.last if conversation else None
        return (-last.time if last else 0, not self.is_online(user_id), user_id)

    def _row(self, user_id: UserId, words: Words, times: Times, *, selected: bool) -> PersonRow:
        conversation = self._conversations.get(user_id)
        last = conversation.last if conversation else None
        unread = conversation.unread if conversation else 0
        online = self.is_online(user_id)
        presence = words("here now") if online else words("not here")
        mark = self.mark(user_id)
        spoken = [user_id, presence, trust_word(mark, words)]
        if unread:
            spoken.append(words.plural("{number} unread", "{number} unread", unread))
        draft = conversation.draft if conversation and not selected else ""
        preview = _preview(last, words) if last else presence
        if user_id in self.writing:
            preview = words("writing…")
        elif draft:
            preview = one_line(draft, _PREVIEW)
        return PersonRow(
            user_id=user_id,
            preview=preview,
            when=times.short(last.time) if last else "",
            online=online,
            mark=mark,
            unread=unread,
            selected=selected,
            spoken=", ".join(word for word in spoken if word),
            preview_is_ours=last is not None and last.ours and not last.is_notice and not draft,
            preview_is_notice=last is not None and last.is_notice and not draft,
            preview_is_draft=bool(draft),
            writing=user_id in self.writing,
        )


class PersonRows(Sequence[PersonRow]):
    """Rows that are made when somebody looks at them: of 10,000 people a dozen are in view."""

    def __init__(self, order: list[UserId], make: Callable[[UserId], PersonRow]) -> None:
        self._order = order
        self._make = make

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> PersonRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[PersonRow]: ...
    def __getitem__(self, index: int | slice) -> PersonRow | list[PersonRow]:
        if isinstance(index, slice):
            return [self._make(one) for one in self._order[index]]
        return self._make(self._order[index])

    def place(self, user_id: UserId | None) -> int | None:
        """Where somebody stands in the list."""
        return self._order.index(user_id) if user_id in self._order else None


def trust_word(mark: Mark, words: Words) -> str:
    """The state of a contact in a word or two."""
    return {
        Mark.NONE: "",
        Mark.NEW: words("new, not compared"),
        Mark.VERIFIED: words("verified"),
        Mark.CHANGED: words("key changed"),
    }[mark]


def _preview(message: Message, words: Words) -> str:
    if message.is_notice:
        return words.sentence(message.problem or message.text, message.user_id)
    if message.deleted:
        return words("This message was deleted.")
    return one_line(message.text, _PREVIEW)
