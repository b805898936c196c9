"""The trust panel in words: what a state means, and what a person can do about it."""

from secure_chat.client.events import Means, Safety, Trust
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.people import MARKS
from secure_chat.client.presenter.rows import Mark, PanelRow
from secure_chat.protocol.addresses import UserId


def panel(
    our_name: UserId,
    our_fingerprint: str,
    their_name: UserId | None,
    safety: Safety | None,
    words: Words,
    times: Times,
) -> PanelRow:
    """What stands beside a conversation; without one, only our own fingerprint."""
    ours = tuple(our_fingerprint.split())
    if their_name is None:
        return PanelRow(our_name, ours)
    if safety is None:
        return PanelRow(
            our_name,
            ours,
            their_name,
            title=words("No key yet"),
            explanation=words(
                "The key of {name} has not been fetched. It comes with the first connection.",
                name=their_name,
            ),
        )
    title, explanation = _words_for(safety, words)
    return PanelRow(
        our_name,
        ours,
        their_name,
        their_fingerprint=tuple(safety.their_fingerprint.split()),
        safety_number=safety.safety_number,
        mark=MARKS[safety.trust],
        title=title,
        explanation=explanation,
        history=_history(safety, words, times),
        may_verify=safety.trust is not Trust.VERIFIED,
        must_decide=safety.trust is Trust.CHANGED,
    )


def _words_for(safety: Safety, words: Words) -> tuple[str, str]:
    name = safety.user_id
    return {
        Mark.NEW: (
            words("New, not compared"),
            words(
                "Messages are encrypted, but nobody has checked that this key is {name}'s. "
                "Compare the safety number in person or in a call.",
                name=name,
            ),
        ),
        Mark.VERIFIED: (
            words("Verified"),
            {
                Means.QR: words("You read a QR code: this key is {name}'s.", name=name),
                Means.LINK: words("You trusted a contact link: this key is {name}'s.", name=name),
            }.get(
                safety.verified_by or Means.DIGITS,
                words("You compared the safety number: this key is {name}'s.", name=name),
            ),
        ),
        Mark.CHANGED: (
            words("The key has changed"),
            words(
                "Either {name} has a new device or account, or somebody pretends to be {name}. "
                "Compare the new safety number before you write.",
                name=name,
            ),
        ),
    }[MARKS[safety.trust]]


def _history(safety: Safety, words: Words, times: Times) -> tuple[str, ...]:
    """What happened to the key, the first thing first."""
    moments = [
        (safety.first_seen, words("First seen {when}", when=times.full(safety.first_seen))),
        (safety.changed, words("Changed {when}", when=times.full(safety.changed))),
        (safety.verified, words("Verified {when}", when=times.full(safety.verified))),
    ]
    return tuple(label for moment, label in sorted(moments) if moment)
