"""Names, encodings, manifests, signed transcripts and invite links."""

import itertools
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.errors import BadAddress, BadContactLink, BadEncoding, BadInviteLink
from secure_chat.protocol import limits, signing
from secure_chat.protocol.addresses import (
    DeviceAddress,
    UserId,
    canonical_device,
    canonical_user_id,
)
from secure_chat.protocol.encoding import Reader, b64url, fields, from_b64url
from secure_chat.protocol.invite import (
    ContactLink,
    InviteLink,
    Pin,
    ServerAddress,
    is_contact_link,
)
from secure_chat.protocol.manifest import (
    NO_PREDECESSOR,
    DeviceEntry,
    Manifest,
    decode_manifest,
    manifest_hash,
)
from secure_chat.protocol.wiretypes import (
    AccountKey,
    DeviceDhKey,
    DeviceKey,
    InviteToken,
    ManifestHash,
    MlsKey,
    ServerId,
)
from tests.protocol.strategies import binaries

SERVER = ServerId(bytes(range(16)))
names = st.from_regex(r"[a-z][a-z0-9_.-]{2,31}", fullmatch=True)
devices = st.from_regex(r"[a-z0-9_.-]{1,32}", fullmatch=True)


@given(names)
def test_names_are_canonical_in_lower_case(name: str) -> None:
    """Every spelling of a name in capitals is the same name."""
    assert canonical_user_id(name.upper()) == canonical_user_id(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "ab", "a" * 33, "1ab", "_ab", "a b c", "a/b", "ab\n", "علی", "K\u212aing", "ali\u200c",
     "\uff41li", "a\u0301li", "ali\x00", "../x", "a@b", "İstanbul"],
)  # fmt: skip
def test_names_outside_the_rule_are_refused(name: str) -> None:
    """Only ASCII letters, digits and _ . - count, whatever Unicode folds to them."""
    with pytest.raises(BadAddress):
        canonical_user_id(name)
    assert unicodedata.normalize("NFKC", "\uff41li") == "ali"  # the fold that must not happen


@given(names, devices)
def test_addresses_read_what_they_write(user: str, device: str) -> None:
    """parse(str(address)) == address."""
    address = DeviceAddress(canonical_user_id(user), canonical_device(device))
    assert DeviceAddress.parse(str(address)) == address


@pytest.mark.parametrize("text", ["ali", "ali/", "/main", "ali/a/b", "ali/a b", ""])
def test_addresses_that_are_none(text: str) -> None:
    """An address has an account and a device, nothing more."""
    with pytest.raises(BadAddress):
        DeviceAddress.parse(text)


@given(st.binary(max_size=80))
def test_base64url_has_one_form(data: bytes) -> None:
    """Every value decodes to itself, and padding or other alphabets are refused."""
    text = b64url(data)
    assert from_b64url(text) == data
    for other in (text + "=", text + "\n", " " + text, text + "A" * (4 - len(text) % 4) + "+"):
        with pytest.raises(BadEncoding):
            from_b64url(other)


@given(st.lists(st.binary(max_size=20), max_size=5), st.lists(st.binary(max_size=20), max_size=5))
def test_fields_are_injective(one: list[bytes], other: list[bytes]) -> None:
    """Two lists of fields have the same bytes only if they are the same list."""
    assert (fields(*one) == fields(*other)) == (one == other)


@given(st.binary(max_size=60))
def test_reader_never_reads_past_the_end(data: bytes) -> None:
    """Any bytes are read or refused with BadEncoding."""
    reader = Reader(data, "test")
    try:
        while not reader.at_end:
            reader.field()
    except BadEncoding:
        pass
    else:
        assert reader.rest() == b""


