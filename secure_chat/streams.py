"""Standard streams that a caller has closed, as daemons and ``>&-`` do."""

import os
import sys


def replace_closed() -> None:
    """Give this process an empty stream for each standard stream that it was started without.

    Otherwise Python sets it to None, and the next file that is opened becomes number 0, 1 or 2:
    a database would get what a library prints.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - to the end
            setattr(sys, name, stream)
