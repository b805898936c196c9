"""What a person does with files: send, save, stop. See `secure_chat.client.api.Files`."""

from pathlib import Path

import apsw

from secure_chat.client.engine.effects import remove
from secure_chat.client.engine.intents import Intents, now_ms
from secure_chat.client.engine.wants import FilesMoved
from secure_chat.client.engine.workshop import Workshop
from secure_chat.client.events import ConversationChanged, Event, FileState, MessageChanged
from secure_chat.client.files.sealing import look_at, must_have_room
from secure_chat.client.vault import attached, history
from secure_chat.client.vault.attached import Attached
from secure_chat.crypto.files import sealed_size
from secure_chat.errors import CannotWrite, FileIsOurs, NoFile
from secure_chat.protocol.addresses import UserId

_NOT_SENT = {FileState.PREPARING, FileState.UPLOADING}


class FileIntents(Intents):
    """The part of the engine that keeps files moving."""

    _workshop: Workshop

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

        Raises `FileUnusable`, `FileTooLong`, `TextTooLong`, `BadText`, `NoSuchMessage`.
        """
        chosen = look_at(path)
        content_id = self._write(
            user_id,
            lambda writer: writer.file(chosen, caption, reply_to, keep_metadata=keep_metadata),
        )
        self._workshop.wake()
        return content_id

    def forward(self, user_id: UserId, number: int, to: UserId) -> bytes:
        """Send the text and the file of a message to somebody else; returns the new content id.

        Raises `NoSuchMessage`, and what `send_file` raises.
        """
        other = self._other(user_id)
        with self._vault.read() as db:
            line, ref = self._line(db, other, number)
            item = attached.get(db, other, ref)
        if item is None:
            return self._write(to, lambda writer: writer.text(line.text, None))
        if not item.file.sha256:  # ours, and not sealed yet
            path, keep = Path(item.path), item.keep_metadata
            return self.send_file(to, path, caption=line.text, keep_metadata=keep)
        content_id = self._write(to, lambda writer: writer.forwarded(item, line.text))
        self._moved(self._other(to))
        return content_id

    def save_file(self, user_id: UserId, number: int, folder: Path) -> None:
        """Fetch a file and put it into ``folder``, overwriting nothing.

        Raises `NoSuchMessage`, `NoFile`, `FileIsOurs`, `CannotWrite`, `NoRoom`.
        """
        other = self._other(user_id)
        folder = folder.absolute()
        if not folder.is_dir():
            raise CannotWrite(path=folder, reason="it is no folder")

        def wanted(db: apsw.Connection) -> tuple[None, list[Event]]:
            item = self._file(db, other, number)
            if item.ours:
                raise FileIsOurs(path=item.path)
            must_have_room(folder, item.file.size)
            must_have_room(self._vault.folder, sealed_size(item.file.size))
            attached.move(db, other, item.ref, FileState.DOWNLOADING, path=str(folder))
            return None, _changed(db, other, number)

        self._change(wanted)
        self._moved(other)

    def cancel_file(self, user_id: UserId, number: int) -> None:
        """Stop. A file that has not left is removed with its message; theirs stays offered.

        Raises `NoSuchMessage`, `NoFile`.
        """
        other = self._other(user_id)

        def stop(db: apsw.Connection) -> tuple[None, list[Event]]:
            item = self._file(db, other, number)
            if item.state in _NOT_SENT:
                return None, remove(db, other, number, item.ref, now_ms())
            if item.state is FileState.DOWNLOADING:
                attached.move(db, other, item.ref, FileState.OFFERED, path="")
                return None, _changed(db, other, number)
            return None, []

        self._change(stop)
        self._moved(other)

    def _moved(self, user_id: UserId) -> None:
        self._network.post(FilesMoved(user_id))
        self._workshop.wake()

    def _file(self, db: apsw.Connection, user_id: UserId, number: int) -> Attached:
        item = attached.get(db, user_id, self._line(db, user_id, number)[1])
        if item is None:
            raise NoFile(user_id=user_id, number=number)
        return item


def _changed(db: apsw.Connection, user_id: UserId, number: int) -> list[Event]:
    return [
        MessageChanged(history.by_number(db, number)),
        ConversationChanged(history.conversation(db, user_id)),
    ]