entries = st.builds(
    DeviceEntry,
    devices.map(canonical_device),
    binaries(DeviceKey),
    binaries(DeviceDhKey),
    binaries(MlsKey),
)
later = st.tuples(
    st.integers(2, 2**63), binaries(ManifestHash).filter(lambda found: found != NO_PREDECESSOR)
)
manifests = st.builds(
    lambda address, place, *more: Manifest(address, *place, *more),
    st.binary(min_size=1, max_size=60),
    st.just((1, NO_PREDECESSOR)) | later,
    st.integers(0, 2**63),
    st.lists(entries, min_size=1, max_size=4, unique_by=lambda d: d.name).map(
        lambda found: tuple(sorted(found, key=lambda d: d.name))
    ),
)


@given(manifests)
def test_manifests_read_what_they_write(manifest: Manifest) -> None:
    """decode(encode(m)) == m, and the hash is that of the bytes."""
    encoded = manifest.encode()
    assert decode_manifest(encoded) == manifest
    assert manifest_hash(encoded) != manifest_hash(encoded + b"\0")


@given(manifests, st.data())
def test_changed_manifests_never_read_as_the_same(manifest: Manifest, data: st.DataObject) -> None:
    """Any change of any byte is refused or is another manifest: one form each."""
    encoded = bytearray(manifest.encode())
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        assert decode_manifest(bytes(encoded)) != manifest
    except (BadEncoding, BadAddress):
        pass
    for cut in (0, len(encoded) // 2, len(encoded) - 1):
        try:  # cut between two devices it reads as one with fewer of them, and no signature holds
            assert decode_manifest(manifest.encode()[:cut]) != manifest
        except (BadEncoding, BadAddress):
            pass


def test_manifest_devices_stand_in_order_once() -> None:
    """Two entries of one name, or another order, are refused."""
    device = DeviceEntry(
        canonical_device("b"), DeviceKey(bytes(32)), DeviceDhKey(bytes(32)), MlsKey(bytes(32))
    )
    twice = Manifest(b"a@b", 1, ManifestHash(bytes(32)), 0, (device, device))
    with pytest.raises(BadEncoding):
        decode_manifest(twice.encode())


def test_attack_27_signature_purposes_never_collide() -> None:
    """Each purpose signs under a label of its own; no label is a prefix of another."""
    labels = [label.value for label in signing.Label]
    for one, other in itertools.permutations(labels, 2):
        assert not one.startswith(other)


CHANNEL = signing.Channel(
    version=1,
    features=["a"],
    exporter=bytes(32),
    hello=b'{"type":"hello"}',
    server_id=SERVER,
    device=DeviceAddress(UserId("ali"), canonical_device("main")),
)


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("version", 2),
        ("features", []),
        ("features", ["a", "b"]),
        ("exporter", bytes([1]) + bytes(31)),
        ("hello", b'{"type":"hello" }'),
        ("server_id", ServerId(bytes(16))),
        ("device", DeviceAddress(UserId("ali"), canonical_device("main2"))),
        ("device", DeviceAddress(UserId("alim"), canonical_device("ain"))),
    ],
)
def test_attack_12_a_login_signature_covers_every_field(field: str, other: object) -> None:
    """Changing channel, greeting, server, name, device, version or features changes the bytes."""
    changed = msgspec.structs.replace(CHANNEL, **{field: other})
    assert signing.login(CHANNEL) != signing.login(changed)


links = st.builds(
    InviteLink,
    st.builds(
        ServerAddress,
        st.sampled_from(["localhost", "127.0.0.1", "::1", "chat.example.org"]),
        st.integers(1, 65_535),
    ),
    st.none() | binaries(ServerId),
    st.lists(binaries(Pin), max_size=3).map(tuple),
    st.none() | binaries(InviteToken),
)


