"""The wake-up: no signal is lost, and many cost little."""

import selectors
import threading
from collections import deque

from secure_chat.wake import Waker


def test_no_signal_is_lost() -> None:
    """Whoever queues and then wakes is seen, however the threads interleave."""
    work: deque[int] = deque()
    seen: list[int] = []
    with Waker() as waker, selectors.DefaultSelector() as selector:
        selector.register(waker, selectors.EVENT_READ)

        def produce(start: int) -> None:
            for number in range(2_000):
                work.append(start + number)
                waker.wake()

        threads = [threading.Thread(target=produce, args=(n * 2_000,)) for n in range(4)]
        for thread in threads:
            thread.start()
        while len(seen) < 8_000:
            assert selector.select(5), "a signal was lost: work waits and nobody is woken"
            waker.clear()
            while work:
                seen.append(work.popleft())
        for thread in threads:
            thread.join()
    assert sorted(seen) == list(range(8_000))


def test_signals_gather_and_clear() -> None:
    """Any number of signals is one; after `clear` the socket is quiet until the next."""
    with Waker() as waker, selectors.DefaultSelector() as selector:
        selector.register(waker, selectors.EVENT_READ)
        for _ in range(100_000):
            waker.wake()
        assert selector.select(0)
        waker.clear()
        assert not selector.select(0)
        waker.wake()
        assert selector.select(0)


def test_a_closed_waker_ignores_signals() -> None:
    """A late signal after the end harms nobody."""
    waker = Waker()
    waker.close()
    waker.wake()
