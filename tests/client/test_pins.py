"""Which keys a profile trusts its server by: learnt over pinned connections, and never loosened."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.client.engine.pins import PinKeeper
from secure_chat.client.profile import Profile, create_profile
from secure_chat.protocol.invite import InviteLink, Pin, ServerAddress

OLD, NEW, SPARE, FOREIGN = (Pin(bytes([n]) * 32) for n in range(4))
PLACE = ServerAddress("chat.example.org", 7443)


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[Profile]:
    made = create_profile(tmp_path / "p", InviteLink(PLACE, None, (OLD,)), "alice", "a" * 12)
    yield made
    made.close()


def test_a_spare_is_learnt_on_a_pinned_connection(profile: Profile) -> None:
    """Told the list, the profile keeps it, in its order, also on disk."""
    keeper = PinKeeper(profile)
    keeper.greeted(OLD)
    keeper.told([OLD, SPARE])
    assert profile.link.pins == (OLD, SPARE)
    assert Profile(profile.vault).link.pins == (OLD, SPARE)


def test_a_list_without_the_connections_key_is_no_news(profile: Profile) -> None:
    """A server cannot talk a client out of the key that it has just shown."""
    keeper = PinKeeper(profile)
    keeper.greeted(OLD)
    keeper.told([FOREIGN])
    assert profile.link.pins == (OLD,)


def test_a_profile_without_pins_gets_none(profile: Profile) -> None:
    """Who trusts by authority and name goes on so, whatever a server tells."""
    profile.use_link(InviteLink(PLACE))
    keeper = PinKeeper(profile)
    keeper.greeted(NEW)
    keeper.told([NEW, SPARE])
    assert profile.link.pins == ()


def test_attack_1_a_replaced_key_is_not_trusted_again(profile: Profile) -> None:
    """When the spare has been shown, the key before it is dropped; the others stay."""
    profile.use_link(InviteLink(PLACE, None, (OLD, NEW, SPARE)))
    keeper = PinKeeper(profile)
    keeper.greeted(NEW)
    assert profile.link.pins == (NEW, SPARE)
    keeper.greeted(OLD)  # never happens: the connection was refused
    assert profile.link.pins == (NEW, SPARE)
