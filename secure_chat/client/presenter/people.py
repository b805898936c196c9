"""The list of people: conversations by their last message, then everybody else by name."""

from collections.abc import Callable, Iterable, Sequence
from typing import overload

from secure_chat.client.events import Conversation, Message, Person, Trust
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.look_alikes import LookAlikes
from secure_chat.client.presenter.rows import Mark, PersonRow
from secure_chat.client.text import one_line
from secure_chat.errors import BadAddress
from secure_chat.protocol.addresses import UserId, canonical_user_id

_PREVIEW, _NAME = 80, 64  # characters
_REQUESTS, _PINNED, _REST = range(3)
MARKS = {Trust.NEW: Mark.NEW, Trust.VERIFIED: Mark.VERIFIED, Trust.CHANGED: Mark.CHANGED}


class People:
    """Everybody we know of, and the conversations with them."""

    def __init__(self, ourselves: UserId) -> None:
        self._ourselves = ourselves
        self._people: dict[UserId, Person] = {}
        self._conversations: dict[UserId, Conversation] = {}
        self.search = ""
        self._listed = True  # False: the server names nobody, so a name can only be typed
        self.show_archived = False
        self.writing: set[UserId] = set()
        self._look_alikes = LookAlikes()

    def set_writing(self, user_id: UserId, *, active: bool) -> None:
        """Somebody writes to us, or has stopped."""
        if active:
            self.writing.add(user_id)
        else:
            self.writing.discard(user_id)

    def update(
        self, people: Iterable[Person], *, complete: bool = False, listed: bool = True
    ) -> None:
        """New presence or trust; ``complete``: who is missing is gone."""
        if complete:
            self._people.clear()
            self._listed = listed
        for person in people:
            if person.user_id != self._ourselves:
                self._people[person.user_id] = person
                if (known := self._conversations.get(person.user_id)) is not None:
                    self._look_alikes.put(known, person)

    def put(self, conversation: Conversation) -> None:
        """A conversation is new or has changed."""
        self._conversations[conversation.user_id] = conversation
        self._look_alikes.put(conversation, self._people.get(conversation.user_id))

    def looks_like(self, user_id: UserId) -> UserId | None:
        """Whom of those that we know somebody could be taken for."""
        conversation, person = self._conversations.get(user_id), self._people.get(user_id)
        trust = conversation.trust if conversation else person.trust if person else None
        return self._look_alikes.of(user_id, self.names(user_id)[1], trust)

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
        """Messages that nobody has looked at, in all conversations; of blocked people none."""
        return sum(one.unread for one in self._conversations.values() if not one.blocked)

    @property
    def archived(self) -> int:
        """How many conversations are out of sight."""
        return sum(one.archived for one in self._conversations.values())

    def names(self, user_id: UserId) -> tuple[str, str]:
        """Our own name for somebody, and the one that they chose; either may be empty."""
        conversation, person = self._conversations.get(user_id), self._people.get(user_id)
        ours = conversation.name if conversation else person.name if person else ""
        theirs = person.display_name if person else ""
        if conversation and conversation.display_name:
            theirs = conversation.display_name
        return one_line(ours, _NAME), one_line(theirs, _NAME)

    def rows(
        self, selected: UserId | None, words: Words, times: Times, search: str | None = None
    ) -> "PersonRows":
        """The list as it is drawn, narrowed by ``search``, or else by our own."""
        wanted = (self.search if search is None else search).strip().lower()
        everybody = {*self._people, *self._conversations}
        if not self._listed and (typed := _exact_name(wanted)) and typed != self._ourselves:
            everybody.add(typed)
        shown = (one for one in everybody if self._is_shown(one, wanted))
        found = sorted(shown, key=self._order)
        headings = {} if wanted or self.show_archived else self._headings(found, words)
        return PersonRows(
            found, lambda one: self._row(one, words, times, selected=one == selected), headings
        )

    def _is_shown(self, user_id: UserId, wanted: str) -> bool:
        """By the search: the account's name, ours, or theirs; without one: by the archive."""
        if wanted:
            names = (user_id, *self.names(user_id))
            return any(wanted in name.lower() for name in names)
        conversation = self._conversations.get(user_id)
        return (conversation is not None and conversation.archived) == self.show_archived

    def _section(self, user_id: UserId) -> int:
        """Requests first, then what is pinned, then the rest."""
        conversation = self._conversations.get(user_id)
        if conversation is None:
            return _REST
        return _REQUESTS if conversation.request else _PINNED if conversation.pinned else _REST

    def _order(self, user_id: UserId) -> tuple[int, int, bool, str]:
        """By section; pinned ones as they were pinned; the last conversation first; by name."""
        conversation, section = self._conversations.get(user_id), self._section(user_id)
        if conversation is None:
            return (section, 0, not self.is_online(user_id), user_id)
        time = conversation.pinned if section == _PINNED else -conversation.arrived
        return (section, time, not self.is_online(user_id), user_id)

    def _headings(self, found: list[UserId], words: Words) -> dict[int, str]:
        """The first row of each section and its heading; none if there is one section alone."""
        firsts: dict[int, int] = {}
        for index, user_id in enumerate(found):
            section = self._section(user_id)
            firsts.setdefault(section, index)
            if section == _REST:
                break
        if set(firsts) <= {_REST}:
            return {}
        requests = firsts.get(_PINNED, firsts.get(_REST, len(found)))
        titles = {
            _REQUESTS: words("Requests ({number})", number=words.digits(requests)),
            _PINNED: words("Pinned"),
            _REST: words("Everybody"),
        }
        return {index: titles[section] for section, index in firsts.items()}

    def _row(self, user_id: UserId, words: Words, times: Times, *, selected: bool) -> PersonRow:
        conversation = self._conversations.get(user_id)
        last = conversation.last if conversation else None
        unread = conversation.unread if conversation else 0
        if conversation is not None and conversation.request:
            return self._request(conversation, words, times, selected=selected)
        online = self.is_online(user_id)
        presence = words("here now") if online else words("not here")
        mark = self.mark(user_id)
        ours, theirs = self.names(user_id)
        blocked = conversation is not None and conversation.blocked
        muted = conversation is not None and conversation.muted_until > times.now_ms
        pinned = conversation is not None and conversation.pinned > 0
        spoken = [ours, user_id, presence, trust_word(mark, words)]
        signs = {words("blocked"): blocked, words("muted"): muted, words("pinned"): pinned}
        spoken += [word for word, holds in signs.items() if holds]
        if unread:
            spoken.append(words.plural("{number} unread", "{number} unread", unread))
        draft = conversation.draft if conversation and not selected else ""
        preview = _preview(last, words) if last else presence
        like = self.looks_like(user_id)
        if like is not None:
            spoken.append(words("looks like {name}", name=like))
            preview = preview if last else "⚠ " + words("looks like {name}", name=like)
        if blocked:
            preview, draft = words("blocked"), ""
        elif user_id in self.writing:
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
            preview_is_ours=_is_ours(last) and not draft and not blocked,
            preview_is_notice=last is not None and last.is_notice and not draft and not blocked,
            preview_is_draft=bool(draft),
            writing=user_id in self.writing and not blocked,
            title=ours,
            calls_itself=theirs,
            blocked=blocked,
            muted=muted,
            pinned=pinned,
        )

    def _request(
        self, conversation: Conversation, words: Words, times: Times, *, selected: bool
    ) -> PersonRow:
        """A stranger: the account's name, and nothing that they chose."""
        user_id = conversation.user_id
        asks = words("wants to write to you")
        like = self.looks_like(user_id)
        if like is not None:
            asks = "⚠ " + words("looks like {name}", name=like) + " · " + asks
        return PersonRow(
            user_id=user_id,
            preview=asks,
            when=times.short(conversation.arrived),
            online=False,
            mark=Mark.NONE,
            unread=0,
            selected=selected,
            spoken=f"{user_id}, {asks}",
            request=True,
        )


def _exact_name(text: str) -> UserId | None:
    """What was typed, if an account could have that name."""
    try:
        return canonical_user_id(text)
    except BadAddress:
        return None


class PersonRows(Sequence[PersonRow]):
    """Rows that are made when somebody looks at them: of 10,000 people a dozen are in view."""

    def __init__(
        self,
        order: list[UserId],
        make: Callable[[UserId], PersonRow],
        headings: dict[int, str] | None = None,
    ) -> None:
        self._order = order
        self._make = make
        self.headings = headings or {}
        """What stands above which rows."""

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


def _is_ours(last: Message | None) -> bool:
    return last is not None and last.ours and not last.is_notice


def _preview(message: Message, words: Words) -> str:
    if message.is_notice:
        return words.sentence(message.problem or message.text, message.user_id)
    if message.deleted:
        return words("This message was deleted.")
    return one_line(message.text, _PREVIEW)
