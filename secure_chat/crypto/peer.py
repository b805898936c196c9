"""All sessions of one pair of devices (after Signal's Sesame document; PROTOCOL.md 7.5).

Usually there is one. There are more when both sides start at once, or when one side lost its state
and started anew. The session of highest rank is sent on, all are received on; since rank is a
function of what both sides see, they agree once they hold the same sessions.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from secure_chat.crypto import body as bodies
from secure_chat.crypto import pqxdh, state
from secure_chat.crypto.body import SESSION_ID, Initial
from secure_chat.crypto.identity import LocalDevice, PeerDevice, peer_from_manifest
from secure_chat.crypto.keys import Encapsulate, encapsulate_768, encapsulate_1024
from secure_chat.crypto.prekeys import Bundle, PrekeySource
from secure_chat.crypto.ratchet import DoesNotDecrypt
from secure_chat.crypto.rng import Random
from secure_chat.crypto.session import Session
from secure_chat.errors import (
    BadAddress,
    BadEncoding,
    BadSessionState,
    NoSession,
    PeerMismatch,
    RepeatedInitialMessage,
    UndecryptableMessage,
)
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import DeviceAddress, canonical_user_id
from secure_chat.protocol.encoding import Reader, fields, u8, u64
from secure_chat.protocol.manifest import DeviceEntry, Manifest, decode_manifest
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import (
    AccountKey,
    DeviceDhKey,
    DeviceKey,
    ManifestBytes,
    MlsKey,
    ServerId,
    Signature,
)


class Opened(NamedTuple):
    """A decrypted message."""

    content: bytes
    session_id: bytes
    new_session: bool = False
    used_one_time: int | None = None
    """The one-time prekey to delete, in the transaction that stores the message."""
    used_kem: int | None = None
    """The same for a one-time KEM key. The initiator said that it is one-time: delete it only if
    it is, so that a liar cannot have a last-resort key deleted."""
    outranked: bool = False
    """The other side started anew, having lost its sessions, but a clock that is behind gave the
    new one a lower rank than the one we send on: it cannot read us until we `start` again."""


@dataclass(frozen=True)
class InitialSender:
    """Who an initial message says it is from; the manifest's signature has been verified."""

    address: DeviceAddress
    account_key: AccountKey
    manifest: Manifest
    manifest_bytes: ManifestBytes
    manifest_signature: Signature
    peer: PeerDevice
    session_id: bytes


def read_initial(body: bytes) -> InitialSender | None:
    """Who begins a session with this body; None for a message of a session that exists.

    Whether the sender holds the keys it names shows only when `PeerSessions.open` accepts the
    body. Raises `BadEncoding`, `UnsupportedBody`, `BadSignature`, `BadManifest`, `BadAddress`.
    """
    initial = bodies.decode(body).initial
    return None if initial is None else _sender(initial)


def _sender(initial: Initial) -> InitialSender:
    user_id, at, server = decode_manifest(initial.manifest).address.partition(b"@")
    try:
        server_id = ServerId.checked(bytes.fromhex(server.decode("ascii")))
        address = DeviceAddress(canonical_user_id(user_id.decode("ascii")), initial.device)
    except ValueError:  # not ASCII, not hexadecimal
        raise BadAddress(text=repr(user_id + at + server)) from None
    peer, manifest = peer_from_manifest(
        address, server_id, initial.account_key, initial.manifest, initial.manifest_signature
    )
    return InitialSender(
        address,
        initial.account_key,
        manifest,
        initial.manifest,
        initial.manifest_signature,
        peer,
        initial.session_id,
    )


