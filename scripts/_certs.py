"""The command behind scripts/generate_certs.py."""

import argparse
import sys
from pathlib import Path

from _arguments import Parser
from secure_chat.errors import SecureChatError
from secure_chat.protocol.encoding import b64url
from secure_chat.server import certificates

_MAX_DAYS = 36500


def main(arguments: list[str]) -> int:
    """Make the certificates and print the pin; 2 and one line when that is refused."""
    options = _parser().parse_args(arguments)
    files = certificates.CertificateFiles(options.out)
    try:
        pin = certificates.generate(
            options.out, tuple(options.host), days=options.days, force=options.force
        )
    except SecureChatError as wrong:
        print(f"generate_certs.py: {wrong}", file=sys.stderr)
        return 2
    except OSError as wrong:
        print(
            f"generate_certs.py: cannot write {wrong.filename}: {wrong.strerror}.", file=sys.stderr
        )
        return 2
    print(f"authority    {files.authority}   (give it to clients that have no invite link)")
    print(f"certificate  {files.certificate}")
    print(f"private key  {files.key}   (yours alone; never copy it anywhere)")
    print(f"pin          {b64url(pin)}")
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="generate_certs.py",
        description="Make a certificate authority and a server certificate for "
        "localhost, 127.0.0.1, ::1 and every --host.",
    )
    parser.add_argument(
        "--host", action="append", default=[], metavar="NAME",
        help="another name or address of the server; may be repeated",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("certs"), help="folder (default: certs)")
    parser.add_argument(
        "--days", type=_days, default=certificates.SERVER_DAYS,
        help=f"validity of the server certificate (default: {certificates.SERVER_DAYS})",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="replace existing files")
    return parser


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 1 to {_MAX_DAYS}")
    return int(text)
