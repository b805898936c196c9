"""One session between two devices: a ratchet, how it began, and what it owes (PROTOCOL.md 7)."""

from secure_chat.crypto.body import RATCHET_PREFIX, SESSION_ID, Initial
from secure_chat.crypto.keys import Encapsulate, PrekeyPrivate, RatchetPrivate
from secure_chat.crypto.pq_step import Answering, Offering
from secure_chat.crypto.pqxdh import SessionKeys
from secure_chat.crypto.ratchet import Ratchet
from secure_chat.crypto.rng import Random
from secure_chat.crypto.state import decode_ratchet, encode_ratchet
from secure_chat.errors import BadEncoding
from secure_chat.protocol import limits
from secure_chat.protocol.encoding import Reader, fields, u8, u32, u64

_PQ_MS = limits.PQ_SECONDS * 1000


class Session:
    """A ratchet with its place among the sessions of a pair of devices.

    ``prefix`` is the initial prefix while we began the session and nothing has come back on it.
    """

    __slots__ = (
        "id",
        "initiator",
        "prefix",
        "ratchet",
        "restart",
        "unanswered",
        "unanswered_since_ms",
        "used_ms",
    )

    def __init__(
        self, ratchet: Ratchet, *, initiator: bool, restart: int, prefix: bytes, now_ms: int
    ) -> None:
        self.ratchet = ratchet
        self.initiator = initiator
        self.restart = restart
        self.prefix = prefix
        self.used_ms = now_ms
        self.unanswered = 0  # messages received since we last sent,
        self.unanswered_since_ms = 0  # the first of them at this time
        self.id = ratchet.associated_data[:SESSION_ID]
        """16 bytes that both sides know it by."""

    @classmethod
    def begun_by_us(
        cls, keys: SessionKeys, initial: Initial, signed_prekey: bytes, now_ms: int
    ) -> "Session":
        """The initiator's session (RatchetInitAliceHE; its first sending step is made lazily)."""
        ratchet = Ratchet(
            associated_data=keys.associated_data,
            root=keys.root,
            our_key=None,
            their_key=signed_prekey,
            next_sending_header=keys.initiator_header,
            next_receiving_header=keys.responder_header,
            pq=Offering(),
            now_ms=now_ms,
        )
        restart, prefix = initial.restart, initial.encode()
        return cls(ratchet, initiator=True, restart=restart, prefix=prefix, now_ms=now_ms)

    @classmethod
    def begun_by_them(
        cls, keys: SessionKeys, restart: int, signed_prekey: PrekeyPrivate, now_ms: int
    ) -> "Session":
        """The responder's session (RatchetInitBobHE), with the signed prekey as ratchet key."""
        ratchet = Ratchet(
            associated_data=keys.associated_data,
            root=keys.root,
            our_key=RatchetPrivate(signed_prekey.raw),
            their_key=None,
            next_sending_header=keys.responder_header,
            next_receiving_header=keys.initiator_header,
            pq=Answering(),
            now_ms=now_ms,
        )
        return cls(ratchet, initiator=False, restart=restart, prefix=b"", now_ms=now_ms)

    @property
    def rank(self) -> tuple[int, int]:
        """Of several sessions the one of highest rank is sent on.

        A later restart wins; among equals (both sides start for the first time at once) the
        smaller id. Both sides see the same numbers, so whoever holds the same sessions chooses the
        same one, in whatever order they arrived.
        """
        return self.restart, -int.from_bytes(self.id, "big")

    def seal(self, content: bytes, now_ms: int, random: Random) -> bytes:
        """The frame body; see `Ratchet.seal`."""
        body = self.ratchet.seal(self.prefix or RATCHET_PREFIX, content, now_ms, random)
        self.used_ms = now_ms
        self.unanswered = 0
        return body

    def open(
        self, prefix: bytes, sealed: bytes, now_ms: int, encapsulate: Encapsulate
    ) -> bytes | None:
        """The content, or None if the message is not of this session; see `Ratchet.open`."""
        content = self.ratchet.open(prefix, sealed, now_ms, encapsulate)
        if content is not None:
            self.prefix = b""  # the responder has the session: it answers on it
            self.used_ms = now_ms
            if not self.unanswered:
                self.unanswered_since_ms = now_ms
            self.unanswered += 1
        return content

    def wants_turn(self, now_ms: int) -> bool:
        """Whether an empty turn should be sent, so that the ratchet can heal (PROTOCOL.md 8)."""
        waited = now_ms - self.unanswered_since_ms
        return self.unanswered >= limits.PQ_MESSAGES or (self.unanswered > 0 and waited >= _PQ_MS)

    def owes_nothing_for_it(self) -> None:
        """The message that was just opened was a turn: it wants no answer of its own."""
        self.unanswered = max(0, self.unanswered - 1)

    # u8 initiator ‖ u64 restart ‖ u64 last use ‖ u32 unanswered ‖ u64 since ‖ u32 length ‖ prefix
    # ‖ ratchet

    def encode(self) -> bytes:
        """The stored form."""
        return b"".join(
            (
                u8(self.initiator),
                u64(self.restart),
                u64(self.used_ms),
                u32(self.unanswered),
                u64(self.unanswered_since_ms),
                fields(self.prefix),
                encode_ratchet(self.ratchet),
            )
        )

    @classmethod
    def decode(cls, stored: bytes, version: int) -> "Session":
        """Read what `encode` of that version wrote; raise `BadEncoding`."""
        reader = Reader(stored, "session state")
        initiator, restart, used_ms = reader.number(1), reader.number(8), reader.number(8)
        unanswered, since = reader.number(4), reader.number(8)
        prefix = reader.field()
        ratchet = decode_ratchet(reader, version)
        reader.finish()
        if initiator > 1:
            raise BadEncoding(what="session state")
        session = cls(
            ratchet, initiator=initiator == 1, restart=restart, prefix=prefix, now_ms=used_ms
        )
        session.unanswered, session.unanswered_since_ms = unanswered, since
        return session
