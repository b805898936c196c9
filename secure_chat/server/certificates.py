"""A certificate authority and a server certificate of one's own.

Both keys are ECDSA on P-256, which every TLS 1.3 client accepts. The authority may sign only
server certificates directly below itself. Clients that came by an invite link trust the pin (the
hash of the server's public key); the authority is for those that check names instead.
"""

import datetime as dt
import ipaddress
import re
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding as Form
from cryptography.hazmat.primitives.serialization import (
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from secure_chat.errors import BadHostName, CertificatesExist
from secure_chat.protocol.invite import Pin
from secure_chat.server import keyfiles, ownership
from secure_chat.server.keyfiles import Piece
from secure_chat.tls import spki_pin

ALWAYS = ("localhost", "127.0.0.1", "::1")
AUTHORITY_DAYS = 3650
SERVER_DAYS = 398  # what browsers accept at most; other clients are no stricter
_BACKDATED = dt.timedelta(hours=1)  # for clients whose clock is behind
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.IGNORECASE)
_MAX_NAME = 253


class CertificateFiles(Struct, frozen=True):
    """Where the four files of a certificates folder are."""

    folder: Path

    @property
    def authority(self) -> Path:
        """The authority's certificate, for clients without a pin."""
        return self.folder / "ca.pem"

    @property
    def authority_key(self) -> Path:
        """The authority's private key."""
        return self.folder / "ca.key"

    @property
    def certificate(self) -> Path:
        """The server's certificate."""
        return self.folder / "server.pem"

    @property
    def key(self) -> Path:
        """The server's private key."""
        return self.folder / "server.key"

    def all(self) -> tuple[Path, ...]:
        """Every file, the keys first."""
        return (self.authority_key, self.key, self.authority, self.certificate)


def generate(
    folder: Path,
    hosts: tuple[str, ...] = (),
    *,
    days: int = SERVER_DAYS,
    force: bool = False,
    now: dt.datetime | None = None,
) -> Pin:
    """Make an authority and a server certificate in ``folder``; return the server's pin.

    The certificate names localhost, 127.0.0.1, ::1 and ``hosts``. Raises `BadHostName`, and
    `CertificatesExist` when a file is there and ``force`` is not given. Raises OSError.
    """
    files = CertificateFiles(folder)
    names = tuple(general_name(host) for host in dict.fromkeys((*ALWAYS, *hosts)))
    if not force:
        for path in files.all():
            if path.exists():
                raise CertificatesExist(path=path)
    now = now or dt.datetime.now(dt.UTC)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _authority(authority_key, now)
    certificate = server_certificate(key, names, days, authority, authority_key, now)
    ownership.make_folder(folder, 0o777)
    with keyfiles.alone(folder):
        keyfiles.place(
            [
                Piece(files.authority_key, private_pem(authority_key), 0o600),
                Piece(files.key, private_pem(key), 0o600),
                Piece(files.authority, authority.public_bytes(Form.PEM), 0o644),
                Piece(files.certificate, certificate.public_bytes(Form.PEM), 0o644),
            ]
        )
    return spki_pin(certificate)


def general_name(host: str) -> x509.GeneralName:
    """An address or a host name as a certificate writes it; raises `BadHostName`."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        pass
    try:
        name = host.rstrip(".").encode("idna").decode("ascii")
    except UnicodeError:
        raise BadHostName(host=host) from None
    if len(name) > _MAX_NAME or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise BadHostName(host=host)
    if name.rpartition(".")[2].isdigit():  # "300.1.2.3" is a mistyped address
        raise BadHostName(host=host)
    return x509.DNSName(name)


def _authority(key: ec.EllipticCurvePrivateKey, now: dt.datetime) -> x509.Certificate:
    name = _name("secure_chat certificate authority")
    builder = _builder(key, name, name, now, AUTHORITY_DAYS)
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificate_sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def server_certificate(
    key: ec.EllipticCurvePrivateKey,
    names: tuple[x509.GeneralName, ...],
    days: int,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
) -> x509.Certificate:
    """A certificate of a server that is called by ``names``, for ``days`` from ``now`` on."""
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _builder(key, _name("secure_chat server"), authority.subject, now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificate_sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(issuer_id, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    key: ec.EllipticCurvePrivateKey,
    subject: x509.Name,
    issuer: x509.Name,
    now: dt.datetime,
    days: int,
) -> x509.CertificateBuilder:
    """What both certificates have: names, dates, a random serial number and the key's id."""
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(key_id, critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, certificate_sign: bool) -> x509.KeyUsage:
    """An authority signs certificates and revocations; a server signs its handshakes."""
    return x509.KeyUsage(
        digital_signature=not certificate_sign,
        key_cert_sign=certificate_sign,
        crl_sign=certificate_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as PEM, without a password: the server starts by itself."""
    return key.private_bytes(Form.PEM, PrivateFormat.PKCS8, NoEncryption())
