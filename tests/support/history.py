"""What was sent, promised and received in a storm, and whether all of it fits together."""

from dataclasses import dataclass, field

from secure_chat.protocol.wiretypes import DeliveryId


@dataclass
class History:
    """One sender's messages to one receiver. Ids and bodies in the order of sending."""

    sent: dict[DeliveryId, bytes] = field(default_factory=dict)
    accepted: set[DeliveryId] = field(default_factory=set)
    received: list[tuple[DeliveryId, bytes]] = field(default_factory=list)  # repeats included
    _by_sequence: dict[int, DeliveryId] = field(default_factory=dict)
    _in_this_life: dict[DeliveryId, int] = field(default_factory=dict)

    def server_started(self) -> None:
        """A server that was killed may have forgotten what it handed over and nobody accepted."""
        self._in_this_life.clear()

    def take(self, delivery_id: DeliveryId, sequence: int, body: bytes) -> None:
        """A delivery arrives; what comes again has its sequence of the first time."""
        first = self._by_sequence.setdefault(sequence, delivery_id)
        assert first == delivery_id, "a sequence was given to two messages"
        before = self._in_this_life.setdefault(delivery_id, sequence)
        assert before == sequence, "a message came twice"
        self.received.append((delivery_id, body))

    @property
    def open(self) -> list[tuple[DeliveryId, bytes]]:
        """Sent and not accepted: what a client repeats, in order."""
        return [pair for pair in self.sent.items() if pair[0] not in self.accepted]

    def check(self) -> None:
        """Raise AssertionError unless nothing accepted is lost, doubled, changed or reordered."""
        first: dict[DeliveryId, bytes] = {}
        for delivery_id, body in self.received:
            assert self.sent.get(delivery_id) == body, "a message was invented or changed"
            assert first.setdefault(delivery_id, body) == body, "one id came with two bodies"
        lost = self.accepted - first.keys()
        assert not lost, f"{len(lost)} accepted messages of {len(self.accepted)} are lost"
        order = {delivery_id: n for n, delivery_id in enumerate(self.sent)}
        places = [order[delivery_id] for delivery_id in first]
        assert places == sorted(places), "messages overtook each other"
