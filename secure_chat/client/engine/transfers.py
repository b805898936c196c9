"""Files between the profile's folder and the server, a few chunks at a time (PROTOCOL.md 13.3).

Files are sealed before and opened after on another thread (`workshop`); here are only chunks of 48
KiB, one upload and one download at a time. What the vault says is under way goes on with the next
connection, where the server, or the file on our disk, ends.
"""

import contextlib
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Final

import apsw
from msgspec import Struct

from secure_chat.client.content import ContentId, Reference, Text
from secure_chat.client.engine.context import Context, Requests
from secure_chat.client.engine.outbox import Outbox
from secure_chat.client.engine.transfer import Download, Transfer, Upload
from secure_chat.client.events import (
    ConversationChanged,
    FileProgress,
    FileState,
    Message,
    MessageChanged,
    MessageState,
)
from secure_chat.client.said import Said
from secure_chat.client.vault import attached, contacts, history, outbox, talk
from secure_chat.client.vault.attached import Attached
from secure_chat.crypto.files import sealed_size
from secure_chat.errors import (
    CODES,
    Code,
    FileDamaged,
    FileGone,
    FilesNotOffered,
    NoRoom,
    ProfileUnwritable,
    Refused,
    SecureChatError,
    UnexpectedAnswer,
)
from secure_chat.protocol.messages import BLOBS, Blob, BlobGet, BlobHeld, BlobPut

_PROGRESS_SECONDS: Final = 0.25
_FIRST_WAIT: Final = 5.0
_LONGEST_WAIT: Final = 300.0
_REWINDS: Final = 20
_SILENT: Final = {Code.RATE_LIMITED, Code.OVERLOADED}  # they pass without anybody noticing
_NEVER: Final = float("inf")


class Chunk(Struct, frozen=True):
    """An answer to `blob_get` with its body."""

    message: Blob
    body: bytes


