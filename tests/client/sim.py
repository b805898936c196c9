"""A server in memory behind the wire's messages, and engines that are stepped by hand.

Nothing here has a thread or a socket: a test decides which message moves next, and what is lost.
"""

import atexit
import copy
import functools
import os
import shutil
import tempfile
from collections import deque
from pathlib import Path

from secure_chat.client.engine import ChatEngine
from secure_chat.client.engine.login import Greeting
from secure_chat.client.events import Event, Message, Safety
from secure_chat.client.profile import Profile
from secure_chat.client.vault import Vault, identity
from secure_chat.client.vault.lock import ProfileLock
from secure_chat.errors import Code
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import FIRST_DEVICE, DeviceAddress, UserId
from secure_chat.protocol.invite import InviteLink, ServerAddress
from secure_chat.protocol.messages import (
    FEATURES,
    Accepted,
    Ack,
    Blob,
    BlobGet,
    BlobHeld,
    BlobPut,
    ClientMessage,
    Delivery,
    Error,
    Hello,
    KemPrekey,
    Keys,
    KeysGet,
    KeysPut,
    List,
    Login,
    Manifest,
    ManifestGet,
    Ok,
    OneTimePrekey,
    Ping,
    Pm,
    Pong,
    Register,
    ServerMessage,
    UserEntry,
    Users,
    Watch,
    Welcome,
)
from secure_chat.protocol.wiretypes import Challenge, ServerId
from tests.client.world import ADMITTING

SERVER_ID = ServerId(b"S" * 16)
START_MS = 1_800_000_000_000
KEY = b"k" * 32
Item = tuple[ServerMessage, bytes]


class SimAccount:
    """What the server has of one account with its one device."""

    def __init__(self, asked: Register) -> None:
        self.asked = asked
        self.signed_prekey = asked.signed_prekey
        self.last_resort = asked.last_resort
        self.one_time: list[OneTimePrekey] = []
        self.one_time_kem: list[KemPrekey] = []
        self.key_version = 0
        self.acked = 0
        self.sequence = 0
        self.mailbox: list[tuple[Delivery, bytes]] = []
        self.delivered: list[tuple[Delivery, bytes]] = []  # all that ever was, for repetitions

    def publish(self, put: KeysPut) -> None:
        if put.restart:
            self.one_time.clear()
            self.one_time_kem.clear()
        self.key_version = put.version
        self.signed_prekey = put.signed_prekey or self.signed_prekey
        self.last_resort = put.last_resort or self.last_resort
        self.one_time += put.one_time
        self.one_time_kem += put.one_time_kem

    def claim(self, ref: int) -> Keys:
        one_time = self.one_time.pop(0) if self.one_time else None
        kem = self.one_time_kem.pop(0) if self.one_time_kem else self.last_resort
        asked = self.asked
        return Keys(
            ref=ref,
            account_key=asked.account_key,
            manifest=asked.manifest,
            manifest_signature=asked.manifest_signature,
            device=asked.device,
            signed_prekey=self.signed_prekey,
            kem=kem,
            kem_is_last_resort=kem is self.last_resort,
            one_time=one_time,
        )

    def welcome(self) -> Welcome:
        return Welcome(
            user_id=self.asked.user_id,
            device=self.asked.device,
            acked=self.acked,
            key_version=self.key_version,
            one_time=len(self.one_time),
            one_time_kem=len(self.one_time_kem),
            manifest=1,
            time=START_MS,
        )


class SimServer:
    """Answers at once; forgets delivery ids at once too, so every repetition is delivered again."""

    def __init__(self) -> None:
        self.accounts: dict[str, SimAccount] = {}
        self.blobs: dict[bytes, bytes] = {}
        self.refusing: Code | None = None  # why it takes no blobs

    def handle(self, name: str, message: ClientMessage, body: bytes) -> list[tuple[str, Item]]:
        """What is said to whom."""
        match message:
            case Register():
                self.accounts[name] = SimAccount(message)
                return self._enter(name)
            case Login():
                return self._enter(name)
            case Pm():
                return self._post(name, message, body)
            case Ack(seq=seq):
                account = self.accounts[name]
                account.acked = max(account.acked, seq)
                account.mailbox = [item for item in account.mailbox if item[0].seq > seq]
                return []
            case BlobPut():
                return [(name, (self._hold(message, body), b""))]
            case BlobGet():
                return [(name, self._chunk(message))]
            case _:
                return [(name, (self._answer(name, message), b""))]

    def _hold(self, put: BlobPut, body: bytes) -> ServerMessage:
        if self.refusing is not None:
            return Error(self.refusing, "refused", put.ref)
        held = self.blobs.setdefault(bytes(put.sha256), b"")
        if len(held) == put.offset:
            held = self.blobs[bytes(put.sha256)] = held + body
        return BlobHeld(put.ref, len(held))

    def _chunk(self, get: BlobGet) -> Item:
        held = self.blobs.get(bytes(get.sha256))
        if held is None:
            return Error(Code.UNKNOWN_BLOB, "gone", get.ref), b""
        return Blob(get.ref, len(held)), held[get.offset : get.offset + limits.BLOB_CHUNK]

    def _answer(self, name: str, message: ClientMessage) -> ServerMessage:
        match message:
            case KeysPut():
                self.accounts[name].publish(message)
                return Ok(message.ref)
            case KeysGet():
                return self.accounts[message.to.partition("/")[0]].claim(message.ref)
            case ManifestGet():
                asked = self.accounts[message.user_id].asked
                key, signed = asked.account_key, asked.manifest_signature
                return Manifest(message.ref, key, asked.manifest, signed)
            case List():
                return Users(
                    message.ref, [UserEntry(one, online=False) for one in sorted(self.accounts)]
                )
            case Watch():
                return Ok(message.ref)
            case Ping():
                return Pong()
            case _:
                raise AssertionError(message)

    def _enter(self, name: str) -> list[tuple[str, Item]]:
        account = self.accounts[name]
        waiting: list[Item] = [(delivery, body) for delivery, body in account.mailbox]
        return [(name, (account.welcome(), b"")), *((name, item) for item in waiting)]

    def _post(self, name: str, pm: Pm, body: bytes) -> list[tuple[str, Item]]:
        to = pm.to.partition("/")[0]
        account = self.accounts[to]
        account.sequence += 1
        sender = str(DeviceAddress(UserId(name), FIRST_DEVICE))
        delivery = Delivery(pm.id, account.sequence, START_MS, sender)
        account.mailbox.append((delivery, body))
        account.delivered.append((delivery, body))
        return [(to, (delivery, body)), (name, (Accepted(pm.id), b""))]


