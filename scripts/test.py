"""Check the style, the types and run the whole suite: scripts/test.py [pytest's arguments]."""

import sys

from _bootstrap import environment

sys.exit(environment.run("test", "_suite"))
