"""Profiles: made once, opened by password, bound to one server."""

from pathlib import Path

import pytest

from secure_chat.client import profile
from secure_chat.client.events import ConnectionChanged, ConnectionState
from secure_chat.client.profile import create_profile, list_profiles, open_profile
from secure_chat.errors import (
    BadAddress,
    BadInviteLink,
    BadPassword,
    CertificateRefused,
    ProfileExists,
    WrongPassword,
    WrongServer,
)
from secure_chat.protocol.invite import InviteLink, Pin, ServerAddress
from secure_chat.protocol.wiretypes import InviteToken, ServerId
from tests.client.world import PASSWORD, World

LINK = InviteLink(ServerAddress("chat.example"), None, (Pin(b"p" * 32),), InviteToken(b"i" * 16))


def test_a_profile_keeps_what_it_was_made_with(tmp_path: Path) -> None:
    """Name in its canonical form, link and CA file come back; nothing else is needed to open it."""
    made = create_profile(tmp_path / "a", LINK, "Ali.Reza", PASSWORD, ca_file=Path("ca.pem"))
    made.close()
    again = open_profile(tmp_path / "a", PASSWORD)
    assert (again.user_id, again.device, again.link) == ("ali.reza", "main", LINK)
    assert again.ca_file == Path("ca.pem").absolute()
    again.close()
    with pytest.raises(WrongPassword):
        open_profile(tmp_path / "a", "another")


def test_what_cannot_become_a_profile_leaves_nothing(tmp_path: Path) -> None:
    """A bad name or password is refused before anything is written; nothing is overwritten."""
    with pytest.raises(BadAddress):
        create_profile(tmp_path / "a", LINK, "1x", PASSWORD)
    for short in ("", "a", "seven 7"):
        with pytest.raises(BadPassword):
            create_profile(tmp_path / "a", LINK, "alice", short)
    assert not (tmp_path / "a").exists()
    create_profile(tmp_path / "a", LINK, "alice", PASSWORD).close()
    with pytest.raises(ProfileExists):
        create_profile(tmp_path / "a", LINK, "bob", PASSWORD)


def test_profiles_are_found_by_their_folders(tmp_path: Path) -> None:
    """Only finished profiles are listed; the default place is in the user's own data folder."""
    assert list_profiles(tmp_path / "none") == []
    for name in ("b", "a"):
        create_profile(tmp_path / name, LINK, "alice", PASSWORD).close()
    (tmp_path / "unfinished").mkdir()
    assert list_profiles(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert "secure_chat" in profile.default_root().parts


def test_a_profile_stays_with_its_server(world: World) -> None:
    """Another address of the same server is fine, another server is not."""
    alice = world.person("alice")
    own = alice.engine._profile
    server_id = world.server.store.server_id
    moved = InviteLink(world.server.link().server, server_id, world.server.link().pins)
    own.use_link(moved)
    with pytest.raises(BadInviteLink, match="another server"):
        own.use_link(InviteLink(moved.server, ServerId(b"x" * 16), moved.pins))
    alice = world.again(alice)
    assert alice.engine._profile.link == moved


def test_a_link_to_somebody_else_stops_before_a_byte_was_said(world: World) -> None:
    """A new profile under a wrong pin or server id waits for the person, with the reason."""
    true = world.server.link()
    for name, link, error in (
        ("alice", InviteLink(true.server, None, (Pin(b"p" * 32),)), CertificateRefused),
        ("carol", InviteLink(true.server, ServerId(b"x" * 16), true.pins), WrongServer),
    ):
        client = world.person(name, link=link, start=False)
        client.engine.start()
        client.wait(lambda: client.state is ConnectionState.STOPPED)  # noqa: B023 - waits here
        assert isinstance(client.of(ConnectionChanged)[-1].problem, error)
    assert world.server.meddler.asked == []
