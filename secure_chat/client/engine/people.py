"""Who is on the server, and who is here now: the list in pages, then presence as it changes."""

from secure_chat.client.engine.context import Context, Requests
from secure_chat.client.engine.trust import TrustKeeper
from secure_chat.client.events import PeopleChanged, Person
from secure_chat.client.vault import contacts, history
from secure_chat.errors import BadAddress, Refused
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
            lambda ref: Watch(ref, presence=True), Ok, self._watching, self._refused, patient=True
        )

    def disconnected(self) -> None:
        """Nobody is seen as here any more."""
        if self._trust.online:
            self._trust.online.clear()
            self._tell_all()

    def changed(self, presence: Presence) -> None:
        """People came and went."""
        came = self._remember(_names(presence.online))
        went = self._remember(_names(presence.offline))
        self._trust.online.update(came)
        self._trust.online.difference_update(went)
        self._tell(came | went)

    def _watching(self, _: Ok) -> None:
        self._ask_page("")

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
        self._context.emit(PeopleChanged(tuple(self.everybody), complete=True))


def _names(texts: list[str]) -> set[UserId]:
    """The valid ones: a name that breaks the rule is nobody's."""
    names = set()
    for text in texts:
        try:
            names.add(canonical_user_id(text))
        except BadAddress:
            continue
    return names
