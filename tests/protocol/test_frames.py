"""Frames: any cut of the stream gives the same frames; claimed lengths cost nothing."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.errors import Code, ProtocolError
from secure_chat.protocol import limits
from secure_chat.protocol.frames import BrokenStream, Frame, FrameDecoder, encode_frame

frames = st.lists(st.tuples(st.binary(max_size=50), st.binary(max_size=300)), max_size=6)


@given(frames, st.lists(st.integers(1, 40), min_size=1))
def test_any_cut_of_the_stream_gives_the_same_frames(
    parts: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    """Frames come out whole and in order however TCP cuts the bytes."""
    stream = b"".join(encode_frame(header, body) for header, body in parts)
    decoder = FrameDecoder()
    seen: list[Frame] = []
    at = turn = 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        seen += decoder.feed(stream[at : at + step])
        at, turn = at + step, turn + 1
    assert seen == [Frame(header, body) for header, body in parts]
    assert not decoder.holds_partial_frame


@given(st.binary(max_size=400))
def test_garbage_raises_only_protocol_errors(data: bytes) -> None:
    """Any bytes are frames, the beginning of one, or a ProtocolError."""
    decoder = FrameDecoder()
    try:
        decoder.feed(data)
    except ProtocolError as error:
        assert error.code in (Code.BAD_FRAME, Code.TOO_LARGE)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\xff\xff\xff", Code.TOO_LARGE),
        ((limits.FRAME_BEFORE_LOGIN + 1).to_bytes(4, "big"), Code.TOO_LARGE),
        (b"\x00\x00\x00\x00", Code.BAD_FRAME),
        (b"\x00\x00\x00\x01", Code.BAD_FRAME),
        (b"\x00\x00\x00\x04\x00\x03ab", Code.BAD_FRAME),
    ],
)
def test_impossible_lengths_are_refused(data: bytes, code: Code) -> None:
    """A length above the limit or a header longer than its frame is refused when it is read."""
    with pytest.raises(ProtocolError) as caught:
        FrameDecoder().feed(data)
    assert caught.value.code is code


def test_login_raises_the_limit() -> None:
    """The same frame is too large before the login and welcome after it."""
    frame = encode_frame(b"{}", bytes(20_000))
    with pytest.raises(ProtocolError):
        FrameDecoder().feed(frame)
    decoder = FrameDecoder()
    decoder.logged_in()
    assert decoder.feed(frame) == [Frame(b"{}", bytes(20_000))]


def test_encoder_refuses_what_no_decoder_takes() -> None:
    """Frames above the largest limit are refused where they are made."""
    with pytest.raises(ProtocolError):
        encode_frame(b"{}", bytes(limits.FRAME_AFTER_LOGIN))
    with pytest.raises(ProtocolError):
        encode_frame(bytes(limits.KEY_HEADER + 1))


def test_attack_7_claimed_length_allocates_nothing() -> None:
    """A claim of 4 GiB is refused with less than 64 KiB allocated."""
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            FrameDecoder().feed(b"\xff\xff\xff\xff\x00\x10")
        assert tracemalloc.get_traced_memory()[1] < 64 * limits.KIB
    finally:
        tracemalloc.stop()


@given(frames, st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\1", b"\0\0\0\2\0\1"]))
def test_frames_before_a_broken_one_are_not_lost(
    parts: list[tuple[bytes, bytes]], broken: bytes
) -> None:
    """What came whole before the stream broke is handed over with the error."""
    stream = b"".join(encode_frame(header, body) for header, body in parts) + broken
    with pytest.raises(BrokenStream) as caught:
        FrameDecoder().feed(stream)
    assert caught.value.frames == [Frame(header, body) for header, body in parts]
