"""Another certificate for the same server: renewed under its key, or under a spare key.

Clients that came by an invite link trust *keys*, by their pins. So a renewal keeps the key, unless
it is asked for another one. A **spare key** is made ahead of need: its pin stands in invite links
beside that of the key in use, its private half waits offline. When the key in use is lost or
stolen, the spare takes its place, and whoever has a link with both pins goes on trusting.

Files beside ``server.pem``: ``server.spare.key`` (to be taken away), ``server.spare.pub`` (stays).
"""

import datetime as dt
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from secure_chat import tls
from secure_chat.errors import BadCertificateFile, CertificatesExist, RotationRefused
from secure_chat.protocol.invite import Pin
from secure_chat.server import certificates
from secure_chat.server.certificates import CertificateFiles

_PEM: Final = serialization.Encoding.PEM
_DER: Final = serialization.Encoding.DER
_SPKI: Final = serialization.PublicFormat.SubjectPublicKeyInfo


class TlsFiles(Struct, frozen=True):
    """The server's certificate and key, and where the spare's halves lie beside them."""

    certificate: Path
    key: Path

    @property
    def spare_key(self) -> Path:
        """The spare's private half, until it is taken offline."""
        return self.certificate.with_name(f"{self.certificate.stem}.spare.key")

    @property
    def spare(self) -> Path:
        """The spare's public half."""
        return self.certificate.with_name(f"{self.certificate.stem}.spare.pub")

    def pins(self) -> tuple[Pin, ...]:
        """What clients shall trust: the key in use first. Raises `BadCertificateFile`."""
        pin = tls.spki_pin(tls.load_certificates(self.certificate)[0])
        spare = self.spare_pin()
        return (pin,) if spare is None or spare == pin else (pin, spare)

    def spare_pin(self) -> Pin | None:
        """The pin of the spare, if there is one. Raises `BadCertificateFile`."""
        try:
            data = self.spare.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as wrong:
            raise BadCertificateFile(path=self.spare, reason=wrong.strerror) from None
        try:
            return _pin(serialization.load_pem_public_key(data).public_bytes(_DER, _SPKI))
        except (ValueError, UnsupportedAlgorithm):
            raise BadCertificateFile(path=self.spare, reason="it holds no public key") from None


class Renewed(Struct, frozen=True):
    """A certificate that was put in place."""

    pin: Pin
    names: tuple[str, ...]
    expires: dt.datetime


def _pin(spki: bytes) -> Pin:
    return Pin(sha256(spki).digest())


def renew(files: TlsFiles, hosts: tuple[str, ...], days: int) -> Renewed:
    """A new certificate for the key in use: the pin stays. See `_replace` for what it raises."""
    key = _load_key(files.key)
    if _pin(key.public_key().public_bytes(_DER, _SPKI)) != files.pins()[0]:
        reason = f"{files.key} is not the key of {files.certificate}"
        raise RotationRefused(reason=reason)
    return _replace(files, key, hosts, days)


def change_key(files: TlsFiles, hosts: tuple[str, ...], days: int) -> Renewed:
    """A certificate for a key that nobody knows yet: every client with a pin refuses it."""
    return _replace(files, ec.generate_private_key(ec.SECP256R1()), hosts, days)


def make_spare(files: TlsFiles, *, force: bool) -> Pin:
    """Make a spare key; its pin. Raises `CertificatesExist`, OSError."""
    for path in (files.spare_key, files.spare):
        if path.exists() and not force:
            raise CertificatesExist(path=path)
    key = ec.generate_private_key(ec.SECP256R1())
    certificates.write_file(files.spare_key, certificates.private_pem(key), 0o600, force=force)
    public = key.public_key().public_bytes(_PEM, _SPKI)
    certificates.write_file(files.spare, public, 0o644, force=force)
    return _pin(key.public_key().public_bytes(_DER, _SPKI))


def use_spare(files: TlsFiles, spare_key: Path, hosts: tuple[str, ...], days: int) -> Renewed:
    """Put the spare key in the place of the key in use. Raises `RotationRefused` and as `renew`."""
    known = files.spare_pin()
    if known is None:
        raise RotationRefused(reason=f"there is no spare key: {files.spare} does not exist")
    if not spare_key.exists():
        reason = f"there is no file {spare_key}; say with --spare-key where the spare key lies now"
        raise RotationRefused(reason=reason)
    key = _load_key(spare_key)
    if _pin(key.public_key().public_bytes(_DER, _SPKI)) != known:
        raise RotationRefused(reason=f"{spare_key} is not the private key of {files.spare}")
    renewed = _replace(files, key, hosts, days)
    files.spare.unlink()
    if spare_key == files.spare_key:
        spare_key.unlink()
    return renewed


def _replace(
    files: TlsFiles, key: ec.EllipticCurvePrivateKey, hosts: tuple[str, ...], days: int
) -> Renewed:
    """Sign a certificate for ``key`` with the names of the old one and ``hosts``.

    The key that it replaces is kept as ``….key.old``. Raises `BadCertificateFile`, `BadHostName`,
    `RotationRefused`, OSError.
    """
    old = tls.load_certificates(files.certificate)[0]
    authority, authority_key = _authority(files.certificate, old)
    names = dict.fromkeys([*_names(old), *map(certificates.general_name, hosts)])
    new = certificates.server_certificate(
        key, tuple(names), days, authority, authority_key, dt.datetime.now(dt.UTC)
    )
    if tls.spki_pin(new) != tls.spki_pin(old):
        kept = files.key.with_name(files.key.name + ".old")
        certificates.write_file(kept, files.key.read_bytes(), 0o600, force=True)
        certificates.write_file(files.key, certificates.private_pem(key), 0o600, force=True)
    certificates.write_file(files.certificate, new.public_bytes(_PEM), 0o644, force=True)
    return Renewed(
        tls.spki_pin(new), tuple(str(name.value) for name in names), new.not_valid_after_utc
    )


def _authority(
    certificate: Path, old: x509.Certificate
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The authority beside the certificate, if it is the one that signed it."""
    beside = CertificateFiles(certificate.parent)
    if not beside.authority.exists() or not beside.authority_key.exists():
        raise RotationRefused(
            reason=f"{beside.authority} and {beside.authority_key} are not there. Put them there "
            "for the moment, or renew the certificate where it came from and reload the server"
        )
    authority = tls.load_certificates(beside.authority)[0]
    try:
        old.verify_directly_issued_by(authority)
    except Exception:
        reason = f"{certificate} was not signed by {beside.authority}"
        raise RotationRefused(reason=reason) from None
    return authority, _load_key(beside.authority_key)


def _names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return list(found.value)


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = tls.load_key(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        reason = "only elliptic-curve keys are renewed here"
        raise BadCertificateFile(path=path, reason=reason)
    return key
