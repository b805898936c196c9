"""An attacker who stole a device's state once, and sees everything that is sent."""

import functools

from secure_chat.crypto import body as bodies
from secure_chat.crypto.keys import encapsulate_768
from secure_chat.crypto.peer import PeerSessions
from secure_chat.crypto.ratchet import ReceivingChain
from secure_chat.errors import PeerError
from secure_chat.protocol.signing import PrekeyKind
from tests.crypto.support import NOW, Link, Store, seeded


@functools.cache
def _encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """The thief's own, not the victim's; the same each time, so that runs repeat."""
    return encapsulate_768(public)


class Thief:
    """Has all sessions and private prekeys of one device as they were at one moment.

    It follows the conversations as far as a copy can: what it reads moves its copy on.
    """

    def __init__(self, links: dict[str, Link]) -> None:
        """``links`` are the victim's, by the name of the other device."""
        self._device = next(iter(links.values())).person.device
        self._states = {other: link.sessions.serialize() for other, link in links.items()}
        self._peers = {other: link.other.peer for other, link in links.items()}
        store = next(iter(links.values())).person.store
        self._store = Store(
            dict(store.signed_keys), dict(store.one_time_keys), dict(store.kem_keys)
        )
        self._random = seeded("thief")
        self._follows = {other: self._copy(other) for other in links}

    def _copy(self, other: str) -> PeerSessions:
        return PeerSessions.load(self._device, self._states[other])

    def _opens(self, sessions: PeerSessions, body: bytes) -> bool:
        try:
            sessions.open(body, self._store, NOW, self._random, encapsulate=_encapsulate)
        except PeerError:
            return False
        return True

    def reads_past(self, other: str, body: bytes) -> bool:
        """Whether a body that the victim read before the theft opens, in any way.

        With the sessions, and with the prekeys as if there were no sessions. What was begun with
        the last-resort key and without a one-time prekey can be derived as long as the signed keys
        are kept: PQXDH promises nothing else, and that is not counted.
        """
        initial = bodies.decode(body).initial
        one_time = initial is not None and (
            initial.one_time_id is not None or initial.kem_kind is PrekeyKind.ONE_TIME_KEM
        )
        anew = PeerSessions(self._device, self._peers[other])
        return self._opens(self._copy(other), body) or (one_time and self._opens(anew, body))

    def reads_sent(self, other: str, body: bytes) -> bool:
        """Whether a body that the victim sends opens with the sending chains that were stolen."""
        copy = self._copy(other)
        for session in copy._sessions:
            chain = session.ratchet.sending
            if chain is not None:
                session.ratchet.receiving = ReceivingChain(chain.header, chain.key, chain.number)
        return self._opens(copy, body)

    def follows(self, other: str, body: bytes) -> bool:
        """Whether a body to the victim opens now; the copy goes on from there, as the victim."""
        return self._opens(self._follows[other], body)
