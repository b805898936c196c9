"""An attacker who stole a device's state once, and sees everything that is sent."""

import functools
from collections.abc import Callable, Iterator

from secure_chat.crypto import body as bodies
from secure_chat.crypto.keys import encapsulate_768
from secure_chat.crypto.peer import PeerSessions
from secure_chat.crypto.ratchet import Ratchet, ReceivingChain, SendingChain
from secure_chat.errors import PeerError
from secure_chat.protocol.signing import PrekeyKind
from tests.crypto.support import NOW, Link, Store, seeded


@functools.cache
def _encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """The thief's own, not the victim's; the same each time, so that runs repeat."""
    return encapsulate_768(public)


_ChainOf = Callable[[Ratchet], SendingChain | ReceivingChain | None]


class Thief:
    """Has all sessions and private prekeys of one device as they were at one moment.

    It follows the conversations in two copies: one only reads, the other also does what the victim
    does when it sends, with randomness of its own. Of every chain key that it has it tries whether
    it is the key of an earlier message, too.
    """

    def __init__(self, links: dict[str, Link]) -> None:
        """``links`` are the victim's, by the name of the other device."""
        any_link = next(iter(links.values()))
        self._device = any_link.person.device
        self._states = {other: link.sessions.serialize() for other, link in links.items()}
        self._peers = {other: link.other.peer for other, link in links.items()}
        store = any_link.person.store
        self._store = Store(
            dict(store.signed_keys), dict(store.one_time_keys), dict(store.kem_keys)
        )
        self._random = seeded("thief")
        self._reading = {other: self._loaded(state) for other, state in self._states.items()}
        self._acting = {other: self._loaded(state) for other, state in self._states.items()}

    def _loaded(self, state: bytes) -> PeerSessions:
        return PeerSessions.load(self._device, state)

    def _opens(self, sessions: PeerSessions, body: bytes) -> bool:
        try:
            sessions.open(body, self._store, NOW, encapsulate=_encapsulate)
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
        if one_time and self._opens(anew, body):
            return True
        if self._opens(self._loaded(self._states[other]), body):
            return True
        return self._opens_with(self._states[other], body, lambda ratchet: ratchet.receiving)

    def reads_sent(self, other: str, body: bytes) -> bool:
        """Whether a body that the victim sends opens with the state that was stolen."""
        return self._opens_with(self._states[other], body, self._sending_chain)

    def follows_sent(self, other: str, body: bytes) -> bool:
        """The same with the copy that acts as the victim does; it goes on from there."""
        acting = self._acting[other]
        read = self._opens_with(acting.serialize(), body, self._sending_chain)
        if acting.ready:
            acting.seal(b"", NOW, self._random)
        return read or self.reads_sent(other, body)

    def follows(self, other: str, body: bytes) -> bool:
        """Whether a body to the victim opens now; the copies go on from there, as the victim."""
        read = [self._opens(copies[other], body) for copies in (self._reading, self._acting)]
        return any(read)

    def _sending_chain(self, ratchet: Ratchet) -> SendingChain | None:
        """The chain that the victim sends on, or would begin if it drew what the thief draws."""
        if ratchet.sending is None and ratchet.their_key is not None:
            return ratchet._sending_step(self._random).chain
        return ratchet.sending

    def _opens_with(self, state: bytes, body: bytes, chain_of: _ChainOf) -> bool:
        """Whether a chain's key opens a body, as the key of this number or of any before."""
        return any(self._opens(sessions, body) for sessions in self._guesses(state, chain_of))

    def _guesses(self, state: bytes, chain_of: _ChainOf) -> Iterator[PeerSessions]:
        for at, session in enumerate(self._loaded(state)._sessions):
            chain = chain_of(session.ratchet)
            if chain is None:
                continue
            for number in range(chain.number + 1):
                guess = self._loaded(state)
                ratchet = guess._sessions[at].ratchet
                ratchet.receiving = ReceivingChain(chain.header, chain.key, number)
                ratchet.skipped.chains = []
                yield guess
