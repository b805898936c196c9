"""Stored sessions at moments of a conversation, as one version of the stored form writes them.

A file of an older version is never made again: it shows for ever that what was stored then goes on.
See make_vectors.py.
"""

from _vector_scenes import DAY, Encapsulations, Json, Party, Scene

HOUR = DAY // 24


class _Moments:
    """Writes down both sides' states, and what is on the way to them."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.moments: list[Json] = []

    def keep(self, shows: str, *waiting: tuple[Party, bytes, str]) -> None:
        """``waiting`` are bodies for a party, with the content that it must read."""
        scene = self._scene
        self.moments.append(
            {
                "shows": shows,
                "now_ms": scene.now,
                "states": {
                    party.name: party.sessions.serialize().hex()
                    for party in (scene.alice, scene.bob)
                },
                "waiting": [
                    {"to": party.name, "body": body.hex(), "content": content}
                    for party, body, content in waiting
                ],
            }
        )


def stored_states(kem: Encapsulations) -> Json:
    """Two sessions, gaps with holes in them, and every state of a post-quantum step."""
    scene = Scene(kem, "", one_time=False)
    parties = scene.file["parties"]  # as they were, with every prekey
    alice, bob, moments = scene.alice, scene.bob, _Moments(scene)

    def sealed(who: Party, content: str) -> tuple[Party, bytes, str]:
        return scene.other(who), scene.seal(who, content), content

    scene.start(alice)
    scene.say(alice, "hello")
    moments.keep("the initiator waits for a first answer", sealed(bob, "the first answer"))
    scene.say(bob, "another answer")
    scene.start(bob)
    moments.keep("a second session begins", sealed(bob, "on the second session"))
    scene.say(bob, "with the prefix")
    scene.say(alice, "so it is not needed any more")

    scene.now += DAY
    offer = sealed(bob, "with the offer")
    moments.keep("an offer is on the way", offer)
    scene.open(alice, offer[1])
    moments.keep("the answer is not sent yet", sealed(bob, "goes on"))
    answer = sealed(alice, "with the answer")
    moments.keep("the answer is on the way", answer)
    scene.open(bob, answer[1])
    moments.keep("the answer was received, and is not mixed yet", sealed(alice, "goes on"))
    scene.say(bob, "mixes")
    scene.say(alice, "has seen it")

    late = [sealed(bob, f"late {number}") for number in range(9)]
    scene.say(bob, "the first after a gap")
    scene.now += HOUR
    later = [sealed(bob, f"later {number}") for number in range(3)]
    scene.say(bob, "the first after another gap")
    for at in (1, 4, 5):
        scene.open(alice, late[at][1])
    scene.say(alice, "a turn")
    newest = [sealed(bob, f"newest {number}") for number in range(2)]
    scene.say(bob, "of the next chain")
    missing = [*late[:1], *late[2:4], *late[6:], *later, *newest]
    moments.keep("keys are stored for late messages of two chains", *missing)

    alice.sessions.drop_sessions()
    scene.start(alice)
    moments.keep("sessions were given up, and one begun anew", sealed(alice, "anew"))
    return {
        "shows": "what is stored goes on in every later version",
        "version": alice.sessions.serialize()[0],
        "parties": parties,
        "moments": moments.moments,
    }
