"""``secure-chat`` and ``python -m secure_chat.client``."""

import sys
from collections.abc import Sequence

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    try:
        from secure_chat.client.cli.program import run

        return run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # while importing, or a second time while stopping
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
