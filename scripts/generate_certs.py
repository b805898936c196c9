"""Make a certificate authority and a server certificate: scripts/generate_certs.py --help."""

import sys

from _bootstrap import environment

sys.exit(environment.run("server", "_certs"))