@given(links)
def test_invite_links_read_what_they_write(link: InviteLink) -> None:
    """parse(str(link)) == link, with spaces around it from the clipboard as well."""
    assert InviteLink.parse(f"  {link}\n") == link


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://x/#v=1", "securechat://"),
        ("securechat://host:7443/#v=2", "version"),
        ("securechat://host:7443/", "version"),
        ("securechat://host:7443/#v=1&pin=abc", "pin"),
        ("securechat://host:7443/#v=1&colour=red", "colour"),
        ("securechat://host:99999/#v=1", "host:port"),
        ("securechat://host:0/#v=1", "host:port"),
        ("securechat://my host:1/#v=1", "host:port"),
        ("securechat://*:1/#v=1", "host:port"),
        ("securechat://-host:1/#v=1", "host:port"),
        ("securechat://[zz]:1/#v=1", "host:port"),
        ("securechat://:7443/#v=1", "host:port"),
        ("securechat://u:p@host/#v=1", "host:port"),
        ("securechat://host/#v=1&id=AA&id=BB", "more than one"),
        ("securechat://host/#v", "damaged"),
        ("securechat://ho\x1bst/#v=1", "unprintable"),
        ("securechat://" + "h" * 3000, "too long"),
    ],
)
def test_bad_links_are_refused_in_words(text: str, reason: str) -> None:
    """The sentence names what is wrong with the link."""
    with pytest.raises(BadInviteLink, match=reason):
        InviteLink.parse(text)


@given(st.text(max_size=60))
def test_any_text_is_a_link_or_refused(text: str) -> None:
    """Nothing that is pasted raises anything but BadInviteLink."""
    for candidate in (text, "securechat://" + text, "securechat://h/#v=1&" + text):
        try:
            InviteLink.parse(candidate)
        except BadInviteLink:
            pass


contact_links = st.builds(
    ContactLink,
    st.builds(ServerAddress, st.sampled_from(["localhost", "::1"]), st.integers(1, 65_535)),
    binaries(ServerId),
    names.map(canonical_user_id),
    binaries(AccountKey),
)


@given(contact_links)
def test_contact_links_read_what_they_write(link: ContactLink) -> None:
    """parse(str(link)) == link; and neither kind of link is taken for the other."""
    assert ContactLink.parse(f"  {link}\n") == link
    assert is_contact_link(str(link))
    with pytest.raises(BadInviteLink):
        InviteLink.parse(str(link))


@given(links)
def test_an_invite_link_is_no_contact_link(link: InviteLink) -> None:
    """The two forms exclude each other, whatever an invite holds."""
    assert not is_contact_link(str(link))
    with pytest.raises(BadContactLink):
        ContactLink.parse(str(link))


_PLACE, _ID, _KEY = "securechat://host:7443/#v=1", "A" * 22, "A" * 43


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://x/#v=1", "securechat://"),
        (f"{_PLACE}&id={_ID}&contact=ali", "lacks"),
        (f"{_PLACE}&id={_ID}&key={_KEY}", "lacks"),
        (f"{_PLACE}&contact=ali&key={_KEY}", "lacks"),
        (f"{_PLACE}&id={_ID}&contact=ali&contact=bob&key={_KEY}", "lacks"),
        (f"{_PLACE}&id={_ID}&contact=ali&key={_KEY}&key={_KEY}", "more than one key"),
        (f"{_PLACE}&id={_ID}&contact=ali&key={_KEY[1:]}", "key is damaged"),
        (f"{_PLACE}&id={_ID}&contact=%D8%B9%D9%84%DB%8C&key={_KEY}", "no account"),
        (f"{_PLACE}&id={_ID}&contact=ali&key={_KEY}&pin={_KEY}", "unknown part"),
    ],
)
def test_bad_contact_links_are_refused_in_words(text: str, reason: str) -> None:
    """Each with the reason that a person can act on."""
    with pytest.raises(BadContactLink, match=reason):
        ContactLink.parse(text)


def test_limits_agree_with_each_other() -> None:
    """A padded content of the largest size, with room for its envelope, fits a frame's body."""
    assert limits.PADDED_MAX + 2 * limits.KIB < limits.BODY
    assert limits.PADDED_MAX % limits.PADDING_MULTIPLE == 0
    assert limits.TEXT < limits.PADDED_MAX
