"""What stands between the person and sending in a conversation, in words."""

from secure_chat.client.events import Conversation
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.composing import Composing
from secure_chat.client.presenter.people import People, trust_word
from secure_chat.client.presenter.rows import (
    Action,
    BannerRow,
    ComposerRow,
    HeaderRow,
    Mark,
    Tone,
)
from secure_chat.protocol.addresses import UserId


def header(people: People, name: UserId, words: Words, times: Times) -> HeaderRow:
    """Who the conversation is with, and what they do now."""
    online, mark = people.is_online(name), people.mark(name)
    writing = name in people.writing
    status = words("here now") if online else words("not here: messages wait on the server")
    conversation = people.conversation(name)
    timer = times.span(conversation.timer) if conversation and conversation.timer else ""
    if conversation is not None and conversation.request:
        asks = words("wants to write to you")
        return HeaderRow(name, asks, online=False, mark=Mark.NONE, trust="", known=False)
    blocked = conversation is not None and conversation.blocked
    if blocked:
        status, online, writing = words("blocked"), False, False
    ours, theirs = people.names(name)
    trust, like = trust_word(mark, words), people.looks_like(name)
    if like is not None:
        trust += (" · " if trust else "") + "⚠ " + words("looks like {name}", name=like)
    return HeaderRow(
        name,
        words("writing…") if writing else status,
        online,
        mark,
        trust,
        writing,
        ours,
        theirs if theirs.lower() != name else "",
        timer=timer,
    )


def warning(
    mark: Mark, name: UserId, held: str, conversation: Conversation | None, words: Words
) -> BannerRow | None:
    """A block, a changed key, or messages that are ``held`` for this reason; None if all is well.

    The safe choice is the first button.
    """
    if conversation is not None and conversation.blocked:
        return BannerRow(
            Tone.QUIET,
            words("You have blocked {name}: nothing comes or goes.", name=name),
            words("Unblock"),
            Action.UNBLOCK,
        )
    if mark is Mark.CHANGED:
        return BannerRow(
            Tone.DANGER,
            words(
                "The key of {name} is not the one you knew: a new device or a new account, or "
                "somebody who pretends to be {name}. Nothing is sent until you have compared the "
                "safety number with {name} over another channel, or decided to go on without.",
                name=name,
            ),
            words("Compare the safety number"),
            Action.COMPARE,
        )
    if not held:
        return None
    text = words("Not sent: {why}", why=held)
    return BannerRow(Tone.WARNING, text, words("Try again"), Action.RETRY)


def composer(
    mark: Mark,
    name: UserId | None,
    composing: Composing | None,
    conversation: Conversation | None,
    words: Words,
) -> ComposerRow:
    """Whether writing is possible, and what is being written."""
    if name is None:
        return ComposerRow(enabled=False, hint="")
    if conversation is not None and conversation.blocked:
        return ComposerRow(enabled=False, hint=words("Unblock to write."))
    if mark is Mark.CHANGED:
        return ComposerRow(enabled=False, hint=words("Sending waits for your decision."))
    strip = composing.strip if composing is not None else None
    counter, over = composing.counter if composing is not None else ("", False)
    button = words("Save") if strip is not None and strip.editing else words("Send")
    hint = words("Write to {name}", name=name)
    return ComposerRow(True, hint, button, strip, counter, over)  # noqa: FBT003
