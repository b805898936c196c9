"""What each subcommand does: one function each, from its arguments to an exit code."""

import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

from secure_chat.client.api import Engine
from secure_chat.client.cli import account, changes, files, output, people
from secure_chat.client.cli.changes import given_text, message_number
from secure_chat.client.cli.export import export
from secure_chat.client.cli.language import words
from secure_chat.client.cli.listen import listen
from secure_chat.client.cli.passwords import read_password
from secure_chat.client.cli.profiles import new_folder, open_engine, profile_folder
from secure_chat.client.cli.session import Backend, Events, WindowWish, closing, deadline_in
from secure_chat.client.cli.trust import accept_key, fingerprint, verify
from secure_chat.client.events import (
    ConnectionChanged,
    ConnectionState,
    Message,
    MessageAdded,
    MessageChanged,
    MessageState,
    PeopleChanged,
    Problem,
)
from secure_chat.errors import (
    CannotRead,
    CertificateRefused,
    Code,
    NotDone,
    PeerError,
    Refused,
    WrongArguments,
)
from secure_chat.protocol.addresses import UserId, canonical_user_id
from secure_chat.protocol.invite import InviteLink

_ENOUGH = {
    "accepted": (MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.READ),
    "delivered": (MessageState.DELIVERED, MessageState.READ),
}
# After these, and when nothing was sent to an untrusted server, there is certainly no account of
# ours: the profile would be useless.
_NOT_REGISTERED = frozenset(
    {Code.NAME_TAKEN, Code.BAD_INVITE, Code.BAD_USER_ID, Code.REGISTRATION_CLOSED}
)


# ---------------------------------------------------------------- register


def register(chosen: Namespace, backend: Backend) -> int:
    """Create a profile and its account; print where, and the fingerprint."""
    link = _the_link(chosen)
    name = chosen.name or _ask_name()
    folder = new_folder(chosen, backend, name)
    password = read_password(chosen.password_file, from_stdin=chosen.password_stdin, twice=True)
    engine = backend.create(folder, link, name, password, chosen.ca_file)
    try:
        with closing(engine):
            _wait_registered(engine, chosen.timeout)
            fingerprint_line = engine.our_fingerprint
    except (Refused, CertificateRefused) as refused:
        if isinstance(refused, CertificateRefused) or refused.code in _NOT_REGISTERED:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    output.say(words("Registered {name} at {server}.", name=name, server=link.server))
    output.say(words("Profile: {folder}", folder=folder))
    output.say(words("Fingerprint: {it}", it=fingerprint_line))
    return 0


def _the_link(chosen: Namespace) -> InviteLink:
    given: InviteLink | None = chosen.link or chosen.server
    if given is not None:
        return given
    try:
        text = chosen.link_file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CannotRead(path=chosen.link_file, reason=words("it is not UTF-8 text")) from None
    except OSError as wrong:
        raise CannotRead(path=chosen.link_file, reason=wrong.strerror) from None
    return InviteLink.parse(text)


def _ask_name() -> UserId:
    if not sys.stdin.isatty():
        raise WrongArguments(reason=words("A name is needed: --name NAME."))
    sys.stderr.write(words("Name: "))
    sys.stderr.flush()
    return canonical_user_id(sys.stdin.readline().strip())


def _wait_registered(engine: Engine, timeout: float) -> None:
    events = Events(engine)
    engine.start()
    for event in events.until(deadline_in(timeout)):
        if isinstance(event, ConnectionChanged) and event.state is ConnectionState.ONLINE:
            return
    raise NotDone(
        what=words(
            "Not registered within {n:g} s: {why}. "
            "The profile is kept and registers with its next connection.",
            n=timeout,
            why=events.why_late(),
        )
    )


# ---------------------------------------------------------------- send


def send(chosen: Namespace, backend: Backend) -> int:
    """Send one message; print how far it has come."""
    engine = open_engine(chosen, backend)
    text = given_text(chosen)
    with closing(engine):
        try:
            state = _send_and_wait(engine, chosen, text)
        except KeyboardInterrupt:
            output.note(
                words("Interrupted: what was not sent stays in the outbox for the next connection.")
            )
            raise
    output.say(_sent_words(state, chosen.user))
    return 0


def _send_and_wait(engine: Engine, chosen: Namespace, text: str) -> MessageState:
    user_id, wait, timeout = chosen.user, chosen.wait, chosen.timeout
    number: int | None = chosen.reply
    if number is not None:
        number = message_number(engine, user_id, number, lambda one: not one.ours)
    events = Events(engine)
    engine.start()
    content_id = engine.send_text(user_id, text, reply_to=number)
    state = MessageState.WAITING
    try:
        for line in _fate(events, content_id, user_id, timeout):
            state = line.state
            if state in _ENOUGH[wait]:
                return state
            if state is MessageState.HELD:
                raise NotDone(what=_held_words(user_id, output.problem_words(line)))
    except (Refused, PeerError) as ended:  # the connection, for good
        raise NotDone(what=_held_words(user_id, words.error(ended))) from ended
    raise NotDone(what=_late_words(state, wait, timeout, events))


