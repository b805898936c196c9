"""``secure-chat-server config``: a file of settings to begin with."""

from argparse import Namespace

from secure_chat.server.commands.command import Command
from secure_chat.server.config import Config, example


def _run(config: Config, _options: Namespace) -> int:
    print(example(config), end="", flush=True)
    return 0


COMMAND = Command(
    name="config",
    help="print a file with every setting",
    description="Print a TOML file with every setting and its meaning. Those that are given here "
    "stand in it, the others as notes with their defaults.",
    run=_run,
    examples=(
        ("config > server.toml", "to begin with"),
        ("config --host 0.0.0.0 --data-dir ~/chat > server.toml", "with these set"),
    ),
)
