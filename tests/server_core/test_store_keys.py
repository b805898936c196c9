"""One-time keys in the store."""

from tests.server_core.support import World


def test_one_time_keys_add_up(world: World) -> None:
    """Keys of both kinds are published in portions."""
    alice = world.person("alice")
    alice.publish(3, kem=2)
    alice.publish(2, first=200)
