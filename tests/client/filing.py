"""Two engines over a server in memory, and what moves a file between them."""

import os
from pathlib import Path

from secure_chat.client.events import (
    Attachment,
    FileProgress,
    FileState,
    Message,
    Problem,
)
from tests.client.sim import Sim, SimClient

DATA = os.urandom(300_000)
LONG = os.urandom(1_200_000)
CANARY = b"the canary sings in the file"


def work(sim: Sim) -> None:
    """Both workshops do what they have to, and the network thread hears of it."""
    for client in sim.clients.values():
        client.engine._workshop.work()
        client.settle()


def flow(sim: Sim) -> None:
    """Until nothing moves any more."""
    for _ in range(4):
        work(sim)
        sim.run()


def people(sim: Sim) -> tuple[SimClient, SimClient]:
    return sim.clients["alice"], sim.clients["bob"]


def last(client: SimClient, other: SimClient) -> Message:
    return client.lines(other)[-1]


def file_of(client: SimClient, other: SimClient) -> Attachment:
    file = last(client, other).file
    assert file is not None
    return file


def offer(sim: Sim, source: Path, caption: str = "", *, keep_metadata: bool = False) -> bytes:
    """Alice's file lies on the server, and Bob has the message."""
    alice, bob = people(sim)
    content_id = alice.engine.send_file(
        bob.name, source, caption=caption, keep_metadata=keep_metadata
    )
    flow(sim)
    bob.engine.open_conversation(alice.name)
    bob.settle()
    flow(sim)
    return content_id


def save(sim: Sim, folder: Path) -> Attachment:
    """Bob fetches the last file."""
    alice, bob = people(sim)
    bob.engine.save_file(alice.name, last(bob, alice).number, folder)
    flow(sim)
    return file_of(bob, alice)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def sealed_files(client: SimClient) -> list[str]:
    there = client.folder / "files"
    return names(there) if there.exists() else []


def progress(client: SimClient) -> list[tuple[FileState, int, int]]:
    return [
        (one.state, one.done, one.total)
        for one in client.take_events()
        if isinstance(one, FileProgress)
    ]


def problems(client: SimClient) -> list[str]:
    return [str(one.error) for one in client.take_events() if isinstance(one, Problem)]
