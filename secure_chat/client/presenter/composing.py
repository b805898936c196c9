"""What is being written in one conversation: draft, answer, edit, room left, and who learns of it.

A draft is on the disk a second after the last key, and whenever the conversation is left.
"""

from collections.abc import Callable

from secure_chat.client.api import Engine
from secure_chat.client.events import Draft, Message
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.rows import StripRow
from secure_chat.client.text import one_line
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import UserId

_SAVE_AFTER = 1.0  # seconds after the last key
_TELL_AGAIN, _STOPPED_AFTER = 3.0, 6.0
_COUNT_FROM = limits.TEXT * 3 // 4  # bytes from which the room left is shown
_SHOWN = 160  # characters of a message in the strip
Ask = Callable[[Callable[[], object]], bool]
"""Asks the engine for something; a refusal is said to the person, and answered with False."""


class Composing:
    """The composer of one conversation, without its widget."""

    def __init__(
        self,
        engine: Engine,
        user_id: UserId,
        words: Words,
        ask: Ask,
        monotonic: Callable[[], float],
    ) -> None:
        self._engine, self._user_id = engine, user_id
        self._ = words
        self._ask = ask
        self._now = monotonic
        self.name = ""  # what we call the other side on this device; empty: by the account's name
        self._saved = engine.draft(user_id)
        self.text = self._saved.text  # what stands in the field
        self._aside = self._saved.aside
        self._about = self._message(self._saved.reply_to or self._saved.editing)
        self._editing = bool(self._saved.editing) and self._about is not None
        self._save_at: float | None = None
        self._told_at: float | None = None  # when we last said that we write; None: we do not
        self._written_at = 0.0

    # ------------------------------------------------------------ what is shown

    @property
    def strip(self) -> StripRow | None:
        """What is being answered or edited."""
        message = self._about
        if message is None:
            return None
        text = one_line(message.text, _SHOWN)
        if self._editing:
            return StripRow(editing=True, title=self._("Edit your message"), text=text)
        name = self._("yourself") if message.ours else self.name or message.user_id
        return StripRow(editing=False, title=self._("Reply to {name}", name=name), text=text)

    @property
    def counter(self) -> tuple[str, bool]:
        """How much room is left, once it is little, and whether the text is too long."""
        size = len(self.text.strip().encode(errors="replace"))
        if size < _COUNT_FROM:
            return "", False
        left = limits.TEXT - size
        if left >= 0:
            return self._.plural("{number} byte left", "{number} bytes left", left), False
        return self._.plural("{number} byte too long", "{number} bytes too long", -left), True

    # ------------------------------------------------------------ what a person does

    def written(self, text: str) -> bool:
        """The field holds another text; whether the counter looks different now."""
        before = self.counter
        if text != self.text:
            self.text = text
            self._save_at = self._now() + _SAVE_AFTER
            self._tell(active=bool(text.strip()) and not self._editing)
        return self.counter != before

    def reply(self, message: Message) -> None:
        """Answer a message from now on; what is written stays."""
        if self._editing:
            self.cancel()
        self._about = message
        self.save()

    def edit(self, message: Message) -> None:
        """Write another text for a message of ours; what was being written is put aside."""
        if not self._editing:
            self._aside = self.text
        self._about, self._editing = message, True
        self.text = message.text
        self.save()

    def cancel(self) -> bool:
        """Neither answer nor edit; whether there was something to leave."""
        if self._about is None:
            return False
        if self._editing:
            self.text, self._aside = self._aside, ""
        self._about, self._editing = None, False
        self.save()
        return True

    def send(self) -> bool:
        """Send what is written, as an answer or an edit if it is one; False leaves it."""
        text, message = self.text.strip(), self._about
        if not text:
            return False
        if message is not None and self._editing:
            if text != message.text and not self._ask(
                lambda: self._engine.edit(self._user_id, message.number, text)
            ):
                return False
            return self.cancel()
        reply_to = message.number if message is not None else None
        if not self._ask(lambda: self._engine.send_text(self._user_id, text, reply_to=reply_to)):
            return False
        self.sent()
        return True

    @property
    def caption(self) -> tuple[str, int | None]:
        """What is written, and the number of what it answers, for a file that is sent with it."""
        if self._editing:
            return "", None
        return self.text.strip(), self._about.number if self._about is not None else None

    def sent(self) -> None:
        """What was written is on its way; an edit goes on."""
        if not self._editing:
            self.text, self._about = "", None
        self._tell(active=False)
        self.save()

    # ------------------------------------------------------------ time and change

    def changed(self, message: Message) -> bool:
        """A message has another text; whether it is the one in the strip."""
        about = self._about
        if about is None or about.number != message.number:
            return False
        if message.deleted:
            return self.cancel()
        self._about = message
        return True

    def removed(self, number: int) -> bool:
        """A message is gone; whether it was the one in the strip."""
        return self._about is not None and self._about.number == number and self.cancel()

    def tick(self) -> None:
        """Save what has rested, and stop saying that we write once nobody does."""
        now = self._now()
        if self._save_at is not None and now >= self._save_at:
            self.save()
        if self._told_at is not None and now >= self._written_at + _STOPPED_AFTER:
            self._tell(active=False)

    def leave(self) -> None:
        """Another conversation, or the end of the program."""
        self.save()
        self._tell(active=False)

    def save(self) -> None:
        """Keep the draft for the next start, if it is another one."""
        self._save_at = None
        number = self._about.number if self._about is not None else 0
        draft = Draft(
            self.text if self.text.strip() else "",
            reply_to=0 if self._editing else number,
            editing=number if self._editing else 0,
            aside=self._aside if self._editing else "",
        )
        if draft != self._saved:
            self._saved = draft
            self._ask(lambda: self._engine.set_draft(self._user_id, draft))

    def _tell(self, *, active: bool) -> None:
        now = self._now()
        if active:
            self._written_at = now
            if self._told_at is not None and now < self._told_at + _TELL_AGAIN:
                return
        elif self._told_at is None:
            return
        self._told_at = now if active else None
        self._ask(lambda: self._engine.set_typing(self._user_id, active=active))

    def _message(self, number: int) -> Message | None:
        page = self._engine.history(self._user_id, before=number + 1, limit=1) if number else []
        found = page[0] if page and page[0].number == number else None
        return found if found is not None and not found.deleted else None
