"""A scripted client: it registers and logs in as it should, and then does what a test wants."""

import hashlib
import itertools
import secrets
from typing import Self

from secure_chat.protocol import limits, messages
from secure_chat.protocol.messages import Accepted, Delivery, Keys, Message, Pm, Users, Welcome
from secure_chat.protocol.wiretypes import BlobHash, DeliveryId, InviteToken
from tests.support.accounts import Account
from tests.support.wire import Wire


def delivery_id() -> DeliveryId:
    """A fresh one."""
    return DeliveryId(secrets.token_bytes(16))


def blob_hash(data: bytes) -> BlobHash:
    """The name of a blob."""
    return BlobHash(hashlib.sha256(data).digest())


class RawClient:
    """A logged-in scripted account. ``wire`` sends whatever else comes to mind."""

    def __init__(self, wire: Wire, account: Account, welcome: Welcome) -> None:
        self.wire = wire
        self.account = account
        self.welcome = welcome
        self._refs = itertools.count(1)
        wire.logged_in()

    @classmethod
    def register(cls, port: int, name: str, invite: InviteToken | None = None) -> Self:
        """Create the account ``name`` and stay logged in."""
        wire = Wire(port)
        try:
            account = Account.new(name, wire.hello.server_id)
            wire.send(account.register(wire, invite))
            return cls(wire, account, wire.expect(Welcome))
        except BaseException:
            wire.close()
            raise

    @classmethod
    def login(cls, port: int, account: Account) -> Self:
        """Log an account in over a connection of its own."""
        wire = Wire(port)
        try:
            wire.send(account.login(wire))
            return cls(wire, account, wire.expect(Welcome))
        except BaseException:
            wire.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    @property
    def address(self) -> str:
        """``name/main``."""
        return str(self.account.address)

    def ref(self) -> int:
        """The next request's number."""
        return next(self._refs)

    def request(self, message: Message) -> messages.ServerMessage:
        """Send; the answer, whatever it is, with presence and stock passed over."""
        self.wire.send(message)
        while True:
            answer = self.wire.receive().message
            if not isinstance(answer, messages.Presence | messages.KeysLow | Delivery):
                return answer

    def publish(self, curve: int = 5, kem: int = 5) -> None:
        """Add one-time keys; at most 20 of both together a frame, and a header of 16 KiB."""
        self.wire.send(self.account.more_keys(self.ref(), curve, kem))
        self.wire.expect(messages.Ok)

    def claim(self, to: str) -> Keys:
        """A bundle of a device."""
        self.wire.send(messages.KeysGet(self.ref(), to))
        return self.wire.expect(Keys)

    def users(self) -> Users:
        """The first page of accounts."""
        self.wire.send(messages.List(self.ref()))
        return self.wire.expect(Users)

    def put(self, to: str, body: bytes, message_id: DeliveryId | None = None) -> DeliveryId:
        """Send a private message without waiting."""
        message_id = message_id or delivery_id()
        self.wire.send(Pm(message_id, to), body)
        return message_id

    def pm(self, to: str, body: bytes) -> DeliveryId:
        """Send a private message and wait until it is accepted."""
        message_id = self.put(to, body)
        accepted = self.wire.expect(Accepted)
        assert accepted.id == message_id
        return message_id

    def next_delivery(self) -> tuple[Delivery, bytes]:
        """The next private message, not acknowledged yet."""
        return self.wire.expect_frame(Delivery)

    def ack(self, seq: int) -> None:
        """All up to ``seq`` is safe with us."""
        self.wire.send(messages.Ack(seq))

    def put_blob(self, data: bytes, until: int | None = None) -> int:
        """Bring a blob, or its beginning, from where the server has it; how much is held then."""
        end = len(data) if until is None else until
        held = self._put_chunk(data, 0, 0)
        while held < end:
            held = self._put_chunk(data, held, min(end, held + limits.BLOB_CHUNK))
        return held

    def _put_chunk(self, data: bytes, start: int, end: int) -> int:
        asked = messages.BlobPut(self.ref(), blob_hash(data), len(data), start)
        self.wire.send(asked, data[start:end])
        return self.wire.expect(messages.BlobHeld).held

    def get_blob(self, sha256: BlobHash) -> bytes:
        """Fetch all of a blob."""
        found, size = b"", 1
        while len(found) < size:
            self.wire.send(messages.BlobGet(self.ref(), sha256, len(found)))
            chunk, body = self.wire.expect_frame(messages.Blob)
            found, size = found + body, chunk.size
        return found
