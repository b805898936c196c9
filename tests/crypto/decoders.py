"""Every decoder of the protocol, the encryption and the contents, as targets that take any bytes.

A target gives the bytes to one decoder, as the bytes of a peer, a server or a disk would reach it,
and raises `AssertionError` if what comes out is neither a value with these bytes as its only form
nor one of the named errors. Any other exception is a finding by itself.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from secure_chat.client import content
from secure_chat.client.content import ContentId, Type
from secure_chat.client.vault import keyfile
from secure_chat.crypto import aead, fingerprint, kdf, pq_step, ratchet
from secure_chat.crypto import body as bodies
from secure_chat.crypto.body import RATCHET_PREFIX
from secure_chat.crypto.files import FileKey, Opener, Sealer
from secure_chat.crypto.keys import STEP_KEY, StepPrivate
from secure_chat.crypto.padding import pad, unpad
from secure_chat.crypto.peer import PeerSessions, read_initial
from secure_chat.crypto.prekeys import check_bundle
from secure_chat.crypto.verify import check_manifest, check_successor
from secure_chat.errors import BadQrCode, BadSessionState, Code, LocalError, PeerError
from secure_chat.protocol import frames, limits, messages, signing
from secure_chat.protocol.addresses import DeviceAddress, canonical_device, canonical_user_id
from secure_chat.protocol.encoding import b64url, from_b64url, from_b64url_loose
from secure_chat.protocol.held import HeldRow, decode_rows, encode_rows
from secure_chat.protocol.invite import ContactLink, InviteLink, ServerAddress
from secure_chat.protocol.manifest import Manifest, decode_manifest, manifest_hash
from secure_chat.protocol.wiretypes import DeliveryId, ManifestBytes
from secure_chat.server.core import wire
from tests.crypto.support import NOW, SERVER, Link, pair, talking

Take = Callable[[bytes], None]


class Target(NamedTuple):
    """One decoder: ``take`` gives it bytes, ``seeds`` are some that it accepts."""

    name: str
    take: Take
    seeds: tuple[bytes, ...]
    covers: tuple[Callable[..., object], ...] = ()
    """The public decoders that it reaches."""


# ---------------------------------------------------------------- what stands for itself


def _one_form(decode: Callable[[bytes], Any], encode: Callable[[Any], bytes]) -> Take:
    def take(data: bytes) -> None:
        try:
            value = decode(data)
        except (PeerError, LocalError):
            return
        assert encode(value) == data, "a second form of one value"

    return take


def _text(decode: Callable[[str], object]) -> Take:
    """What a person or a header gives as text: it is read again as what it says it is."""

    def take(data: bytes) -> None:
        try:
            value = decode(data.decode("utf-8", "replace"))
        except (PeerError, LocalError):
            return
        assert decode(str(value)) == value

    return take


def _frames(data: bytes) -> None:
    """A stream in two parts gives the frames of the whole, and fails if the whole fails.

    Which of two faults is named depends on what has arrived.
    """
    cut = data[0] if data else 0
    stream = data[1:]

    def fed(*parts: bytes) -> tuple[list[frames.Frame], object]:
        decoder, taken = frames.FrameDecoder(), []
        try:
            for part in parts:
                taken += decoder.feed(part)
        except frames.BrokenStream as broken:
            return taken + broken.frames, "broken"
        return taken, decoder.holds_partial_frame

    assert fed(stream) == fed(stream[:cut], stream[cut:])
    for frame in fed(stream)[0]:
        assert frames.encode_frame(*frame) in stream


def _client_header(data: bytes) -> None:
    """The general decoder and the short ways of the message path say the same."""
    _one_form(messages.decode_client_header, messages.encode_header)(data)
    pm, ack = wire.read_pm(data), wire.read_ack(data)
    if pm is not None:
        message = messages.decode_client_header(data)
        assert isinstance(message, messages.Pm)
        told = (message.id, message.to, message.manifest, message.transient)
        assert told == (wire.id_of(pm.id), pm.to, pm.manifest, pm.transient)
    if ack is not None:
        assert messages.decode_client_header(data) == messages.Ack(ack)


def _base64(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for decode in (from_b64url, from_b64url_loose):
        try:
            decoded = decode(text)
        except PeerError:
            continue
        assert decode is from_b64url_loose or b64url(decoded) == text


def _rows(data: bytes) -> None:
    """A page is read again as what it said; its JSON may have had another spelling."""
    try:
        rows = decode_rows(data)
    except PeerError:
        return
    assert decode_rows(encode_rows(rows)) == rows


def _content(data: bytes) -> None:
    try:
        decoded = content.decode(data)
    except PeerError:
        return
    if not isinstance(decoded.payload, content.Unknown):
        assert content.decode(content.encode(decoded)) == decoded


def _payload(data: bytes) -> None:
    kinds = list(Type)
    kind = kinds[data[0] % len(kinds)] if data else Type.TEXT
    try:
        payload = content.decode_payload(kind, data[1:])
    except PeerError:
        return
    again = content.decode_payload(kind, content.encode_payload(payload))
    assert (content.kind_of(payload), again) == (kind, payload)


def _attachment(data: bytes) -> None:
    try:
        attachment, rest = pq_step.split(data)
    except PeerError:
        return
    assert attachment.encode() + rest == data


# ---------------------------------------------------------------- what a session judges

_ALICE, _BOB = talking(seed="decoders")
_ALICE.seal("never arrives")
_BOB.open(_ALICE.seal("so that a key is stored"))
_NEW_ALICE, _NEW_BOB = pair(seed="decoders")
_NEW_ALICE.start()
_INITIAL, _MESSAGE = _NEW_ALICE.seal("hello"), _ALICE.seal("hello")
_TO_BOB = _ALICE.seal("after a gap")


def _judged(link: Link, genuine: bytes) -> Take:
    """A session takes nothing but the genuine body, and a refusal leaves it as it was."""
    before = link.sessions.serialize()

    def take(data: bytes) -> None:
        if data == genuine:
            return
        try:
            link.open(data)
        except PeerError:
            assert link.sessions.serialize() == before, "a refusal changed the state"
        else:
            raise AssertionError("a body that nobody sent was opened")

    return take


def _initial(data: bytes) -> None:
    for decode in (bodies.decode, read_initial):
        try:
            decode(data)
        except PeerError:
            continue


def _hostile_peer() -> tuple[Take, tuple[bytes, ...]]:
    """A peer that has the session's keys, and seals any header and any plaintext with them.

    The bytes are u8 flags (1: the plaintext is not padded; 2: the header names any ratchet key) ‖
    header ‖ plaintext.
    """
    alice, bob = talking(seed="hostile peer")
    bob.open(alice.seal("in order"))
    alice.open(bob.seal("so that the next message begins a chain"))
    sender, before = alice.sessions._sessions[0].ratchet, bob.sessions.serialize()
    step = sender._sending_step(alice.person.random)
    key, nonce, layout = step.our_key.public, bytes(range(12)), ratchet._HEADER
    associated = sender.associated_data + RATCHET_PREFIX

    def message_key(number: int) -> bytes:
        chain = step.chain.key
        for _ in range(number if number <= limits.SKIP_PER_CHAIN else 0):
            _, chain = kdf.chain_step(chain)
        return kdf.chain_step(chain)[0].raw

    def take(data: bytes) -> None:
        flags, header = data[:1], data[1 : 1 + layout.size].ljust(layout.size, b"\0")
        plaintext = data[1 + layout.size :][:2000]
        if flags not in {b"\2", b"\3"}:
            header = key + header[len(key) :]
        padded = plaintext[:256].ljust(256) if flags in {b"\1", b"\3"} else pad(plaintext)
        front = nonce + step.chain.header.cipher.encrypt(nonce, header, associated)
        cipher = aead.cipher(message_key(layout.unpack(header)[2]))
        body = RATCHET_PREFIX + front + cipher.encrypt(nonce, padded, associated + front)
        bob.sessions = PeerSessions.load(bob.person.device, before)
        try:
            bob.opened(body)
        except PeerError:
            assert bob.sessions.serialize() == before, "a refusal changed the state"

    seeds = [b"\0" + layout.pack(key, 1, number, 0) + b"\0content" for number in (0, 3)]
    offer = pq_step.Attachment(pq_step.OFFER, 1, StepPrivate(bytes(64)).public).encode()
    seeds.append(b"\0" + layout.pack(key, 1, 0, 0) + offer + b"content")
    return take, tuple(seeds)


def _state(data: bytes) -> None:
    """What a vault returns is refused, or loaded: then it has one form, and can be used."""
    try:
        loaded = PeerSessions.load(_ALICE.person.device, data)
    except BadSessionState:
        return
    stored = loaded.serialize()
    assert PeerSessions.load(_ALICE.person.device, stored).serialize() == stored
    assert data[0] == 1 or stored == data
    for use in (
        lambda: loaded.open(_TO_BOB, _BOB.person.store, NOW),
        lambda: loaded.seal(b"", NOW, _BOB.person.random),
    ):
        try:
            use()
        except (PeerError, LocalError):
            continue


# ---------------------------------------------------------------- what is signed

_PERSON = _ALICE.person
_DEVICE = _PERSON.device


def _signed_manifest(data: bytes) -> None:
    """An account signs whatever it likes."""
    _one_form(decode_manifest, Manifest.encode)(data)
    encoded = ManifestBytes(data)
    signature = _PERSON.account.sign(signing.manifest(encoded))
    try:
        manifest = check_manifest(
            _DEVICE.account_key,
            encoded,
            signature,
            user_id=_DEVICE.address.user_id,
            server_id=SERVER,
        )
        check_successor(decode_manifest(_DEVICE.manifest), _DEVICE.manifest, manifest)
    except PeerError:
        return


def _bundle(data: bytes) -> None:
    """A server hands out any header as somebody's keys."""
    try:
        keys = messages.decode_server_header(data)
    except PeerError:
        return
    if isinstance(keys, messages.Keys):
        try:
            check_bundle(keys, _DEVICE.address, SERVER, NOW)
        except PeerError:
            return


