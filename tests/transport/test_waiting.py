"""The register of those who wait: caps and deadlines hold whatever comes in which order."""

from hypothesis import given
from hypothesis import strategies as st

from secure_chat.server.net.waiting import Waiting
from secure_chat.server.networks import network_of

PEERS = ["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
steps = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "expire"]), st.integers(0, 4), st.floats(0, 3)),
    max_size=60,
)


@given(steps, st.integers(1, 6), st.integers(1, 3))
def test_caps_and_deadlines_hold(
    script: list[tuple[str, int, float]], total: int, per_address: int
) -> None:
    """Never more than the caps, the oldest go first, nobody overstays, nobody is lost."""
    waiting: Waiting[int] = Waiting(total=total, per_address=per_address, seconds=5)
    model: dict[int, tuple[object, float]] = {}  # in order of arrival
    now = 0.0
    for number, (step, choice, seconds) in enumerate(script):
        now += seconds
        if step == "add":
            address = network_of(PEERS[choice])
            neighbours = [item for item, (where, _) in model.items() if where == address]
            expected = neighbours[:1] if len(neighbours) >= per_address else []
            if not expected and len(model) >= total:
                expected = [next(iter(model))]
            assert waiting.add(number, PEERS[choice], now) == expected
            for item in expected:
                del model[item]
            model[number] = (address, now + 5)
        elif step == "remove":
            for item in list(model)[choice : choice + 1]:
                waiting.remove(item)
                del model[item]
            waiting.remove(-1)  # unknown: ignored
        else:
            late = [item for item, (_, deadline) in model.items() if deadline <= now]
            assert waiting.expired(now) == late
            for item in late:
                del model[item]
        assert list(waiting) == list(model)
        for item, (where, _) in model.items():
            crowd = sum(other == where for other, _ in model.values())
            assert waiting.neighbours(item) == crowd
        assert len(waiting) == len(model) <= total
