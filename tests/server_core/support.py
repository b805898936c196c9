"""A server core without sockets: fake connections, a loop that the test turns, a clock it sets."""

import queue
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from secure_chat.crypto import prekeys
from secure_chat.crypto.identity import LocalDevice, new_account
from secure_chat.crypto.rng import system_random
from secure_chat.errors import Code
from secure_chat.protocol import messages, signing
from secure_chat.protocol.addresses import FIRST_DEVICE, DeviceName, UserId
from secure_chat.protocol.frames import Frame, FrameDecoder
from secure_chat.protocol.messages import (
    AccountDelete,
    Ack,
    Delivery,
    Hello,
    KeysPut,
    Login,
    Message,
    Pm,
    Register,
    Welcome,
    decode_server_header,
    encode_header,
)
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import DeliveryId, InviteToken, Signature
from secure_chat.server.core.hub import Hub
from secure_chat.server.core.settings import Settings
from secure_chat.server.steady import SteadyClock
from secure_chat.server.store import Store

_M = TypeVar("_M", bound=Message)
START_MS = 1_795_348_800_000  # 2026-11-22
WAIT_SECONDS = 30


class FakeLoop:
    """Collects what other threads hand over; the test runs it."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def call_soon(self, call: Callable[[], None]) -> None:
        self._calls.put(call)

    def run_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, "what was waited for did not happen"
            try:
                self._calls.get(timeout=left)()
            except queue.Empty:
                continue


class FakeConnection:
    """A peer as the core sees it; remembers what it was told."""

    def __init__(self, peer: str = "192.0.2.1") -> None:
        self.exporter = system_random(32)
        self.peer = peer
        self.buffered = 0
        self.inbox: list[tuple[Message, bytes]] = []
        self.hello_bytes = b""
        self.bye: Code | None = None
        self.bye_message = ""
        self.retry_after: float | None = None
        self.raised = False
        self._decoder = FrameDecoder()
        self._decoder.logged_in()

    def send(self, frame: bytes) -> None:
        assert self.bye is None, "nothing may follow a farewell"
        for header, body in self._decoder.feed(frame):
            if not self.hello_bytes:
                self.hello_bytes = header
            self.inbox.append((decode_server_header(header), body))

    def logged_in(self) -> None:
        self.raised = True

    def close(self, code: Code, message: str = "", retry_after: float | None = None) -> None:
        assert self.bye is None, "a connection is closed once"
        self.bye, self.bye_message, self.retry_after = code, message, retry_after


class World:
    """A server with its store in a folder, on a clock that only `advance` moves."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.folder = folder
        self.settings = settings or Settings(registration="open")
        self.now = 1000.0
        self.wall_ms = START_MS
        self.loop = FakeLoop()
        self.store = Store.open(folder, self._clock())
        self.hub = Hub(self.store, self.loop, self.settings)
        self.peers: list[Peer] = []

    def _clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall_ms, lambda: self.now)

    def settle(self) -> None:
        """Until the store's threads have done all that is asked of them, and it was heard."""
        for _ in range(4):  # check → write → read, or write → blob → write may follow one another
            told: list[object] = []
            store = self.store
            for queue_ in (store.check, store.read, store.write, store.blob):
                assert queue_(lambda connection: None, told.append)
            self.loop.run_until(lambda told=told: len(told) == 4)  # type: ignore[misc]
        for peer in self.peers:
            if peer.connection.bye is not None and peer.open:
                peer.hang_up()

    def advance(self, seconds: float) -> None:
        """Time passes, in ticks of a quarter second as the edge gives them."""
        self.settle()
        ticks = max(1, int(seconds / 0.25))
        for _ in range(min(ticks, 40)):
            self.now += seconds / min(ticks, 40)
            self.wall_ms += int(seconds * 1000 / min(ticks, 40))
            self.hub.tick(self.now)
            self.settle()

    def connect(self, address: str = "192.0.2.1") -> "Peer":
        peer = Peer(self, FakeConnection(address))
        self.peers.append(peer)
        self.hub.opened(peer.connection, self.now)
        peer.hello = peer.expect(Hello)
        return peer

    def close(self) -> None:
        self.store.close()

    def restart(self) -> None:
        """As after a crash: what lies on the disk at this moment is all that is left."""
        copy = self.folder.with_name(self.folder.name + "+")
        copy.mkdir()
        for name in ("server.db", "server.db-wal"):
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, copy / name)
        shutil.copytree(self.folder / "blobs", copy / "blobs")
        self.store.close()
        self.folder = copy
        self.peers = []
        self.loop = FakeLoop()
        self.store = Store.open(self.folder, self._clock())
        self.hub = Hub(self.store, self.loop, self.settings)

    def person(self, name: str, **more: Any) -> "Person":
        """Somebody registered and logged in, with no news unread."""
        person = Person(self, name)
        person.peer = self.connect()
        welcome = person.peer.register(person, **more)
        assert isinstance(welcome, Welcome), welcome
        return person


