"""Whether a running server does its work: for /healthz, `stats` and a container's check."""

import threading
import time
from collections.abc import Callable
from typing import Final

from secure_chat.server.net.server import NetServer
from secure_chat.server.store import Store

_PATIENCE: Final = 5.0  # how long a healthy server may take for a turn or a commit
_CHECK_SECONDS: Final = 2.0  # answers are good for so long: each costs an fsync


class Health:
    """Asks each loop for a turn, and the disk for a write. Called on any thread."""

    def __init__(self, store: Store, net: NetServer) -> None:
        self._store = store
        self._net = net
        self._guard = threading.Lock()
        self._looked_at = float("-inf")
        self._found: list[str] = []

    def complaints(self) -> list[str]:
        """What is wrong, a sentence each; empty: all is well. Takes up to `_PATIENCE` seconds."""
        with self._guard:  # who comes meanwhile gets the same answer
            if time.monotonic() - self._looked_at > _CHECK_SECONDS:
                self._found = self._look()
                self._looked_at = time.monotonic()
            return self._found

    def _look(self) -> list[str]:
        if not self._net.is_serving:
            return ["The network threads have ended."]
        answers: dict[str, threading.Event] = {}
        failed: list[str] = []

        def asked(what: str) -> Callable[[object], None]:
            answers[what] = threading.Event()

            def came(outcome: object) -> None:
                if isinstance(outcome, Exception):
                    failed.append(f"{what}: it fails.")
                answers[what].set()

            return came

        turn = asked("The network loop")
        self._net.call_soon(lambda: turn(None))
        self._store.probe(asked("Writing to the disk"), asked("Reading from the store"))
        deadline = time.monotonic() + _PATIENCE
        for what, answer in answers.items():
            if not answer.wait(max(0.0, deadline - time.monotonic())):
                failed.append(f"{what}: no answer within {_PATIENCE:g} seconds.")
        return failed
