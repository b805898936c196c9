"""A conversation without a screen: written, recorded at the server, read, compared, searched."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from _demo import recorder, search
from _demo.processes import PATIENCE, Client, DemoFailed
from _demo.stage import Stage, password
from secure_chat.protocol.frames import Frame
from secure_chat.protocol.messages import Login, Pm, Register, decode_client_header

SHOWN_BYTES = 16

TALK = (
    ("alice", "Hello Bob, can the server read this?"),
    ("bob", "No: it gets sealed bytes, and an address to carry them to."),
    ("alice", "سلام باب! این پیام را فقط ما دو نفر می‌خوانیم."),
    ("bob", "سلام آلیس، خوش آمدی. کلید ۲۴ رقمی را عوض نکن (key 42)."),
    ("alice", "Emoji travel as well: 🔒 👩‍💻 — and tabs,\tand quotes \"'`."),
)
ABSENT = ("alice", "تو که نبودی نوشتم: this line waited at the server until you came back.")


class Held(NamedTuple):
    """What the server got of one line."""

    size: int
    first: bytes


class Conversation:
    """Two clients and the server between them."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._passwords = {name: password() for name in ("alice", "bob")}
        self._clients: dict[str, Client] = {}
        self._used = 0  # recorded frames that belong to earlier lines
        self.written: list[str] = []
        self.leaks: list[str] = []

    def run(self) -> bool:
        """Hold the conversation; whether all arrived intact and nothing leaked."""
        groups = [self._join(name) for name in ("alice", "bob")]
        print(f"server       {self._stage.address}, TLS 1.3, key exchange {' and '.join(groups)}")
        for name in ("alice", "bob"):  # nobody confirms what comes from a stranger
            self._clients[name].do(do="open", **{"with": "bob" if name == "alice" else "alice"})
            self._clients[name].event("opened")
        for sender, text in TALK:
            self._say(sender, text)
        intact = self._show_keys()
        self._while_away(*ABSENT)
        troubles = [p for client in self._clients.values() for p in client.problems()]
        for client in self._clients.values():
            client.stop()
        print()
        self._search("at the end")
        for trouble in troubles:
            print(f"problem      {trouble}")
        return intact and not troubles and not self.leaks

    def close(self) -> None:
        """End what still runs."""
        for client in self._clients.values():
            client.wait()

    def _join(self, name: str) -> str:
        """Start a person's client; the negotiated TLS group."""
        folder = self._stage.folder / name
        link = "" if folder.exists() else self._stage.invite(name)
        client = Client(name.capitalize(), name, folder, self._passwords[name], link)
        self._clients[name] = client
        return str(client.event("ready")["group"])

    def _say(self, sender: str, text: str) -> None:
        other = "bob" if sender == "alice" else "alice"
        self._write(sender, other, text)
        print(f"server held  {_shown(self._held(sender, other))}")
        self._compare(other, text)
        # The mark comes back as a message of the reader's client: what is recorded after it is new.
        self._clients[sender].event("state", lambda event: event["state"] == "delivered")
        self._used = sum(1 for _ in _messages(self._stage.tape))

    def _write(self, sender: str, other: str, text: str) -> None:
        self.written.append(text)
        print(f"\n{sender.capitalize():<5} wrote  {text}", flush=True)
        self._clients[sender].do(do="write", to=other, text=text)

    def _compare(self, reader: str, text: str) -> None:
        read = self._clients[reader].event("read")["text"]
        print(f"{reader.capitalize():<5} read   {read}", flush=True)
        if read != text:
            raise DemoFailed(f"{reader} read {read!r}, written was {text!r}")

    def _held(self, sender: str, other: str) -> Held:
        """What the server received of the line that was just written."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for at, (user_id, message, frame) in enumerate(_messages(self._stage.tape)):
                if at >= self._used and (user_id, message.to.split("/")[0]) == (sender, other):
                    return Held(len(frame.body), frame.body)
            time.sleep(0.02)
        raise DemoFailed("the server received nothing")

    def _show_keys(self) -> bool:
        """Both fingerprints, as each side sees them; whether the views agree."""
        seen = {name: self._safety(name) for name in ("alice", "bob")}
        print()
        for name in ("alice", "bob"):
            print(f"{name.capitalize()}'s fingerprint  {seen[name]['ours']}")
        agreed = (
            seen["alice"]["ours"] == seen["bob"]["theirs"]
            and seen["bob"]["ours"] == seen["alice"]["theirs"]
            and seen["alice"]["number"] == seen["bob"]["number"]
        )
        print(f"safety number    {seen['alice']['number']}")
        print(f"both sides see   {'the same' if agreed else 'DIFFERENT KEYS'}")
        return agreed

    def _safety(self, name: str) -> dict[str, str]:
        other = "bob" if name == "alice" else "alice"
        self._clients[name].do(do="safety", **{"with": other})
        return self._clients[name].event("safety")

    def _while_away(self, sender: str, text: str) -> None:
        """A line for somebody who is offline: it is on the server's disk meanwhile."""
        self._clients["bob"].stop()
        self._write(sender, "bob", text)
        self._clients[sender].event("state", lambda event: event["state"] == "accepted")
        held = self._held(sender, "bob")
        print(f"server holds {_shown(held)}, for Bob, who is away")
        stored = search.folder(self._stage.data)
        if not any(held.first[:SHOWN_BYTES] in data for data in stored.values()):
            raise DemoFailed("the search does not find the sealed line in the server's folder")
        self._search("while the line waits", quiet=True)
        self._join("bob")
        self._compare("bob", text)

    def _search(self, when: str, *, quiet: bool = False) -> None:
        """Look for what was written, and for passwords, in all that the server has seen."""
        places = search.folder(self._stage.data)
        places["what was received"] = self._stage.tape.read_bytes()
        if not search.find(["alice"], places):  # names are visible: the search must find them
            raise DemoFailed("the search finds nothing, not even a name")
        found = search.find([*self.written, *self._passwords.values()], places)
        self.leaks += found
        for leak in found:
            print(f"LEAK         {when}: {leak}")
        size = sum(map(len, places.values()))
        if not quiet:
            print(
                f"searched     {size:,} bytes that the server received or stored: "
                f"{'PLAINTEXT FOUND' if self.leaks else 'no plaintext in any form'}"
            )


def _messages(tape: Path) -> Iterator[tuple[str, Pm, Frame]]:
    """The private messages among what was recorded, with the account of each."""
    accounts: dict[int, str] = {}
    for connection, frame in recorder.read(tape):
        message = decode_client_header(frame.header)
        if isinstance(message, Register | Login):
            accounts[connection] = message.user_id
        elif isinstance(message, Pm) and not message.transient:
            yield accounts[connection], message, frame


def _shown(held: Held) -> str:
    return f"{held.size} bytes: {held.first[:SHOWN_BYTES].hex(' ')} …"


def run() -> bool:
    """The whole demonstration; whether it went well."""
    with Stage(recorded=True) as stage:
        conversation = Conversation(stage)
        try:
            return conversation.run()
        finally:
            conversation.close()