class Person:
    """An account with its private keys, and the connection it uses now."""

    def __init__(self, world: World, name: str, device: str = FIRST_DEVICE) -> None:
        self.name = name
        self.account, self.device = new_account(
            UserId(name.lower()), world.store.server_id, DeviceName(device), world.wall_ms,
            system_random,
        )  # fmt: skip
        self.world = world
        self.peer: Peer
        _, self.signed_prekey = prekeys.new_signed_prekey(
            self.device, 1, world.wall_ms, system_random
        )
        self.last_resort = self.kem(PrekeyKind.LAST_RESORT_KEM, 1)

    def kem(self, kind: PrekeyKind, key_id: int) -> messages.KemPrekey:
        return prekeys.new_kem_prekey(self.device, kind, key_id, self.world.wall_ms, system_random)[
            1
        ]

    @property
    def address(self) -> str:
        return str(self.device.address)

    def login(self, **more: Any) -> "Peer":
        """Connect and log in again."""
        self.peer = self.world.connect()
        welcome = self.peer.login(self, **more)
        assert isinstance(welcome, Welcome), welcome
        return self.peer

    def publish(self, count: int, *, kem: int = 0, first: int = 100) -> None:
        """Upload one-time keys."""
        one_time = [prekeys.new_one_time(first + n, system_random)[1] for n in range(count)]
        kems = [self.kem(PrekeyKind.ONE_TIME_KEM, first + n) for n in range(kem)]
        for start in range(0, max(count, kem), 5):
            self.peer.send(
                KeysPut(7, 1, None, None, one_time[start : start + 5], kems[start : start + 5])
            )
            self.peer.expect(messages.Ok)


def register_message(
    person: Person, hello: Hello, hello_bytes: bytes, exporter: bytes, *,
    user_id: str | None = None, invite: InviteToken | None = None,
    device: LocalDevice | None = None, features: tuple[str, ...] = (),
) -> Register:  # fmt: skip
    """A registration as an honest client makes it."""
    own = device or person.device
    signed = signing.registration(
        signing.Channel(1, list(features), exporter, hello_bytes, hello.server_id, own.address),
        invite=invite or b"",
        account_key=own.account_key,
        manifest=own.manifest,
        manifest_signature=own.manifest_signature,
        signed_prekey=person.signed_prekey,
        last_resort=person.last_resort,
    )
    return Register(
        user_id or person.name, own.address.device, 1, list(features), own.account_key,
        own.manifest, own.manifest_signature, person.signed_prekey, person.last_resort,
        person.account.sign(signed), own.signing.sign(signed), invite,
    )  # fmt: skip


def login_message(
    person: Person, hello: Hello, hello_bytes: bytes, exporter: bytes, user_id: str | None = None,
    features: tuple[str, ...] = (),
) -> Login:  # fmt: skip
    """A login as an honest client makes it."""
    address = person.device.address
    signed = signing.login(
        signing.Channel(1, list(features), exporter, hello_bytes, hello.server_id, address)
    )
    return Login(
        user_id or person.name, person.device.address.device, 1, list(features),
        Signature(person.device.signing.sign(signed)),
    )  # fmt: skip


def deletion_message(person: Person, peer: "Peer", features: tuple[str, ...] = ()) -> AccountDelete:
    """An account's deletion, as an honest client asks for it over this connection."""
    connection, server_id = peer.connection, peer.hello.server_id
    channel = signing.Channel(
        1, list(features), connection.exporter, connection.hello_bytes, server_id,
        person.device.address,
    )  # fmt: skip
    signed = signing.account_deletion(channel)
    return AccountDelete(8, Signature(person.account.sign(signed)))


class Peer:
    """A client at the other end of a fake connection."""

    def __init__(self, world: World, connection: FakeConnection) -> None:
        self.world = world
        self.connection = connection
        self.hello: Hello
        self.open = True

    def send(self, *said: Message | tuple[Message, bytes]) -> None:
        """Send messages (with bodies) in one wake-up, and let the server finish with them."""
        self.send_without_waiting(*said)
        self.world.settle()

    def send_without_waiting(self, *said: Message | tuple[Message, bytes]) -> None:
        pairs = [one if isinstance(one, tuple) else (one, b"") for one in said]
        self.raw(*(Frame(encode_header(message), body) for message, body in pairs))

    def raw(self, *frames: Frame) -> None:
        self.world.hub.received(self.connection, list(frames), self.world.now)

    def hang_up(self) -> None:
        """The connection is lost."""
        if self.open:
            self.open = False
            self.world.hub.closed(self.connection, self.world.now)

    def news(self) -> list[tuple[Message, bytes]]:
        """What has arrived since the last look."""
        self.world.settle()
        came, self.connection.inbox = self.connection.inbox, []
        return came

    def expect(self, kind: type[_M]) -> _M:
        """The next message, which is of this kind."""
        if not self.connection.inbox:
            self.world.settle()
        assert self.connection.inbox, f"no {kind.__name__} came; bye: {self.connection.bye}"
        message, _ = self.connection.inbox.pop(0)
        assert isinstance(message, kind), message
        return message

    def deliveries(self) -> list[tuple[int, bytes]]:
        """What has arrived, all of it messages: sequences and bodies."""
        found = []
        for message, body in self.news():
            assert isinstance(message, Delivery), message
            found.append((message.seq, body))
        return found

    def register(self, person: Person, **more: Any) -> Message | Code | None:
        """Register; the answer, or the code of the farewell."""
        self.send(
            register_message(
                person, self.hello, self.connection.hello_bytes, self.connection.exporter, **more
            )
        )
        return self.answer()

    def login(self, person: Person, **more: Any) -> Message | Code | None:
        """Log in; the answer, or the code of the farewell."""
        self.send(
            login_message(
                person, self.hello, self.connection.hello_bytes, self.connection.exporter, **more
            )
        )
        return self.answer()

    def answer(self) -> Message | Code | None:
        if self.connection.inbox:
            return self.connection.inbox.pop(0)[0]
        return self.connection.bye


def pm(to: str, body: bytes, number: int = 0, **more: Any) -> tuple[Pm, bytes]:
    """A message with a delivery id: random, or made from ``number``."""
    name = number.to_bytes(16, "big") if number else system_random(16)
    return Pm(DeliveryId(name), to, **more), body


def ack(seq: int) -> Ack:
    return Ack(seq)
