"""The file of a message, in words."""

from secure_chat.client.events import Attachment, FileState, Message
from secure_chat.client.i18n import N_, Words
from secure_chat.client.presenter.rows import FileAction, FileRow

_STATES = {
    FileState.PREPARING: N_("being encrypted"),
    FileState.UPLOADING: N_("being sent"),
    FileState.SENT: "",
    FileState.OFFERED: "",
    FileState.DOWNLOADING: N_("being fetched"),
    FileState.SAVED: N_("saved"),
}
_ACTIONS = {
    FileState.PREPARING: FileAction.CANCEL,
    FileState.UPLOADING: FileAction.CANCEL,
    FileState.SENT: FileAction.NONE,
    FileState.OFFERED: FileAction.SAVE,
    FileState.DOWNLOADING: FileAction.CANCEL,
    FileState.SAVED: FileAction.FOLDER,
}
_LABELS = {
    FileAction.NONE: "",
    FileAction.SAVE: N_("Save as…"),
    FileAction.CANCEL: N_("Cancel"),
    FileAction.FOLDER: N_("Show in folder"),
}
_UNITS = (N_("{number} B"), N_("{number} kB"), N_("{number} MB"), N_("{number} GB"))
_MOVING = {FileState.UPLOADING, FileState.DOWNLOADING}


def file_row(message: Message, words: Words, moved: tuple[int, int] | None) -> FileRow | None:
    """The row of a message's file; ``moved``: bytes that were transferred, and all of them."""
    file = message.file
    if file is None or message.deleted:
        return None
    state = words(_STATES[file.state])
    size = size_in_words(file.size, words)
    done, total = moved or (file.done, file.total)
    action = _ACTIONS[file.state]
    return FileRow(
        name=file.name,
        note=f"{size} · {state}" if state else size,
        action=action,
        label=words(_LABELS[action]),
        fraction=_fraction(file, done, total),
        problem=words.sentence(file.problem, message.user_id),
        path=file.path,
    )


def _fraction(file: Attachment, done: int, total: int) -> float | None:
    if file.state not in _MOVING:
        return 0.0 if file.state is FileState.PREPARING else None
    return min(1.0, done / total) if total else 0.0


def size_in_words(size: int, words: Words) -> str:
    """A size in bytes as people say it, in powers of 1,000."""
    value, unit = float(size), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    shown = f"{value:.1f}" if unit and value < 10 else f"{value:.0f}"
    return words(_UNITS[unit], number=words.digits(shown))
