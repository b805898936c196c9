"""Headers that parsers of others fell over: refused fast, by name, and everybody else is served."""

import itertools
import time
from collections.abc import Iterator

import pytest

from secure_chat.errors import Code, ProtocolError
from secure_chat.protocol import limits, messages
from secure_chat.protocol.messages import decode_client_header, decode_server_header
from tests.support.accounts import Account
from tests.support.processes import ServerProcess
from tests.support.raw_client import RawClient
from tests.support.wire import ClosedByServer, Wire

_REFUSALS = {Code.BAD_HEADER, Code.BAD_FIELD, Code.UNKNOWN_TYPE, Code.TOO_LARGE, Code.BAD_FRAME}
_MEMBERS = 8
_PROMPT = 2.0  # seconds; a parser that was led astray takes longer or dies

_LIST = b'{"type":"list","ref":1}'
_HOSTILE: dict[str, bytes] = {
    # numbers
    "integer of 4000 digits": b'{"type":"list","ref":' + b"9" * 4000 + b"}",
    "exponent of 4000 digits": b'{"type":"list","ref":1e' + b"9" * 4000 + b"}",
    "fraction of 4000 digits": b'{"type":"list","ref":0.' + b"1" * 4000 + b"}",
    "NaN": b'{"type":"list","ref":NaN}',
    "Infinity": b'{"type":"list","ref":-Infinity}',
    "1e400": b'{"type":"list","ref":1e400}',
    "1.0 for 1": b'{"type":"list","ref":1.0}',
    "1e0 for 1": b'{"type":"list","ref":1e0}',
    "minus zero": b'{"type":"list","ref":-0}',
    "minus one": b'{"type":"list","ref":-1}',
    "leading zero": b'{"type":"list","ref":01}',
    "leading plus": b'{"type":"list","ref":+1}',
    "bare fraction": b'{"type":"list","ref":.5}',
    "hexadecimal": b'{"type":"list","ref":0x10}',
    "2^32": b'{"type":"list","ref":4294967296}',
    "2^64": b'{"type":"ack","seq":18446744073709551616}',
    "string for number": b'{"type":"list","ref":"1"}',
    "true for number": b'{"type":"list","ref":true}',
    "null for number": b'{"type":"list","ref":null}',
    # objects
    "duplicate key": b'{"type":"list","ref":1,"ref":1}',
    "duplicate type": b'{"type":"ping","type":"list","ref":1}',
    "duplicate key by escape": b'{"type":"list","ref":1,"re\\u0066":2}',
    "escaped key": b'{"typ\\u0065":"list","ref":1}',
    "escaped value": b'{"type":"li\\u0073t","ref":1}',
    "another order": b'{"ref":1,"type":"list"}',
    "default spelled out": b'{"type":"list","ref":1,"after":""}',
    "unknown field": b'{"type":"list","ref":1,"admin":true}',
    "unknown type": b'{"type":"become_admin","ref":1}',
    "type of the other direction": b'{"type":"welcome","ref":1}',
    "no type": b'{"ref":1}',
    "type is a number": b'{"type":1,"ref":1}',
    "type is null": b'{"type":null,"ref":1}',
    "type is a list": b'{"type":["list"],"ref":1}',
    "missing field": b'{"type":"list"}',
    "__proto__": b'{"type":"list","ref":1,"__proto__":{"admin":true}}',
    # syntax
    "nothing": b"",
    "a space": b" ",
    "NUL": b"\0",
    "array": b"[1]",
    "string": b'"list"',
    "number": b"1",
    "null": b"null",
    "trailing comma": b'{"type":"list","ref":1,}',
    "double comma": b'{"type":"list",,"ref":1}',
    "trailing garbage": _LIST + b"x",
    "two objects": _LIST + _LIST,
    "trailing NUL": _LIST + b"\0",
    "leading space": b" " + _LIST,
    "space inside": b'{"type": "list","ref":1}',
    "line end": _LIST + b"\n",
    "comment": b'{"type":"list",/**/"ref":1}',
    "single quotes": b"{'type':'list','ref':1}",
    "bare key": b'{type:"list","ref":1}',
    "unclosed object": b'{"type":"list","ref":1',
    "unclosed string": b'{"type":"list',
    "half an escape": b'{"type":"list\\',
    "bad escape": b'{"type":"li\\x73t","ref":1}',
    "control in a string": b'{"type":"list","ref":1,"after":"a\x01b"}',
    "tab in a string": b'{"type":"list","ref":1,"after":"a\tb"}',
    # encodings
    "byte order mark": b"\xef\xbb\xbf" + _LIST,
    "UTF-16": _LIST.decode().encode("utf-16"),
    "UTF-16 without mark": _LIST.decode().encode("utf-16-le"),
    "bad UTF-8 byte": b'{"type":"list","ref":1,"after":"\xff"}',
    "cut UTF-8": b'{"type":"list","ref":1,"after":"\xe2\x82"}',
    "overlong UTF-8": b'{"type":"list","ref":1,"after":"\xc0\xaf"}',
    "surrogate in UTF-8": b'{"type":"list","ref":1,"after":"\xed\xa0\x80"}',
    "lone surrogate": b'{"type":"list","ref":1,"after":"\\ud800"}',
    "above Unicode": b'{"type":"list","ref":1,"after":"\xf4\x90\x80\x80"}',
    "overlong name": b'{"type":"list","ref":1,"after":"' + b"a" * 33 + b'"}',
    "base64 with padding": b'{"type":"pm","id":"AAAAAAAAAAAAAAAAAAAAAA==","to":"a/b"}',
    "base64 with loose bits": b'{"type":"pm","id":"AAAAAAAAAAAAAAAAAAAAAB","to":"a/b"}',
    "base64 of 15 bytes": b'{"type":"pm","id":"AAAAAAAAAAAAAAAAAAAA","to":"a/b"}',
    "base64 of the other alphabet": b'{"type":"pm","id":"+/AAAAAAAAAAAAAAAAAAAA","to":"a/b"}',
}


