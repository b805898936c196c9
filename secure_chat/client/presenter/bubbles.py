"""One message as a row: its text, what it answers, reactions, states and times in words."""

from secure_chat.client.events import Message, MessageState
from secure_chat.client.i18n import N_, Words
from secure_chat.client.presenter import emoji
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.files import file_row
from secure_chat.client.presenter.rows import (
    BubbleRow,
    Delivery,
    NoticeRow,
    QuoteRow,
    ReactionRow,
)
from secure_chat.client.text import one_line

_CLOCK_OFF = 10 * 60 * 1000  # ms between the sender's clock and ours from which it is said
_QUOTED = 200  # characters

DELIVERIES = {
    MessageState.WAITING: (Delivery.WAITING, N_("Waiting to be sent")),
    MessageState.HELD: (Delivery.HELD, N_("Held back")),
    MessageState.ACCEPTED: (Delivery.ACCEPTED, N_("On the server")),
    MessageState.DELIVERED: (Delivery.DELIVERED, N_("With the recipient")),
    MessageState.READ: (Delivery.READ, N_("Read")),
    MessageState.RECEIVED: (Delivery.NONE, ""),
}


class Bubbles:
    """Makes the rows of messages, in one language."""

    def __init__(self, words: Words, times: Times) -> None:
        self._ = words
        self._times = times
        self.name = ""  # what we call the other side on this device; empty: by the account's name

    def row(
        self,
        message: Message,
        *,
        first: bool,
        last: bool,
        moved: tuple[int, int] | None = None,
    ) -> BubbleRow | NoticeRow:
        """A message, or a line of our own program; ``moved``: bytes of its file, and all."""
        key, when = key_of(message.number), self._times.of_day(message.time)
        if message.is_notice:
            said = self._.sentence(message.problem or message.text, message.user_id)
            return NoticeRow(key, said, when, message.number)
        delivery, state = DELIVERIES[message.state]
        edited = bool(message.edited) and not message.deleted
        return BubbleRow(
            key=key,
            text=self._("This message was deleted.") if message.deleted else message.text,
            ours=message.ours,
            when=self._("edited {time}", time=when) if edited else when,
            delivery=delivery,
            state=self._(state) if state else "",
            problem=self._.sentence(message.problem, message.user_id),
            first=first,
            last=last,
            flag=clock_flag(message, self._, self._times),
            number=message.number,
            edited=edited,
            deleted=message.deleted,
            quote=self._quote(message),
            reactions=self._reactions(message),
            expiry=self._expiry(message),
            file=file_row(message, self._, moved),
        )

    def _quote(self, message: Message) -> QuoteRow | None:
        quoted = message.quoted
        if quoted is None:
            return None
        text = one_line(quoted.text, _QUOTED) or quoted.file_name
        if not quoted.number:
            text = self._("The message is not here any more.")
        name = self._("You") if quoted.ours else self.name or message.user_id
        return QuoteRow(quoted.number, name, text, quoted.ours)

    def _reactions(self, message: Message) -> tuple[ReactionRow, ...]:
        rows: dict[str, ReactionRow] = {}
        for reaction in message.reactions:
            before = rows.get(reaction.emoji)
            who = self._("You") if reaction.ours else self.name or message.user_id
            said = before.spoken + ", " + who if before else f"{emoji.name(reaction.emoji)}: {who}"
            rows[reaction.emoji] = ReactionRow(
                reaction.emoji,
                before.count + 1 if before else 1,
                reaction.ours or (before is not None and before.ours),
                said,
            )
        return tuple(rows.values())

    def _expiry(self, message: Message) -> str:
        if message.expires:
            return self._times.left(message.expires)
        return self._times.span(message.timer) if message.timer else ""


def clock_flag(message: Message, words: Words, times: Times) -> str:
    """The time by the sender's clock, where it is far from ours."""
    if message.ours or not message.claimed_time:
        return ""
    if abs(message.claimed_time - message.time) < _CLOCK_OFF:
        return ""
    return words("The sender's clock says {time}", time=times.full(message.claimed_time))


def key_of(number: int) -> str:
    """The key of a message's row."""
    return f"message {number}"
