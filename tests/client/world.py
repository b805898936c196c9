"""A real server over real TLS, and engines that talk through it."""

import queue
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from secure_chat.client.engine import ChatEngine
from secure_chat.client.events import (
    Audience,
    ConnectionChanged,
    ConnectionState,
    Event,
    Message,
    MessageState,
    Privacy,
    Problem,
    Strangers,
)
from secure_chat.client.profile import create_profile, open_profile
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.invite import InviteLink, ServerAddress
from secure_chat.protocol.messages import ServerMessage
from secure_chat.server.core.hub import Hub
from secure_chat.server.core.settings import Settings
from secure_chat.server.net.server import NetServer
from secure_chat.server.store import Store
from tests.client.meddler import Meddler
from tests.transport.support import Authority, Identity

PASSWORD = "a password"
PATIENCE = 30.0
OPEN = Privacy(Audience.CONTACTS, Audience.CONTACTS, Strangers.ADMIT)
"""Most of these people tell each other what they read without having compared numbers, and see
what strangers write."""
ADMITTING = Privacy(Audience.VERIFIED, Audience.VERIFIED, Strangers.ADMIT)
"""As a new profile, but what strangers write is shown."""
_E = TypeVar("_E", bound=Event)


class Server:
    """A server that can stop and come back on its port with its data."""

    def __init__(self, folder: Path, identity: Identity, settings: Settings | None = None) -> None:
        self.folder = folder
        self.identity = identity
        self.settings = settings or Settings(registration="open")
        self.meddler = Meddler()
        self._port = 0
        self._running: tuple[Store, NetServer] | None = None
        self.start()

    @property
    def port(self) -> int:
        return self._port

    @property
    def store(self) -> Store:
        assert self._running is not None
        return self._running[0]

    def start(self) -> None:
        store = Store.open(self.folder)
        server = NetServer(
            ("127.0.0.1", self._port),
            self.identity.context,
            lambda loop: self.meddler.around(Hub(store, loop, self.settings)),
        )
        server.start()
        self._port = server.port
        self._running = store, server

    def push(self, message: ServerMessage, body: bytes = b"") -> None:
        """A hostile server says something to everybody who is connected."""
        assert self._running is not None
        self._running[1].call_soon(lambda: self.meddler.push(message, body))

    def stop(self) -> None:
        if self._running is not None:
            store, server = self._running
            self._running = None
            server.stop()
            store.close()

    def link(self) -> InviteLink:
        return InviteLink(ServerAddress("127.0.0.1", self._port), None, (self.identity.pin,))


class Client:
    """An engine, and every event that it gave."""

    def __init__(self, engine: ChatEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.events: list[Event] = []
        self._stopped = False

    @property
    def name(self) -> UserId:
        return self.engine.user_id

    def wait(self, condition: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Take events until the condition holds."""
        deadline = time.monotonic() + patience
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, f"{self.name} waited in vain; events: {self.events[-8:]}"
            try:
                self.events.append(self.engine.events.get(timeout=min(left, 0.05)))
            except queue.Empty:
                continue

    def of(self, kind: type[_E]) -> list[_E]:
        return [event for event in self.events if isinstance(event, kind)]

    def online(self) -> "Client":
        self.wait(lambda: self.state is ConnectionState.ONLINE)
        return self

    @property
    def state(self) -> ConnectionState | None:
        seen = self.of(ConnectionChanged)
        return seen[-1].state if seen else None

    def problems(self) -> list[str]:
        return [type(event.error).__name__ for event in self.of(Problem)]

    def lines(self, other: "Client | str") -> list[Message]:
        return self.engine.history(_name(other))

    def texts(self, other: "Client | str") -> list[str]:
        return [line.text for line in self.lines(other) if not line.is_notice]

    def notices(self, other: "Client | str") -> list[str]:
        return [line.problem for line in self.lines(other) if line.is_notice]

    def send(self, other: "Client | str", *texts: str) -> list[bytes]:
        return [self.engine.send_text(_name(other), text) for text in texts]

    def states(self, other: "Client | str") -> list[MessageState]:
        return [line.state for line in self.lines(other) if line.ours]

    def has(self, other: "Client | str", *texts: str) -> None:
        self.wait(lambda: [t for t in self.texts(other) if t in texts] == list(texts))

    def all_are(self, other: "Client | str", *states: MessageState) -> None:
        self.wait(lambda: bool(self.states(other)) and set(self.states(other)) <= set(states))

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self.engine.stop()


class World:
    """A server and people; everything is closed at the end."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self._folder = folder
        folder.mkdir()
        identity = Authority().issue(folder / "tls")
        self.server = Server(folder / "server", identity, settings)
        self._clients: list[Client] = []

    def person(self, name: str, *, link: InviteLink | None = None, start: bool = True) -> Client:
        folder = self._folder / name
        engine = ChatEngine(create_profile(folder, link or self.server.link(), name, PASSWORD))
        engine.set_privacy(OPEN)
        return self._add(engine, folder, start=start)

    def again(self, client: Client, folder: Path | None = None, *, start: bool = True) -> Client:
        """The same profile in a new process, so to speak."""
        client.stop()
        place = folder or client.folder
        return self._add(ChatEngine(open_profile(place, PASSWORD)), place, start=start)

    def snapshot(self, client: Client, name: str) -> Path:
        """A copy of a profile as somebody's backup would make it."""
        copy = self._folder / name
        shutil.copytree(client.folder, copy)
        return copy

    def close(self) -> None:
        for client in self._clients:
            client.stop()
        self.server.stop()

    def _add(self, engine: ChatEngine, folder: Path, *, start: bool) -> Client:
        client = Client(engine, folder)
        self._clients.append(client)
        if start:
            engine.start()
            client.online()
        return client


def _name(other: "Client | str") -> UserId:
    return other.name if isinstance(other, Client) else UserId(other)
