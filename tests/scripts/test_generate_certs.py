"""scripts/generate_certs.py, run as a command; an independent verifier judges what it makes."""

import base64
import datetime as dt
import hashlib
import ipaddress
import os
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from secure_chat.errors import BadHostName
from secure_chat.server import certificates

from .conftest import Run

pytestmark = pytest.mark.usefixtures("environment")
FILES = {"ca.key", "ca.pem", "server.key", "server.pem"}


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def verify(folder: Path, subject: x509.GeneralName) -> None:
    store = Store([load(folder / "ca.pem")])
    assert isinstance(subject, x509.DNSName | x509.IPAddress)
    PolicyBuilder().store(store).build_server_verifier(subject).verify(
        load(folder / "server.pem"), []
    )


def test_a_certificate_for_every_name(run: Run, tmp_path: Path) -> None:
    """localhost, both loopback addresses and each --host are accepted, other names are not."""
    out = tmp_path / "certs"
    done = run(
        "scripts/generate_certs.py", "--out", out, "--host", "chat.example.org",
        "--host", "192.0.2.7", "--host", "2001:db8::7",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir()} == FILES
    for name in ("localhost", "chat.example.org"):
        verify(out, x509.DNSName(name))
    for address in ("127.0.0.1", "::1", "192.0.2.7", "2001:db8::7"):
        verify(out, x509.IPAddress(ipaddress.ip_address(address)))
    with pytest.raises(VerificationError):
        verify(out, x509.DNSName("other.example.org"))


def test_key_usages_allow_one_thing_each(tmp_path: Path) -> None:
    """The authority signs certificates only, the server's key serves TLS only."""
    certificates.generate(tmp_path)
    authority, server = load(tmp_path / "ca.pem"), load(tmp_path / "server.pem")
    limits = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert limits.critical
    assert limits.value == x509.BasicConstraints(ca=True, path_length=0)
    usage = authority.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert not usage.digital_signature
    usage = server.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    purposes = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_the_printed_pin_is_the_key(run: Run, tmp_path: Path) -> None:
    """The pin is SHA-256 over the server's public key (SPKI), in base64url."""
    done = run("scripts/generate_certs.py", "--out", tmp_path / "c")
    spki = load(tmp_path / "c/server.pem").public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    pin = base64.urlsafe_b64encode(hashlib.sha256(spki).digest()).decode().rstrip("=")
    assert done.stdout.splitlines()[-1].split() == ["pin", pin]


def test_nothing_is_overwritten_without_force(run: Run, tmp_path: Path) -> None:
    """A second run changes no byte; with --force all four files are new."""
    out = tmp_path / "certs"
    run("scripts/generate_certs.py", "--out", out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    refused = run("scripts/generate_certs.py", "--out", out)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert "--force" in refused.stderr
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    forced = run("scripts/generate_certs.py", "--out", out, "--force")
    assert forced.returncode == 0
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    assert set(after) == FILES
    assert all(after[name] != before[name] for name in FILES)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize("force", [False, True])
def test_attack_68_private_keys_are_the_owners_under_any_umask(tmp_path: Path, force: bool) -> None:
    """Keys are 0600 although the umask would let everybody read, also when replaced."""
    if force:
        certificates.generate(tmp_path)
    old = os.umask(0)
    try:
        certificates.generate(tmp_path, force=force)
    finally:
        os.umask(old)
    for name in ("ca.key", "server.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_days_are_kept(tmp_path: Path) -> None:
    """--days counts from now; the start is an hour earlier for clocks that are behind."""
    now = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    certificates.generate(tmp_path, days=10, now=now)
    server = load(tmp_path / "server.pem")
    assert server.not_valid_after_utc == now + dt.timedelta(days=10)
    assert server.not_valid_before_utc == now - dt.timedelta(hours=1)


@pytest.mark.parametrize(
    "words",
    [["--days", "0"], ["--days", "x"], ["--host", "a b"], ["--host", ""], ["--nonsense"],
     ["--host", "300.1.2.3"], ["--out", os.devnull]],
)  # fmt: skip
def test_wrong_arguments_are_one_line(run: Run, tmp_path: Path, words: list[str]) -> None:
    """A wrong argument is named in one line, with exit code 2, and nothing is made."""
    out = [] if "--out" in words else ["--out", tmp_path / "certs"]
    done = run("scripts/generate_certs.py", *out, *words)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("generate_certs.py: ")
    assert not (tmp_path / "certs").exists()


@pytest.mark.parametrize(
    "host", ["chat.example.org", "xn--mgbh0fb.example", "مثال.example", "[::1]"]
)
def test_names_of_every_kind(host: str) -> None:
    """International names are written in their ASCII form, brackets around an address fall away."""
    assert str(certificates.general_name(host).value).isascii()


@pytest.mark.parametrize(
    "host", ["-a.org", "a..org", "*.example.org", "a_b", "x" * 64, "1.2.3.4.5"]
)
def test_names_that_are_none(host: str) -> None:
    """What no client could match is refused instead of certified."""
    with pytest.raises(BadHostName):
        certificates.general_name(host)
