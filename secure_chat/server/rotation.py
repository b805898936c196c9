"""Another certificate for the same server: renewed under its key, or under a spare key.

Clients that came by an invite link trust *keys*, by their pins. So a renewal keeps the key, unless
it is asked for another one. A **spare key** is made ahead of need: its pin stands in invite links
beside that of the key in use, its private half waits offline. When the key in use is lost or
stolen, the spare takes its place, and whoever has a link with both pins goes on trusting.

Files beside ``server.pem``: ``server.spare.key`` (to be taken away), ``server.spare.pub`` (stays).
"""

import contextlib
import datetime as dt
from collections.abc import Sequence
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
from secure_chat.server import certificates, keyfiles
from secure_chat.server.certificates import CertificateFiles
from secure_chat.server.keyfiles import Piece

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
            return _pin(_public(self.spare))
        except FileNotFoundError:
            return None


class Renewed(Struct, frozen=True):
    """A certificate that was put in place."""

    pin: Pin
    names: tuple[str, ...]
    expires: dt.datetime


def _public(path: Path) -> bytes:
    """A public key as SPKI (DER). Raises `BadCertificateFile`, FileNotFoundError."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as wrong:
        raise BadCertificateFile(path=path, reason=wrong.strerror) from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadCertificateFile(path=path, reason="it holds no public key") from None
    return key.public_bytes(_DER, _SPKI)


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
    """Make a spare key; its pin. Raises `CertificatesExist`, `BadCertificateFile`, OSError."""
    with keyfiles.alone(files.certificate.parent):
        if not force and files.spare.exists():
            raise CertificatesExist(path=files.spare)
        if not force and files.spare_key.exists():  # its public half was not written, or is lost
            key = _load_key(files.spare_key)
        else:
            key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(_PEM, _SPKI)
        keyfiles.place(
            [
                Piece(files.spare_key, certificates.private_pem(key), 0o600),
                Piece(files.spare, public, 0o644),
            ]
        )
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
    _forget_used_spare(files)
    return renewed


def settle(files: TlsFiles) -> bool:
    """Finish a replacement that was cut off between two files; False if there was none.

    Whoever uses the key calls this before. Raises `BadCertificateFile` if it may not.
    """
    with keyfiles.alone(files.certificate.parent):
        waiting = unfinished(files)
        try:
            keyfiles.finish(waiting)
        except OSError as wrong:
            reason = (
                f"its replacement was cut off ({(wrong.strerror or '').lower()}). As the owner of "
                f"{files.certificate.parent} run: secure-chat-server rotate-cert"
            )
            raise BadCertificateFile(path=files.certificate, reason=reason) from None
        with contextlib.suppress(OSError, BadCertificateFile):
            _forget_used_spare(files)  # may wait for somebody with more rights
    return bool(waiting)


def unfinished(files: TlsFiles) -> list[Path]:
    """What waits for its place because a replacement was cut off half-way.

    It is so when the files that are there do not fit together, and with those that wait they do.
    """
    found = CertificateFiles(files.certificate.parent)
    key_and_rest = (found.authority_key, files.key, found.authority, files.certificate)
    waiting = [path for path in key_and_rest if keyfiles.waits(path)]
    if waiting and not _fit(key_and_rest):
        then = [keyfiles.staged(path) if path in waiting else path for path in key_and_rest]
        if _fit(then):
            return waiting
    if not keyfiles.waits(files.spare) or _agree(files.spare, files.spare_key):
        return []
    return [files.spare] if _agree(keyfiles.staged(files.spare), files.spare_key) else []


def left_over(files: TlsFiles) -> list[Path]:
    """What a cut-off replacement wrote and what never came into use, keys among it."""
    found = CertificateFiles(files.certificate.parent)
    kept = _kept(files.key)
    paths = (*found.all(), files.key, files.certificate, kept, files.spare_key, files.spare)
    if unfinished(files):
        return []
    return [keyfiles.staged(path) for path in dict.fromkeys(paths) if keyfiles.waits(path)]


def _fit(paths: Sequence[Path]) -> bool:
    """Whether both certificates are those of their keys; of the authority, what can be read."""
    authority_key, key, authority, certificate = paths
    return _agree(certificate, key) is True and _agree(authority, authority_key) is not False


def _agree(public: Path, private: Path) -> bool | None:
    """Whether a certificate or public key belongs to a private key; None if it cannot be seen."""
    try:
        key = tls.load_key(private).public_key().public_bytes(_DER, _SPKI)
        return _pin(key) == _pin_of(public)
    except (BadCertificateFile, FileNotFoundError):
        return None


def _pin_of(public: Path) -> Pin:
    """The pin of a public key, or of the key in a certificate. Raises `BadCertificateFile`."""
    try:
        return _pin(_public(public))
    except BadCertificateFile:
        return tls.spki_pin(tls.load_certificates(public)[0])


def _forget_used_spare(files: TlsFiles) -> None:
    """A spare that has come into use is none any more. Raises `BadCertificateFile`, OSError."""
    if files.spare_pin() != tls.spki_pin(tls.load_certificates(files.certificate)[0]):
        return
    if _agree(files.spare, files.spare_key):
        files.spare_key.unlink()
    files.spare.unlink()


def _replace(
    files: TlsFiles, key: ec.EllipticCurvePrivateKey, hosts: tuple[str, ...], days: int
) -> Renewed:
    """Sign a certificate for ``key`` with the names of the old one and ``hosts``.

    The key that it replaces is kept as ``….key.old``. Raises `BadCertificateFile`, `BadHostName`,
    `RotationRefused`, OSError.
    """
    with keyfiles.alone(files.certificate.parent):
        old = tls.load_certificates(files.certificate)[0]
        authority, authority_key = _authority(files.certificate, old)
        names = dict.fromkeys([*_names(old), *map(certificates.general_name, hosts)])
        new = certificates.server_certificate(
            key, tuple(names), days, authority, authority_key, dt.datetime.now(dt.UTC)
        )
        pieces = [Piece(files.certificate, new.public_bytes(_PEM), 0o644)]
        if tls.spki_pin(new) != tls.spki_pin(old):
            keyfiles.place([Piece(_kept(files.key), files.key.read_bytes(), 0o600)])
            pieces.insert(0, Piece(files.key, certificates.private_pem(key), 0o600))
        keyfiles.place(pieces)
        for dead in left_over(files):
            dead.unlink()
    return Renewed(
        tls.spki_pin(new), tuple(str(name.value) for name in names), new.not_valid_after_utc
    )


def _kept(key: Path) -> Path:
    """Where the key of before lies."""
    return key.with_name(key.name + ".old")


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
