"""Contexts and pins: bad files are sentences, a pin is the hash of the key."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from OpenSSL import SSL

from secure_chat.errors import BadCertificateFile
from secure_chat.tls import client_context, explain, load_certificates, server_context, spki_pin
from tests.transport.support import Authority, Identity


def pem(key: ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey, password: bytes | None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def test_a_pin_is_the_hash_of_the_subject_public_key_info(identity: Identity) -> None:
    """SHA-256 over the DER of the public key, as `openssl pkey -pubout -outform DER` gives it."""
    [certificate] = load_certificates(identity.cert)
    key = serialization.load_pem_private_key(identity.key.read_bytes(), None)
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert spki_pin(certificate) == hashlib.sha256(der).digest() == identity.pin
    assert der in certificate.tbs_certificate_bytes


def test_missing_and_damaged_files_are_sentences(identity: Identity, tmp_path: Path) -> None:
    """Each way in which the two files can be wrong names the file and the reason."""
    bad = tmp_path / "bad.pem"
    other = ec.generate_private_key(ec.SECP256R1())
    cases: list[tuple[Path, Path, bytes | None, str]] = [
        (bad, identity.key, None, "no such file"),
        (identity.cert, bad, None, "no such file"),
        (tmp_path, identity.key, None, "is a directory"),
        (bad, identity.key, b"", "no PEM certificate"),
        (bad, identity.key, b"\xff\xfe garbage", "no PEM certificate"),
        (bad, identity.key, identity.key.read_bytes(), "no PEM certificate"),
        (identity.cert, bad, b"garbage", "no usable PEM private key"),
        (identity.cert, bad, identity.cert.read_bytes(), "no usable PEM private key"),
        (identity.cert, bad, pem(other, b"secret"), "the key is encrypted"),
        (identity.cert, bad, pem(other, None), "it is not the key of"),
        (identity.cert, bad, pem(x25519.X25519PrivateKey.generate(), None), "of this kind"),
    ]
    for cert, key, content, words in cases:
        bad.unlink(missing_ok=True)
        if content is not None:
            bad.write_bytes(content)
        wrong = cert if cert != identity.cert else key
        with pytest.raises(BadCertificateFile, match=words) as caught:
            server_context(cert, key)
        assert str(wrong) in str(caught.value)
        assert "BEGIN" not in str(caught.value)


def test_a_bad_ca_file_is_a_sentence(tmp_path: Path) -> None:
    """A CA file that is missing or holds no certificate is refused before connecting."""
    missing = tmp_path / "ca.pem"
    with pytest.raises(BadCertificateFile, match="no such file"):
        client_context("localhost", (), missing)
    missing.write_text("nothing")
    with pytest.raises(BadCertificateFile, match="no PEM certificate"):
        client_context("localhost", (), missing)


def test_checking_cannot_be_switched_off(identity: Identity, authority: Authority) -> None:
    """Every client context verifies: there is no argument that gives another one."""
    for pins in ((), (identity.pin,)):
        context = client_context("localhost", pins, None)
        assert context.get_verify_mode() == SSL.VERIFY_PEER


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SSL.Error(), "TLS failed without saying why"),
        (SSL.Error([]), "TLS failed without saying why"),
        (SSL.Error([("", "", "")]), "TLS failed without saying why"),
        (SSL.Error([("SSL routines", "", "no shared cipher")]), "TLS reports: no shared cipher"),
        (SSL.SysCallError(-1, "Unexpected EOF"), "closed the connection without saying so"),
        (SSL.SysCallError(104, "ECONNRESET"), "cut the connection"),
    ],
)
def test_errors_without_text_get_one(error: SSL.Error, words: str) -> None:
    """Whatever pyOpenSSL raises, a sentence comes of it."""
    assert words in explain(error)
