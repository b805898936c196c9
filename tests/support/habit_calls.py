"""The part of `api.Engine` that decides about people, for fakes: it keeps what was decided."""

from msgspec import Struct

from secure_chat.client.events import KeyEvent
from secure_chat.client.vault.habits import FOREVER
from secure_chat.errors import ContactLinkDiffers, QrCodeDiffers, WrongPassword
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.invite import ContactLink, ServerAddress
from secure_chat.protocol.wiretypes import AccountKey, ServerId

KEYS = {name: AccountKey(bytes([number]) * 32) for number, name in enumerate("abcdefgh", 1)}
SERVER = ServerAddress("chat.example.org")
SERVER_ID = ServerId(bytes(16))


class Decided(Struct):
    """What a person decided about somebody."""

    name: str = ""
    blocked: bool = False
    muted_until: int = 0
    pinned: int = 0
    archived: bool = False


class HabitCalls:
    """Keeps decisions; `calls` holds each intent in words, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.decided: dict[UserId, Decided] = {}
        self.requests: set[UserId] = set()
        self.histories: dict[UserId, list[KeyEvent]] = {}
        self.codes: dict[UserId, str] = {}  # what their screens show
        self.password = "correct horse"

    def decision(self, user_id: UserId) -> Decided:
        return self.decided.setdefault(user_id, Decided())

    def tell_of(self, user_id: UserId) -> None:
        """Say how somebody stands now."""

    def accept_request(self, user_id: UserId) -> None:
        self._note("accept", user_id)
        self.requests.discard(user_id)
        self.tell_of(user_id)

    def delete_conversation(self, user_id: UserId) -> None:
        self._note("delete", user_id)
        self.requests.discard(user_id)
        self.tell_of(user_id)

    def block(self, user_id: UserId) -> None:
        self._note("block", user_id)
        self.requests.discard(user_id)
        self.decision(user_id).blocked = True
        self.tell_of(user_id)

    def unblock(self, user_id: UserId) -> None:
        self._note("unblock", user_id)
        self.decision(user_id).blocked = False
        self.tell_of(user_id)

    def mute(self, user_id: UserId, seconds: float | None) -> None:
        self._note(f"mute {seconds}", user_id)
        self.decision(user_id).muted_until = 0 if seconds == 0 else FOREVER
        self.tell_of(user_id)

    def pin(self, user_id: UserId, *, pinned: bool) -> None:
        self._note("pin" if pinned else "unpin", user_id)
        self.decision(user_id).pinned = len(self.calls) if pinned else 0
        self.tell_of(user_id)

    def archive(self, user_id: UserId, *, archived: bool) -> None:
        self._note("archive" if archived else "unarchive", user_id)
        self.decision(user_id).archived = archived
        self.tell_of(user_id)

    def set_contact_name(self, user_id: UserId, name: str) -> None:
        self._note(f"name {name!r}", user_id)
        self.decision(user_id).name = name
        self.tell_of(user_id)

    def key_history(self, user_id: UserId) -> list[KeyEvent]:
        return self.histories.get(user_id, [])

    def qr_content(self, user_id: UserId) -> str:
        return "01" + "1234567890" * 6

    def verify_qr(self, user_id: UserId, scanned: str) -> None:
        if scanned != self.codes.get(user_id):
            raise QrCodeDiffers(user_id=user_id)
        self._note("scanned", user_id)

    def contact_link(self) -> ContactLink:
        return ContactLink(SERVER, SERVER_ID, UserId("alice"), KEYS["a"])

    def open_contact_link(self, link: ContactLink, *, verify: bool) -> UserId:
        if link.account_key == KEYS["h"]:
            raise ContactLinkDiffers(user_id=link.user_id)
        self._note("link, verified" if verify else "link", link.user_id)
        return link.user_id

    def check_password(self, password: str) -> None:
        if password != self.password:
            raise WrongPassword

    def change_password(self, old: str, new: str) -> None:
        self.check_password(old)
        self.password = new

    def _note(self, what: str, user_id: UserId) -> None:
        self.calls.append(f"{what} {user_id}")
