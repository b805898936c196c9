"""A wake-up for a thread that waits in a selector; works on every platform."""

import socket
from contextlib import suppress
from typing import Self


class Waker:
    """A socket that becomes readable when another thread calls `wake`. Close it after use.

    Signals gather: any number of `wake` calls before `clear` cost one system call. The waiting
    thread calls `clear` first and looks at its queues second, so that no signal is lost.
    """

    def __init__(self) -> None:
        self._inner, self._outer = socket.socketpair()
        self._inner.settimeout(0)
        self._outer.settimeout(0)
        self._signalled = False

    def fileno(self) -> int:
        """For selectors."""
        return self._inner.fileno()

    def wake(self) -> None:
        """Make the socket readable. Thread-safe, never blocks."""
        if self._signalled:
            return
        self._signalled = True
        with suppress(OSError):  # full of signals that nobody has read yet, or closed
            self._outer.send(b"\0")

    def clear(self) -> None:
        """Take the signals; those that follow make the socket readable again."""
        with suppress(BlockingIOError):
            self._inner.recv(64)  # what is left, if anything, wakes once more
        self._signalled = False

    def close(self) -> None:
        """Release both sockets; later signals are ignored."""
        self._signalled = True
        self._inner.close()
        self._outer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