class SimClient:
    """An engine without its thread, and the two directions of its connection."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = UserId(name)
        self.connected = False
        self.entered = False  # the server has let this connection in
        self.up: deque[tuple[ClientMessage, bytes]] = deque()
        self.down: deque[Item] = deque()
        self.events: list[Event] = []
        self.features = FEATURES
        self._now = 1000.0
        self._open()

    def _open(self) -> None:
        vault = Vault(self.folder, KEY, ProfileLock(self.folder))
        vault._prepare()
        self.engine = ChatEngine(Profile(vault))
        self.engine.set_privacy(ADMITTING)
        self.core = self.engine._core

    def clock(self) -> tuple[float, int]:
        self._now += 0.001
        return self._now, START_MS + int((self._now - 1000.0) * 1000)

    def pass_time(self, seconds: float) -> None:
        """Both clocks move on."""
        self._now += seconds

    def settle(self) -> None:
        """Act on intents and collect what comes out."""
        intents = self.engine._network._intents
        while intents:
            self.core.intent(intents.popleft(), *self.clock())
        messages, events = self.core.take()
        self.events += events
        if self.connected:
            self.up += messages

    def connect(self) -> None:
        self.connected = True
        hello = Hello(
            [1], list(self.features), SERVER_ID, Challenge(os.urandom(32)), "open", START_MS
        )
        self.core.greeted(Greeting(hello, b"hello", bytes(32)), *self.clock())
        self.settle()

    def receive(self, count: int) -> None:
        batch = [self.down.popleft() for _ in range(min(count, len(self.down)))]
        self.core.received(batch, *self.clock())
        self.settle()

    def drop(self) -> None:
        """The connection ends: what was under way is lost."""
        self.connected = self.entered = False
        self.up.clear()
        self.down.clear()
        self.core.disconnected(*self.clock())
        self.settle()

    def crash(self) -> None:
        """The process dies without a word, and starts again."""
        self.connected = self.entered = False
        self.up.clear()
        self.down.clear()
        self.stop()
        self._open()

    def stop(self) -> None:
        """As the system does at the end of a process: files are closed."""
        self.core._transfers.disconnected()
        self.engine.stop()

    def write(self, other: "SimClient", text: str) -> None:
        self.engine.send_text(other.name, text)
        self.settle()

    def take_events(self) -> list[Event]:
        """All that the engine told, of the core and of intents."""
        while not self.engine.events.empty():
            self.events.append(self.engine.events.get())
        return self.events

    def safety(self, other: "SimClient") -> Safety:
        known = self.engine.safety(other.name)
        assert known is not None
        return known

    def lines(self, other: "SimClient") -> list[Message]:
        return self.engine.history(other.name, limit=10_000)


class Sim:
    """Two people and a server."""

    def __init__(self, folder: Path, server: SimServer) -> None:
        self.server = server
        self.clients = {name: SimClient(folder / name, name) for name in ("alice", "bob")}

    def serve(self, client: SimClient) -> None:
        """The server handles the next message of a client."""
        if not client.up:
            return
        message, body = client.up.popleft()
        client.entered = client.entered or isinstance(message, Login | Register)
        for name, item in self.server.handle(client.name, message, body):
            if self.clients[name].entered:
                self.clients[name].down.append(item)

    def run(self) -> None:
        """Everything moves until nothing is left to move."""
        for client in self.clients.values():
            if not client.connected:
                client.connect()
        while any(client.up or client.down for client in self.clients.values()):
            self.round()

    def round(self) -> None:
        """Everything that is under way arrives."""
        for client in self.clients.values():
            while client.up:
                self.serve(client)
            client.receive(len(client.down))

    def close(self) -> None:
        for client in self.clients.values():
            client.stop()


def new_vault(folder: Path, name: str) -> None:
    """A profile that has not registered yet, without the slow derivation of its key."""
    folder.mkdir(mode=0o700)
    (folder / "vault.db").touch(mode=0o600)
    vault = Vault(folder, KEY, ProfileLock(folder))
    vault._prepare()
    with vault.write() as db:
        link = str(InviteLink(ServerAddress("127.0.0.1", 1)))
        identity.create(db, UserId(name), FIRST_DEVICE, link, None)
    vault.close()


class Template:
    """A server and two registered profiles, made once and copied for each run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("alice", "bob"):
            new_vault(folder / name, name)
        self._server = SimServer()
        sim = Sim(folder, self._server)
        sim.run()
        sim.close()

    def copy(self, folder: Path) -> Sim:
        shutil.copytree(self._folder, folder)
        return Sim(folder, copy.deepcopy(self._server))


@functools.cache
def template() -> Template:
    """The one of this process, removed at its end."""
    folder = Path(tempfile.mkdtemp(prefix="secure-chat-template"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Template(folder)
