"""TLS for both ends: contexts, trust in a server's key, and one connection over a socket.

TLS 1.3 only (RFC 8446). The key exchange is OpenSSL's own preference, which offers X25519MLKEM768
first and X25519 and P-256 beside it, so that any TLS 1.3 client connects. No session is ever
resumed and no early data taken, so that every connection proves the server's key again.
"""

import errno
import os
import ssl
import sys
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.bindings.openssl.binding import Binding
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from OpenSSL import SSL, crypto

from secure_chat.errors import BadCertificateFile, CertificateRefused, Reason
from secure_chat.protocol.invite import Pin
from secure_chat.protocol.signing import EXPORTER_LABEL, EXPORTER_SIZE

_V = SSL.X509VerificationCodes
_REFUSALS = {
    _V.ERR_CERT_HAS_EXPIRED: "its certificate has expired",
    _V.ERR_CERT_NOT_YET_VALID: "its certificate is not valid yet (check this machine's clock)",
    _V.ERR_DEPTH_ZERO_SELF_SIGNED_CERT: "no authority known here has signed its certificate",
    _V.ERR_SELF_SIGNED_CERT_IN_CHAIN: "no authority known here has signed its certificate",
    _V.ERR_UNABLE_TO_GET_ISSUER_CERT: "no authority known here has signed its certificate",
    _V.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "no authority known here has signed its certificate",
    _V.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: "no authority known here has signed its certificate",
    _V.ERR_INVALID_PURPOSE: "its certificate is not one for servers",
    _V.ERR_CERT_SIGNATURE_FAILURE: "the signature on its certificate is wrong",
    62: "its certificate is for another name",  # X509_V_ERR_HOSTNAME_MISMATCH
    64: "its certificate is for another address",  # X509_V_ERR_IP_ADDRESS_MISMATCH
}
_ALERTS = {  # what OpenSSL says, in words for people
    "wrong version number": "what answers there does not speak TLS 1.3",
    "packet length too long": "what answers there does not speak TLS 1.3",
    "http request": "what answers there does not speak TLS 1.3",
    "unsupported protocol": "the other side does not offer TLS 1.3",
    "tlsv1 alert protocol version": "the other side does not offer TLS 1.3",
    "bad record mac": "a record was changed on its way",
    "decryption failed or bad record mac": "a record was changed on its way",
}


# ---------------------------------------------------------------- contexts


def server_context(cert: Path, key: Path) -> SSL.Context:
    """A context from PEM files: the certificate chain, the server's own first, and its key.

    A context that has served a connection does not change any more: build another to reload.
    Raises `BadCertificateFile`.
    """
    chain = load_certificates(cert)
    private = load_key(key)
    if _spki(chain[0]) != private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    ):
        raise BadCertificateFile(path=key, reason=f"it is not the key of {cert}")
    context = _context(SSL.TLS_SERVER_METHOD)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    try:
        context.use_certificate(chain[0])
        for other in chain[1:]:
            context.add_extra_chain_cert(other)
        context.use_privatekey(private)
    except (SSL.Error, crypto.Error, TypeError) as wrong:
        reason = f"TLS does not take it ({explain(wrong)})"
        raise BadCertificateFile(path=cert, reason=reason) from None
    return context


def client_context(host: str, pins: tuple[Pin, ...], ca_file: Path | None) -> SSL.Context:
    """A context that accepts one server and no other; it serves one connection.

    With pins: exactly those keys, whatever name and dates. Without: a chain to an authority of
    ``ca_file`` (None: those of the system), the name or address ``host``, and the dates. A
    refusal raises `CertificateRefused` out of the handshake. Raises `BadCertificateFile`.
    """
    context = _context(SSL.TLS_CLIENT_METHOD)
    if pins:
        context.set_verify(SSL.VERIFY_PEER, _PinCheck(host, pins))
        return context
    _trust_authorities(context, ca_file)
    _require_name(context, host)
    context.set_verify(SSL.VERIFY_PEER, _AuthorityCheck(host))
    return context


def _context(method: int) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_options(SSL.OP_NO_TICKET)
    # pyOpenSSL sets partial writes and moving buffers itself; an idle connection gives its
    # buffers back.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return context