class PeerSessions:
    """The sessions with one device. `start`, `seal` and `open` change it only when they succeed."""

    def __init__(self, our: LocalDevice, peer: PeerDevice) -> None:
        self._our = our
        self._peer = peer
        self._sessions: list[Session] = []  # the highest rank first
        self._given_up: list[bytes] = []  # ids of sessions that must never be derived again
        self._last_restart = 0

    def __repr__(self) -> str:
        return f"<PeerSessions with {self._peer.address}: {len(self._sessions)}>"

    @property
    def peer(self) -> PeerDevice:
        """The other device."""
        return self._peer

    @property
    def ready(self) -> bool:
        """Whether `seal` is possible."""
        return bool(self._sessions)

    @property
    def session_id(self) -> bytes | None:
        """The session that is sent on."""
        return self._sessions[0].id if self._sessions else None

    @property
    def waiting_for_reply(self) -> bool:
        """Whether the session that is sent on was begun by us and not answered yet."""
        return bool(self._sessions) and bool(self._sessions[0].prefix)

    def wants_turn(self, now_ms: int) -> bool:
        """Whether an empty silent turn should be sent to an accepted contact (PROTOCOL.md 8)."""
        return bool(self._sessions) and self._sessions[0].wants_turn(now_ms)

    def opened_a_turn(self, session_id: bytes) -> None:
        """What was just opened was an empty turn, which wants no answer (PROTOCOL.md 8).

        Otherwise two idle devices would answer each other's turns for ever.
        """
        for session in self._sessions:
            if session.id == session_id:
                session.owes_nothing_for_it()

    # ------------------------------------------------------------ beginning

    def start(
        self,
        bundle: Bundle,
        now_ms: int,
        random: Random,
        *,
        anew: bool = False,
        encapsulate: Encapsulate = encapsulate_1024,
    ) -> None:
        """Begin a session with a claimed bundle; it becomes the one that is sent on.

        It counts as a restart, which the other side prefers to all earlier sessions, if there have
        been sessions here, or if ``anew`` says that they were lost with an old state.
        Raises `PeerMismatch` (the bundle is of other keys), `BadKemKey`, `DeadRandomness`.
        """
        if not bundle.peer.same_keys(self._peer):
            raise PeerMismatch(address=self._peer.address)
        first = not (anew or self._sessions or self._given_up)
        restart = 0 if first else max(now_ms, self._last_restart + 1)
        restart = min(restart, bodies.RESTART_LIMIT - 1)
        keys, initial = pqxdh.initiate(self._our, bundle, restart, random, encapsulate)
        session = Session.begun_by_us(keys, initial, bundle.signed_prekey.key, now_ms)
        self._learn(bundle.peer)
        self._add(session, now_ms)

    def _learn(self, peer: PeerDevice) -> None:
        """Keep the highest counter seen; a delayed message may carry an older one."""
        if peer.manifest_counter > self._peer.manifest_counter:
            self._peer = replace(self._peer, manifest_counter=peer.manifest_counter)

    def _add(self, session: Session, now_ms: int) -> None:
        """Take a session in, and give up those of low rank that are too many or too old."""
        self._last_restart = max(self._last_restart, session.restart)
        self._sessions.append(session)
        self._sessions.sort(key=lambda each: each.rank, reverse=True)
        too_old = now_ms - limits.PREKEY_KEPT * 1000
        kept = [
            each
            for place, each in enumerate(self._sessions)
            if place == 0 or each is session or each.used_ms >= too_old
        ]
        while len(kept) > limits.SESSIONS_PER_PEER:
            kept.remove(next(each for each in reversed(kept) if each is not session))
        gone = [each.id for each in self._sessions if each not in kept]
        self._given_up = [*self._given_up, *gone][-limits.SESSION_IDS_KEPT :]
        self._sessions = kept

    def drop_sessions(self) -> None:
        """Give up every session, as after a restored old state: the next `start` is a restart.

        The ids stay known, so that none of them can be derived again from a repeated message.
        """
        ids = [session.id for session in reversed(self._sessions)]
        self._given_up = [*self._given_up, *ids][-limits.SESSION_IDS_KEPT :]
        self._sessions = []

    # ------------------------------------------------------------ messages

    def seal(self, content: bytes, now_ms: int, random: Random) -> bytes:
        """Encrypt ``content``, padded, as a frame body.

        Raises `NoSession`, `ContentTooLong` (see `ratchet.CONTENT`) and `DeadRandomness`.
        """
        if not self._sessions:
            raise NoSession(address=self._peer.address)
        return self._sessions[0].seal(content, now_ms, random)

    def open(
        self,
        body: bytes,
        prekeys: PrekeySource,
        now_ms: int,
        *,
        encapsulate: Encapsulate = encapsulate_768,
    ) -> Opened:
        """Decrypt a frame body; every failure raises a `PeerError` and changes nothing.

        `UndecryptableMessage`, `RepeatedMessage`, `TooManySkippedMessages`, `PqStepConflict`,
        `UnexpectedPqMix`, `BadKemKey`, `BadCurveKey`, `BadEncoding`, `UnsupportedBody`; for an
        initial message also `UnknownPrekey`, `PeerMismatch`, `TranscriptMismatch`,
        `RepeatedInitialMessage`, `BadSignature`, `BadManifest`, `BadAddress`.
        """
        cut = bodies.decode(body)
        if cut.initial is None:
            return self._open(self._sessions, cut, now_ms, encapsulate)
        known = [each for each in self._sessions if each.id == cut.initial.session_id]
        if known:
            return self._open(known, cut, now_ms, encapsulate)
        return self._open_first(cut.initial, cut, prekeys, now_ms, encapsulate)

    def _open(
        self,
        sessions: list[Session],
        cut: bodies.Body,
        now_ms: int,
        encapsulate: Encapsulate,
    ) -> Opened:
        """Open with the session whose header key fits."""
        try:
            for session in sessions:
                content = session.open(cut.prefix, cut.sealed, now_ms, encapsulate)
                if content is not None:
                    if len(self._sessions) > 1:
                        self._bound(now_ms)
                    return Opened(content, session.id)
        except DoesNotDecrypt:
            pass
        raise UndecryptableMessage(address=self._peer.address, sessions=len(sessions))

    def _open_first(
        self,
        initial: Initial,
        cut: bodies.Body,
        prekeys: PrekeySource,
        now_ms: int,
        encapsulate: Encapsulate,
    ) -> Opened:
        """Derive the session of an initial message, and keep it if the message decrypts."""
        if initial.session_id in self._given_up:
            raise RepeatedInitialMessage
        peer = _sender(initial).peer
        if not peer.same_keys(self._peer):
            raise PeerMismatch(address=self._peer.address)
        keys, signed_prekey = pqxdh.respond(self._our, peer, initial, prekeys)
        session = Session.begun_by_them(keys, initial.restart, signed_prekey, now_ms)
        opened = self._open([session], cut, now_ms, encapsulate)
        self._learn(peer)
        self._add(session, now_ms)
        self._bound(now_ms)
        is_one_time = initial.kem_kind is PrekeyKind.ONE_TIME_KEM
        sent_on = self._sessions[0]
        # While our prefix is still sent, the other side can derive our session from it.
        outranked = initial.restart > 0 and sent_on is not session and not sent_on.prefix
        return opened._replace(
            new_session=True,
            used_one_time=initial.one_time_id,
            used_kem=initial.kem_id if is_one_time else None,
            outranked=outranked,
        )

    def _bound(self, now_ms: int) -> None:
        """All sessions together store at most `limits.SKIP_STORED` keys; the active one first.

        Each ratchet has seen to its own.
        """
        room = limits.SKIP_STORED
        for session in self._sessions:
            skipped = session.ratchet.skipped
            if len(skipped) > room:
                skipped.tidy(now_ms, room)
            room -= len(skipped)

    # ------------------------------------------------------------ the stored form

    # u8 version = 2 ‖ peer ‖ u64 last restart ‖ u8 ids ‖ id 16… ‖ u8 sessions ‖ (u32 length ‖
    # session)…            peer = fields(address, server id, account, signing, DH, MLS key, counter)

    def serialize(self) -> bytes:
        """The stored form, with all secrets: for the vault only."""
        return b"".join(
            (
                u8(state.VERSION),
                _encode_peer(self._peer),
                u64(self._last_restart),
                u8(len(self._given_up)),
                *self._given_up,
                u8(len(self._sessions)),
                fields(*(session.encode() for session in self._sessions)),
            )
        )

    @classmethod
    def load(cls, our: LocalDevice, stored: bytes) -> "PeerSessions":
        """Read what `serialize` wrote, in any version so far.

        Raises `BadSessionState`, or of its kind `NewerSessionState` for a later program's.
        """
        reader = Reader(stored, "session state")
        try:
            version = reader.number(1)
            state.check_version(version)
            loaded = cls(our, _decode_peer(reader))
            loaded._last_restart = reader.number(8)
            loaded._given_up = [reader.take(SESSION_ID) for _ in range(reader.number(1))]
            loaded._sessions = [
                Session.decode(reader.field(), version) for _ in range(reader.number(1))
            ]
            reader.finish()
        except (BadEncoding, BadAddress) as wrong:
            raise BadSessionState(reason="it is malformed") from wrong
        return loaded


def _encode_peer(peer: PeerDevice) -> bytes:
    entry = peer.entry
    return fields(
        str(peer.address).encode(),
        peer.server_id,
        peer.account_key,
        entry.signing_key,
        entry.dh_key,
        entry.mls_key,
        u64(peer.manifest_counter),
    )


def _decode_peer(reader: Reader) -> PeerDevice:
    text = reader.field().decode("ascii", "replace")
    address = DeviceAddress.parse(text)
    if str(address) != text:
        raise BadEncoding(what="session state")
    server_id = ServerId(reader.field(exactly=ServerId.size))
    account_key = AccountKey(reader.field(exactly=AccountKey.size))
    entry = DeviceEntry(
        address.device,
        DeviceKey(reader.field(exactly=DeviceKey.size)),
        DeviceDhKey(reader.field(exactly=DeviceDhKey.size)),
        MlsKey(reader.field(exactly=MlsKey.size)),
    )
    counter = int.from_bytes(reader.field(exactly=8), "big")
    return PeerDevice(address, server_id, account_key, entry, counter)
