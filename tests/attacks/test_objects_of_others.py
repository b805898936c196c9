"""Whatever a client names, it reaches only what its own account owns; the server names senders."""

import secrets
import typing
from collections.abc import Callable, Iterator

import pytest

from secure_chat.errors import Code
from secure_chat.protocol import messages
from secure_chat.protocol.messages import (
    Accepted,
    AccountDelete,
    Ack,
    BlobGet,
    BlobHeld,
    BlobPut,
    ClientMessage,
    Delivery,
    Error,
    HeldData,
    KeysGet,
    KeysPut,
    ManifestGet,
    ManifestPut,
    Message,
    MyData,
    Ok,
    Pm,
    encode_header,
)
from secure_chat.protocol.wiretypes import BlobHash, DeliveryId, Signature
from tests.support.accounts import Account
from tests.support.processes import ServerProcess
from tests.support.raw_client import RawClient, blob_hash, delivery_id
from tests.support.wire import ClosedByServer, Wire

_LETTERS = tuple(f"letter {n}".encode() * 20 for n in range(5))


class Scene:
    """A victim who is offline with mail, the friend who wrote it, and a thief who is logged in."""

    def __init__(self, port: int, tag: str) -> None:
        self.port = port
        with RawClient.register(port, f"victim-{tag}") as victim:
            victim.publish(3, 3)
            self.victim: Account = victim.account
        self.friend = RawClient.register(port, f"friend-{tag}")
        self.ids = [self.friend.pm(str(self.victim.address), body) for body in _LETTERS]
        self.whole, self.coming = secrets.token_bytes(60_000), secrets.token_bytes(40_000)
        self.friend.put_blob(self.whole)
        self.friend.put_blob(self.coming, until=len(self.coming) // 2)
        self.thief = RawClient.register(port, f"thief-{tag}")

    def close(self) -> None:
        self.friend.wire.close()
        self.thief.wire.close()

    def check_untouched(self) -> None:
        """The victim finds keys, manifest and every letter as they were, whatever else came."""
        with RawClient.login(self.port, self.victim) as victim:
            welcome = victim.welcome
            assert (welcome.manifest, welcome.acked, welcome.key_version) == (1, 0, 1)
            assert (welcome.one_time, welcome.one_time_kem) == (3, 3)
            found = [
                (one.message.id, one.body)
                for one in victim.wire.all_now(0.5)
                if isinstance(one.message, Delivery) and one.message.sender == self.friend.address
            ]
            assert found == list(zip(self.ids, _LETTERS, strict=True))
            published = victim.claim(str(self.victim.address))
            assert published.signed_prekey == self.victim.signed_prekey
            assert published.account_key == self.victim.device.account_key
            assert published.manifest == self.victim.device.manifest
            assert victim.get_blob(blob_hash(self.whole)) == self.whole
        self.friend.put_blob(self.coming)
        assert self.friend.get_blob(blob_hash(self.coming)) == self.coming


@pytest.fixture
def scene(server: ServerProcess, request: pytest.FixtureRequest) -> Iterator[Scene]:
    number = len(_SCENES)
    _SCENES.append(number)
    scene = Scene(server.port, str(number))
    yield scene
    scene.close()


_SCENES: list[int] = []
Attempts = Callable[[Scene], list[tuple[Message, bytes]]]


def _register(scene: Scene) -> list[tuple[Message, bytes]]:
    again = Account.new(scene.victim.name, scene.thief.wire.hello.server_id)
    return [
        (again.register(scene.thief.wire), b""),
        (scene.victim.register(scene.thief.wire), b""),
    ]


def _login(scene: Scene) -> list[tuple[Message, bytes]]:
    signed = scene.victim.login_bytes(scene.thief.wire)
    by_thief = scene.thief.account.device.signing.sign(signed)
    return [(scene.victim.login(scene.thief.wire, by_thief), b"")]


def _pm(scene: Scene) -> list[tuple[Message, bytes]]:
    """With the ids of letters that wait: nothing is replaced, nothing returned to the thief."""
    victim = str(scene.victim.address)
    others = [(Pm(known, scene.thief.address), b"to myself") for known in scene.ids]
    return [*((Pm(known, victim), b"replaced") for known in scene.ids), *others]


def _ack(scene: Scene) -> list[tuple[Message, bytes]]:
    return [(Ack(seq), b"") for seq in (1, len(_LETTERS), 2**40)]


def _keys_put(scene: Scene) -> list[tuple[Message, bytes]]:
    """Keys of the victim's device, and a restart: at most the thief's own stock may go."""
    victim = scene.victim
    return [
        (KeysPut(1, 9, signed_prekey=victim.signed_prekey), b""),
        (KeysPut(2, 9, last_resort=victim.last_resort), b""),
        (KeysPut(3, 9, restart=True), b""),
    ]


def _manifest_put(scene: Scene) -> list[tuple[Message, bytes]]:
    victim, thief = scene.victim.device, scene.thief.account
    return [
        (ManifestPut(1, victim.manifest, victim.manifest_signature), b""),
        (ManifestPut(2, victim.manifest, Signature(bytes(64))), b""),
        (ManifestPut(3, thief.device.manifest, thief.device.manifest_signature), b""),
    ]


def _account_delete(scene: Scene) -> list[tuple[Message, bytes]]:
    """Signed by every key but the one that may: the account key of who is logged in."""
    thief, wire = scene.thief.account, scene.thief.wire
    return [
        (AccountDelete(1, scene.victim.signing_key.sign(thief.deletion_bytes(wire))), b""),
        (AccountDelete(2, scene.victim.signing_key.sign(scene.victim.deletion_bytes(wire))), b""),
        (AccountDelete(3, scene.thief.account.device.signing.sign(b"deletion")), b""),
    ]


def _my_data(scene: Scene) -> list[tuple[Message, bytes]]:
    """From every place of the book, those of the victim's rows included."""
    places = ["0", "0.0", "1.0", "4.0.0", f"4.1.{len(_LETTERS)}", "5.0", "9", "x", "-1", "4.1"]
    return [(MyData(ref, place), b"") for ref, place in enumerate(places)]


def _blob_put(scene: Scene) -> list[tuple[Message, bytes]]:
    """Into the friend's upload and over its blob: at most an upload of the thief's own begins."""
    half, whole = blob_hash(scene.coming), blob_hash(scene.whole)
    return [
        (
            BlobPut(1, half, len(scene.coming), len(scene.coming) // 2),
            bytes(len(scene.coming) // 2),
        ),
        (BlobPut(2, half, len(scene.coming)), bytes(len(scene.coming))),
        (BlobPut(3, whole, len(scene.whole)), bytes(len(scene.whole))),
        (BlobPut(4, whole, len(scene.whole) + 1), b""),
        (BlobPut(5, whole, 1), b"x"),
    ]


def _blob_get(scene: Scene) -> list[tuple[Message, bytes]]:
    """What is still coming belongs to who brings it; nothing can be found by trying."""
    guessed = BlobHash(bytes(32))
    return [(BlobGet(1, blob_hash(scene.coming)), b""), (BlobGet(2, guessed), b"")]


def _nothing(scene: Scene) -> list[tuple[Message, bytes]]:
    """Names no object of anybody."""
    return []


def _reads(build: Callable[[Scene], Message]) -> Attempts:
    """Asks for what everybody may have; that it changes nothing is still looked at."""
    return lambda scene: [(build(scene), b"")]


# What a thief tries with each message of the table. A new message needs a line here.
FOREIGN: dict[type[Message], Attempts] = {
    messages.Register: _register,
    messages.Login: _login,
    messages.List: _reads(lambda scene: messages.List(1, after=scene.victim.name)),
    messages.Watch: _nothing,
    messages.Pm: _pm,
    messages.Chat: _reads(lambda scene: messages.Chat(scene.ids[0], scene.victim.name)),
    messages.Ack: _ack,
    messages.Ping: _nothing,
    messages.KeysPut: _keys_put,
    messages.KeysGet: _reads(lambda scene: KeysGet(1, scene.friend.address)),
    messages.ManifestGet: _reads(lambda scene: ManifestGet(1, scene.victim.name)),
    messages.ManifestPut: _manifest_put,
    messages.MyData: _my_data,
    messages.AccountDelete: _account_delete,
    messages.BlobPut: _blob_put,
    messages.BlobGet: _blob_get,
}
# Answers that do not say that something was done to somebody else's.
_HARMLESS = (
    messages.Users,
    HeldData,
    messages.Keys,
    messages.Manifest,
    messages.Bye,
    Error,
    Accepted,
    Ok,
    BlobHeld,
)


def _names_others(scene: Scene, body: bytes) -> bool:
    """Whether a page of the thief's book has anything of the victim's or the friend's."""
    names = (scene.victim.name, scene.friend.account.name)
    return any(name.encode() in body for name in names)


@pytest.mark.parametrize("kind", typing.get_args(ClientMessage), ids=lambda kind: kind.__name__)
def test_attack_20_every_message_touches_only_what_is_ones_own(
    kind: type[Message], scene: Scene
) -> None:
    """The walk over the table: each message with the ids, names and keys of others."""
    for message, body in FOREIGN[kind](scene):
        try:
            scene.thief.wire.send(message, body)
            arrived = scene.thief.wire.all_now(0.2)
            answers = [one.message for one in arrived]
            assert not any(isinstance(one.message, HeldData) and _names_others(scene, one.body)
                           for one in arrived)  # fmt: skip
        except ClosedByServer:
            answers = []
        assert all(isinstance(answer, (*_HARMLESS, Delivery)) for answer in answers), answers
        for answer in answers:
            if isinstance(answer, Delivery):  # only what the thief wrote to itself
                assert answer.sender == scene.thief.address
        if answers and isinstance(answers[-1], messages.Bye | Error):
            scene.thief.wire.close()
            scene.thief = RawClient.login(scene.port, scene.thief.account)
    scene.check_untouched()


def test_attack_19_a_sender_cannot_be_claimed(server: ServerProcess) -> None:
    """A client has no field for the sender; the server's stamp is the login's device."""
    with (
        RawClient.register(server.port, "receiver") as receiver,
        RawClient.register(server.port, "honest-sender") as sender,
    ):
        claim = encode_header(Pm(delivery_id(), receiver.address))[:-1]
        for stamp in (b'"from":"receiver/main"', b'"sender":"receiver/main"', b'"seq":1'):
            sender.wire.send_header(claim + b"," + stamp + b"}", b"forged")
            sender.wire.expect_error(Code.BAD_FIELD)
        sender.pm(receiver.address, b"true")
        delivery, body = receiver.next_delivery()
        assert (delivery.sender, body) == (sender.address, b"true")


def test_attack_19_a_strangers_message_is_not_taken(server: ServerProcess) -> None:
    """Before a login there is no sender, so there is no message."""
    with RawClient.register(server.port, "reachable") as reachable, Wire(server.port) as stranger:
        stranger.send(Pm(DeliveryId(bytes(16)), reachable.address), b"from nobody")
        assert stranger.expect_closed() is Code.NOT_LOGGED_IN
        reachable.users()  # what was sent before this would have arrived before it
