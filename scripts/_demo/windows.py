"""Two windows, Alice's and Bob's, on one screen; the demonstration ends when both are closed."""

import json

from _demo.processes import Process
from _demo.stage import Stage, password


def run() -> int:
    """Open both windows and wait; the exit code is 0 if both ended well."""
    with Stage(recorded=False) as stage:
        print(f"The server listens on {stage.address}. Two windows open: Alice's and Bob's.")
        print("Write in one and read in the other. Close both to end; nothing is kept.", flush=True)
        windows = [_open(stage, "alice", "bob"), _open(stage, "bob", "alice")]
        try:
            return max(abs(window.process.wait()) for window in windows)
        except KeyboardInterrupt:
            return 0  # the windows heard Ctrl+C as well
        finally:
            for window in windows:
                window.end()
                for line in window.complaints:
                    print(f"{window.name}: {line}")


def _open(stage: Stage, user_id: str, other: str) -> Process:
    window = Process(f"{user_id.capitalize()}'s window", "-m", "_demo.window")
    who = {
        "root": str(stage.folder / user_id / "profiles"),
        "link": stage.invite(user_id),
        "user_id": user_id,
        "password": password(),
        "other": other,
        "left": user_id == "alice",
    }
    window.write(json.dumps(who))
    return window
