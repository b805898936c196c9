"""What an operator asks of a server's data: by the running server, or, when none runs, here.

An `Operation` is one function over a `Place`. While a server runs it is asked through its door
(`admin`) and does the work itself; otherwise this process locks the data folder, opens the store
and runs the same function. Facts and answers are Structs, so that both ways are checked alike.
"""

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import Struct

from secure_chat.errors import AdminRefused, DataFolderMissing
from secure_chat.server import admin, links, logs, ownership, rotation
from secure_chat.server.config import Config
from secure_chat.server.core.hub import Hub
from secure_chat.server.liveness import Health
from secure_chat.server.net.server import NetServer
from secure_chat.server.store import Store, database

_SECONDS = 60.0

Facts = TypeVar("Facts", bound=Struct)
Answer = TypeVar("Answer", bound=Struct)


class Running(Protocol):
    """What only a running server has. ``hub`` may be touched on the I/O thread alone."""

    @property
    def net(self) -> NetServer:
        """Connections and threads; `call_soon` leads to the I/O thread."""

    @property
    def hub(self) -> Hub:
        """Sessions and mailboxes."""

    @property
    def health(self) -> Health:
        """Whether the loops turn and the disk takes writes."""

    @property
    def certificate(self) -> str:
        """SHA-256 of the certificate that new connections are shown, in hex."""

    def reload(self, new: Config) -> None:
        """Follow other settings, and read the certificate anew."""


class Place(Protocol):
    """Where an operation works."""

    @property
    def config(self) -> Config:
        """The settings: those of the running server, or those given to this command."""

    @property
    def store(self) -> Store:
        """The data, open."""

    @property
    def port(self) -> int:
        """The port that clients find: the one listened on, or the one in the settings."""

    @property
    def running(self) -> Running | None:
        """The server, or None when none runs."""


class Nothing(Struct, frozen=True):
    """No facts, or no answer but that it is done."""


class Operation(Struct, Generic[Facts, Answer], frozen=True):
    """``run`` may be called on any thread but the I/O thread; it raises `SecureChatError`.

    ``seconds`` is how long the operator waits for the answer; ``begins``: it may make a data folder
    where there is none yet.
    """

    name: str
    facts: type[Facts]
    answer: type[Answer]
    run: Callable[[Place, Facts], Answer]
    seconds: float = _SECONDS
    begins: bool = False


AnyOperation = Operation[Any, Any]


class _Offline(Struct, frozen=True):
    """The data folder without a server, held under its lock."""

    config: Config
    store: Store

    @property
    def port(self) -> int:
        return self.config.port

    @property
    def running(self) -> None:
        return None


def perform(config: Config, operation: Operation[Facts, Answer], facts: Facts) -> Answer:
    """Let the running server do it or, when none runs, do it here.

    Raises `AdminRefused`, `DataFolderMissing`, `BadCertificateFile`, and what opening the store and
    the operation raise.
    """
    answer = admin.ask(
        config.data_dir, operation.name, operation.seconds, **msgspec.to_builtins(facts)
    )
    if answer is not None:
        try:
            return msgspec.convert(answer, operation.answer)
        except msgspec.ValidationError:
            raise AdminRefused(reason="what this version does not understand") from None
    if not operation.begins and not database.exists(config.data_dir):
        raise DataFolderMissing(folder=config.data_dir)
    rotation.settle(links.files_of(config))
    words = operation.name.replace(".", " ")
    try:
        with logs.silent(), contextlib.closing(Store.open(config.data_dir, command=words)) as store:
            return operation.run(_Offline(config, store), facts)
    finally:
        if config.data_dir.is_dir():  # what root has made is still the server's account's
            ownership.give(config.data_dir.iterdir(), config.data_dir)


def door_commands(operations: tuple[AnyOperation, ...], place: Place) -> dict[str, admin.Command]:
    """What the door of a running server answers."""
    return {operation.name: partial(_answer, operation, place) for operation in operations}


def _answer(operation: AnyOperation, place: Place, request: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        facts = msgspec.convert(request, operation.facts)
    except msgspec.ValidationError:
        raise AdminRefused(reason="the request is malformed") from None
    done: Mapping[str, Any] = msgspec.to_builtins(operation.run(place, facts))
    return done
