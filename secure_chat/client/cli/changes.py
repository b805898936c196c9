"""Commands that change messages: edit, delete, react, timer, profile.

Each waits until the change is safe at the server, so that a script knows; what is late stays in
the outbox and goes out with the next connection.
"""

import sys
from argparse import Namespace
from collections.abc import Callable

from secure_chat.client.api import Engine
from secure_chat.client.cli import output
from secure_chat.client.cli.grammar import LAST
from secure_chat.client.cli.language import words
from secure_chat.client.cli.profiles import open_engine
from secure_chat.client.cli.session import Backend, Events, closing, deadline_in
from secure_chat.client.content.check import in_words
from secure_chat.client.events import Audience, ChangeSent, Message, MessageState, Privacy, Problem
from secure_chat.errors import NotDone, WrongArguments
from secure_chat.protocol.addresses import UserId

_PAGE = 100


def edit(chosen: Namespace, backend: Backend) -> int:
    """Give a message of ours another text."""
    text = given_text(chosen)

    def change(engine: Engine) -> bytes:
        number = message_number(engine, chosen.user, chosen.number, lambda one: one.ours)
        return engine.edit(chosen.user, number, text)

    return _change(chosen, backend, change, words("Edited."))


def delete(chosen: Namespace, backend: Backend) -> int:
    """Take a message back on both sides, or remove it here."""
    if chosen.here:
        with closing(open_engine(chosen, backend)) as engine:
            number = message_number(engine, chosen.user, chosen.number, lambda _: True)
            engine.remove(chosen.user, number)
        output.say(words("Removed from this device."))
        return 0

    def change(engine: Engine) -> bytes:
        number = message_number(engine, chosen.user, chosen.number, lambda one: one.ours)
        return engine.delete(chosen.user, number)

    return _change(chosen, backend, change, words("Deleted."))


def react(chosen: Namespace, backend: Backend) -> int:
    """React to a message, or withdraw the reaction."""

    def change(engine: Engine) -> bytes:
        number = message_number(engine, chosen.user, chosen.number, lambda one: not one.ours)
        return engine.react(chosen.user, number, chosen.emoji)

    done = words("Reacted.") if chosen.emoji else words("Reaction withdrawn.")
    return _change(chosen, backend, change, done)


def timer(chosen: Namespace, backend: Backend) -> int:
    """Let later messages disappear, or show whether they do."""
    if chosen.after is None:
        with closing(open_engine(chosen, backend)) as engine:
            output.say(_timer_words(_timer_of(engine, chosen.user)))
        return 0
    done = _timer_words(chosen.after)
    return _change(
        chosen, backend, lambda engine: engine.set_timer(chosen.user, chosen.after), done
    )


def _timer_of(engine: Engine, user_id: UserId) -> int:
    return next((one.timer for one in engine.conversations() if one.user_id == user_id), 0)


def _timer_words(seconds: int) -> str:
    if not seconds:
        return words("Messages stay.")
    return words(
        "Messages disappear {after} after they are read.", after=words.span(in_words(seconds))
    )


def profile(chosen: Namespace, backend: Backend) -> int:
    """Show or change the display name, and who learns that we read and write."""
    with closing(open_engine(chosen, backend)) as engine:
        before = engine.privacy()
        wanted = Privacy(
            read_receipts=Audience(chosen.read_receipts or before.read_receipts),
            typing=Audience(chosen.typing or before.typing),
        )
        if wanted != before:
            engine.set_privacy(wanted)
        if chosen.display_name is not None:
            told = engine.set_profile(chosen.display_name)
            if told:
                _wait(engine, set(told), chosen.timeout)
        _say_profile(engine, chosen)
    return 0


def _say_profile(engine: Engine, chosen: Namespace) -> None:
    name, privacy = engine.display_name(), engine.privacy()
    if chosen.json:
        output.say(
            output.json_line(
                user=engine.user_id,
                display_name=name or None,
                read_receipts=privacy.read_receipts.value,
                typing=privacy.typing.value,
            )
        )
        return
    shown = output.one_line(name) or words("(none)")
    output.say(words("Account: {user_id}", user_id=engine.user_id))
    output.say(words("Display name: {name}", name=shown))
    output.say(words("Read receipts go to: {who}", who=_audience_word(privacy.read_receipts)))
    output.say(words("Typing is shown to: {who}", who=_audience_word(privacy.typing)))


def _audience_word(audience: Audience) -> str:
    names = {
        Audience.NOBODY: words("nobody"),
        Audience.VERIFIED: words("verified contacts"),
        Audience.CONTACTS: words("all contacts whom you answered"),
    }
    return names[audience]


# ---------------------------------------------------------------- what they share


def given_text(chosen: Namespace) -> str:
    """The text in the arguments, or on standard input. Raises `WrongArguments`."""
    text = " ".join(chosen.text) if chosen.text else sys.stdin.read().removesuffix("\n")
    if not text:
        raise WrongArguments(
            reason=words("There is no text: give it as TEXT or on standard input.")
        )
    return text


def message_number(
    engine: Engine, user_id: UserId, number: int, meant: Callable[[Message], bool]
) -> int:
    """``number``, or for `LAST` that of the newest message that is ``meant``."""
    if number != LAST:
        return number
    before: int | None = None
    while page := engine.history(user_id, before, _PAGE):
        for one in reversed(page):
            if not one.is_notice and not one.deleted and meant(one):
                return one.number
        before = page[0].number
    raise NotDone(what=words("There is no such message with {user_id}.", user_id=user_id))


def _change(
    chosen: Namespace, backend: Backend, change: Callable[[Engine], bytes], done: str
) -> int:
    with closing(open_engine(chosen, backend)) as engine:
        _wait(engine, {change(engine)}, chosen.timeout)
    output.say(done)
    return 0


def _wait(engine: Engine, changes: set[bytes], timeout: float) -> None:
    """Until the server has all of them. Raises `NotDone`."""
    events = Events(engine)
    engine.start()
    for event in events.until(deadline_in(timeout)):
        if isinstance(event, Problem):
            output.note(words.error(event.error))
        if not isinstance(event, ChangeSent) or event.content_id not in changes:
            continue
        if event.state is MessageState.HELD:
            raise NotDone(
                what=words(
                    "Held: the change for {user_id} was not sent and stays in the outbox. {why}",
                    user_id=event.user_id,
                    why=words.sentence(event.problem, event.user_id),
                )
            )
        changes.discard(event.content_id)
        if not changes:
            return
    raise NotDone(
        what=words(
            "Done here, but not sent within {n:g} s: {why}. "
            "The change stays in the outbox and goes out with the next connection.",
            n=timeout,
            why=events.why_late(),
        )
    )
