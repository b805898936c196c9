"""What the command line writes. Nothing that a peer chose reaches a terminal as it came.

Text for people goes through `inert`. JSON lines are exact and equally inert: Persian stays Persian
where the stream is UTF-8, and what a terminal might obey is escaped. A line of a peer can neither
move the cursor nor pass for a line of this program: what follows its first line is indented.
"""

import json
import sys
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from secure_chat.client.cli.language import words
from secure_chat.client.content.check import in_words
from secure_chat.client.events import Attachment, FileState, Message, MessageState, Safety
from secure_chat.protocol.encoding import b64url

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_INDENT = "    "
_QUOTE_SHOWN = 60
_FAR_OFF_MS = 5 * 60_000
_LINE_ENDS = "\r\n\v\f\x85\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}"
# Persian and Indic spelling needs the joiners; Arabic number signs are visible.
_KEPT_FORMATS = frozenset("\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u08e2")


def inert(text: str) -> str:
    """``text`` without escapes, controls, bidi controls and invisible marks; one kind of line end.

    A control character is replaced visibly; formatting characters are left out.
    """
    lines = text.replace("\r\n", "\n")
    return "".join(_inert_character(character) for character in lines)


def _inert_character(character: str) -> str:
    if character in _LINE_ENDS:
        return "\n"
    if character == "\t":
        return " "
    category = unicodedata.category(character)
    if category in ("Cc", "Cs"):
        return REPLACEMENT
    if category == "Cf" and character not in _KEPT_FORMATS:
        return ""
    return character


def one_line(text: str) -> str:
    """``text`` inert and on one line."""
    return " ".join(inert(text).split())


