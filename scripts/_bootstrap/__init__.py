"""What a script needs before it can start: a new enough Python, then an environment.

This file and the scripts beside it parse on every Python, so that an old one is told in words
what it lacks; `environment` may use what Python 3.11 has, and the standard library alone.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - older ones are exactly who this speaks to
    sys.stderr.write(
        "secure_chat needs Python 3.11 or newer; this is "
        + ".".join(str(part) for part in sys.version_info[:3])
        + ".\nGet a newer one from https://www.python.org/downloads/ or your system's packages,"
        + " and start the script with it (for example: python3.12 scripts/demo.py).\n"
    )
    sys.exit(2)