def _fate(events: Events, content_id: bytes, user_id: UserId, timeout: float) -> Iterator[Message]:
    """One message as its state changes, until the time is up."""
    for event in events.until(deadline_in(timeout)):
        if isinstance(event, Problem) and event.user_id == user_id:
            output.note(words.error(event.error))
        if not isinstance(event, MessageAdded | MessageChanged):
            continue
        if event.message.content_id == content_id:
            yield event.message


def _sent_words(state: MessageState, user_id: UserId) -> str:
    if state is MessageState.ACCEPTED:
        return words("Accepted: the message is safe at the server for {user_id}.", user_id=user_id)
    return words("Delivered: {user_id}'s device has the message.", user_id=user_id)


def _held_words(user_id: UserId, problem: str) -> str:
    return words(
        "Held: the message to {user_id} was not sent and stays in the outbox. {why}",
        user_id=user_id,
        why=problem,
    )


def _late_words(state: MessageState, wait: str, timeout: float, events: Events) -> str:
    if state is MessageState.ACCEPTED:
        return words(
            "Accepted but not delivered within {n:g} s: the message is safe at the server, "
            "the other device has not said that it has it.",
            n=timeout,
        )
    late = words("Not accepted within {n:g} s: {why}.", n=timeout, why=events.why_late())
    if wait == "delivered":
        late = words("Not delivered within {n:g} s: {why}.", n=timeout, why=events.why_late())
    stays = words("The message stays in the outbox and goes out with the next connection.")
    return f"{late} {stays}"


# ---------------------------------------------------------------- users, profiles, window


def users(chosen: Namespace, backend: Backend) -> int:
    """Print who is on the server."""
    with closing(open_engine(chosen, backend)) as engine:
        listed = _wait_for_people(engine, chosen.timeout)
        people = engine.people()
    if not listed:
        output.note(words("This server lists nobody: these are the people you know."))
    for person in people:
        if chosen.online and not person.online:
            continue
        trust = person.trust.value if person.trust else ""
        if chosen.json:
            output.say_json(
                output.json_line(user=person.user_id, online=person.online, trust=trust or None)
            )
        else:
            presence = words("online") if person.online else words("offline")
            said = {"new": words("new"), "verified": words("verified"), "changed": words("changed")}
            output.say(f"{person.user_id:32}  {presence:8}  {said.get(trust, trust)}".rstrip())
    return 0


def _wait_for_people(engine: Engine, timeout: float) -> bool:
    """Whether the server lists everybody."""
    events = Events(engine)
    engine.start()
    for event in events.until(deadline_in(timeout)):
        if isinstance(event, PeopleChanged) and event.complete:
            return event.listed
    raise NotDone(
        what=words("The list did not come within {n:g} s: {why}.", n=timeout, why=events.why_late())
    )


def profiles(chosen: Namespace, backend: Backend) -> int:
    """Print the profiles under the default folder."""
    root = backend.root()
    for name in backend.profiles():
        if chosen.json:
            output.say_json(output.json_line(profile=name, folder=str(root / name)))
        else:
            output.say(output.one_line(name))
    return 0


def window(chosen: Namespace, backend: Backend) -> int:
    """Open the window; it asks for what it needs by itself, the password too."""
    folder: Path | None = profile_folder(chosen, backend) if chosen.profile else None
    wish = WindowWish(
        folder,
        link=str(getattr(chosen, "link", None) or ""),
        ca_file=getattr(chosen, "ca_file", None),
        language=getattr(chosen, "language", None),
        theme=getattr(chosen, "theme", None),
    )
    return backend.window(wish)


Command = Callable[[Namespace, Backend], int]
COMMANDS: dict[str, Command] = {
    "register": register,
    "send": send,
    "send-file": files.send_file,
    "save": files.save,
    "listen": listen,
    "users": users,
    "fingerprint": fingerprint,
    "verify": verify,
    "accept-key": accept_key,
    "export": export,
    "profiles": profiles,
    "window": window,
    "edit": changes.edit,
    "delete": changes.delete,
    "react": changes.react,
    "timer": changes.timer,
    "profile": changes.profile,
    "my-data": account.my_data,
    "delete-account": account.delete_account,
    "requests": people.requests,
    "accept": people.accept,
    "block": people.block,
    "unblock": people.unblock,
    "strangers": people.strangers,
    "contact-link": people.contact_link,
    "password": people.password,
}
