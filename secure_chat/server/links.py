"""Invite links as this server writes them: which address they name, and which keys they pin."""

import io
import socket
import sys
from pathlib import Path

import segno

from secure_chat.errors import BadSetting
from secure_chat.protocol.invite import Pin, ServerAddress
from secure_chat.server.config import Config, advertised
from secure_chat.server.rotation import TlsFiles

_WILDCARDS = {"0.0.0.0", "::", "", "*"}  # noqa: S104 - recognised, not listened on


SPARE = "spare.pub"


def files_of(config: Config) -> TlsFiles:
    """The certificate, its key, and the spare's files beside them."""
    return TlsFiles(config.cert, config.key)


def pins_of(config: Config) -> tuple[Pin, ...]:
    """What an invite link pins: the key in use, then the spare. Raises `BadCertificateFile`."""
    return files_of(config).pins()


def tls_files(config: Config) -> dict[str, Path]:
    """The files of the server's key by their names in a backup; only the spare may be missing."""
    files = files_of(config)
    return {"server.pem": files.certificate, "server.key": files.key, SPARE: files.spare}


def public_address(config: Config, port: int, advertise: str = "") -> ServerAddress:
    """The address that an invite link names. Raises `BadSetting` if there is none to name."""
    if text := advertise or config.advertise:
        return advertised(text)
    if port == 0:
        raise BadSetting(
            name="--advertise", problem="the port is not fixed (0), so say which one to name"
        )
    host = _own_address() if config.host in _WILDCARDS else config.host
    return ServerAddress(host, port)


def _own_address() -> str:
    """The machine's address on its network; nothing is sent to find it out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: an address that belongs to nobody
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def qr(text: str) -> str:
    """A QR code in block characters, or nothing where the terminal has none."""
    drawn = io.StringIO()
    segno.make(text, error="l").terminal(out=drawn, border=2, compact=True)
    try:
        drawn.getvalue().encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ""
    return drawn.getvalue()
