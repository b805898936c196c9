"""The table of messages: one spelling each, everything else refused by name."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.errors import CODES, Code, ProtocolError
from secure_chat.protocol import limits, messages
from secure_chat.protocol.encoding import b64url
from secure_chat.protocol.messages import (
    HeaderError,
    decode_client_header,
    decode_server_header,
    encode_header,
)
from secure_chat.protocol.wiretypes import (
    AccountKey,
    DeliveryId,
    KemPublic,
    ManifestBytes,
    PrekeyPublic,
    Signature,
)
from tests.protocol.strategies import CLIENT_TYPES, SERVER_TYPES, structs

ID = DeliveryId(bytes(range(16)))


@given(st.one_of([structs(kind) for kind in CLIENT_TYPES]))
def test_every_client_message_survives_the_wire(message: messages.ClientMessage) -> None:
    """decode(encode(m)) == m for everything that a client can say."""
    assert decode_client_header(encode_header(message)) == message


@given(st.one_of([structs(kind) for kind in SERVER_TYPES]))
def test_every_server_message_survives_the_wire(message: messages.ServerMessage) -> None:
    """decode(encode(m)) == m for everything that a server can say."""
    assert decode_server_header(encode_header(message)) == message


@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
def test_garbage_raises_only_the_named_error(data: bytes) -> None:
    """Any bytes whatever are a message or a HeaderError, never another exception."""
    for decode in (decode_client_header, decode_server_header):
        try:
            decode(data)
        except HeaderError as error:
            assert error.code in CODES


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(structs(messages.KeysPut), st.sampled_from(["ref", "version", "one_time", "x"]), json_values)
def test_json_of_a_wrong_shape_is_refused_or_means_itself(
    message: messages.KeysPut, field: str, value: object
) -> None:
    """Replacing any field by any JSON value either is refused or decodes to that very spelling."""
    changed = json.loads(encode_header(message)) | {field: value}
    header = json.dumps(changed, separators=(",", ":")).encode()
    try:
        assert encode_header(decode_client_header(header)) == header
    except HeaderError as error:
        assert error.code in CODES


def test_the_course_projects_words_are_kept() -> None:
    """register, chat, pm and list are still the types of the messages, the type stands first."""
    tags = {str(kind.__struct_config__.tag) for kind in CLIENT_TYPES}
    assert {"register", "chat", "pm", "list"} <= tags
    assert encode_header(messages.List(3)) == b'{"type":"list","ref":3}'
    assert encode_header(messages.Pm(ID, "bob/main")) == (
        b'{"type":"pm","id":"AAECAwQFBgcICQoLDA0ODw","to":"bob/main"}'
    )


def _login(version: str = "1", features: str = "[]") -> bytes:
    signature = b64url(bytes(64))
    return (
        f'{{"type":"login","user_id":"alice","device":"main","version":{version},'
        f'"features":{features},"signature":"{signature}"}}'
    ).encode()


@pytest.mark.parametrize(
    ("header", "code", "named"),
    [
        (b'{"type":"shout","ref":7}', Code.UNKNOWN_TYPE, "shout"),
        (b'{"type":"hello","ref":7}', Code.UNKNOWN_TYPE, "hello"),
        (b'{"type":"list","ref":7,"colour":1}', Code.BAD_FIELD, "colour"),
        (b'{"type":"list"}', Code.BAD_FIELD, "ref"),
        (b'{"type":"list","ref":-1}', Code.BAD_FIELD, "ref"),
        (b'{"type":"list","ref":"7"}', Code.BAD_FIELD, "ref"),
        (b'{"type":"list","ref":7,"limit":101}', Code.BAD_FIELD, "limit"),
        (b'{"type":"pm","id":"AAEC","to":"b/m"}', Code.BAD_FIELD, "id"),
        (b'{"type":"ack","seq":9007199254740992}', Code.BAD_FIELD, "seq"),
        (_login(version="256"), Code.BAD_FIELD, "version"),
        (_login(version="-1"), Code.BAD_FIELD, "version"),
        (_login(version="1" + "0" * 3000), Code.BAD_FIELD, "version"),
        (_login(features=f"[{','.join(['1'] * 33)}]"), Code.BAD_FIELD, "features"),
    ],
)
def test_what_is_wrong_is_named(header: bytes, code: Code, named: str) -> None:
    """Unknown types and fields, missing fields and values out of range are refused by name."""
    with pytest.raises(HeaderError) as caught:
        decode_client_header(header)
    assert caught.value.code is code
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        b'{"type":"list","ref":7,"ref":7}',
        b'{"type":"list","ref":7,"after":""}',
        b'{"type":"list", "ref":7}',
        b'{"ref":7,"type":"list"}',
        b'{"type":"list","ref":7} ',
        b'{"type":"l\\u0069st","ref":7}',
        b'{"type":"list","ref":7.0}',
        b'{"type":"pm","id":"AAECAwQFBgcICQoLDA0ODx","to":"b/m"}',
        b'{"type":"pm","id":"AAECAwQFBgcICQoLDA0ODw==","to":"b/m"}',
        b'{"type":"pm","id":"AAECAwQFBg!cICQoLDA0ODw","to":"b/m"}',
        b'{"type":"pm","id":"AAECAwQFBgcICQoLDA0ODw\\n","to":"b/m"}',
        b'\xef\xbb\xbf{"type":"list","ref":7}',
    ],
)
def test_every_second_spelling_is_refused(header: bytes) -> None:
    """Duplicate keys, spelled-out defaults, white space, other orders and escapes are no header."""
    with pytest.raises(HeaderError):
        decode_client_header(header)


def test_a_refusal_names_the_request_where_it_can() -> None:
    """The error repeats ref or id of a refused header, so that the client knows which one."""
    with pytest.raises(HeaderError) as caught:
        decode_client_header(b'{"type":"keys_get","ref":41,"to":3}')
    assert caught.value.correlation.ref == 41
    with pytest.raises(HeaderError) as caught:
        decode_client_header(b'{"type":"pm","id":"AAECAwQFBgcICQoLDA0ODw","to":3}')
    assert caught.value.correlation.id == ID


def test_only_key_headers_may_be_long() -> None:
    """4 KiB bound every header but those that carry keys or pages; the refusal says which bound."""
    signature, kem = Signature(bytes(64)), KemPublic(bytes(1568))
    last_resort = messages.KemPrekey(1, kem, 1, signature)
    register = messages.Register(
        "alice", "main", 1, [], AccountKey(bytes(32)), ManifestBytes(bytes(limits.MANIFEST)),
        signature, messages.SignedPrekey(1, PrekeyPublic(bytes(32)), 1, signature), last_resort,
        signature, signature,
    )  # fmt: skip
    keys = messages.KeysPut(1, 1, one_time_kem=[last_resort] * limits.KEYS_PER_FRAME)
    for message, bound in ((register, "4 KiB"), (keys, "16 KiB")):
        with pytest.raises(HeaderError, match=f"larger than {bound}") as caught:
            decode_client_header(encode_header(message))
        assert caught.value.code is Code.TOO_LARGE
    for kind in (*CLIENT_TYPES, *SERVER_TYPES):
        assert kind.largest in (limits.HEADER, limits.KEY_HEADER)


def test_deep_nesting_and_huge_numbers_are_refused_at_once() -> None:
    """100,000 levels or a number of 100,000 digits are a refusal, not a crash."""
    for header in (b"[" * 100_000, b'{"type":' * 20_000, b'{"type":"ack","seq":' + b"9" * 100_000):
        with pytest.raises(ProtocolError):
            decode_client_header(header)


def test_codes_are_all_explained() -> None:
    """Every code of the enumeration has its line in the table, a sentence with an end."""
    assert set(CODES) == set(Code)
    assert all(info.message.endswith(".") for info in CODES.values())
