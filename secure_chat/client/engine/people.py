"""Who is on the server, and who is here now: the list in pages, then presence as it changes.

A server whose directory is by name lists nobody. There we ask after those whom we talk with, and
whoever becomes a contact is asked after from then on.
"""

from secure_chat.client.engine.context import Context, Requests
from secure_chat.client.engine.trust import TrustKeeper
from secure_chat.client.events import PeopleChanged, Person
from secure_chat.client.vault import contacts, history
from secure_chat.errors import BadAddress, Code, Refused
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import UserId, canonical_user_id
from secure_chat.protocol.messages import List, Ok, Presence, Users, Watch

_MOST_PEOPLE = 200_000  # a server that invents people without end does not fill the memory


class Roster:
    """Keeps the list current from login to the end of the connection."""

    def __init__(self, context: Context, requests: Requests, trust: TrustKeeper) -> None:
        self._context = context
        self._requests = requests
        self._trust = trust
        self._known: set[UserId] = set()
        self._by_name = False  # this connection's server lists nobody
        self._followed: list[UserId] = []

    @property
    def everybody(self) -> list[Person]:
        """All accounts that the server named or whose key we have, by name; without ourselves.

        A name that somebody mistyped is nobody, even if a message to it waits.
        """
        known = self._contacts()
        proven = {name for name, person in known.items() if person.trust is not None}
        return self._people(self._known | proven, known)

    def _contacts(self) -> dict[UserId, Person]:
        with self._context.vault.read() as db:
            return {
                one.user_id: history.person(
                    db, one.user_id, online=one.user_id in self._trust.online
                )
                for one in contacts.everybody(db)
            }

    def _people(self, names: set[UserId], known: dict[UserId, Person]) -> list[Person]:
        others = names - {self._context.user_id}
        return [known.get(n) or Person(n, n in self._trust.online) for n in sorted(others)]

    def is_online(self, user_id: UserId) -> bool:
        """Whether somebody is here now, as far as we know."""
        return user_id in self._trust.online

    def welcomed(self) -> None:
        """Ask for changes first, then for the list, so that no change falls between them."""
        self._requests.ask(
            lambda ref: Watch(ref, presence=True), Ok, self._watching, self._unlisted, patient=True
        )

    def look(self) -> None:
        """Somebody may have become a contact."""
        if self._by_name and self._trust.met:
            self._follow()

    def disconnected(self) -> None:
        """Nobody is seen as here any more."""
        self._by_name = False
        self._followed = []
        if self._trust.online:
            self._trust.online.clear()
            self._tell_all()

    def changed(self, presence: Presence) -> None:
        """People came and went."""
        came, went = _names(presence.online), _names(presence.offline)
        if self._by_name:  # nobody whom we did not ask after
            came, went = came & set(self._followed), went & set(self._followed)
        came, went = self._remember(came), self._remember(went)
        self._trust.online.update(came)
        self._trust.online.difference_update(went)
        self._tell(came | went)

    def _watching(self, _: Ok) -> None:
        self._ask_page("")

    def _unlisted(self, refusal: Refused) -> None:
        if refusal.code is not Code.NOT_LISTED:
            self._refused(refusal)
            return
        self._by_name = True
        self._known.clear()
        self._follow()
        if not self._followed:
            self._tell_all()

    def _follow(self) -> None:
        """Ask after those whom we talk with, the last ones first as far as there is room."""
        self._trust.met = False
        with self._context.vault.read() as db:
            names = [line.user_id for line in history.conversations(db)]
            names += [one.user_id for one in contacts.everybody(db) if one.identity is not None]
        names = sorted(list(dict.fromkeys(names))[: limits.WATCHED_NAMES])
        if names and names != self._followed:
            self._followed = names
            self._requests.ask(
                lambda ref: Watch(ref, presence=True, names=list(names)),
                Ok,
                lambda _: self._tell_all(),
                self._refused,
                patient=True,
            )

    def _ask_page(self, after: str) -> None:
        self._requests.ask(
            lambda ref: List(ref, after),
            Users,
            lambda page: self._page(page, after),
            self._refused,
            patient=True,
        )

    def _page(self, page: Users, after: str) -> None:
        named = self._remember(_names([entry.user_id for entry in page.users]))
        here = named & _names([entry.user_id for entry in page.users if entry.online])
        self._trust.online |= here
        self._trust.online -= named - here
        last = page.users[-1].user_id if page.users else ""
        if page.more and last > after and len(self._known) < _MOST_PEOPLE:
            self._tell(named)
            self._ask_page(last)
        else:
            self._tell_all()

    def _refused(self, refusal: Refused) -> None:
        self._context.problem(refusal)

    def _remember(self, names: set[UserId]) -> set[UserId]:
        """Keep names while there is room; gives back those that we know now."""
        fresh = sorted(names - self._known)
        self._known.update(fresh[: max(0, _MOST_PEOPLE - len(self._known))])
        known = names & self._known
        if len(known) < len(names):  # whom we talk with has a place in any case
            known |= names & set(self._contacts())
        return known

    def _tell(self, names: set[UserId]) -> None:
        people = tuple(self._people(names, self._contacts()))
        if people:
            self._context.emit(PeopleChanged(people))

    def _tell_all(self) -> None:
        listed = not self._by_name
        self._context.emit(PeopleChanged(tuple(self.everybody), complete=True, listed=listed))


def _names(texts: list[str]) -> set[UserId]:
    """The valid ones: a name that breaks the rule is nobody's."""
    names = set()
    for text in texts:
        try:
            names.add(canonical_user_id(text))
        except BadAddress:
            continue
    return names
