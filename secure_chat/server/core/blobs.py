"""Large bodies: files, and what else does not fit into a frame (PROTOCOL.md 13.3).

Whoever is logged in may fetch a blob whose hash he names. The hash is that of random-looking bytes
under a key that the server never sees, so it cannot be guessed, and only those know it to whom a
message told it; the server does not learn for whom a blob is meant.
"""

from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection

from secure_chat.errors import Code
from secure_chat.protocol import limits
from secure_chat.protocol.messages import Blob, BlobGet, BlobHeld, BlobPut
from secure_chat.server.core import desk
from secure_chat.server.core.mailbox import BUFFERED
from secure_chat.server.core.rates import Rates
from secure_chat.server.core.session import Session
from secure_chat.server.core.settings import Settings
from secure_chat.server.store import Store, uploads
from secure_chat.server.store.blobs import Chunk, Held
from secure_chat.server.store.uploads import Begun, Wanted


class Blobs:
    """Answers `blob_put` and `blob_get`. Lives on the I/O thread."""

    def __init__(self, store: Store, settings: Settings, rates: Rates) -> None:
        self._store = store
        self._settings = settings
        self._clock = store.clock.now_ms
        self._rate = rates.blob_chunks

    def reconfigure(self, settings: Settings) -> None:
        """Follow other settings from now on."""
        self._settings = settings

    # ------------------------------------------------------------ bringing

    def put(self, session: Session, asked: BlobPut, body: bytes, now: float) -> None:
        """Keep a chunk, or say how many bytes are kept."""
        if asked.size > self._settings.blob_size:
            most = self._settings.blob_size // limits.MIB
            words = f"This server takes files of up to {most} MiB."
            session.refuse(Code.BLOB_TOO_LARGE, ref=asked.ref, detail=words)
        elif len(body) > limits.BLOB_CHUNK or asked.offset + len(body) > asked.size:
            words = "A chunk has at most 48 KiB and ends within the blob."
            session.refuse(Code.BAD_FIELD, ref=asked.ref, detail=words)
        elif self._may_ask(session, asked.ref, now):
            if session.uploads.get(asked.sha256) == asked.size:
                self._append(session, asked, body)
            else:
                self._begin(session, asked, body)

    def _begin(self, session: Session, asked: BlobPut, body: bytes) -> None:
        """The first chunk on this connection: find out if there is room, and if it is here."""
        wanted = Wanted(
            session.account_id,
            asked.sha256,
            asked.size,
            self._settings.blob_bytes_per_account,
            self._clock(),
        )

        def begun(how: Begun) -> None:
            if how is Begun.WHOLE:
                self._confirm(session, asked, body)
            else:
                session.uploads[asked.sha256] = asked.size
                self._append(session, asked, body)

        desk.ask(
            session,
            self._store.write,
            lambda connection: uploads.begin(connection, wanted),
            begun,
            ref=asked.ref,
        )

    def _confirm(self, session: Session, asked: BlobPut, body: bytes) -> None:
        """The rows say that it is here: so does the disk, or it has to be brought again."""

        def looked(there: bool) -> None:
            if there:
                session.say(BlobHeld(asked.ref, asked.size))
                return
            desk.ask(
                session,
                self._store.write,
                lambda connection: uploads.lost(connection, asked.sha256),
                lambda _: self._append(session, asked, body),
                ref=asked.ref,
            )

        desk.ask(
            session,
            self._store.blob,
            lambda _: self._store.blob_files.has(asked.sha256, asked.size),
            looked,
            ref=asked.ref,
        )

    def _append(self, session: Session, asked: BlobPut, body: bytes) -> None:
        account_id = session.account_id
        self._ask_disk(
            session,
            lambda _: self._store.blob_files.append(
                account_id, asked.sha256, asked.size, asked.offset, body
            ),
            partial(self._appended, session, asked),
            asked.ref,
        )

    def _appended(self, session: Session, asked: BlobPut, held: Held) -> None:
        if not held.whole:
            session.say(BlobHeld(asked.ref, held.size))
            return
        account_id, now_ms = session.account_id, self._clock()
        session.uploads.pop(asked.sha256, None)
        desk.ask(
            session,
            self._store.write,
            lambda connection: uploads.complete(connection, account_id, asked.sha256, now_ms),
            lambda _: session.say(BlobHeld(asked.ref, held.size)),
            ref=asked.ref,
        )

    # ------------------------------------------------------------ fetching

    def get(self, session: Session, asked: BlobGet, now: float) -> None:
        """A chunk of a blob."""
        if session.is_behind(BUFFERED):
            session.refuse_unread(asked.ref)
        elif self._may_ask(session, asked.ref, now):

            def job(connection: Connection) -> Chunk | Code:
                return self._store.blob_files.read(connection, asked.sha256, asked.offset)

            self._ask_disk(
                session,
                job,
                lambda chunk: session.say(Blob(asked.ref, chunk.size), chunk.data),
                asked.ref,
            )

    # ------------------------------------------------------------ both

    def _may_ask(self, session: Session, ref: int, now: float) -> bool:
        wait = self._rate.take(session.account_id, now)
        if wait:
            session.refuse(Code.RATE_LIMITED, ref=ref, retry_after=wait)
        elif session.chunks >= limits.BLOB_CHUNKS:
            session.refuse(Code.OVERLOADED, ref=ref, retry_after=desk.BUSY_SECONDS)
        else:
            return True
        return False

    def _ask_disk(
        self,
        session: Session,
        job: Callable[[Connection], object],
        done: Callable[..., None],
        ref: int,
    ) -> None:
        """Work of the blobs' thread, so much of it at once for one connection."""

        def ended() -> None:
            session.chunks -= 1

        def came(outcome: object) -> None:
            ended()
            done(outcome)

        session.chunks += 1
        desk.ask(session, self._store.blob, job, came, ref=ref, failed=ended)

    # ------------------------------------------------------------ time

    def expire(self, before_ms: int, now_ms: int, most: int) -> None:
        """Forget what was kept long enough, then delete the files that nobody needs."""

        def swept(_: object) -> None:
            """Its errors are logged by the thread; the next time is soon."""

        def forgotten(_: object) -> None:
            self._store.blob(self._store.blob_files.sweep, swept)

        self._store.write(
            lambda connection: uploads.expire(connection, before_ms, now_ms, most), forgotten
        )
