"""What a service manager is told: systemd's notification protocol (sd_notify(3)).

``Type=notify`` waits for ``READY=1``. Outside a service manager nothing happens.
"""

import contextlib
import os
import socket
import time


def tell(state: str, status: str = "") -> None:
    """Send a state such as ``READY=1``, and a sentence for ``systemctl status``.

    Nobody has to listen.
    """
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place or not hasattr(socket, "AF_UNIX"):
        return
    if state == "RELOADING=1":  # asked for by Type=notify-reload
        state += f"\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
    state += f"\nSTATUS={status}" if status else ""
    address = "\0" + place[1:] if place.startswith("@") else place
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.connect(address)
        manager.sendall(state.encode())
