"""The bytes of contents: one form for each, every other byte string refused by name."""

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secure_chat.client import content
from secure_chat.client.content import Content, ContentId, Reference, Type
from secure_chat.client.content.check import (
    EDITS,
    NAME_BYTES,
    NAME_POINTS,
    TIMER_LONGEST,
    TIMER_SHORTEST,
    cleaned_name,
)
from secure_chat.crypto.files import FileKey
from secure_chat.errors import BadEncoding, BadName, BadReaction, BadText, BadTimer, TextTooLong
from secure_chat.protocol import limits
from tests.content.strategies import EMOJI, contents, payloads


@given(contents())
def test_what_is_encoded_is_read_back(taken: Content) -> None:
    """Every content comes back as it was, and its bytes are the only form of it."""
    data = content.encode(taken)
    assert content.decode(data) == taken
    assert content.encode(content.decode(data)) == data


@given(payloads)
def test_a_queued_payload_keeps_its_meaning(payload: content.Payload) -> None:
    """The outbox keeps type and payload apart: together they say the same again."""
    kind = content.kind_of(payload)
    assert content.decode_payload(kind, content.encode_payload(payload)) == payload


@given(st.binary(max_size=200))
@example(b"\x01\x01\x00\x01")
def test_any_bytes_end_in_a_content_or_the_named_error(data: bytes) -> None:
    """A peer's bytes, whatever they are, raise nothing but `BadEncoding`."""
    try:
        content.decode(data)
    except BadEncoding:
        pass


@given(st.sampled_from(Type), st.binary(max_size=80))
def test_any_payload_of_a_known_type_is_exact_or_refused(kind: Type, data: bytes) -> None:
    """No payload has two forms, except names, which are cleaned before anybody sees them."""
    try:
        payload = content.decode_payload(kind, data)
    except BadEncoding:
        return
    if kind not in {Type.PROFILE, Type.FILE}:
        assert content.encode_payload(payload) == data
    assert content.kind_of(payload) is kind


@given(st.sampled_from(Type), payloads)
def test_attack_30_a_payload_under_another_type_is_never_taken_for_its_own(
    kind: Type, payload: content.Payload
) -> None:
    """Every type at every handler: bytes mean what the authenticated type number says, or nothing.

    What a payload says under another number belongs to that number's rules: a text never becomes
    a receipt, a deletion or a request to send again that somebody made.
    """
    head = Content(ContentId(bytes(16)), 0, payload)
    try:
        read = content.decode(content.assemble(head, kind, content.encode_payload(payload)))
    except BadEncoding:
        return
    assert content.kind_of(read.payload) is kind
    assert (read.payload == payload) == (kind is content.kind_of(payload))


@given(st.integers(14, 65535), st.booleans(), st.binary(max_size=40))
def test_unknown_types_and_versions_keep_their_wish_to_be_seen(
    kind: int, show: bool, rest: bytes
) -> None:
    """A newer program's content is said or passed over, as its sender asked; never misread."""
    head = bytes([1, show]) + kind.to_bytes(2, "big") + bytes(56)
    assert content.decode(head + rest).payload == content.Unknown(show=show)
    assert content.decode(bytes([2, show]) + rest).payload == content.Unknown(show=show)


@pytest.mark.parametrize("emoji", EMOJI)
def test_emoji_of_all_kinds_may_be_reactions(emoji: str) -> None:
    """Joined families, skin tones, flags, keycaps and plain symbols."""
    assert content.checked_reaction(emoji) == emoji


@pytest.mark.parametrize(
    "text",
    [
        "ok",
        "👍 verified",
        "a👍",
        "\u202e👍",
        "👍\n",
        "\u200d",
        "7",
        "👍" * 17,
        "❤\u0301",
        "👍\ud800",
    ],
)
def test_words_and_marks_are_no_reactions(text: str) -> None:
    """A reaction cannot carry a sentence, a control character or a pile of combining marks."""
    with pytest.raises(BadReaction):
        content.checked_reaction(text)


