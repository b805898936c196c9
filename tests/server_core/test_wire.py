"""The short way of reading and writing the message path's headers equals the general one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from secure_chat.protocol import limits
from secure_chat.protocol.frames import FrameDecoder
from secure_chat.protocol.messages import (
    Accepted,
    Ack,
    Delivery,
    HeaderError,
    Pm,
    decode_client_header,
    decode_server_header,
    encode_header,
)
from secure_chat.protocol.wiretypes import DeliveryId
from secure_chat.server.core import wire
from secure_chat.server.core.wire import PmHeader

ids = st.binary(min_size=16, max_size=16).map(DeliveryId)
numbers = st.integers(0, 2**53 - 1) | st.sampled_from([0, 1, 10**15 - 1, 10**15, 2**53 - 1])
users = st.from_regex(r"[a-z][a-z0-9_.-]{2,31}", fullmatch=True)
addresses = st.builds("{}/{}".format, users, st.from_regex(r"[a-z0-9_.-]{1,32}", fullmatch=True))


def mutations(header: bytes) -> st.SearchStrategy[bytes]:
    """Headers that are nearly right: a byte replaced, removed, added or doubled."""
    place = st.integers(0, len(header))
    return st.one_of(
        st.tuples(place, st.binary(max_size=3), st.integers(0, 3)).map(
            lambda t: header[: t[0]] + t[1] + header[t[0] + t[2] :]
        ),
        st.tuples(place, place).map(lambda t: header[: t[0]] + header[t[1] :]),
    )


@settings(deadline=None)  # a busy machine is no failure
@given(st.builds(Pm, ids, addresses, numbers, st.booleans()))
def test_a_canonical_pm_reads_alike_both_ways(message: Pm) -> None:
    """The pattern takes what an honest client writes, with the same meaning."""
    short = wire.read_pm(encode_header(message))
    if short is None:
        assert message.manifest >= 10**15  # left to the general decoder
    else:
        expected = PmHeader(
            wire.letters_of(message.id), message.to, message.manifest, message.transient
        )
        assert short == expected
        assert wire.id_of(short.id) == message.id


@settings(deadline=None)  # a busy machine is no failure
@given(st.data())
def test_what_the_short_way_takes_the_general_decoder_takes_too(data: st.DataObject) -> None:
    """Nothing gets in by the pattern that would be refused otherwise."""
    message = data.draw(
        st.builds(Pm, ids, addresses, numbers, st.booleans()) | st.builds(Ack, numbers)
    )
    header = data.draw(mutations(encode_header(message)))
    pm, seq = wire.read_pm(header), wire.read_ack(header)
    try:
        general = decode_client_header(header)
    except HeaderError:
        assert pm is None
        assert seq is None
        return
    if pm is not None:
        assert isinstance(general, Pm)
        assert (pm.to, pm.manifest, pm.transient) == (
            general.to,
            general.manifest,
            general.transient,
        )
    if seq is not None:
        assert general == Ack(seq)


@settings(deadline=None)  # a busy machine is no failure
@given(numbers)
def test_acks_read_alike_both_ways(seq: int) -> None:
    """An ack's number is the same, or left to the general decoder."""
    assert wire.read_ack(encode_header(Ack(seq))) in {seq, None}
    assert wire.read_ack(b'{"type":"ack","seq":7}') == 7


@settings(deadline=None)  # a busy machine is no failure
@given(ids, numbers, st.integers(1, 2**53 - 1), addresses, st.binary(max_size=2000))
def test_what_is_written_is_what_the_table_says(
    name: DeliveryId, seq: int, time: int, sender: str, body: bytes
) -> None:
    """Frames of accepted and delivered messages are byte for byte those of messages.py."""
    letters = wire.letters_of(name)
    decoder = FrameDecoder(limits.FRAME_AFTER_LOGIN)
    delivery = wire.delivery(letters, seq, time, sender.encode(), body)
    (first, second) = decoder.feed(delivery + wire.accepted(letters))
    assert first.header == encode_header(Delivery(name, seq, time, sender))
    assert first.body == body
    assert decode_server_header(second.header) == Accepted(name)
    assert second.body == b""
