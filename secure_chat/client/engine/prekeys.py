"""The stock of prekeys that others start sessions with: made, published, refilled, rotated.

A prekey set has a version; the ids in it are ``version * 256 + index``. The version goes up before
anything is published, so an id is never given to two keys, not even by a vault that was restored
from a copy: the server's welcome names the version to go on from.

Each login publishes a version, if need be without new keys, and nothing is encrypted before the
server has it. So a copy of the vault that was made before the last login is found out at its next
login, even if nothing was received in between: its ratchets never encrypt a second time.
"""

from collections.abc import Callable

import msgspec

from secure_chat.client.engine.context import Context, Requests
from secure_chat.client.vault import identity, keys
from secure_chat.client.vault.keys import Kind
from secure_chat.crypto.prekeys import new_kem_prekey, new_one_time, new_signed_prekey
from secure_chat.errors import Refused
from secure_chat.protocol import limits
from secure_chat.protocol.messages import (
    KemPrekey,
    KeysPut,
    Ok,
    OneTimePrekey,
    SignedPrekey,
    Welcome,
    encode_header,
)
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import dec_hook, enc_hook

_IDS_PER_VERSION = 256  # two signed keys and two stocks of 100
_MOST_ONE_TIME = 2_000  # private parts of one kind, handed out and not used, that are kept
_MS = 1000
_LARGEST_REF = 2**32 - 1


class KeyStock:
    """Keeps the server supplied with our prekeys."""

    def __init__(self, context: Context, requests: Requests, ready: Callable[[], None]) -> None:
        self._context = context
        self._requests = requests
        self._ready = ready  # called once the server has this login's version
        self._queue: list[KeysPut] = []
        self._publishing = False

    def for_registration(self) -> tuple[SignedPrekey, KemPrekey]:
        """The two keys that a registration publishes, fresh for each attempt."""
        maker = _Maker(self._context, self._next_version())
        return maker.signed_pair()

    def welcomed(self, welcome: Welcome) -> None:
        """Publish what the server lacks."""
        with self._context.vault.read() as db:
            standing = identity.standing(db)
        unpublished = welcome.key_version < standing.key_version
        self._supply(
            welcome.one_time,
            welcome.one_time_kem,
            republish=unpublished,
            rotate=self._rotation_due,
            always=True,
        )

    def start_again(self, after_version: int) -> None:
        """A restored vault: delete every old private key, and publish a whole new set."""
        with self._context.transaction() as db:
            keys.drop_prekeys(db)
            identity.set_key_version(db, max(identity.standing(db).key_version, after_version))
        self._supply(0, 0, rotate=True, restart=True)

    def low(self, one_time: int, one_time_kem: int) -> None:
        """The server says that few are left."""
        self._supply(one_time, one_time_kem)

    def rotate_if_due(self) -> None:
        """New signed keys each week, and an end for those that were replaced long ago."""
        if self._rotation_due and not self._publishing:
            self._supply(limits.ONE_TIME_KEYS, limits.ONE_TIME_KEYS, rotate=True)

    def disconnected(self) -> None:
        """What was not confirmed is found missing at the next welcome."""
        self._queue.clear()
        self._publishing = False

    @property
    def _rotation_due(self) -> bool:
        with self._context.vault.read() as db:
            rotated = identity.standing(db).keys_rotated
        return self._context.now_ms >= rotated + limits.SIGNED_PREKEY_SECONDS * _MS

    def _supply(
        self,
        one_time: int,
        one_time_kem: int,
        *,
        rotate: bool = False,
        republish: bool = False,
        restart: bool = False,
        always: bool = False,
    ) -> None:
        if self._publishing:
            return  # the server says again when few are left
        missing = _missing(one_time), _missing(one_time_kem)
        if not (rotate or republish or restart or always or any(missing)):
            return
        version = self._next_version()
        maker = _Maker(self._context, version)
        pair = maker.signed_pair() if rotate else self._current_pair() if republish else None
        curve, kem = maker.one_time(*missing)
        self._queue = _frames(version, pair, curve, kem, restart=restart)
        self._publishing = True
        self._publish_next()

    def _next_version(self) -> int:
        with self._context.transaction() as db:
            version = identity.standing(db).key_version + 1
            identity.set_key_version(db, version)
        return version

    def _current_pair(self) -> tuple[SignedPrekey, KemPrekey] | None:
        with self._context.vault.read() as db:
            signed = keys.newest_public(db, Kind.SIGNED)
            last_resort = keys.newest_public(db, Kind.LAST_RESORT)
        if signed is None or last_resort is None:
            return None
        return (
            msgspec.json.decode(signed, type=SignedPrekey, dec_hook=dec_hook),
            msgspec.json.decode(last_resort, type=KemPrekey, dec_hook=dec_hook),
        )

    def _publish_next(self) -> None:
        """One frame at a time, in order."""
        if not self._queue:
            self._publishing = False
            return
        frame = self._queue.pop(0)
        self._requests.ask(
            lambda ref: msgspec.structs.replace(frame, ref=ref),
            Ok,
            self._published,
            self._refused,
            patient=True,
        )

    def _published(self, _: Ok) -> None:
        self._publish_next()
        if not self._context.ready:
            self._ready()

    def _refused(self, refusal: Refused) -> None:
        self._queue.clear()
        self._publishing = False
        self._context.problem(refusal)
        if not self._context.ready:
            self._ready()