@given(st.text(max_size=200))
@example("\u202eALI\u202c")
@example("e\u200b\u0301" * 60)
@example("\u200d\u200d")
@example("\u0958" * 64)
@example("e\u3164\u0301" * 60)
def test_a_display_name_is_one_short_visible_line(name: str) -> None:
    """Controls, bidi controls and line breaks are gone, whatever came; cleaning twice is once."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    clean = cleaned_name(name)
    assert cleaned_name(clean) == clean
    assert len(clean) <= NAME_POINTS
    assert len(clean.encode()) <= NAME_BYTES
    assert clean == clean.strip()
    for one in clean:
        assert one in " \u200c\u200d" or unicodedata.category(one)[0] in "LMNPS"
        assert one not in _WITHOUT_INK


_WITHOUT_INK = "\u115f\u1160\u2800\u3164\uffa0\U0001d159"
_IGNORABLE = "\u00ad\u034f\u17b4\u180b\u180e\u200b\u2060\u2065\ufe0f\ufeff\U000e0020\U000e0100"


@pytest.mark.parametrize("one", _WITHOUT_INK + _IGNORABLE, ids=lambda one: f"{ord(one):04x}")
def test_attack_72_a_name_of_invisible_letters_is_none(one: str) -> None:
    """Letters, symbols and marks without ink make no name, and add nothing to one."""
    for name in (one, one * 9, f"{one} \u200c{one}"):
        assert cleaned_name(name) == ""
        with pytest.raises(BadName, match="seen"):
            content.checked_name(name)
        profile = content.encode_payload(content.Profile(1, name))
        assert content.decode_payload(Type.PROFILE, profile) == content.Profile(1, "")
    if one in _WITHOUT_INK:
        assert cleaned_name(f"{one}A{one}li{one}") == "Ali"


def test_what_cannot_be_sent_is_said() -> None:
    """Each limit has its own words."""
    with pytest.raises(BadText):
        content.checked_text("")
    with pytest.raises(TextTooLong):
        content.checked_text("x" * (limits.TEXT + 1))
    for name in ("x" * (NAME_POINTS + 1), "\ud800", "\u202e\u200d"):
        with pytest.raises(BadName):
            content.checked_name(name)
    assert content.checked_name("  سارا\n") == "سارا"
    assert content.checked_name("") == ""
    for seconds in (-1, 1, TIMER_SHORTEST - 1, TIMER_LONGEST + 1):
        with pytest.raises(BadTimer):
            content.checked_timer(seconds)
    assert content.checked_timer(0) == 0


def _offer(size: int = 1, media: bytes = b"a/b", name: bytes = b"x", text: bytes = b"") -> bytes:
    head = bytes(5 + 32 + 32) + size.to_bytes(8, "big") + bytes([len(media)]) + media
    return head + len(name).to_bytes(2, "big") + name + text


_WRONG_OFFERS = (
    _offer(limits.FILE + 1),
    _offer(10**12),
    _offer(media=b"nothing"),
    _offer(media=b"a/" + b"b" * 127),
    _offer(media=b"\xff/x"),
    _offer(name=b""),
    _offer(name=b"x" * (limits.FILE_NAME + 1)),
    _offer(name=b"\xff"),
    _offer(text=b"x" * (limits.TEXT + 1)),
    _offer(text=b"\xff"),
    b"\0\0\0\1" + _offer()[4:],
    b"\0\0\0\0\2" + _offer()[5:],
    _offer()[:-1],
)


def test_a_good_offer_is_read() -> None:
    """The counterpart of the refused ones."""
    read = content.decode_payload(Type.FILE, _offer(name=b"../x", text="متن".encode()))
    assert isinstance(read, content.Text)
    assert read.file is not None
    assert (read.text, read.file.name, read.file.size) == ("متن", "_._x", 1)


def test_attack_61_a_claimed_terabyte_is_refused_with_the_message() -> None:
    """Nobody is even offered a file larger than the protocol allows."""
    with pytest.raises(BadEncoding):
        content.decode_payload(Type.FILE, _offer(10**12))


def test_what_is_out_of_range_is_refused() -> None:
    """A receiver keeps the limits that a sender keeps."""
    identity = ContentId(bytes(16))
    wrong: list[tuple[Type, bytes]] = [
        (Type.TEXT, b"\0\0\0\0"),
        (Type.TEXT, b"\0\0\0\1x"),
        (Type.TEXT, b"\0\0\0\0" + b"x" * (limits.TEXT + 1)),
        (Type.TEXT, b"\0\0\0\0\xff"),
        (Type.REPLY, b"\0\0\0\0\2" + identity + b"x"),
        (Type.EDIT, identity + b"\0\0\0\0x"),
        (Type.EDIT, identity + (EDITS + 1).to_bytes(4, "big") + b"x"),
        (Type.DELETE, identity + b"x"),
        (Type.REACTION, b"\0" + identity + b"\0\0\0\0"),
        (Type.REACTION, b"\0" + identity + b"\0\0\0\1ok"),
        (Type.TIMER, bytes(8) + b"\0\0\0\0"),
        (Type.TIMER, bytes(7) + b"\1" + b"\xff\xff\xff\xff"),
        (Type.TYPING, b"\2"),
        (Type.PROFILE, bytes(4)),
        (Type.TIMER, b"\xff" * 8 + bytes(4)),
        (Type.PROFILE, bytes(3) + b"\1" + b"x" * (NAME_BYTES + 1)),
        (Type.DELIVERED, b""),
        (Type.READ, identity * (content.RECEIPT_IDS + 1)),
        (Type.TURN, b"x"),
        (Type.SESSION_LOST, b"x"),
        (Type.FILE, b""),
        *((Type.FILE, wrong) for wrong in _WRONG_OFFERS),
    ]
    for kind, payload in wrong:
        with pytest.raises(BadEncoding):
            content.decode_payload(kind, payload)


def test_the_longest_content_fits_the_padding() -> None:
    """The largest of every type fits into one padded message."""
    identity = ContentId(bytes(16))
    longest = "ش" * (limits.TEXT // 2)
    quoted = content.Text(longest, TIMER_LONGEST, Reference(own=True, content_id=identity))
    edited = content.Edit(identity, EDITS, longest)
    receipt = content.Receipt((identity,) * content.RECEIPT_IDS)
    name = "ن" * (limits.FILE_NAME // 2)
    file = content.File(name, 1, "a/" + "b" * 125, FileKey(bytes(32)), bytes(32))
    offered = content.Text(longest, TIMER_LONGEST, quoted.quote, file)
    for payload in (quoted, edited, receipt, offered):
        assert len(content.encode(Content(identity, 0, payload))) < limits.PADDED_MAX


def test_the_document_has_every_type() -> None:
    """PROTOCOL.md's table names each number once, with the wish to be seen and to be kept."""
    text = (Path(__file__).parents[2] / "PROTOCOL.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ([a-z ]+) \| .* \| (yes|) ?\| (yes|) ?\|$", text, re.MULTILINE)
    assert {(int(number), name, bool(show), bool(kept)) for number, name, show, kept in rows} == {
        (kind, kind.name.lower().replace("_", " "), kind in content.SHOWN, kind in content.KEPT)
        for kind in Type
    }
