"""Two people talk through a real server on this machine: scripts/demo.py --help."""

import sys

from _bootstrap import environment

sys.exit(environment.run("server", "_demo.command"))