def load_certificates(path: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file, at least one. Raises `BadCertificateFile`."""
    data = _read(path)
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        raise BadCertificateFile(path=path, reason="it holds no PEM certificate") from None


_Key = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)


def load_key(path: Path) -> _Key:
    """The private key of a PEM file. Raises `BadCertificateFile`."""
    data = _read(path)
    try:
        key = serialization.load_pem_private_key(data, None)
    except TypeError:
        reason = "the key is encrypted; give one without a password, readable by its owner only"
        raise BadCertificateFile(path=path, reason=reason) from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadCertificateFile(path=path, reason="it holds no usable PEM private key") from None
    if not isinstance(key, _Key):
        raise BadCertificateFile(path=path, reason="keys of this kind do not serve TLS")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as wrong:
        reason = (wrong.strerror or str(wrong)).lower()
        raise BadCertificateFile(path=path, reason=reason) from None


# ---------------------------------------------------------------- trust


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of a whole certificate, in hex."""
    return sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def spki_pin(certificate: x509.Certificate) -> Pin:
    """SHA-256 of the key of a certificate (SubjectPublicKeyInfo, DER), as in an invite link."""
    return Pin(sha256(_spki(certificate)).digest())


def peer_pin(tls: SSL.Connection) -> Pin | None:
    """The pin of the key that the other side has shown; None without a certificate."""
    certificate = tls.get_peer_certificate(as_cryptography=True)
    return None if certificate is None else spki_pin(certificate)


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


class _PinCheck:
    """The verify callback with pins: the server's own key decides, and nothing else."""

    def __init__(self, host: str, pins: tuple[Pin, ...]) -> None:
        self._host = host
        self._pins = pins

    def __call__(
        self, _tls: SSL.Connection, certificate: crypto.X509, _code: int, depth: int, _ok: int
    ) -> bool:
        # Certificates above the server's own say nothing here: the key is known already.
        if depth == 0:
            require_pin(self._host, certificate.to_cryptography(), self._pins)
        return True


def require_pin(server: object, certificate: x509.Certificate, pins: tuple[Pin, ...]) -> None:
    """Raise `CertificateRefused` unless the certificate's key is one of the pins."""
    try:
        found = spki_pin(certificate)
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateRefused(server=server, reason="its key is of an unknown kind") from None
    if found not in pins:
        reason = "its key is not the one that the invite link names"
        raise CertificateRefused(server=server, reason=reason)


class _AuthorityCheck:
    """The verify callback without pins: OpenSSL's verdict stands, put into words."""

    def __init__(self, host: str) -> None:
        self._host = host

    def __call__(
        self, _tls: SSL.Connection, _certificate: crypto.X509, code: int, _depth: int, ok: int
    ) -> bool:
        if not ok:
            other = Reason("its certificate failed check {code} of OpenSSL", code=code)
            raise CertificateRefused(server=self._host, reason=_REFUSALS.get(code, other))
        return True


def _trust_authorities(context: SSL.Context, ca_file: Path | None) -> None:
    if ca_file is None:
        context.set_default_verify_paths()
        if sys.platform == "win32":  # OpenSSL does not read the store of Windows
            _trust(context, [x509.load_der_x509_certificate(der) for der in _windows_roots()])
        return
    _trust(context, load_certificates(ca_file))


def _trust(context: SSL.Context, authorities: list[x509.Certificate]) -> None:
    store = context.get_cert_store()
    if store is None:
        raise RuntimeError("the TLS context has no certificate store")
    for authority in authorities:
        store.add_cert(crypto.X509.from_cryptography(authority))


def _windows_roots() -> list[bytes]:
    enumerate_store = getattr(ssl, "enum_certificates")  # noqa: B009 - exists on Windows only
    return [
        der
        for der, encoding, trust in enumerate_store("ROOT")
        if encoding == "x509_asn" and (trust is True or "1.3.6.1.5.5.7.3.1" in trust)
    ]


def _require_name(context: SSL.Context, host: str) -> None:
    """Make OpenSSL check the name or address itself (X509_check_host, RFC 9525).

    pyOpenSSL has no public call for it, so this one place uses its bindings; were they to change,
    connecting would fail, not the check. The subject's common name never counts.
    """
    bindings = Binding.lib
    param = bindings.SSL_CTX_get0_param(context._context)
    try:
        address = ip_address(host).packed
    except ValueError:
        name = dns_name(host)
        bindings.X509_VERIFY_PARAM_set_hostflags(
            param,
            bindings.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
            | bindings.X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
        )
        done = bool(name) and bindings.X509_VERIFY_PARAM_set1_host(param, name, len(name)) == 1
    else:
        done = bindings.X509_VERIFY_PARAM_set1_ip(param, address, len(address)) == 1
    if not done:
        raise CertificateRefused(server=host, reason="its name cannot be checked")


def dns_name(host: str) -> bytes:
    """A host name as it stands in certificates and in SNI. Raises `CertificateRefused`."""
    try:
        return host.rstrip(".").encode("ascii" if host.isascii() else "idna")
    except UnicodeError:
        raise CertificateRefused(server=host, reason="this cannot be a host's name") from None


# ---------------------------------------------------------------- a finished handshake


def exporter(tls: SSL.Connection) -> bytes:
    """The channel binding of RFC 9266, 32 bytes, equal on both ends; only after the handshake."""
    return tls.export_keying_material(EXPORTER_LABEL, EXPORTER_SIZE, b"")


def group(tls: SSL.Connection) -> str:
    """The negotiated key exchange by its TLS name, such as ``X25519MLKEM768``."""
    return _GROUPS.get(name := tls.get_group_name() or "", name)


_GROUPS = {"x25519": "X25519", "x448": "X448"}  # OpenSSL writes these in lower case


def explain(error: BaseException) -> str:
    """What an error of pyOpenSSL means; many of them carry no text of their own."""
    if isinstance(error, SSL.SysCallError):
        number, text = (*error.args, None, None)[:2]
        if number == -1:
            return "the other side closed the connection without saying so"
        if number in {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED}:
            return "the other side cut the connection"
        return os.strerror(number).lower() if isinstance(number, int) else str(text)
    for entry in error.args[0] if error.args and isinstance(error.args[0], list) else ():
        if reason := entry[-1]:
            return _ALERTS.get(reason) or Reason("TLS reports: {what}", what=reason)
    return "TLS failed without saying why"