class Transfers:
    """Moves the files that the vault says are under way."""

    def __init__(
        self,
        context: Context,
        requests: Requests,
        sending: Outbox,
        wake_workshop: Callable[[], None],
    ) -> None:
        self._context = context
        self._requests = requests
        self._sending = sending
        self._wake_workshop = wake_workshop
        self._up: Upload | None = None
        self._down: Download | None = None
        self._failed: dict[bytes, float] = {}  # by hash: not before then, `_NEVER`: when asked
        self._damaged: set[ContentId] = set()  # their sealed bytes could not be read once
        self._wait = _FIRST_WAIT

    # ------------------------------------------------------------ when to look

    def look(self) -> None:
        """Begin what can begin; give up what nobody wants any more."""
        context = self._context
        if not context.ready:
            return
        with context.vault.read() as db:
            up, down = (
                attached.moving(db, state) for state in (FileState.UPLOADING, FileState.DOWNLOADING)
            )
        if self._up is not None and self._up.item.ref not in {item.ref for item in up}:
            self._end_upload()
        if self._down is not None and self._down.item.ref not in {item.ref for item in down}:
            self._end_download()
        if BLOBS not in context.features:
            for item in (*up, *down):
                self._give_up(item, FilesNotOffered())
            return
        if self._up is None and (ready := self._ready(up)):
            self._begin_upload(ready[0])
        for item in self._ready(down):
            if self._down is None:
                self._begin_download(item)

    def _ready(self, items: list[Attached]) -> list[Attached]:
        """What may be tried, small ones first: nobody waits long for one behind a large file."""
        now = self._context.now
        ready = [item for item in items if self._failed.get(item.file.sha256, 0.0) <= now]
        ready = [item for item in ready if not self._is_complete(item)]
        return sorted(ready, key=lambda item: item.file.size)

    def _is_complete(self, item: Attached) -> bool:
        """Whether a download waits for the workshop alone."""
        if item.ours:
            return False
        with contextlib.suppress(OSError):
            return self._path(item).stat().st_size == sealed_size(item.file.size)
        return False

    def retry(self) -> None:
        """A person asks for another try."""
        self._failed.clear()
        self._damaged.clear()
        self._wait = _FIRST_WAIT
        self.look()

    @property
    def due(self) -> float:
        """When `tick` has something to do; monotonic seconds."""
        return min(self._failed.values(), default=_NEVER)

    def tick(self) -> None:
        """What failed for a while is tried again."""
        now = self._context.now
        if self.due <= now:
            self._failed = {name: at for name, at in self._failed.items() if at > now}
            self.look()

    def disconnected(self) -> None:
        """All of it goes on with the next connection."""
        self._end_upload()
        self._end_download()
        self._failed = {name: at for name, at in self._failed.items() if at < _NEVER}

    def _path(self, item: Attached) -> Path:
        return attached.sealed_path(self._context.vault.folder, item)

    # ------------------------------------------------------------ up

    def _begin_upload(self, item: Attached) -> None:
        file: FileIO | None = None
        with contextlib.suppress(OSError):  # forwarded, or lost with the profile's folder
            file = FileIO(self._path(item))
        self._show(item, MessageState.WAITING)
        self._up = Upload(item, file)
        self._put(self._up, empty=True)

    def _put(self, up: Upload, *, empty: bool = False) -> None:
        """Send a chunk, or ask how much is there."""
        start = up.next
        try:
            body = b"" if empty else up.read(self._path(up.item).parent)
        except ProfileUnwritable as wrong:
            self._unreadable(up, wrong)
            return
        up.next += len(body)
        up.under_way += 1
        sent_at = self._context.now
        self._requests.ask(
            lambda ref: BlobPut(ref, up.blob, up.size, start),
            BlobHeld,
            lambda answer: self._held(up, answer.held, start + len(body), sent_at, asked=empty),
            lambda refusal: self._put_refused(up, refusal),
            body=body,
        )

    def _unreadable(self, up: Upload, wrong: ProfileUnwritable) -> None:
        """Its sealed bytes are damaged: sealed anew, but once; nothing else waits for it."""
        content_id = up.item.ref.content_id
        if content_id not in self._damaged:
            self._damaged.add(content_id)
            self._seal_again(up)
            return
        self._end_upload()
        self._fail(up.item, wrong, _NEVER)
        self.look()

    def _held(self, up: Upload, held: int, expected: int, sent_at: float, *, asked: bool) -> None:
        if up is not self._up:
            return
        up.under_way -= 1
        if held > up.size:
            raise UnexpectedAnswer(what="more of a file than there is")
        up.window.answered(self._context.now - sent_at)
        if held == up.size:
            self._uploaded(up)
            return
        if up.file is None:
            self._seal_again(up)
            return
        up.rewound = up.rewound or asked or held != expected
        up.done = held
        self._progress(up, FileState.UPLOADING)
        if up is self._up:
            self._go_on_up(up)

    def _seal_again(self, up: Upload) -> None:
        """Neither we nor the server have all of the sealed bytes."""
        self._end_upload()
        with self._context.transaction() as db:
            if attached.get(db, up.item.user_id, up.item.ref) is not None:
                attached.move(db, up.item.user_id, up.item.ref, FileState.PREPARING)
        self._wake_workshop()
        self.look()

    def _go_on_up(self, up: Upload) -> None:
        if up.rewound:
            if up.under_way:
                return  # whatever is still answered says where the server is
            up.rewound = False
            up.rewinds += up.next != up.done
            up.next = up.done
            if up.rewinds > _REWINDS:
                self._end_upload()
                self._fail(up.item, UnexpectedAnswer(what="a file that it keeps losing"), _NEVER)
                return
        while up is self._up and up.under_way < up.window.size and up.next < up.size:
            self._put(up)

    def _put_refused(self, up: Upload, refusal: Refused) -> None:
        if up is not self._up:
            return
        self._end_upload()
        again = CODES[refusal.code].retry
        self._fail(up.item, refusal, self._later(refusal) if again else _NEVER)
        self.look()

    def _uploaded(self, up: Upload) -> None:
        """The server has all of it on its disk: the message may name it."""
        self._end_upload()
        self._wait = _FIRST_WAIT
        item = up.item
        with self._context.transaction() as db:
            if attached.get(db, item.user_id, item.ref) is not None:
                attached.move(db, item.user_id, item.ref, FileState.SENT, problem=item.problem)
                self._owe(db, item)
        self._wake_workshop()
        self._sending.pump(item.user_id)
        self.look()

    def _owe(self, db: apsw.Connection, item: Attached) -> None:
        """Queue the content, with the words that stood there first: edits follow by themselves."""
        line = history.by_number(db, item.number)
        versions = talk.versions(db, item.user_id, item.ref)
        quote = line.quoted
        payload = Text(
            versions[0].text if versions else line.text,
            line.timer,
            None if quote is None else Reference(quote.ours, ContentId(quote.content_id)),
            item.file,
        )
        identity = contacts.get(db, item.user_id).identity
        key = None if identity is None else identity.account_key
        outbox.owe(db, item.user_id, item.ref.content_id, payload, key, line.time)
        self._emit_changed(db, line)

    def _end_upload(self) -> None:
        if self._up is not None:
            self._up.close()
            self._up = None

    # ------------------------------------------------------------ down

    def _begin_download(self, item: Attached) -> None:
        try:
            down = Download.into(self._path(item), item)
        except ProfileUnwritable as wrong:
            self._give_up(item, wrong)
            return
        self._down = down
        self._go_on_down(down)

    def _go_on_down(self, down: Download) -> None:
        while down.under_way < down.window.size and down.next < down.size:
            start, length = down.next, down.chunk
            down.next += length
            down.under_way += 1
            self._get(down, start, length)

    def _get(self, down: Download, start: int, length: int) -> None:
        sent_at = self._context.now
        self._requests.ask(
            lambda ref: BlobGet(ref, down.blob, start),
            Chunk,
            lambda chunk: self._came(down, start, length, chunk, sent_at),
            lambda refusal: self._get_refused(down, refusal),
            patient=True,
        )

    def _came(self, down: Download, start: int, length: int, chunk: Chunk, sent_at: float) -> None:
        if down is not self._down:
            return
        down.under_way -= 1
        down.window.answered(self._context.now - sent_at)
        if chunk.message.size != down.size or len(chunk.body) != length:
            self._down_failed(down, FileDamaged())
            return
        try:
            down.take(start, chunk.body)
        except OSError:
            self._down_failed(down, NoRoom(folder=self._path(down.item).parent, needed=down.size))
            return
        self._progress(down, FileState.DOWNLOADING)
        if down is not self._down:
            return
        if down.done == down.size:
            self._end_download()
            self._wake_workshop()
            self.look()
        else:
            self._go_on_down(down)

    def _get_refused(self, down: Download, refusal: Refused) -> None:
        if down is not self._down:
            return
        gone = refusal.code is Code.UNKNOWN_BLOB
        self._down_failed(down, FileGone(user_id=down.item.user_id) if gone else refusal)

    def _down_failed(self, down: Download, error: SecureChatError) -> None:
        self._end_download()
        self._give_up(down.item, error)
        self.look()

    def _end_download(self) -> None:
        if self._down is not None:
            self._down.close()
            self._down = None

    # ------------------------------------------------------------ what is told

    def _progress(self, moving: Transfer, state: FileState) -> None:
        """Now and then, how far it is; and whether anybody still wants it."""
        if self._context.now - moving.told < _PROGRESS_SECONDS and moving.done < moving.size:
            return
        moving.told = self._context.now
        item = moving.item
        with self._context.vault.read() as db:
            known = attached.get(db, item.user_id, item.ref)
        if known is None or known.state is not state:
            self.look()  # it was deleted, disappeared, or the person stopped it
            return
        self._context.emit(
            FileProgress(
                item.user_id, item.number, item.ref.content_id, state, moving.done, moving.size
            )
        )

    def _give_up(self, item: Attached, error: SecureChatError) -> None:
        """A file of ours waits for the person; one of theirs is only offered again."""
        if item.ours:
            self._fail(item, error, _NEVER)
            return
        with self._context.transaction() as db:
            attached.move(db, item.user_id, item.ref, FileState.OFFERED, problem=Said.of(error))
            self._emit_changed(db, history.by_number(db, item.number))
        self._wake_workshop()
        self._context.problem(error, item.user_id)

    def _later(self, refusal: Refused) -> float:
        wait = max(refusal.retry_after or 0.0, 0.0 if refusal.code in _SILENT else self._wait)
        if refusal.code not in _SILENT:
            self._wait = min(self._wait * 2, _LONGEST_WAIT)
        return self._context.now + max(wait, 0.1)

    def _fail(self, item: Attached, error: SecureChatError, again: float) -> None:
        """A file of ours waits, for a time or for the person, and says why."""
        if self._failed.get(item.file.sha256) == again:
            return
        self._failed[item.file.sha256] = again
        if isinstance(error, Refused) and error.code in _SILENT:
            return
        self._show(item, MessageState.HELD, Said.of(error))
        self._context.problem(error, item.user_id)

    def _show(self, item: Attached, state: MessageState, problem: str = "") -> None:
        waiting = (MessageState.WAITING, MessageState.HELD)
        with self._context.transaction() as db:
            changed = history.set_state(
                db, item.user_id, item.ref.content_id, state, problem, only_from=waiting
            )
            if changed is not None:
                self._emit_changed(db, changed)

    def _emit_changed(self, db: apsw.Connection, line: Message) -> None:
        self._context.emit(MessageChanged(history.by_number(db, line.number)))
        self._context.emit(ConversationChanged(history.conversation(db, line.user_id)))
