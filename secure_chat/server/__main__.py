"""``python -m secure_chat.server`` and the command ``secure-chat-server``."""

import sys
from collections.abc import Sequence

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    try:
        from secure_chat.server.cli import main as run

        return run(arguments)
    except KeyboardInterrupt:  # before the server has begun, or during a short command
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
