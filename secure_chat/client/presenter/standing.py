"""What stands between the person and sending in a conversation, in words."""

from secure_chat.client.i18n import Words
from secure_chat.client.presenter.rows import Action, BannerRow, ComposerRow, Mark, Tone
from secure_chat.protocol.addresses import UserId


def warning(mark: Mark, name: UserId, held: str, words: Words) -> BannerRow | None:
    """A changed key, or messages that are ``held`` for this reason; None if nothing is in the way.

    The safe choice is the first button.
    """
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


def composer(mark: Mark, name: UserId | None, words: Words) -> ComposerRow:
    """Whether writing is possible."""
    if name is None:
        return ComposerRow(enabled=False, hint="")
    if mark is Mark.CHANGED:
        return ComposerRow(enabled=False, hint=words("Sending waits for your decision."))
    return ComposerRow(enabled=True, hint=words("Write to {name}", name=name))
