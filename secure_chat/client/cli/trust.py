"""``fingerprint``, ``verify`` and ``accept-key``: what people decide about keys."""

import sys
from argparse import Namespace

from secure_chat.client.api import Engine
from secure_chat.client.cli import output
from secure_chat.client.cli.language import words
from secure_chat.client.cli.profiles import open_engine
from secure_chat.client.cli.session import Backend, Events, closing, deadline_in
from secure_chat.client.events import Problem, Safety, Trust
from secure_chat.errors import NotDone, WrongArguments
from secure_chat.protocol.addresses import UserId


def fingerprint(chosen: Namespace, backend: Backend) -> int:
    """Print our fingerprint, or all about the trust in one contact."""
    with closing(open_engine(chosen, backend)) as engine:
        if chosen.user is None:
            ours = engine.our_fingerprint
            if chosen.json:
                output.say_json(output.json_line(user=engine.user_id, fingerprint=ours))
            else:
                output.say(ours)
            return 0
        safety = _safety(engine, chosen.user, chosen.timeout)
    if chosen.json:
        output.say_json(_as_json(safety))
    else:
        output.say(output.safety_text(safety))
    return 0


def _as_json(safety: Safety) -> str:
    return output.json_line(
        user=safety.user_id,
        our_fingerprint=safety.our_fingerprint,
        their_fingerprint=safety.their_fingerprint,
        safety_number=" ".join(safety.safety_number),
        trust=safety.trust.value,
    )


def verify(chosen: Namespace, backend: Backend) -> int:
    """Compare the number that was given, or ask whether it was compared.

    Of a contact whose key has changed it is the new key's number: comparing it accepts that key.
    """
    with closing(open_engine(chosen, backend)) as engine:
        safety = _safety(engine, chosen.user, chosen.timeout)
        number = " ".join(chosen.number)
        if not number:
            output.say(output.safety_text(safety))
            _ask(
                words("Compare the safety number with what {user_id} sees. The same? [yes/no] "),
                safety,
            )
            number = " ".join(safety.safety_number)
        engine.mark_verified(chosen.user, number)
    output.say(words("{user_id} is verified.", user_id=chosen.user))
    return 0


def accept_key(chosen: Namespace, backend: Backend) -> int:
    """Show the changed key, ask, accept."""
    with closing(open_engine(chosen, backend)) as engine:
        safety = _safety(engine, chosen.user, chosen.timeout)
        if safety.trust is not Trust.CHANGED:
            raise NotDone(
                what=words(
                    "The key of {user_id} has not changed: there is nothing to accept.",
                    user_id=chosen.user,
                )
            )
        if not chosen.yes:
            output.say(output.safety_text(safety))
            _ask(words("Accept the new key of {user_id}? [yes/no] "), safety)
        engine.accept_changed_key(chosen.user)
    output.say(
        words(
            "The new key of {user_id} is accepted, not verified. What was held goes out with the "
            "next connection.",
            user_id=chosen.user,
        )
    )
    return 0


def _ask(question: str, safety: Safety) -> None:
    """Ends the command unless the answer is yes."""
    if not sys.stdin.isatty():
        raise WrongArguments(
            reason=words("There is no terminal to ask on; see --help for what a script can give.")
        )
    sys.stderr.write(question.format(user_id=safety.user_id))
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in (words("yes"), "yes"):
        raise NotDone(what=words("Nothing was changed."))


def _safety(engine: Engine, user_id: UserId, timeout: float) -> Safety:
    """From the vault, or after fetching the contact's keys."""
    known = engine.safety(user_id)
    if known is not None:
        return known
    events = Events(engine)
    engine.start()
    engine.open_conversation(user_id)
    for event in events.until(deadline_in(timeout)):
        if isinstance(event, Problem) and event.user_id == user_id:
            raise event.error
        if (known := engine.safety(user_id)) is not None:
            return known
    raise NotDone(
        what=words(
            "The keys of {user_id} did not come within {n:g} s: {why}.",
            user_id=user_id,
            n=timeout,
            why=events.why_late(),
        )
    )
