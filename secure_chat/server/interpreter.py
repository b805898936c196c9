"""The interpreter's own settings, for a process that does nothing but serve."""

import gc
import sys

_TURN = 0.0005
"""Seconds that a thread may go on while another wants the interpreter. Python's own 5 ms is an age
for a message that waits for a login to be looked up: with it the slowest of a hundred messages took
three times as long."""


def settle() -> None:
    """Call once everything that stays is there; from then on it is not looked through any more.

    A full collection goes over 78,000 objects of a server that has just started, and takes 25 ms
    and more, during which no message moves.
    """
    sys.setswitchinterval(_TURN)
    gc.collect()
    gc.freeze()
