"""The part of `api.Engine` that changes messages, for fakes: it records what was asked."""

from pathlib import Path

from secure_chat.client.events import (
    Audience,
    ChangeSent,
    Draft,
    Event,
    Message,
    MessageState,
    Privacy,
    Version,
)
from secure_chat.protocol.addresses import UserId


class ContentCalls:
    """Answers every change as accepted; ``changes`` holds (what, whom, facts) in order."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str, tuple[object, ...]]] = []
        self.on_change: list[tuple[MessageState, str]] = [(MessageState.ACCEPTED, "")]
        self.name = ""
        self.drafts: dict[UserId, Draft] = {}
        self.opened: UserId | None = None
        self.chosen = Privacy(read_receipts=Audience.VERIFIED, typing=Audience.VERIFIED)

    def put(self, event: Event) -> None:
        """Where the events of this fake go."""
        raise NotImplementedError

    def edit(self, user_id: UserId, number: int, text: str) -> bytes:
        return self._change("edit", user_id, number, text)

    def versions(self, user_id: UserId, number: int) -> list[Version]:
        return []

    def delete(self, user_id: UserId, number: int) -> bytes:
        return self._change("delete", user_id, number)

    def remove(self, user_id: UserId, number: int) -> None:
        self.changes.append(("remove", user_id, (number,)))

    def react(self, user_id: UserId, number: int, emoji: str) -> bytes:
        return self._change("react", user_id, number, emoji)

    def send_file(
        self,
        user_id: UserId,
        path: Path,
        *,
        caption: str = "",
        reply_to: int | None = None,
        keep_metadata: bool = False,
    ) -> bytes:
        return self._change("send_file", user_id, path, caption, reply_to)

    def forward(self, user_id: UserId, number: int, to: UserId) -> bytes:
        return self._change("forward", to, user_id, number)

    def save_file(self, user_id: UserId, number: int, folder: Path) -> None:
        self.changes.append(("save_file", user_id, (number, folder)))

    def cancel_file(self, user_id: UserId, number: int) -> None:
        self.changes.append(("cancel_file", user_id, (number,)))

    def set_timer(self, user_id: UserId, seconds: int) -> bytes:
        return self._change("timer", user_id, seconds)

    def set_typing(self, user_id: UserId, *, active: bool) -> None:
        self.changes.append(("typing", user_id, (active,)))

    def search(self, text: str, limit: int = 50) -> list[Message]:
        return []

    def draft(self, user_id: UserId) -> Draft:
        return self.drafts.get(user_id, Draft())

    def set_draft(self, user_id: UserId, draft: Draft) -> None:
        self.drafts[user_id] = draft

    def last_opened(self) -> UserId | None:
        return self.opened

    def display_name(self) -> str:
        return self.name

    def set_profile(self, display_name: str) -> list[bytes]:
        self.name = display_name
        return []

    def privacy(self) -> Privacy:
        return self.chosen

    def set_privacy(self, privacy: Privacy) -> None:
        self.chosen = privacy

    def _change(self, what: str, user_id: UserId, *facts: object) -> bytes:
        self.changes.append((what, user_id, facts))
        content_id = b"change %9d" % len(self.changes)
        for state, problem in self.on_change:
            self.put(ChangeSent(user_id, content_id, state, problem))
        return content_id


def page_of(
    lines: list[Message], before: int | None, limit: int, after: int | None
) -> list[Message]:
    """What `api.Engine.history` answers, of these lines."""
    if after is not None:
        return [line for line in lines if line.number > after][:limit]
    return [line for line in lines if before is None or line.number < before][-limit:]
