"""The thread for what takes long with files: sealing them, opening them, clearing up.

What is to be done stands in the vault, so that it is done after a restart too; whoever changes it
calls `wake`. What fails says why at its message, and is tried again when the person asks, or after
a restart.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import apsw

from secure_chat.bugs import described
from secure_chat.client.content import ContentId
from secure_chat.client.events import (
    ConversationChanged,
    Event,
    FileState,
    MessageChanged,
    MessageState,
    Problem,
)
from secure_chat.client.files.saving import save
from secure_chat.client.files.sealing import seal_file
from secure_chat.client.said import Said
from secure_chat.client.vault import Vault, attached, history
from secure_chat.client.vault.attached import Attached
from secure_chat.crypto.files import FileKey, sealed_size
from secure_chat.crypto.rng import Random
from secure_chat.errors import CannotWrite, EngineFailed, ForwardedGone, SecureChatError
from secure_chat.protocol.addresses import UserId

_log = logging.getLogger(__name__)
METADATA_LEFT = (
    "Place, time and camera may stand in this file:"
    " only well-formed JPEG and PNG pictures are cleaned of them."
)
_LOOK_SECONDS: Final = 3600.0

Change = Callable[[Callable[[apsw.Connection], tuple[Any, list[Event]]]], Any]
Publish = Callable[[list[Event]], None]


class Workshop:
    """Runs from `start` to `stop`. ``moved`` tells the network thread that a file is ready."""

    def __init__(
        self,
        vault: Vault,
        random: Random,
        change: Change,
        publish: Publish,
        moved: Callable[[UserId], None],
    ) -> None:
        self._vault = vault
        self._random = random
        self._change = change
        self._publish = publish
        self._moved = moved
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._failed: set[ContentId] = set()
        self._thread = threading.Thread(target=self._run, name="workshop", daemon=True)

    def start(self) -> None:
        """Begin with what the vault says."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Leave what is under way for the next start."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def wake(self) -> None:
        """Something may be to do. Thread-safe."""
        self._woken.set()

    def retry(self) -> None:
        """A person asks for another try. Thread-safe."""
        self._failed = set()
        self.wake()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                self.work()
            except SecureChatError as wrong:  # the vault
                self._publish([Problem(wrong)])
            except Exception as bug:
                _log.error("the workshop failed: %s", described(bug))
                self._publish([Problem(EngineFailed(detail=type(bug).__name__))])
            self._woken.wait(_LOOK_SECONDS)

    def work(self) -> None:
        """All that is to be done now."""
        for item in self._waiting(FileState.PREPARING):
            self._try(item, self._seal)
        for item in self._waiting(FileState.DOWNLOADING):
            self._try(item, self._open)
        self._clear_up()

    def _waiting(self, state: FileState) -> list[Attached]:
        with self._vault.read() as db:
            items = attached.moving(db, state)
        return [item for item in items if item.ref.content_id not in self._failed]

    def _try(self, item: Attached, step: Callable[[Attached], None]) -> None:
        if self._stopping.is_set():
            return
        try:
            step(item)
        except SecureChatError as wrong:
            self._fail(item, wrong)
        except OSError as wrong:
            reason = wrong.strerror or str(wrong)
            self._fail(item, CannotWrite(path=self._vault.folder, reason=reason))

    # ------------------------------------------------------------ the two ways

    def _seal(self, item: Attached) -> None:
        if not item.path:
            raise ForwardedGone
        # A fresh key at each try: one key never serves two states of a file.
        key = FileKey.generate(self._random)
        raw = attached.folder(self._vault.folder) / f"{item.ref.content_id.hex()}.new"
        sealed = seal_file(
            Path(item.path),
            item.file.size,
            key,
            raw,
            lambda: self._is_wanted(item),
            keep_metadata=item.keep_metadata,
        )
        if sealed is None:
            return
        raw.replace(attached.sealed_path(self._vault.folder, item, sealed.sha256))

        def ready(db: apsw.Connection) -> tuple[None, list[Event]]:
            said = Said(METADATA_LEFT) if sealed.may_tell else ""
            attached.sealed(db, item.user_id, item.ref, key, sealed.sha256, sealed.size, said)
            return None, self._changed(db, item)

        self._change(ready)
        self._moved(item.user_id)

    def _open(self, item: Attached) -> None:
        sealed = attached.sealed_path(self._vault.folder, item)
        if not sealed.exists() or sealed.stat().st_size != sealed_size(item.file.size):
            return  # still coming
        folder = Path(item.path)
        if not folder.is_dir():
            raise CannotWrite(path=folder, reason="it is no folder")
        tag = f"secure-chat-{item.ref.content_id.hex()}"
        saved = save(sealed, item.file, folder, tag, lambda: self._is_wanted(item))
        if saved is None:
            return

        def done(db: apsw.Connection) -> tuple[None, list[Event]]:
            attached.move(db, item.user_id, item.ref, FileState.SAVED, path=str(saved))
            return None, self._changed(db, item)

        self._change(done)

    def _is_wanted(self, item: Attached) -> bool:
        if self._stopping.is_set():
            return False
        with self._vault.read() as db:
            known = attached.get(db, item.user_id, item.ref)
        return known is not None and known.state is item.state

    def _fail(self, item: Attached, error: SecureChatError) -> None:
        """Ours is held, theirs is only offered again; both say why."""

        def failed(db: apsw.Connection) -> tuple[None, list[Event]]:
            if attached.get(db, item.user_id, item.ref) is None:
                return None, []
            if item.ours:
                history.set_state(
                    db, item.user_id, item.ref.content_id, MessageState.HELD, Said.of(error),
                    only_from=(MessageState.WAITING, MessageState.HELD),
                )  # fmt: skip
            else:
                attached.move(db, item.user_id, item.ref, FileState.OFFERED, problem=Said.of(error))
            return None, [*self._changed(db, item), Problem(error, item.user_id)]

        if item.ours:
            self._failed.add(item.ref.content_id)
        self._change(failed)

    def _changed(self, db: apsw.Connection, item: Attached) -> list[Event]:
        line = history.by_ref(db, item.user_id, item.ref)
        if line is None:
            return []
        return [MessageChanged(line), ConversationChanged(history.conversation(db, item.user_id))]

    # ------------------------------------------------------------ clearing up

    def _clear_up(self) -> None:
        """Sealed bytes that nobody needs: sent, saved, deleted, or left behind by a crash."""
        folder = attached.folder(self._vault.folder)
        if not folder.is_dir():
            return
        there = list(folder.iterdir())  # before the rows: what comes meanwhile stays
        with self._vault.read() as db:
            needed = attached.needed(db)
        for path in there:
            if path.name not in needed:
                path.unlink(missing_ok=True)
