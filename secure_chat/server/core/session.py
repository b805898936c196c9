"""One connection's session, and what is said to it."""

import logging
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from secure_chat.errors import CODES, Code
from secure_chat.protocol.addresses import DeviceAddress
from secure_chat.protocol.frames import encode_frame
from secure_chat.protocol.messages import Error, Message, encode_header
from secure_chat.protocol.wiretypes import BlobHash, DeliveryId
from secure_chat.server.interfaces import Connection
from secure_chat.server.networks import network_of

MOST_JOBS: Final = 64
"""Requests of one session that may wait for a disk or a signature at the same time."""


_WORTH_A_LINE: Final = frozenset({Code.LOGIN_REFUSED, Code.BAD_SIGNATURE, Code.BAD_INVITE})
"""Refusals that may be somebody's attempt to get in."""

log = logging.getLogger(__name__)


class Stage(Enum):
    """How far a session is: GREETED → CHECKING → IN → LEAVING, and from each of them to GONE."""

    GREETED = auto()
    CHECKING = auto()
    IN = auto()
    LEAVING = auto()  # its account is being shut out: what it sends is dropped
    GONE = auto()


CALM_SECONDS: Final = 10.0
"""The ``retry_after`` of a connection that is closed because it asks for too much."""

UNREAD: Final = 1024 * 1024
"""Who has not read so many bytes of what was sent gets no more answers: far above all mail that is
pushed at once, so that nobody with a slow line meets it who waits for his answers."""

UNREAD_SECONDS: Final = 0.2
"""The ``retry_after`` for somebody who has not read what was asked for before."""

ENDED: Final = (Stage.LEAVING, Stage.GONE)  # no set: an Enum's hash costs more than two looks
"""Stages in which nothing that the session asked for is done any more."""


class Session:
    """What the server knows of one connection. Lives on the I/O thread."""

    __slots__ = (
        "_leave",
        "_refusals",
        "account_id",
        "address",
        "challenged",
        "chunks",
        "connection",
        "device_id",
        "features",
        "frames",
        "heard_at",
        "hello",
        "jobs",
        "network",
        "offered",
        "opened_at",
        "patience",
        "refusals",
        "stage",
        "stamp",
        "uploads",
        "watching",
    )

    def __init__(
        self,
        connection: Connection,
        hello: bytes,
        now: float,
        leave: "Callable[[Session], None]",
        refusals: Counter[Code],
        patience: float,
    ) -> None:
        self.connection = connection
        self._leave = leave
        self._refusals = refusals
        self.hello = hello  # the greeting's header, as it was sent
        self.network = network_of(connection.peer)
        self.stage = Stage.GREETED
        self.challenged = False  # the challenge has been used
        self.opened_at = now
        self.heard_at = now
        self.offered: tuple[str, ...] = ()  # features, as the greeting named them
        self.features: list[str] = []  # as the login asked for them
        self.jobs = 0
        self.frames = 0.0  # lately; see `Hub.received`
        self.refusals = 0.0  # likewise
        self.patience = patience  # how many there may be
        self.uploads: dict[BlobHash, int] = {}  # the size of blobs that may come
        self.chunks = 0  # of blobs, on their way from or to the disk
        self.watching = False
        self.account_id = 0
        self.device_id = 0
        self.address: DeviceAddress | None = None
        self.stamp = b""  # the address, as deliveries carry it

    def enter(
        self, address: DeviceAddress, account_id: int, device_id: int, patience: float
    ) -> None:
        """Log the device in."""
        self.stage = Stage.IN
        self.patience = patience
        self.address = address
        self.account_id = account_id
        self.stamp = str(address).encode()
        self.device_id = device_id

    @property
    def device(self) -> DeviceAddress:
        """The address of a session that is logged in."""
        assert self.address is not None
        return self.address

    def is_behind(self, most: int = UNREAD) -> bool:
        """Whether so much waits for this peer to read it that asking for more is refused."""
        return self.connection.buffered >= most

    def refuse_unread(self, ref: int) -> None:
        """Answer a request of somebody who `is_behind`."""
        self.refuse(Code.OVERLOADED, ref=ref, retry_after=UNREAD_SECONDS)

    def say(self, message: Message, body: bytes = b"") -> None:
        """Send a message, unless the connection is gone."""
        if self.stage is not Stage.GONE:
            self.connection.send(encode_frame(encode_header(message), body))

    def end(self, code: Code, message: str = "", retry_after: float | None = None) -> None:
        """Leave at once, then say ``bye`` with the reason."""
        if self.stage is not Stage.GONE:
            self._log(code)
            self._leave(self)
            self.connection.close(code, message or CODES[code].message, retry_after)

    def refuse(
        self,
        code: Code,
        *,
        ref: int | None = None,
        id: DeliveryId | None = None,  # noqa: A002 - the field's name on the wire
        detail: str = "",
        retry_after: float | None = None,
    ) -> None:
        """Answer a request with an error; a code that closes is said as ``bye``."""
        if self.stage is Stage.GONE:
            return
        self.refusals += 1
        if self.refusals > self.patience:
            self.end(Code.RATE_LIMITED, retry_after=CALM_SECONDS)
            return
        info = CODES[code]
        message = detail or info.message
        if info.closes:
            self.end(code, message, retry_after)
        else:
            if code in _WORTH_A_LINE:
                self._log(code)
            self._refusals[code] += 1
            self.say(Error(code, message, ref, id, retry_after))

    def _log(self, code: Code) -> None:
        """For who guards the server: why somebody was sent away."""
        level = logging.INFO if code in _WORTH_A_LINE else logging.DEBUG
        if log.isEnabledFor(level):
            facts = {"code": str(code), "peer": self.connection.peer}
            log.log(level, "a connection was refused", extra=facts)
