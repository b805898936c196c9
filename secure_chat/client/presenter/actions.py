"""What a person may do with a message, and what there is to know about it."""

from dataclasses import dataclass
from enum import StrEnum

from secure_chat.client.events import Message, MessageState, Version
from secure_chat.client.i18n import N_, Words
from secure_chat.client.presenter.bubbles import DELIVERIES, clock_flag
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.rows import Fact


class Do(StrEnum):
    """An entry of a message's menu."""

    REPLY = "reply"
    EDIT = "edit"
    REACT = "react"
    COPY = "copy"
    FORWARD = "forward"
    SELECT = "select"
    INFO = "info"
    VERSIONS = "versions"
    RETRY = "retry"
    REMOVE = "remove"
    DELETE = "delete"


LABELS = {
    Do.REPLY: N_("Reply"),
    Do.EDIT: N_("Edit"),
    Do.REACT: N_("React…"),
    Do.COPY: N_("Copy text"),
    Do.FORWARD: N_("Forward…"),
    Do.SELECT: N_("Select"),
    Do.INFO: N_("Details"),
    Do.VERSIONS: N_("Earlier versions"),
    Do.RETRY: N_("Try again"),
    Do.REMOVE: N_("Remove from this device"),
    Do.DELETE: N_("Delete for both…"),
}
DANGEROUS = {Do.REMOVE, Do.DELETE}


@dataclass(frozen=True)
class MenuItem:
    """A line of a menu; ``apart``: a line is drawn above it."""

    do: Do
    label: str
    apart: bool = False


def menu(message: Message, words: Words, *, may_write: bool) -> list[MenuItem]:
    """What can be done with a message now; ``may_write``: nothing keeps us from sending."""
    if message.is_notice:
        return [MenuItem(Do.COPY, words(LABELS[Do.COPY]))]
    alive = not message.deleted
    wanted = {
        Do.REPLY: alive and may_write,
        Do.EDIT: alive and message.ours and may_write,
        Do.REACT: alive and may_write,
        Do.COPY: alive,
        Do.FORWARD: alive,
        Do.SELECT: True,
        Do.INFO: True,
        Do.VERSIONS: alive and bool(message.edited),
        Do.RETRY: message.state is MessageState.HELD,
        Do.REMOVE: True,
        Do.DELETE: alive and message.ours,
    }
    items = [MenuItem(do, words(LABELS[do])) for do in Do if wanted[do]]
    for at, item in enumerate(items):
        if item.do in DANGEROUS or item.do is Do.SELECT:
            items[at] = MenuItem(item.do, item.label, apart=items[at - 1].do not in DANGEROUS)
    return items


_STATES = {
    MessageState.WAITING: N_("It waits on this device until the server can be reached."),
    MessageState.ACCEPTED: N_(
        "It is on the server's disk, encrypted; the recipient does not have it yet."
    ),
    MessageState.DELIVERED: N_("The recipient's device has confirmed it, end to end."),
    MessageState.READ: N_("The recipient's device has said that it was read."),
}


def details(message: Message, words: Words, times: Times) -> list[Fact]:
    """All that is known of a message but its text."""
    said = words("Written") if message.ours else words("Arrived")
    facts = [Fact(said, times.full(message.time))]
    claimed = clock_flag(message, words, times)
    if claimed:
        facts.append(Fact(words("Sent"), claimed))
    elif message.claimed_time:
        facts.append(Fact(words("Sent"), times.full(message.claimed_time)))
    if message.ours:
        why = words.sentence(message.problem, message.user_id)
        state = words(DELIVERIES[message.state][1])
        facts.append(Fact(words("Delivery"), why or words(_STATES.get(message.state, "")) or state))
    if message.edited and not message.deleted:
        facts.append(Fact(words("Edited"), times.full(message.edited)))
    if message.expires:
        facts.append(Fact(words("Disappears"), times.full(message.expires)))
    elif message.timer:
        after = times.span(message.timer)
        start = words("{time} after it was sent") if message.ours else words("{time} after reading")
        facts.append(Fact(words("Disappears"), start.format(time=after)))
    return facts


def versions(texts: list[Version], times: Times) -> list[Fact]:
    """All texts of a message, the newest first, with their times."""
    return [Fact(times.full(one.time), one.text) for one in reversed(texts)]


def copied(messages: list[Message], our_name: str, times: Times) -> str:
    """Several messages as one text, in logical order: who, when, what; of one, its text alone."""
    alive = [message for message in messages if not message.deleted]
    if len(alive) == 1:
        return alive[0].problem if alive[0].is_notice else alive[0].text
    parts = []
    for message in alive:
        name = our_name if message.ours else message.user_id
        text = message.problem if message.is_notice else message.text
        head = (
            times.full(message.time) if message.is_notice else f"{name}, {times.full(message.time)}"
        )
        parts.append(f"{head}\n{text}")
    return "\n\n".join(parts)
