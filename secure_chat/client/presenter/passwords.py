"""Changing the password: mistakes beside the fields, and the work on a thread of its own."""

from enum import StrEnum

from secure_chat.client.api import Engine
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.jobs import Job, failure_words
from secure_chat.client.presenter.strength import SHORTEST, Strength, strength, strength_word
from secure_chat.errors import WrongPassword


class PasswordField(StrEnum):
    """Where a mistake is said."""

    OLD = "old"
    NEW = "new"
    REPEAT = "repeat"


class PasswordChange:
    """One attempt after the other, until the password is another one."""

    def __init__(self, engine: Engine, words: Words) -> None:
        self._ = words
        self._engine = engine
        self._job: Job[None] | None = None
        self.mistakes: dict[PasswordField, str] = {}
        self.done = False

    @property
    def busy(self) -> bool:
        """Whether the key is being wrapped anew."""
        return self._job is not None

    def strength_of(self, password: str) -> tuple[Strength, str]:
        """The bar under the new password, and its word."""
        step = strength(password, self._engine.user_id)
        return step, strength_word(step, self._)

    def begin(self, old: str, new: str, repeat: str) -> bool:
        """Check the fields, and go on beside the window."""
        self.mistakes = {}
        if not old:
            self.mistakes[PasswordField.OLD] = self._("Enter your present password.")
        if len(new) < SHORTEST:
            self.mistakes[PasswordField.NEW] = self._.plural(
                "At least {number} character.", "At least {number} characters.", SHORTEST
            )
        elif new == old:
            self.mistakes[PasswordField.NEW] = self._("This is the present password.")
        elif new != repeat:
            self.mistakes[PasswordField.REPEAT] = self._("This is not the same password.")
        if self.mistakes or self.busy:
            return False
        self._job = Job(lambda: self._engine.change_password(old, new), "password")
        return True

    def poll(self) -> bool:
        """Look for the outcome; whether anything changed."""
        if self._job is None or not self._job.done:
            return False
        job, self._job = self._job, None
        try:
            job.result()
        except WrongPassword as wrong:
            self.mistakes[PasswordField.OLD] = self._.error(wrong)
        except Exception as wrong:  # the thread's failure must reach the person, in words
            self.mistakes[PasswordField.NEW] = failure_words(wrong, self._)
        else:
            self.done = True
        return True


class Unlocking:
    """The locked screen: the password is checked beside the window."""

    def __init__(self, engine: Engine, words: Words) -> None:
        self._ = words
        self._engine = engine
        self._job: Job[None] | None = None
        self.mistake = ""
        self.done = False

    @property
    def busy(self) -> bool:
        """Whether a password is being checked."""
        return self._job is not None

    def enter(self, password: str) -> None:
        """Try one."""
        if not password:
            self.mistake = self._("Enter your password.")
        elif self._job is None:
            self.mistake = ""
            self._job = Job(lambda: self._engine.check_password(password), "unlock")

    def poll(self) -> bool:
        """Look for the outcome; whether anything changed."""
        if self._job is None or not self._job.done:
            return False
        job, self._job = self._job, None
        try:
            job.result()
        except Exception as wrong:  # likewise
            self.mistake = failure_words(wrong, self._)
        else:
            self.done = True
        return True