def _qr(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    side = (_DEVICE.address.user_id, _DEVICE.account_key)
    if len(text) == fingerprint._QR_SIZE and text.isascii() and text.isdecimal():
        text = text[:-1]  # a well-formed one costs two PBKDF2, and test_fingerprint.py tries those
    try:
        assert not fingerprint.check_qr(text, side, side, SERVER)
    except BadQrCode:
        return


_FILE_KEY = FileKey(bytes(range(32)))


def _sealed_file() -> bytes:
    sealer = Sealer(_FILE_KEY, 5)
    return sealer.update(b"hello") + sealer.finish()


def _file(data: bytes) -> None:
    opener = Opener(_FILE_KEY, 5)
    try:
        opened = opener.update(data) + opener.finish()
    except PeerError:
        return
    assert (opened, data) == (b"hello", _sealed_file())


_VAULT_KEY = bytes(range(32))


@contextmanager
def _quick_derivation() -> Iterator[None]:
    """Argon2id takes a second by design: here a password gives one key at once."""
    derive = keyfile._wrapping_key
    keyfile._wrapping_key = lambda *_: bytes(32)
    try:
        yield
    finally:
        keyfile._wrapping_key = derive


def _key_json() -> bytes:
    with _quick_derivation():
        return keyfile.wrap(_VAULT_KEY, "password", _PERSON.random)


def _key_file(data: bytes) -> None:
    """What a disk returns as key.json is refused, or has the key that was put into it."""
    with _quick_derivation():
        try:
            key = keyfile.unwrap(data, "password")
        except (LocalError, PeerError):
            return
    assert key == _VAULT_KEY


# ---------------------------------------------------------------- seeds


def _client_seeds() -> tuple[bytes, ...]:
    header = messages.encode_header
    an_id = DeliveryId(bytes(range(16)))
    put = messages.KeysPut(1, 2, one_time=[_PERSON.one_time[0]], one_time_kem=[])
    return (
        header(messages.Pm(an_id, "bob/main", 3, transient=True)),
        header(messages.Ack(77)),
        header(messages.List(3, after="bob", limit=9)),
        header(put),
        header(messages.ManifestPut(4, _DEVICE.manifest, _DEVICE.manifest_signature)),
    )


def _server_seeds() -> tuple[bytes, ...]:
    header = messages.encode_header
    return (
        header(_PERSON.claim()),
        header(messages.Delivery(DeliveryId(bytes(16)), 5, NOW, "alice/main")),
        header(messages.Users(1, [messages.UserEntry("alice", online=True)], more=True)),
        header(messages.Error(Code.RATE_LIMITED, "Wait.", ref=4, retry_after=1.5)),
    )


def _content_seeds() -> tuple[bytes, ...]:
    an_id = ContentId(bytes(range(16)))
    payloads: list[content.Payload] = [
        content.Text("hello", 60, content.Reference(True, an_id)),  # noqa: FBT003
        content.Text("", 0, None, content.File("a.png", 5, "image/png", _FILE_KEY, bytes(32))),
        content.Edit(an_id, 1, "سلام"),
        content.Reaction(content.Reference(False, an_id), 1, "👍"),  # noqa: FBT003
        content.Receipt((an_id,), read=True),
        content.Profile(1, "Alice"),
        content.Timer(1, 60),
    ]
    return tuple(content.encode(content.Content(an_id, NOW, each)) for each in payloads)


def _two_devices() -> bytes:
    first = decode_manifest(_DEVICE.manifest)
    second = msgspec.structs.replace(first.devices[0], name="phone")
    previous = manifest_hash(_DEVICE.manifest)
    return Manifest(first.address, 2, previous, NOW, (*first.devices, second)).encode()


def _old_states() -> list[bytes]:
    """Stored by the versions so far."""
    files = (Path(__file__).parents[1] / "vectors").glob("stored-states-*.json")
    moments = [each for file in files for each in json.loads(file.read_text())["moments"]]
    return [bytes.fromhex(state) for each in moments for state in each["states"].values()]


_LINK = f"securechat://example.org:7443/#v=1&id={b64url(bytes(16))}"
_INVITE = f"{_LINK}&pin={b64url(bytes(32))}&invite={b64url(bytes(16))}".encode()
_CONTACT = f"{_LINK}&contact=bob&key={b64url(bytes(32))}".encode()


# ---------------------------------------------------------------- the table


def _of_encryption() -> list[Target]:
    take_hostile, hostile_seeds = _hostile_peer()
    offer = pq_step.Attachment(pq_step.OFFER, 1, bytes(STEP_KEY)).encode()
    states = (_BOB.sessions.serialize(), _NEW_ALICE.sessions.serialize(), *_old_states())
    bundle = messages.encode_header(_PERSON.claim())
    manifests = (_DEVICE.manifest, _two_devices())
    code = b"01" + b"12345" * 12
    return [
        Target("initial body", _initial, (_INITIAL, _MESSAGE), (bodies.decode, read_initial)),
        Target("first message", _judged(_NEW_BOB, _INITIAL), (_INITIAL,)),
        Target("message", _judged(_BOB, _MESSAGE), (_MESSAGE,)),
        Target("a hostile peer's message", take_hostile, hostile_seeds),
        Target("padding", _one_form(unpad, pad), (pad(b"x" * 300),), (unpad,)),
        Target("attachment", _attachment, (offer, b"\0content"), (pq_step.split,)),
        Target("stored sessions", _state, states, (PeerSessions.load,)),
        Target("manifest", _signed_manifest, manifests, (decode_manifest,)),
        Target("bundle", _bundle, (bundle,), (check_bundle,)),
        Target("QR code", _qr, (code,), (fingerprint.check_qr,)),
        Target("key file of a vault", _key_file, (_key_json(),), (keyfile.unwrap,)),
        Target("file", _file, (_sealed_file(),), (Opener.update, Opener.finish)),
    ]


def _of_protocol() -> list[Target]:
    stream = b"\5" + frames.encode_frame(b"{}", b"body") * 3
    rows = encode_rows([HeldRow("accounts", {"user_id": "bob", "counter": 1, "key": None})])
    decode_client, decode_server = messages.decode_client_header, messages.decode_server_header
    server = _one_form(decode_server, messages.encode_header)
    letters, base64 = b64url(bytes(range(40))).encode(), (from_b64url, from_b64url_loose)
    shorter = (decode_client, wire.read_pm, wire.read_ack)
    return [
        Target("frames", _frames, (stream,), (frames.FrameDecoder.feed,)),
        Target("client header", _client_header, _client_seeds(), shorter),
        Target("server header", server, _server_seeds(), (decode_server,)),
        Target("rows held", _rows, (rows,), (decode_rows,)),
        Target("base64url", _base64, (letters,), base64),
        Target("invite link", _text(InviteLink.parse), (_INVITE,), (InviteLink.parse,)),
        Target("contact link", _text(ContactLink.parse), (_CONTACT,), (ContactLink.parse,)),
        Target("address", _text(ServerAddress.parse), (b"[::1]:7", b"a.b"), (ServerAddress.parse,)),
        Target("device", _text(DeviceAddress.parse), (b"alice/main",), (DeviceAddress.parse,)),
        Target("user id", _text(canonical_user_id), (b"Al_1.x-y",), (canonical_user_id,)),
        Target("device name", _text(canonical_device), (b"phone-2",), (canonical_device,)),
    ]


def _of_content() -> list[Target]:
    contents = _content_seeds()
    kinds = list(Type)
    payloads = tuple(
        bytes([kinds.index(content.kind_of(content.decode(each).payload))]) + each[60:]
        for each in contents
    )
    return [
        Target("content", _content, contents, (content.decode,)),
        Target("payload", _payload, payloads, (content.decode_payload,)),
    ]


TARGETS = {each.name: each for each in (*_of_encryption(), *_of_protocol(), *_of_content())}
