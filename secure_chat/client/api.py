"""What every face (window, command line) may ask of the engine, and nothing else.

All methods return at once, unless they say how long they take, and may be called from any thread;
what comes of them arrives in `Engine.events`. Those that return data read the vault through a
connection of the calling thread.
"""

import queue
from pathlib import Path
from typing import Protocol

from secure_chat.client.events import (
    Conversation,
    Draft,
    Event,
    KeyEvent,
    Message,
    Person,
    Privacy,
    Safety,
    Version,
)
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.invite import ContactLink


class Files(Protocol):
    """Sending and saving files. How they move on is told by `FileProgress` and `MessageChanged`."""

    def send_file(
        self,
        user_id: UserId,
        path: Path,
        *,
        caption: str = "",
        reply_to: int | None = None,
        keep_metadata: bool = False,
    ) -> bytes:
        """Put a file into the conversation; returns its content id.

        Photographs (JPEG, PNG) leave without what the camera wrote into them (place, time, device)
        unless ``keep_metadata``; the person's own file stays as it is. Of other pictures and of
        videos, and of those that cannot be cleaned, `Attachment.problem` says so.

        It is encrypted, uploaded, and then the message leaves; all of that goes on after a
        restart. Texts that are written meanwhile do not wait for it. Raises `FileUnusable`,
        `FileTooLong`, `TextTooLong`, `BadText`, `NoSuchMessage`.
        """

    def forward(self, user_id: UserId, number: int, to: UserId) -> bytes:
        """Send the text and the file of a message to somebody else; returns the new content id.

        The sealed bytes that the server has serve again; if it has them no more, they are made
        from the file on this device. Raises `NoSuchMessage`, and what `send_file` raises.
        """

    def save_file(self, user_id: UserId, number: int, folder: Path) -> None:
        """Fetch a file and put it into ``folder`` under its name, or one with a number behind.

        Nothing is overwritten, and nothing is there before all of it is authenticated; then the
        message's `Attachment` is SAVED with its path. Asked again, a file is fetched again.
        Raises `NoSuchMessage`, `NoFile`, `FileIsOurs`, `CannotWrite` (no folder), `NoRoom`.
        """

    def cancel_file(self, user_id: UserId, number: int) -> None:
        """Stop. A file that has not left is removed with its message; theirs stays offered.

        Raises `NoSuchMessage`, `NoFile`.
        """


