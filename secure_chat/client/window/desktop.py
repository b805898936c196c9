"""Notifications of the desktop, by desktop-notifier (the extra ``notify``), on a thread of its own.

It speaks to the session bus, the notification centre or Windows; whatever goes wrong there must
not disturb the window, so a failure ends the notifications and is logged once.
"""

import logging
import queue
import threading
from functools import partial
from importlib import util

from secure_chat.client.presenter.notices import Notice
from secure_chat.protocol.addresses import UserId

_log = logging.getLogger(__name__)
_MOST_WAITING = 20


def can_notify() -> bool:
    """Whether the extra is installed."""
    return util.find_spec("desktop_notifier") is not None


class Desktop:
    """Shows notices one after the other. Without the extra it does nothing."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Notice | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        self.pressed: queue.SimpleQueue[UserId | None] = queue.SimpleQueue()
        """Whose notices the person pressed; for the window's thread to take."""

    def show(self, notice: Notice) -> None:
        """Show it soon; too many at once are dropped, since the window has them all."""
        if self._thread is None:
            if not can_notify():
                return
            self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)
            self._thread.start()
        try:
            self._queue.put_nowait(notice)
        except queue.Full:
            return

    def stop(self) -> None:
        """No more of them."""
        if self._thread is not None:
            self._thread = None
            try:
                self._queue.put_nowait(None)
            except queue.Full:
                return

    def _run(self) -> None:
        import asyncio

        try:
            asyncio.run(self._serve())
        except Exception as wrong:
            # No session bus, no permission: the window goes on without notifications.
            _log.warning("No notifications of the desktop: %s", type(wrong).__name__)

    async def _serve(self) -> None:
        import asyncio

        from desktop_notifier import DesktopNotifier

        # Its tracebacks are of no use to the person in front of the terminal.
        logging.getLogger("desktop_notifier").setLevel(logging.CRITICAL)
        notifier = DesktopNotifier(app_name="secure_chat")
        while (notice := await asyncio.to_thread(self._queue.get)) is not None:
            await notifier.send(
                title=notice.title,
                message=notice.body,
                on_clicked=partial(self.pressed.put, notice.user_id),
            )
