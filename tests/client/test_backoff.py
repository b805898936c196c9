"""Waits between connections."""

from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.backoff import FIRST_SECONDS, LONGEST_SECONDS, Backoff


@given(st.floats(0, 1), st.integers(1, 30))
def test_waits_double_within_their_bounds(position: float, failures: int) -> None:
    """Each wait is in the upper half of its step; steps double up to the longest."""
    backoff = Backoff(lambda low, high: low + position * (high - low))
    for number in range(failures):
        step = min(FIRST_SECONDS * 2**number, LONGEST_SECONDS)
        assert step / 2 <= backoff.failed() <= step
    backoff.succeeded()
    assert backoff.failed() <= FIRST_SECONDS


@given(st.floats(0, 1000))
def test_the_server_is_never_asked_sooner_than_it_said(asked: float) -> None:
    """``retry_after`` is a lower bound."""
    assert Backoff(lambda low, high: low).failed(asked) >= asked