class Engine(Files, Protocol):
    """The running client of one profile."""

    @property
    def events(self) -> "queue.SimpleQueue[Event]":
        """Everything that happens, in order."""

    @property
    def user_id(self) -> UserId:
        """Our own account."""

    @property
    def our_fingerprint(self) -> str:
        """Our account's fingerprint, in groups."""

    def start(self) -> None:
        """Connect, register if that has not happened yet, and stay connected."""

    @property
    def may_be_registered(self) -> bool:
        """Whether the server may know this account: a registration went out, answered or not."""

    def stop(self) -> None:
        """Disconnect, finish the vault's transactions, release the profile. Blocks up to 10 s."""

    def people(self) -> list[Person]:
        """Everybody known, by name."""

    def conversations(self) -> list[Conversation]:
        """All conversations, the newest first."""

    def history(
        self,
        user_id: UserId,
        before: int | None = None,
        limit: int = 100,
        *,
        after: int | None = None,
    ) -> list[Message]:
        """A page of a conversation in order, ending before number ``before`` (None: the end).

        With ``after``: the page that begins after that number, and ``before`` means nothing.
        Nothing of a request that has not been accepted.
        """

    def search(self, text: str, limit: int = 50) -> list[Message]:
        """The newest messages, of all conversations, that have all words of ``text``.

        The name of a message's file counts with its text.
        A word is found by its beginning, without regard to case, accents, and Arabic or Persian
        forms of a letter. Strangers' messages are not found.
        """

    def draft(self, user_id: UserId) -> Draft:
        """What was being written in a conversation; empty if nothing was."""

    def set_draft(self, user_id: UserId, draft: Draft) -> None:
        """Keep what is being written, for the next start too; an empty draft is none."""

    def last_opened(self) -> UserId | None:
        """The conversation that was opened last, in an earlier run too."""

    def open_conversation(self, user_id: UserId, *, seen: bool = True) -> None:
        """Fetch the contact's keys if needed, so that `safety` can answer.

        ``seen``: all of it counts as read; without it only what `mark_read` names. A stranger who
        is looked at stays one: see `accept_request`.
        """

    def mark_read(self, user_id: UserId, number: int) -> None:
        """The person has seen this conversation up to and with message ``number``."""

    def send_text(self, user_id: UserId, text: str, *, reply_to: int | None = None) -> bytes:
        """Put a text into the outbox; returns its content id.

        ``reply_to``: the number of the message that it answers. Raises `TextTooLong`, `BadText`,
        `NoSuchMessage`, and `PersonBlocked`, as all that sends something.
        """

    def edit(self, user_id: UserId, number: int, text: str) -> bytes:
        """Give a message of ours another text; returns the change's content id.

        Raises `NoSuchMessage`, `NotYourMessage`, `TooManyEdits`, `TextTooLong`, `BadText`.
        """

    def versions(self, user_id: UserId, number: int) -> list[Version]:
        """The texts of a message from the first to the present one. Raises `NoSuchMessage`."""

    def delete(self, user_id: UserId, number: int) -> bytes:
        """Take a message of ours back on both sides; returns the change's content id.

        The other side's program obeys; whoever copied the text still has it. Raises
        `NoSuchMessage`, `NotYourMessage`.
        """

    def remove(self, user_id: UserId, number: int) -> None:
        """Remove any message from this device alone. Raises `NoSuchMessage`."""

    def react(self, user_id: UserId, number: int, emoji: str) -> bytes:
        """Our one reaction to a message, empty to withdraw it; returns the change's content id.

        Raises `BadReaction`, `NoSuchMessage`.
        """

    def set_timer(self, user_id: UserId, seconds: int) -> bytes:
        """Let later messages of both disappear; 0: keep them. Raises `BadTimer`."""

    def set_typing(self, user_id: UserId, *, active: bool) -> None:
        """The person is writing, or has stopped. Goes only to those whom `privacy` allows."""

    def display_name(self) -> str:
        """How we like to be called; empty: by the account's name."""

    def set_profile(self, display_name: str) -> list[bytes]:
        """Change it, and tell our contacts; the changes' content ids. Raises `BadName`."""

    def privacy(self) -> Privacy:
        """Who learns that we have read, or are writing, and who may write to us."""

    def set_privacy(self, privacy: Privacy) -> None:
        """Change it from now on."""

    def accept_request(self, user_id: UserId) -> None:
        """They are no stranger any more: what they wrote is shown, and confirmed to them."""

    def delete_conversation(self, user_id: UserId) -> None:
        """Every line of it leaves this device; a request is refused in silence."""

    def block(self, user_id: UserId) -> None:
        """Drop what they send from now on, and send them nothing; they are not told."""

    def unblock(self, user_id: UserId) -> None:
        """Take in again what they send; what came meanwhile is gone."""

    def mute(self, user_id: UserId, seconds: float | None) -> None:
        """No notifications of them for so long; None: until unmuted, 0: not any more."""

    def pin(self, user_id: UserId, *, pinned: bool) -> None:
        """Keep a conversation at the top."""

    def archive(self, user_id: UserId, *, archived: bool) -> None:
        """Put a conversation out of sight; a new message brings it back unless it is muted."""

    def set_contact_name(self, user_id: UserId, name: str) -> None:
        """What we call somebody on this device; empty: by the account's name. Raises `BadName`."""

    def safety(self, user_id: UserId) -> Safety | None:
        """Fingerprints and safety number, once the contact's key is known."""

    def mark_verified(self, user_id: UserId, safety_number: str) -> None:
        """The person compared this number. Raises `SafetyNumberDiffers` if it is not the one."""

    def key_history(self, user_id: UserId) -> list[KeyEvent]:
        """What happened to a contact's key, the first moment first."""

    def qr_content(self, user_id: UserId) -> str:
        """The digits of the QR code that a contact scans from our screen. Raises `KeyUnknown`."""

    def verify_qr(self, user_id: UserId, scanned: str) -> None:
        """Their screen showed this QR code. Raises `QrCodeDiffers`, `BadQrCode`, `KeyUnknown`."""

    def contact_link(self) -> ContactLink:
        """The link by which others find and verify us. Raises `KeyUnknown` before it exists."""

    def open_contact_link(self, link: ContactLink, *, verify: bool) -> UserId:
        """Add whom a contact link names; ``verify``: it came over a way which the person trusts.

        Raises `ContactLinkElsewhere`, `ContactLinkDiffers` (nothing changes), `NotToYourself`.
        """

    def accept_changed_key(self, user_id: UserId) -> None:
        """The person accepts a changed key; held messages go out to it."""

    def check_password(self, password: str) -> None:
        """Raises `WrongPassword` unless it opens this profile. Takes a second."""

    def change_password(self, old: str, new: str) -> None:
        """Give the profile another password. Takes two seconds.

        Raises `WrongPassword`, `BadPassword`, `ProfileUnwritable`.
        """

    def retry(self, user_id: UserId) -> None:
        """Try a halted outbox again."""

    def reconnect(self) -> None:
        """Connect now, after STOPPED or during a wait."""

    def my_data(self) -> None:
        """Ask the server for all that it holds on our account; `ServersData` brings it.

        Without a connection the event says so at once (`NotConnected`).
        """

    def delete_account(self) -> None:
        """Delete our account at the server with all that it holds; `AccountDeletion` tells.

        Undelivered messages go with it, in both directions, and nobody can take the name until the
        server's operator frees it. There is no way back, so ask the person before. Without a
        connection nothing is done, and the event says so (`NotConnected`).
        """
