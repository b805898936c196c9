"""How long our own work takes, whatever else the machine and the tests' process do."""

import gc
import time
from collections.abc import Callable


def seconds_of(work: Callable[[], object]) -> float:
    """Processor time of this thread, as `timeit` measures: without collections of garbage.

    A run of the whole suite has a million objects to look through, which are not of this work.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        started = time.thread_time()
        work()
        return time.thread_time() - started
    finally:
        if was:
            gc.enable()
