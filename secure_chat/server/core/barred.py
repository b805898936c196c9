"""Accounts that are shut out from this moment on, whatever the disk said a moment ago."""

from secure_chat.errors import Code


class Barred:
    """By account id, which never comes back. Lives on the I/O thread.

    The disk remembers who is disabled; this set closes the gap between a look at the disk and what
    is done with the answer. It holds only who was shut out since the server started.
    """

    def __init__(self) -> None:
        self._codes: dict[int, Code] = {}

    def bar(self, account_id: int, code: Code) -> None:
        """Shut an account out; ``code`` is what it hears."""
        self._codes[account_id] = code

    def admit(self, account_id: int) -> None:
        """Let it in again."""
        self._codes.pop(account_id, None)

    def __contains__(self, account_id: int) -> bool:
        return account_id in self._codes

    def code(self, account_id: int) -> Code | None:
        """Why an account is shut out; None: it is not."""
        return self._codes.get(account_id)