def say(text: str = "") -> None:
    """A result, to standard output at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """A remark beside the results, one line, to standard error."""
    sys.stderr.write(f"{one_line(text)}\n")
    sys.stderr.flush()


def say_json(line: str) -> None:
    """A line of `json_line` as a result; in ASCII alone where standard output is not UTF-8."""
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf8")
    say(line if is_utf8 else _escape(line, str.isascii))


def json_line(**facts: object) -> str:
    """One JSON object on one line, readable in every script."""
    line = json.dumps(facts, ensure_ascii=False, separators=(", ", ": "))
    return _escape(line, lambda mark: mark.isprintable() or mark in _KEPT_FORMATS)


def _escape(line: str, stays: Callable[[str], bool]) -> str:
    """The same JSON with escapes: what is not ASCII stands inside its strings."""
    return "".join(mark if stays(mark) else json.dumps(mark)[1:-1] for mark in line)


def iso_time(milliseconds: int) -> str:
    """UTC in ISO 8601, to the millisecond."""
    return _moment(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_time(milliseconds: int) -> str:
    """Day and time where this person is."""
    return _moment(milliseconds).astimezone().strftime("%Y-%m-%d %H:%M")


def _moment(milliseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError, ValueError):  # a peer's clock may claim any year
        return datetime.fromtimestamp(0, UTC)


def message_text(message: Message) -> str:
    """A message as people read it: who, when, what."""
    when = local_time(message.time)
    if message.is_notice:
        return f"{when}  * {message.user_id}: {one_line(problem_words(message) or message.text)}"
    who = words("you to {user_id}", user_id=message.user_id) if message.ours else message.user_id
    shown = words("(deleted)") if message.deleted else inert(message.text)
    first, *others = shown.split("\n")
    if message.file is not None:
        first = " ".join([file_words(message.file), *([first] if first else [])])
    marks = _marks(message)
    head = f"{when}  {who}: {first}{f'  [{marks}]' if marks else ''}"
    return "\n".join([head, *(_INDENT + line for line in others)])


def problem_words(message: Message) -> str:
    """Why it is held, or what a notice says, in this language."""
    return words.sentence(message.problem, message.user_id)


def _marks(message: Message) -> str:
    """What stands in brackets after a line: state, far-off clock, quote, edit, reactions."""
    marks = _content_marks(message)
    if message.ours:
        marks.append(state_word(message.state))
        if message.problem:
            marks.append(one_line(problem_words(message)))
    elif message.claimed_time and abs(message.claimed_time - message.time) > _FAR_OFF_MS:
        claimed = local_time(message.claimed_time)
        marks.append(words("written {time} by the sender's clock", time=claimed))
    return ", ".join(marks)


def _content_marks(message: Message) -> list[str]:
    marks: list[str] = []
    if message.quoted is not None:
        quoted = one_line(message.quoted.text or message.quoted.file_name)[:_QUOTE_SHOWN]
        quoted = quoted or words("a message that is not here")
        marks.append(words("answers: {quoted}", quoted=quoted))
    if message.edited:
        marks.append(words("edited"))
    if message.timer:
        marks.append(
            words("disappears {after} after it was read", after=words.span(in_words(message.timer)))
        )
    for reaction in message.reactions:
        who = words("you") if reaction.ours else message.user_id
        marks.append(f"{who} {one_line(reaction.emoji)}")
    return marks


def file_words(file: Attachment) -> str:
    """A file in a line: its true name, its size, and where it is."""
    facts = [one_line(file.name), size_words(file.size), file_state_words(file)]
    if file.problem:
        facts.append(one_line(words.sentence(file.problem, "")))
    return f"<{', '.join(facts)}>"


def size_words(size: int) -> str:
    """A size as people read it, in decimal units."""
    if size < 1000:
        return words("{n} bytes", n=size)
    for unit, factor in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if size < factor * 999.5 or unit == "GB":
            return words("{n:.3g} {unit}", n=size / factor, unit=unit)
    raise AssertionError(size)


def file_state_words(file: Attachment) -> str:
    """Where a file is."""
    names = {
        FileState.PREPARING: words("being encrypted"),
        FileState.UPLOADING: words("on its way to the server"),
        FileState.SENT: words("sent"),
        FileState.OFFERED: words("not fetched: secure-chat save"),
        FileState.DOWNLOADING: words("being fetched"),
        FileState.SAVED: words("saved as {path}", path=one_line(file.path)),
    }
    return names[file.state]


class Progress:
    """A line on a terminal that says how much of a file is there; elsewhere nothing."""

    def __init__(self) -> None:
        self._shown = 0
        self._on = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, done: int, total: int) -> None:
        """So many bytes of all."""
        if self._on:
            said = words(
                "{percent} %, {done} of {total}",
                percent=100 * done // max(total, 1),
                done=size_words(done),
                total=size_words(total),
            )
            sys.stderr.write(f"\r{said.ljust(self._shown)}")
            sys.stderr.flush()
            self._shown = len(said)

    def clear(self) -> None:
        """Take the line away, before something else is written."""
        if self._shown:
            sys.stderr.write(f"\r{' ' * self._shown}\r")
            sys.stderr.flush()
            self._shown = 0


def state_word(state: MessageState) -> str:
    """How far a message of ours has come, in a word."""
    names = {
        MessageState.WAITING: words("waiting"),
        MessageState.HELD: words("held"),
        MessageState.ACCEPTED: words("accepted"),
        MessageState.DELIVERED: words("delivered"),
        MessageState.READ: words("read"),
        MessageState.RECEIVED: words("received"),
    }
    return names[state]


def message_json(message: Message) -> str:
    """A message as a JSON line; ``text`` is exactly what was written."""
    return json_line(**message_facts(message))


def message_facts(message: Message) -> dict[str, object]:
    """What a message is, for JSON; what does not apply to it is left out."""
    facts: dict[str, object] = {
        "type": "notice" if message.is_notice else "message",
        "with": message.user_id,
        "from": None if message.ours or message.is_notice else message.user_id,
        "ours": message.ours,
        "text": message.text,
        "time": iso_time(message.time),
        "number": message.number,
        "id": b64url(message.content_id),
        "state": message.state.value,
    }
    if message.claimed_time:
        facts["claimed_time"] = iso_time(message.claimed_time)
    if message.problem:
        facts["problem"] = message.problem
    return facts | _content_facts(message)


def _content_facts(message: Message) -> dict[str, object]:
    facts: dict[str, object] = {}
    if message.file is not None:
        facts["file"] = _file_facts(message.file)
    if message.quoted is not None:
        quoted = message.quoted
        facts["answers"] = {
            "id": b64url(quoted.content_id),
            "ours": quoted.ours,
            "number": quoted.number or None,
            "text": quoted.text if quoted.number else None,
        }
    if message.edited:
        facts["edited"] = iso_time(message.edited)
    if message.deleted:
        facts["deleted"] = True
    if message.reactions:
        facts["reactions"] = [
            {"ours": reaction.ours, "emoji": reaction.emoji} for reaction in message.reactions
        ]
    if message.timer:
        facts["timer"] = message.timer
    if message.expires:
        facts["expires"] = iso_time(message.expires)
    return facts


def _file_facts(file: Attachment) -> dict[str, object]:
    facts: dict[str, object] = {
        "name": file.name,
        "size": file.size,
        "media_type": file.media_type,
        "state": file.state.value,
    }
    if file.path:
        facts["path"] = file.path
    if file.problem:
        facts["problem"] = file.problem
    return facts


def safety_text(safety: Safety) -> str:
    """The panel of trust in words; the safety number in two rows of six groups."""
    number = safety.safety_number
    half = len(number) // 2
    rows = [
        words("Your fingerprint:   {it}", it=safety.our_fingerprint),
        words("Their fingerprint:  {it}", it=safety.their_fingerprint),
        words("Safety number with {user_id}:", user_id=safety.user_id),
        _INDENT + " ".join(number[:half]),
        _INDENT + " ".join(number[half:]),
        words("Trust: {it}", it=trust_sentence(safety)),
    ]
    return "\n".join(rows)


def trust_sentence(safety: Safety) -> str:
    """What the state of trust means."""
    sentences = {
        "new": words("new (nobody has compared the safety number yet)"),
        "verified": words("verified (you have compared the safety number)"),
        "changed": words("CHANGED (the key is another one than before; compare, then decide)"),
    }
    return sentences[safety.trust.value]
