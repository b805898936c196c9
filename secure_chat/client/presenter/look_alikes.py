"""Names that can be taken for one another (after Unicode TS 39, "confusable detection").

The server keeps account names apart that look alike, unless it lies; the names that people choose
for themselves nobody keeps apart.
"""

from secure_chat.client.events import Conversation, Person, Trust
from secure_chat.client.text import folded
from secure_chat.protocol.addresses import UserId, skeleton

_FOREIGN = "абвгеёзікмнопрстухјѕһԁԛԝ" + "αβγεηικνοπρτυχω" + "|$@345"
_LATIN_ = "abbreezikmhonpctyxjshdqw" + "abyenikvonptuxw" + "lsaeas"
_SAME = str.maketrans(dict(zip(_FOREIGN, _LATIN_, strict=True)))
_SHORTEST = 3  # characters of a name that can be taken for another
_LONGEST = 64


def looks(name: str) -> str:
    """One text for all names that look alike: case, accents, signs and borrowed letters aside."""
    letters = "".join(one for one in folded(name[:_LONGEST]) if one.isalnum() or one in "|$@")
    return skeleton(letters.translate(_SAME).replace("vv", "w"))


class LookAlikes:
    """Which people could be taken for somebody whom we know.

    Known is who has a conversation with us and is neither a stranger who waits nor blocked.
    """

    def __init__(self) -> None:
        self._names: dict[UserId, tuple[str, ...]] = {}
        self._known: dict[str, set[UserId]] = {}
        self._looks: dict[UserId, frozenset[str]] = {}

    def put(self, conversation: Conversation, person: Person | None) -> None:
        """A conversation is new or has changed."""
        user_id = conversation.user_id
        known = not conversation.request and not conversation.blocked
        theirs = conversation.display_name or (person.display_name if person else "")
        names = (user_id, conversation.name, theirs) if known else ()
        if self._names.get(user_id, ()) == names:
            return
        self._names[user_id] = names
        for look in self._looks.pop(user_id, ()):
            self._known[look].discard(user_id)
        self._looks[user_id] = of = _all_looks(*names)
        for look in of:
            self._known.setdefault(look, set()).add(user_id)

    def of(self, user_id: UserId, display_name: str, trust: Trust | None) -> UserId | None:
        """Whom somebody looks like; None: nobody we know, or they are verified themselves."""
        if trust is Trust.VERIFIED:
            return None
        found = {one for look in _all_looks(user_id, display_name) for one in
                 self._known.get(look, ())}  # fmt: skip
        return min(found - {user_id}, default=None)


def _all_looks(*names: str) -> frozenset[str]:
    return frozenset(look for look in map(looks, names) if len(look) >= _SHORTEST)