@pytest.fixture(scope="module")
def witness(server: ServerProcess) -> Iterator[RawClient]:
    """An honest client that stays connected through all of it."""
    with RawClient.register(server.port, "witness") as client:
        yield client


@pytest.fixture(scope="module")
def members(server: ServerProcess) -> Iterator[Account]:
    """A few accounts in turn: each case logs in anew, and one account may not so often."""
    accounts = []
    for number in range(_MEMBERS):
        with RawClient.register(server.port, f"member-{number}") as client:
            accounts.append(client.account)
    return itertools.cycle(accounts)


@pytest.fixture
def member(members: Iterator[Account]) -> Account:
    """Whose turn it is to log in."""
    return next(members)


def answered(wire: Wire) -> Code | None:
    """The first refusal on a connection; None when it just ends."""
    begun = time.monotonic()
    try:
        answer = wire.receive(_PROMPT).message
    except ClosedByServer as closed:
        return closed.code
    assert isinstance(answer, messages.Error | messages.Bye), answer
    assert time.monotonic() - begun < _PROMPT
    return answer.code


@pytest.mark.parametrize("name", _HOSTILE)
def test_attack_9_hostile_json_is_refused(
    name: str, server: ServerProcess, witness: RawClient, member: Account
) -> None:
    """Huge numbers, NaN, duplicate keys, bad UTF-8, second spellings: refused, before and after."""
    with Wire(server.port) as stranger:
        stranger.send_header(_HOSTILE[name])
        assert answered(stranger) in _REFUSALS
    with RawClient.login(server.port, member) as client:
        client.wire.send_header(_HOSTILE[name])
        assert answered(client.wire) in _REFUSALS
    assert [user.user_id for user in witness.users().users]


@pytest.mark.parametrize("name", _HOSTILE)
def test_attack_9_hostile_json_is_refused_by_both_decoders(name: str) -> None:
    """The same bytes never decode, whichever end reads them; only ProtocolError is raised."""
    with pytest.raises(ProtocolError):
        decode_client_header(_HOSTILE[name])
    with pytest.raises(ProtocolError):
        decode_server_header(_HOSTILE[name])


NESTINGS = {
    "arrays": (b"[", b"]"),
    "objects": (b'{"a":', b"}"),
    "arrays in a field": (b'{"type":"list","ref":' + b"[", b"]"),
    "behind a wrong field": (b'{"type":"list","ref":1,"after":1,"x":[', b"]}"),
}


@pytest.mark.parametrize("kind", NESTINGS)
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_attack_8_deep_nesting_is_an_error_and_the_thread_lives(
    kind: str, closed: bool, server: ServerProcess, witness: RawClient, member: Account
) -> None:
    """As deep as a header may be, and 100,000 levels: an error; the server goes on serving."""
    opening, closing = NESTINGS[kind]
    room = limits.KEY_HEADER // (len(opening) + (len(closing) if closed else 0)) - 1
    for levels in (100, 500, 1_500, room):
        header = opening * levels + (closing * levels if closed else b"")
        if len(header) <= limits.FRAME_BEFORE_LOGIN - limits.HEADER_LENGTH_FIELD:
            with Wire(server.port) as stranger:
                stranger.send_header(header)
                assert answered(stranger) in _REFUSALS
        with RawClient.login(server.port, member) as client:
            client.wire.send_header(header)
            assert answered(client.wire) in _REFUSALS
    assert witness.users().users
    with Wire(server.port) as stranger:
        deep = opening * 100_000
        stranger.send_raw((2 + len(deep)).to_bytes(4, "big") + b"\xff\xff" + deep[:8000])
        assert stranger.expect_closed() in _REFUSALS
    assert witness.users().users


@pytest.mark.parametrize("kind", NESTINGS)
def test_attack_8_deep_nesting_raises_only_a_protocol_error(kind: str) -> None:
    """100,000 levels handed to the decoders themselves, on a thread's own small stack."""
    opening, closing = NESTINGS[kind]
    for header in (opening * 100_000, opening * 100_000 + closing * 100_000):
        with pytest.raises(ProtocolError):
            decode_client_header(header)
        with pytest.raises(ProtocolError):
            decode_server_header(header)
