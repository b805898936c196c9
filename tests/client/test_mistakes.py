"""A mistake in this program itself: it costs one message, says so, and stops nothing."""

import pytest

from secure_chat.client.content import Content, Text
from secure_chat.client.events import Problem
from tests.client.sim import Sim


def test_attack_24_a_mistake_of_ours_makes_no_message_stop_the_others(
    sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no rule foresaw is a line that says so; what follows is read, also after a restart."""
    alice, bob = sim.clients["alice"], sim.clients["bob"]
    contents = bob.core._contents
    take_in = contents.take_in

    def stumble(db: object, name: object, taken: Content, **more: object) -> None:
        if isinstance(taken.payload, Text) and taken.payload.text == "trap":
            raise ZeroDivisionError("nobody foresaw this")
        take_in(db, name, taken, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(contents, "take_in", stumble)
    for text in ("before", "trap", "after"):
        alice.write(bob, text)
    sim.run()
    assert [one.text for one in bob.lines(alice) if not one.is_notice] == ["before", "after"]
    assert [one for one in bob.lines(alice) if one.is_notice]
    assert any(isinstance(event, Problem) for event in bob.take_events())
    bob.crash()
    alice.write(bob, "later")
    sim.run()
    assert [one.text for one in bob.lines(alice) if not one.is_notice][-1] == "later"