class _Maker:
    """Makes the keys of one version and stores their private parts before they are published."""

    def __init__(self, context: Context, version: int) -> None:
        self._context = context
        self._next_id = version * _IDS_PER_VERSION

    def _id(self) -> int:
        taken, self._next_id = self._next_id, self._next_id + 1
        return taken

    def signed_pair(self) -> tuple[SignedPrekey, KemPrekey]:
        """A signed prekey and a last-resort key in place of the present ones."""
        context = self._context
        now, random, our = context.now_ms, context.random, context.our
        private, signed = new_signed_prekey(our, self._id(), now, random)
        kem_private, last = new_kem_prekey(our, PrekeyKind.LAST_RESORT_KEM, self._id(), now, random)
        with context.transaction() as db:
            keys.purge_prekeys(db, now - limits.PREKEY_KEPT * _MS)
            keys.retire_signed(db, now)
            keys.add_prekey(db, Kind.SIGNED, signed.id, private.raw, _encoded(signed))
            keys.add_prekey(db, Kind.LAST_RESORT, last.id, kem_private.raw, _encoded(last))
            identity.set_keys_rotated(db, now)
        return signed, last

    def one_time(self, curve: int, kem: int) -> tuple[list[OneTimePrekey], list[KemPrekey]]:
        """So many new one-time keys of each kind."""
        context = self._context
        curves = [new_one_time(self._id(), context.random) for _ in range(curve)]
        kems = [
            new_kem_prekey(
                context.our, PrekeyKind.ONE_TIME_KEM, self._id(), context.now_ms, context.random
            )
            for _ in range(kem)
        ]
        with context.transaction() as db:
            for private, public in curves:
                keys.add_prekey(db, Kind.ONE_TIME, public.id, private.raw, b"")
            for secret, published in kems:
                keys.add_prekey(db, Kind.ONE_TIME_KEM, published.id, secret.raw, b"")
            for kind in (Kind.ONE_TIME, Kind.ONE_TIME_KEM):
                keys.trim_one_time(db, kind, _MOST_ONE_TIME)
        return [public for _, public in curves], [public for _, public in kems]


def _missing(held: int) -> int:
    return limits.ONE_TIME_KEYS - held if held < limits.ONE_TIME_REFILL_BELOW else 0


def _encoded(key: SignedPrekey | KemPrekey) -> bytes:
    return msgspec.json.encode(key, enc_hook=enc_hook)


def _frames(
    version: int,
    pair: tuple[SignedPrekey, KemPrekey] | None,
    curve: list[OneTimePrekey],
    kem: list[KemPrekey],
    *,
    restart: bool,
) -> list[KeysPut]:
    """The keys in as few frames as the limits of count and header allow."""
    signed, last_resort = pair if pair is not None else (None, None)
    frame = KeysPut(_LARGEST_REF, version, signed, last_resort, restart=restart)
    frames = [frame]  # first and small: it carries the version, and perhaps the restart
    size = _fits(version, curve, limits.KEYS_PER_FRAME)
    frames += [
        KeysPut(_LARGEST_REF, version, one_time=curve[start : start + size])
        for start in range(0, len(curve), size)
    ]
    size = _fits(version, kem, limits.KEYS_PER_FRAME)
    frames += [
        KeysPut(_LARGEST_REF, version, one_time_kem=kem[start : start + size])
        for start in range(0, len(kem), size)
    ]
    return frames


def _fits(version: int, some: list[OneTimePrekey] | list[KemPrekey], most: int) -> int:
    """How many keys of this kind a frame can take; the last has the longest id."""
    if not some:
        return most
    one = len(msgspec.json.encode(some[-1], enc_hook=enc_hook)) + 1
    empty = len(encode_header(KeysPut(_LARGEST_REF, version)))
    envelope = len('"one_time_kem":[],')
    return min(most, (limits.KEY_HEADER - empty - envelope) // one)
