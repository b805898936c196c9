"""Commands about files: send-file, save.

Both wait as long as the file moves; ``--timeout`` counts from the last sign of it. What is not done
then goes on with the next connection of any command.
"""

from argparse import Namespace
from collections.abc import Iterator

from secure_chat.client.api import Engine
from secure_chat.client.cli import output
from secure_chat.client.cli.changes import message_number
from secure_chat.client.cli.language import words
from secure_chat.client.cli.profiles import open_engine
from secure_chat.client.cli.session import Backend, Events, closing, deadline_in
from secure_chat.client.events import (
    Event,
    FileProgress,
    FileState,
    Message,
    MessageAdded,
    MessageChanged,
    MessageState,
    Problem,
)
from secure_chat.errors import NotDone, PeerError, Refused
from secure_chat.protocol.addresses import UserId

_ENOUGH = {
    "accepted": (MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.READ),
    "delivered": (MessageState.DELIVERED, MessageState.READ),
}


def send_file(chosen: Namespace, backend: Backend) -> int:
    """Send a file; print how far its message has come."""
    user_id: UserId = chosen.user
    with closing(open_engine(chosen, backend)) as engine:
        number: int | None = chosen.reply
        if number is not None:
            number = message_number(engine, user_id, number, lambda one: not one.ours)
        events = Events(engine)
        engine.start()
        content_id = engine.send_file(
            user_id,
            chosen.path,
            caption=chosen.caption,
            reply_to=number,
            keep_metadata=chosen.keep_metadata,
        )
        try:
            line = _until(events, chosen, content_id, _ENOUGH[chosen.wait])
        except KeyboardInterrupt:
            output.note(words("Interrupted: the file goes on with the next connection."))
            raise
    if line.state is MessageState.ACCEPTED:
        said = words("Accepted: the file is safe at the server for {user_id}.", user_id=user_id)
    else:
        said = words("Delivered: {user_id}'s device has the message.", user_id=user_id)
    output.say(said)
    return 0


def _until(
    events: Events, chosen: Namespace, content_id: bytes, enough: tuple[MessageState, ...]
) -> Message:
    """The message once it has come far enough. Raises `NotDone`."""
    state, told = MessageState.WAITING, False
    try:
        for event in _moving(events, chosen, content_id):
            line = _line_of(event, content_id)
            if line is None:
                continue
            state = line.state
            if line.file is not None and line.file.problem and not told:
                told = True
                output.note(output.one_line(words.sentence(line.file.problem, chosen.user)))
            if state in enough:
                return line
            if state is MessageState.HELD:
                raise NotDone(what=_held_words(chosen.user, output.problem_words(line)))
    except (Refused, PeerError) as ended:  # the connection, for good
        raise NotDone(what=_held_words(chosen.user, words.error(ended))) from ended
    if state is MessageState.ACCEPTED:
        raise NotDone(
            what=words(
                "Accepted but not delivered within {n:g} s: the message is safe at the server, "
                "the other device has not said that it has it.",
                n=chosen.timeout,
            )
        )
    raise NotDone(what=_late_words(chosen, events))


def _line_of(event: Event, content_id: bytes) -> Message | None:
    if isinstance(event, MessageAdded | MessageChanged) and event.message.content_id == content_id:
        return event.message
    return None


def save(chosen: Namespace, backend: Backend) -> int:
    """Fetch a file and save it; print where."""
    user_id: UserId = chosen.user
    with closing(open_engine(chosen, backend)) as engine:
        number = message_number(engine, user_id, chosen.number, _brings_a_file)
        events = Events(engine)
        engine.save_file(user_id, number, chosen.to)
        engine.start()
        path = _until_saved(engine, events, chosen, number)
    output.say(words("Saved: {path}", path=output.one_line(path)))
    return 0


def _brings_a_file(message: Message) -> bool:
    return message.file is not None and not message.ours


def _until_saved(engine: Engine, events: Events, chosen: Namespace, number: int) -> str:
    """The path once the file is there. Raises `NotDone`."""
    [line] = engine.history(chosen.user, number + 1, 1)
    for event in _moving(events, chosen, line.content_id):
        now = _line_of(event, line.content_id)
        file = None if now is None else now.file
        if now is not None and file is None:
            raise NotDone(what=words("The message was deleted meanwhile."))
        if file is not None and file.state is FileState.SAVED:
            return file.path
        if file is not None and file.problem:
            raise NotDone(
                what=words(
                    "Not saved: {why}",
                    why=output.one_line(words.sentence(file.problem, chosen.user)),
                )
            )
    raise NotDone(what=_late_words(chosen, events))


def _moving(events: Events, chosen: Namespace, content_id: bytes) -> Iterator[Event]:
    """Events as they come, until nothing has moved for the time; progress on a terminal."""
    with output.Progress() as progress:
        moved = True
        while moved:
            moved = False
            for event in events.until(deadline_in(chosen.timeout)):
                if isinstance(event, Problem) and event.user_id == chosen.user:
                    progress.clear()
                    output.note(words.error(event.error))
                if isinstance(event, FileProgress) and event.content_id == content_id:
                    progress.show(event.done, event.total)
                    moved = True
                    break
                yield event


def _held_words(user_id: UserId, problem: str) -> str:
    return words(
        "Held: the message to {user_id} was not sent and stays in the outbox. {why}",
        user_id=user_id,
        why=output.one_line(problem),
    )


def _late_words(chosen: Namespace, events: Events) -> str:
    return words(
        "Not done: nothing has moved for {n:g} s, {why}. "
        "The file goes on with the next connection.",
        n=chosen.timeout,
        why=events.why_late(),
    )
