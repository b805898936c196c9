"""``secure-chat-server make-cert``: a first certificate, with an authority of one's own."""

from argparse import ArgumentParser, Namespace

from secure_chat.errors import BadSetting, CertificatesExist, RotationRefused
from secure_chat.protocol.encoding import b64url
from secure_chat.server import certificates, rotation
from secure_chat.server.certificates import CertificateFiles
from secure_chat.server.commands import words
from secure_chat.server.commands.command import Command
from secure_chat.server.config import Config
from secure_chat.server.rotation import TlsFiles

_MOST_DAYS = 36_500


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--name", action="append", default=[], metavar="NAME",
        help="a name or address of the server beside localhost; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--days", type=words.Number(1, _MOST_DAYS), default=certificates.SERVER_DAYS, metavar="N",
        help=f"validity (default: {certificates.SERVER_DAYS})",
    )  # fmt: skip


def _run(config: Config, options: Namespace) -> int:
    files = CertificateFiles(config.cert.parent)
    for setting, path, here in (
        ("cert", config.cert, files.certificate),
        ("key", config.key, files.key),
    ):
        if path != here:
            raise BadSetting(name=setting, problem=f"this command makes {here}, and not {path}")
    finished = rotation.settle(TlsFiles(files.certificate, files.key))
    try:
        if finished:
            pin = TlsFiles(files.certificate, files.key).pins()[0]
            print(
                "An earlier make-cert was cut off; its files are in place now, nothing else is new."
            )
        else:
            pin = certificates.generate(files.folder, tuple(options.name), days=options.days)
    except CertificatesExist as wrong:
        reason = f"{wrong.facts['path']} exists already; rotate-cert renews a certificate"
        raise RotationRefused(reason=reason) from None
    except OSError as wrong:
        reason = f"{wrong.filename}: {(wrong.strerror or str(wrong)).lower()}"
        raise RotationRefused(reason=reason) from None
    print(f"certificate  {files.certificate}")
    print(f"private key  {files.key}   (the server's account alone may read it)")
    print(f"authority    {files.authority}   (for clients that have no invite link)")
    print(f"its key      {files.authority_key}   (needed by rotate-cert alone: keep it offline)")
    print(f"pin          {b64url(pin)}", flush=True)
    return 0


COMMAND = Command(
    name="make-cert",
    help="make a first certificate, with an authority of your own",
    description="Make a certificate authority and a certificate for localhost, 127.0.0.1, ::1 and "
    "every --name, beside each other in the folder of --cert. Nothing is overwritten; to renew a "
    "certificate use rotate-cert.",
    arguments=_arguments,
    run=_run,
    examples=(
        ("make-cert --name chat.example.org", "for that name, and for this machine"),
        ("make-cert --cert ~/certs/server.pem --key ~/certs/server.key", "in another folder"),
    ),
)
