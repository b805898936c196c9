"""What a person decides about others and the profile: requests, block, links, password."""

import sys
from argparse import Namespace
from collections.abc import Callable

import msgspec

from secure_chat.client.api import Engine
from secure_chat.client.cli import output
from secure_chat.client.cli.language import words
from secure_chat.client.cli.passwords import read_password
from secure_chat.client.cli.profiles import open_engine, profile_folder
from secure_chat.client.cli.session import Backend, closing
from secure_chat.client.events import Strangers
from secure_chat.errors import NotDone, WrongArguments
from secure_chat.protocol.addresses import UserId


def requests(chosen: Namespace, backend: Backend) -> int:
    """Print who waits to be accepted: names, nothing that they wrote."""
    with closing(open_engine(chosen, backend)) as engine:
        waiting = [one.user_id for one in engine.conversations() if one.request]
    for user_id in waiting:
        output.say(output.json_line(user=user_id) if chosen.json else user_id)
    if not waiting and not chosen.json:
        output.note(words("Nobody waits. Requests come in while secure-chat listen runs."))
    return 0


def accept(chosen: Namespace, backend: Backend) -> int:
    """Take somebody for a contact; what they wrote becomes readable."""
    done = words("{user_id} is accepted: listen prints what they wrote.", user_id=chosen.user)
    return _decide(chosen, backend, lambda engine, other: engine.accept_request(other), done)


def block(chosen: Namespace, backend: Backend) -> int:
    """Drop what somebody sends."""
    done = words("{user_id} is blocked, and is not told.", user_id=chosen.user)
    return _decide(chosen, backend, lambda engine, other: engine.block(other), done)


def unblock(chosen: Namespace, backend: Backend) -> int:
    """Take in again what somebody sends."""
    done = words("{user_id} is not blocked any more.", user_id=chosen.user)
    return _decide(chosen, backend, lambda engine, other: engine.unblock(other), done)


def strangers(chosen: Namespace, backend: Backend) -> int:
    """Whether strangers wait to be accepted; without an answer, show how it is."""
    with closing(open_engine(chosen, backend)) as engine:
        privacy = engine.privacy()
        if chosen.policy is not None:
            privacy = msgspec.structs.replace(privacy, strangers=Strangers(chosen.policy))
            engine.set_privacy(privacy)
    if privacy.strangers is Strangers.ASK:
        output.say(words("ask: strangers wait until you accept them"))
    else:
        output.say(words("admit: what strangers write is shown"))
    return 0


def contact_link(chosen: Namespace, backend: Backend) -> int:
    """Print our own contact link, or open somebody's."""
    with closing(open_engine(chosen, backend)) as engine:
        if chosen.link is None:
            output.say(str(engine.contact_link()))
            return 0
        link = chosen.link
        if not chosen.yes:
            _ask(link.user_id)
        engine.open_contact_link(link, verify=True)
    output.say(words("{user_id} is verified.", user_id=link.user_id))
    return 0


def _ask(user_id: UserId) -> None:
    """Whoever gives somebody a link can name any key in it."""
    if not sys.stdin.isatty():
        raise WrongArguments(
            reason=words("There is no terminal to ask on; see --help for what a script can give.")
        )
    question = words("Did you get this link from {user_id}, by a way that you trust? [yes/no] ")
    sys.stderr.write(question.format(user_id=user_id))
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in (words("yes"), "yes"):
        raise NotDone(what=words("Nothing was changed."))


def password(chosen: Namespace, backend: Backend) -> int:
    """Give the profile another password."""
    folder = profile_folder(chosen, backend)
    old = read_password(chosen.password_file, from_stdin=chosen.password_stdin, twice=False)
    engine = backend.open(folder, old)
    with closing(engine):
        fresh = read_password(
            chosen.new_password_file,
            from_stdin=chosen.password_stdin,
            twice=True,
            prompt=words("New password: "),
        )
        engine.change_password(old, fresh)
    output.say(words("The password is changed; the old one does not open this profile any more."))
    return 0


def _decide(
    chosen: Namespace, backend: Backend, decide: Callable[[Engine, UserId], None], done: str
) -> int:
    with closing(open_engine(chosen, backend)) as engine:
        decide(engine, chosen.user)
    output.say(done)
    return 0
