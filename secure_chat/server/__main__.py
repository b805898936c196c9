"""``python -m secure_chat.server`` and the command ``secure-chat-server``."""

import sys

from secure_chat.server.cli import main

if __name__ == "__main__":
    sys.exit(main())
