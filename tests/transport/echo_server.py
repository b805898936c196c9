"""An echo server in a process of its own: prints its port, stops when its input ends.

Arguments: certificate, key, seconds for handshakes, limit of open files (0: as it is).
"""

import logging
import sys
from pathlib import Path

from secure_chat.server.net.server import NetServer
from secure_chat.server.net.settings import EdgeSettings
from secure_chat.tls import server_context
from tests.transport.support import EchoCore


def main(cert: str, key: str, seconds: str, files: str) -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    if int(files):
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (int(files), int(files)))
    settings = EdgeSettings(handshake_seconds=float(seconds), handshakes_per_address=4096)
    server = NetServer(
        ("127.0.0.1", 0), lambda: server_context(Path(cert), Path(key)), EchoCore, settings
    )
    server.start()
    print(server.port, flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
