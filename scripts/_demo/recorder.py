"""The real server with a tap: writes down every byte that the clients sent, after TLS.

A relay in the middle would not do: a login is bound to its TLS channel, so both clients would
refuse to log in through one. The tap therefore sits where the server's network hands over to its
core. It belongs to this script; the server has no such option.

Usage: recorder.py FILE [the server's own arguments]
"""

import sys
from pathlib import Path
from typing import BinaryIO

from secure_chat.protocol.frames import Frame
from secure_chat.server import app, cli
from secure_chat.server.interfaces import Connection, Core, Loop


class Tap:
    """A core that notes what it is given and passes it on."""

    def __init__(self, core: Core, file: BinaryIO) -> None:
        self._core = core
        self._file = file
        self._numbers: dict[int, int] = {}
        self._next = 0

    def opened(self, connection: Connection, now: float) -> None:
        """Give the connection a number."""
        self._numbers[id(connection)] = self._next
        self._next += 1
        self._core.opened(connection, now)

    def received(self, connection: Connection, frames: list[Frame], now: float) -> None:
        """Write the frames down, then let the server have them."""
        for frame in frames:
            write(self._file, self._numbers[id(connection)], frame)
        self._file.flush()
        self._core.received(connection, frames, now)

    def closed(self, connection: Connection, now: float) -> None:
        """Forget the connection."""
        self._numbers.pop(id(connection), None)
        self._core.closed(connection, now)

    def tick(self, now: float) -> None:
        """Pass on."""
        self._core.tick(now)

    def drain(self, now: float) -> None:
        """Pass on."""
        self._core.drain(now)


def write(file: BinaryIO, connection: int, frame: Frame) -> None:
    """``u32 connection ‖ u32 header length ‖ u32 body length ‖ header ‖ body``."""
    file.writelines(
        number.to_bytes(4, "big") for number in (connection, len(frame.header), len(frame.body))
    )
    file.write(frame.header + frame.body)


def read(path: Path) -> list[tuple[int, Frame]]:
    """What was recorded so far: connection and frame, in order."""
    data = path.read_bytes() if path.exists() else b""
    found, at = [], 0
    while at + 12 <= len(data):
        connection, header, body = (_u32(data, at + offset) for offset in (0, 4, 8))
        split, end = at + 12 + header, at + 12 + header + body
        if end > len(data):
            break  # still being written
        found.append((connection, Frame(data[at + 12 : split], data[split:end])))
        at = end
    return found


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def main() -> int:
    """Run the server's own command line, with the tap around its core."""
    file = Path(sys.argv[1]).open("wb")  # noqa: SIM115 - open until the process ends

    class Recording(app.Server):
        def make_core(self, loop: Loop) -> Core:
            return Tap(super().make_core(loop), file)

    app.Server = Recording  # type: ignore[misc]
    try:
        return cli.main(sys.argv[2:])
    finally:
        file.close()


if __name__ == "__main__":
    sys.exit(main())
