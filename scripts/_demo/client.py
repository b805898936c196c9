"""One person's client as a process: the real engine, told what to do by lines of JSON.

It reads ``{"folder", "password", "user_id", "link"}`` first (a known folder is opened, a new one
registered), then ``{"do": "open", "with"}``, ``{"do": "write", "to", "text"}``, ``{"do": "safety",
"with"}`` or ``{"do": "stop"}``, and prints what happens: ready, opened, written, read, state,
safety, problem.
"""

import json
import queue
import sys
import threading
from pathlib import Path
from typing import Any

from secure_chat.client.engine import ChatEngine
from secure_chat.client.events import (
    ConnectionChanged,
    ConnectionState,
    Event,
    MessageAdded,
    MessageChanged,
    Problem,
)
from secure_chat.client.profile import create_profile, open_profile
from secure_chat.errors import SecureChatError
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.invite import InviteLink


def main() -> int:
    """Run until told to stop, or until standard input ends."""
    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    try:
        engine = _open(json.loads(sys.stdin.readline()))
    except SecureChatError as wrong:
        say("problem", text=str(wrong))
        return 1
    engine.start()
    threading.Thread(target=_tell, args=(engine,), name="events", daemon=True).start()
    for line in sys.stdin:
        wish = json.loads(line)
        if wish["do"] == "stop":
            break
        _do(engine, wish)
    engine.stop()
    return 0


def _open(who: dict[str, str]) -> ChatEngine:
    folder, password = Path(who["folder"]), who["password"]
    if folder.exists():
        return ChatEngine(open_profile(folder, password))
    link = InviteLink.parse(who["link"])
    return ChatEngine(create_profile(folder, link, who["user_id"], password))


def _do(engine: ChatEngine, wish: dict[str, Any]) -> None:
    try:
        if wish["do"] == "write":
            content_id = engine.send_text(UserId(wish["to"]), wish["text"])
            say("written", id=content_id.hex(), text=wish["text"])
        elif wish["do"] == "open":
            engine.open_conversation(UserId(wish["with"]))
            engine.accept_request(UserId(wish["with"]))
            say("opened")
        elif wish["do"] == "safety":
            safety = engine.safety(UserId(wish["with"]))
            say(
                "safety",
                ours=engine.our_fingerprint,
                theirs=safety.their_fingerprint if safety else "",
                number=" ".join(safety.safety_number) if safety else "",
            )
    except SecureChatError as wrong:
        say("problem", text=str(wrong))


def _tell(engine: ChatEngine) -> None:
    while True:
        try:
            event = engine.events.get(timeout=1)
        except queue.Empty:
            continue
        _say_event(event)


def _say_event(event: Event) -> None:
    match event:
        case ConnectionChanged(state=ConnectionState.ONLINE):
            say("ready", group=event.tls_group)
        case ConnectionChanged(state=state, problem=problem) if problem is not None:
            say("problem", text=f"{state}: {problem}")
        case MessageAdded(message=message) if not message.ours and not message.is_notice:
            say("read", sender=message.user_id, text=message.text)
        case MessageChanged(message=message) if message.ours:
            say("state", id=message.content_id.hex(), state=message.state, why=message.problem)
        case Problem(error=error):
            say("problem", text=str(error))
        case _:
            pass


def say(what: str, **facts: object) -> None:
    """One line of JSON; one call, so that two threads do not mix theirs."""
    sys.stdout.write(json.dumps({"event": what, **facts}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
