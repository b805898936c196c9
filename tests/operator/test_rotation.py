"""``rotate-cert``: new certificates under standing connections, and keys that clients trust."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat import tls
from secure_chat.client.link import Endpoint, connect
from secure_chat.errors import CertificateRefused
from secure_chat.protocol.invite import InviteLink, Pin
from tests.support.processes import Finished, Person, ServerProcess
from tests.support.raw_client import RawClient

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "server", registration="invite") as running:
        yield running


def certs(server: ServerProcess) -> Path:
    return server.folder / "certs"


def rotate(server: ServerProcess, *words: str) -> Finished:
    return server.command("rotate-cert", "--key", str(certs(server) / "server.key"), *words)


def invited(server: ServerProcess) -> InviteLink:
    done = server.command("invite")
    assert done.code == 0, done.err
    return InviteLink.parse(done.out.strip())


def reaches(link: InviteLink, pins: tuple[Pin, ...] | None = None) -> bool:
    """Whether a client that trusts these pins trusts the server."""
    chosen = link.pins if pins is None else pins
    try:
        connect(Endpoint(link.server, link.server_id, chosen), timeout=60).close()
    except CertificateRefused:
        return False
    return True


def serial(server: ServerProcess) -> int:
    return tls.load_certificates(certs(server) / "server.pem")[0].serial_number


def test_a_renewal_drops_nobody_and_keeps_the_pin(server: ServerProcess) -> None:
    """A connection that stands goes on, a new one meets the new certificate under the old pin."""
    link, before = invited(server), serial(server)
    key = (certs(server) / "server.key").read_bytes()
    with RawClient.register(server.port, "alice", link.invite) as alice:
        done = rotate(server, "--add-name", "chat.example.org")
        assert done.code == 0, done.err
        assert "The key and its pin are the same" in done.out
        assert "uses it for new connections" in done.out
        assert alice.users().users  # the connection stands
        assert serial(server) != before
        assert reaches(link)
        by_authority = Endpoint(link.server, link.server_id, (), server.ca_file)
        connect(by_authority, timeout=60).close()
    assert (certs(server) / "server.key").read_bytes() == key
    assert "chat.example.org" in done.out
    assert "localhost" in done.out


def test_a_spare_key_takes_over_and_its_clients_go_on(
    server: ServerProcess, tmp_path: Path
) -> None:
    """Who joined by a link with both pins notices nothing, on the very next connection."""
    before = invited(server)
    made = rotate(server, "--spare")
    assert made.code == 0, made.err
    assert "it goes on with the key of now" in made.out
    spare = certs(server) / "server.spare.key"
    assert stat.S_IMODE(spare.stat().st_mode) == 0o600
    offline = tmp_path / "offline.key"
    spare.rename(offline)
    link = invited(server)
    assert len(link.pins) == 2
    assert link.pins[0] == before.pins[0]
    alice = Person("alice", tmp_path)
    assert alice.run("register", "--link", str(link), "--name", "alice").code == 0
    with alice.listen() as listening:
        done = rotate(server, "--use-spare", "--spare-key", str(offline))
        assert done.code == 0, done.err
        assert listening.process.poll() is None
    with alice.listen():
        pass
    assert reaches(link)
    assert reaches(link, link.pins[1:])
    assert not reaches(link, before.pins)
    assert invited(server).pins == link.pins[1:]
    assert (certs(server) / "server.key.old").exists()


def test_who_joined_before_the_spare_learns_it_and_forgets_a_stolen_key(
    server: ServerProcess, tmp_path: Path
) -> None:
    """The spare is learnt over a pinned connection; once in use, the old key is refused."""
    alice = Person("alice", tmp_path)
    link = invited(server)
    assert len(link.pins) == 1
    assert alice.run("register", "--link", str(link), "--name", "alice").code == 0
    stolen = {name: (certs(server) / name).read_bytes() for name in ("server.key", "server.pem")}
    assert rotate(server, "--spare").code == 0
    with alice.listen():  # one login is enough
        pass
    assert rotate(server, "--use-spare").code == 0
    with alice.listen():
        pass
    for name, data in stolen.items():  # whoever stole the old key shows it in our place
        (certs(server) / name).write_bytes(data)
    server.stop()
    server.start()
    refused = alice.send("nobody", "to a thief")
    assert refused.code != 0
    assert "its key is not the one that the invite link names" in refused.err


def test_a_new_key_is_said_before_it_is_made(server: ServerProcess) -> None:
    """Without --yes nothing changes; with it, pinned clients refuse, as was said."""
    link, before = invited(server), serial(server)
    refused = rotate(server, "--new-key")
    assert refused.code == 2
    assert "Every client that came by an invite link refuses the server" in refused.err
    assert "--yes" in refused.err
    assert serial(server) == before
    assert reaches(link)
    done = rotate(server, "--new-key", "--yes")
    assert done.code == 0, done.err
    assert not reaches(link)
    assert reaches(invited(server))


def test_what_cannot_be_done_is_one_line(server: ServerProcess) -> None:
    """Every refusal is said in one line, and the server's certificate stays."""
    before, authority = serial(server), certs(server) / "ca.key"
    refusals = {
        "there is no spare key": ["--use-spare"],
        "not allowed with": ["--spare", "--use-spare"],
        "neither a host name": ["--add-name", "a b"],
        "no number from 1": ["--days", "0"],
        "is not the key of": ["--key", str(authority)],
    }
    for said, words in refusals.items():
        done = rotate(server, *words)
        assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
        assert said in done.err
    assert rotate(server, "--spare").code == 0
    for said, words in {
        "is not the private key of": ["--use-spare", "--spare-key", str(authority)],
        "say with --spare-key where": ["--use-spare", "--spare-key", "nowhere"],
        "exists already": ["--spare"],
    }.items():
        done = rotate(server, *words)
        assert (done.code, said in done.err) == (2, True), done.err
    authority.rename(authority.with_suffix(".away"))
    done = rotate(server)
    assert (done.code, "Put them there for the moment" in done.err) == (2, True)
    assert serial(server) == before


def test_a_renewed_file_stays_readable_to_whom_it_was(server: ServerProcess) -> None:
    """Owner and mode of the old files are kept: the server's account can still read them."""
    certificate = certs(server) / "server.pem"
    certificate.chmod(0o640)
    assert rotate(server).code == 0
    assert stat.S_IMODE(certificate.stat().st_mode) == 0o640
