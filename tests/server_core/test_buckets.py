"""Token buckets and what counts as one address."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_chat.server.core import buckets
from secure_chat.server.core.buckets import Buckets
from secure_chat.server.core.settings import Rate
from secure_chat.server.networks import network_of


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.floats(0.01, 100), st.integers(1, 50), st.lists(st.floats(0, 10), min_size=1, max_size=100)
)
def test_never_more_than_burst_and_rate(per_second: float, burst: int, pauses: list[float]) -> None:
    """In any span at most burst + rate x span are let through, and a told wait is enough."""
    bucket = Buckets(Rate(per_second, burst))
    now, passed = 0.0, 0
    for pause in pauses:
        now += pause
        wait = bucket.take("key", now)
        if wait == 0:
            passed += 1
        else:
            now += wait + 1e-6
            assert bucket.take("key", now) == 0
            passed += 1
        assert passed <= burst + per_second * now + 1e-3


def test_keys_do_not_share_and_full_ones_are_forgotten() -> None:
    """One key's use is not another's; a rested key costs no memory."""
    bucket = Buckets(Rate(1, 1))
    assert bucket.take("a", 0) == 0
    assert bucket.take("b", 0) == 0
    assert bucket.take("a", 0) == 1
    bucket.forget_full(0.5)
    assert len(bucket) == 2
    bucket.forget_full(1)
    assert len(bucket) == 0


def test_memory_is_bounded_however_many_keys_come() -> None:
    """When the table is full of busy keys a new one waits; rested keys make room."""
    bucket = Buckets(Rate(1, 1))
    for n in range(buckets.KEYS):
        assert bucket.take(n, 0) == 0
    assert bucket.take("new", 0) == 1
    assert len(bucket) == buckets.KEYS
    assert bucket.take("new", 2) == 0
    assert len(bucket) == 1


def test_a_full_table_is_not_looked_through_for_everybody_who_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever fills it must not make each newcomer cost a look at all keys: once in a second."""
    looks: list[float] = []
    look = Buckets.forget_full

    def counted(self: Buckets, now: float) -> None:
        looks.append(now)
        look(self, now)

    monkeypatch.setattr(Buckets, "forget_full", counted)
    bucket = Buckets(Rate(0.001, 1))
    for n in range(buckets.KEYS):
        bucket.take(n, 0)
    for n in range(1_000):
        assert bucket.take(("new", n), n / 500) == 1
    assert len(looks) <= 3


def test_a_v6_site_is_one_address_and_mapped_v4_is_v4() -> None:
    """Limits cannot be evaded by the many addresses of one IPv6 network."""
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2")
    assert network_of("2001:db8::1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:192.0.2.7") == network_of("192.0.2.7") == "192.0.2.7"
    assert network_of("fe80::1%eth0") == network_of("fe80::2%eth1") == network_of("fe80::2")
    assert network_of("::c000:207") != network_of("192.0.2.7") != network_of("192.0.2.8")
    assert network_of("not an address") == "not an address"
