"""The typed content inside the encryption: one form for each, nothing else accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client import content
from secure_chat.client.content import Content, ContentId, Payload
from secure_chat.errors import BadEncoding, BadText, TextTooLong
from secure_chat.protocol import limits

ids = st.binary(min_size=16, max_size=16).map(ContentId)
numbers = st.integers(0, 2**64 - 1)
texts = st.text(min_size=1, max_size=200)
receipts = st.builds(
    content.Receipt,
    st.lists(ids, min_size=1, max_size=content.RECEIPT_IDS).map(tuple),
    st.booleans(),
)
payloads: st.SearchStrategy[Payload] = st.one_of(
    st.builds(content.Text, texts),
    receipts,
    st.just(content.Turn()),
    st.just(content.SessionLost()),
)
contents = st.builds(Content, ids, numbers, payloads, numbers, numbers)


@given(contents)
def test_what_is_encoded_comes_back(sent: Content) -> None:
    """decode(encode(c)) == c, and the payload alone too, as the outbox keeps it."""
    assert content.decode(content.encode(sent)) == sent
    kind = content.kind_of(sent.payload)
    assert content.decode_payload(kind, content.encode_payload(sent.payload)) == sent.payload


@given(st.binary(max_size=400))
def test_garbage_raises_only_bad_encoding(data: bytes) -> None:
    """Whatever a contact encrypts, decoding gives a content or one named error."""
    try:
        decoded = content.decode(data)
    except BadEncoding:
        return
    if not isinstance(decoded.payload, content.Unknown | content.Profile):
        # The flags of a known type are for others, a name is cleaned; the rest has only one form.
        again = content.encode(decoded)
        assert again[:1] + again[2:] == data[:1] + data[2:]


@given(contents, st.integers(0, 200))
def test_a_cut_content_is_never_taken_for_another_of_its_type(sent: Content, cut: int) -> None:
    """A truncated one is refused, or a text that is shorter: the AEAD outside forbids that."""
    data = content.encode(sent)[: -1 - cut]
    try:
        decoded = content.decode(data)
    except BadEncoding:
        return
    assert decoded != sent


@given(contents, st.integers(2, 255), st.booleans())
def test_a_newer_version_or_type_is_shown_or_silent_as_its_sender_set(
    sent: Content, version: int, show: bool
) -> None:
    """The first two bytes stay where they are in every version."""
    data = content.encode(sent)
    newer = bytes([version, int(show)]) + data[2:]
    assert content.decode(newer).payload == content.Unknown(show)
    other = data[:1] + bytes([int(show)]) + (60_000).to_bytes(2, "big") + data[4:]
    assert content.decode(other).payload == content.Unknown(show)


def test_what_changes_what_people_read_asks_to_be_shown() -> None:
    """Receipts, turns, reactions, typing and names stay silent in a client without them."""
    shown = {
        kind: content.assemble(Content(ContentId(bytes(16)), 0, content.Turn()), kind, b"")[1] & 1
        for kind in content.Type
    }
    assert {kind for kind, bit in shown.items() if not bit} == {
        content.Type.DELIVERED,
        content.Type.READ,
        content.Type.TURN,
        content.Type.REACTION,
        content.Type.TYPING,
        content.Type.PROFILE,
    }


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"\xc3", b"\xed\xa0\x80", b"x" * (limits.TEXT + 1)]
)
def test_a_text_that_is_none_is_refused(payload: bytes) -> None:
    """Empty, not UTF-8, surrogates and too long: whatever a modified client sends."""
    head = Content(ContentId(bytes(16)), 0, content.Turn())
    with pytest.raises(BadEncoding):
        content.decode(content.assemble(head, content.Type.TEXT, bytes(4) + payload))


def test_what_may_be_sent() -> None:
    """The limit counts bytes of UTF-8, not characters."""
    assert content.checked_text("x" * limits.TEXT)
    with pytest.raises(TextTooLong):
        content.checked_text("x" * (limits.TEXT + 1))
    with pytest.raises(TextTooLong):
        content.checked_text("ش" * (limits.TEXT // 2 + 1))
    for text in ("", "\udc80"):
        with pytest.raises(BadText):
            content.checked_text(text)


def test_a_receipt_names_at_most_so_many_messages() -> None:
    """Neither none nor more than fit; half an id is none."""
    head = Content(ContentId(bytes(16)), 0, content.Turn())
    for payload in (b"", bytes(15), bytes(17), bytes(16 * (content.RECEIPT_IDS + 1))):
        with pytest.raises(BadEncoding):
            content.decode(content.assemble(head, content.Type.READ, payload))
