"""The vectors of what travels and is signed around the encryption hold for this code."""

import json
from pathlib import Path
from typing import Any

import pytest

from secure_chat import errors
from secure_chat.crypto.keys import AccountSigningKey, DeviceSigningKey
from secure_chat.crypto.prekeys import check_bundle
from secure_chat.crypto.verify import check_manifest, check_successor, verify
from secure_chat.errors import PeerError
from secure_chat.protocol import frames, messages, signing
from secure_chat.protocol.addresses import DeviceAddress, UserId
from secure_chat.protocol.invite import InviteLink
from secure_chat.protocol.manifest import decode_manifest, manifest_hash
from secure_chat.protocol.wiretypes import AccountKey, ManifestBytes, ServerId, Signature

Json = dict[str, Any]
FOLDER = Path(__file__).resolve().parent.parent / "vectors"
unhex = bytes.fromhex


def _load(name: str) -> Json:
    loaded: Json = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return loaded


def _check_frame(case: Json, message: messages.Message) -> None:
    """The frame holds this header and body, and the header is the message's only form."""
    decoder = frames.FrameDecoder()
    decoder.logged_in()
    assert decoder.feed(unhex(case["frame"])) == [
        (case["header"].encode(), unhex(case["body"])),
    ]
    assert messages.encode_header(message).decode() == case["header"]
    assert frames.encode_frame(case["header"].encode(), unhex(case["body"])).hex() == case["frame"]


def test_greeting_login_and_registration() -> None:
    """Headers, frames, signed bytes and signatures are those of the vector."""
    vector = _load("wire")
    party = vector["party"]
    account = AccountSigningKey(unhex(party["account_seed"]))
    device = DeviceSigningKey(unhex(party["device_seed"]))
    common: Json = {
        "version": 1,
        "exporter": unhex(vector["exporter"]),
        "hello": vector["hello"]["header"].encode(),
        "server_id": ServerId(unhex(vector["server_id"])),
        "device": DeviceAddress.parse("alice/main"),
    }
    _check_frame(vector["hello"], messages.decode_server_header(common["hello"]))
    _check_frame(vector["error"], messages.decode_server_header(vector["error"]["header"].encode()))
    _check_frame(vector["pm"], messages.decode_client_header(vector["pm"]["header"].encode()))
    for case in vector["logins"]:
        signed = signing.login(signing.Channel(**common, features=case["features"]))
        login = messages.decode_client_header(case["header"].encode())
        assert isinstance(login, messages.Login)
        assert signed.hex() == case["signed"]
        assert device.sign(signed) == login.signature
        _check_frame(case, login)
    channel = signing.Channel(**common, features=[])
    case = vector["account_deletion"]
    deletion = messages.decode_client_header(case["header"].encode())
    assert isinstance(deletion, messages.AccountDelete)
    signed = signing.account_deletion(channel)
    assert signed.hex() == case["signed"]
    assert account.sign(signed) == deletion.signature
    _check_frame(case, deletion)
    for case in vector["registrations"]:
        register = messages.decode_client_header(case["header"].encode())
        assert isinstance(register, messages.Register)
        signed = signing.registration(
            channel,
            invite=unhex(case["invite"] or ""),
            account_key=register.account_key,
            manifest=register.manifest,
            manifest_signature=register.manifest_signature,
            signed_prekey=register.signed_prekey,
            last_resort=register.last_resort,
        )
        assert signed.hex() == case["signed"]
        assert account.sign(signed) == register.account_signature
        assert device.sign(signed) == register.device_signature
        _check_frame(case, register)


def test_invite_links() -> None:
    """Each link reads as the vector says and is written so again."""
    for case in _load("wire")["links"]:
        link = InviteLink.parse(case["link"])
        assert (link.server.host, link.server.port) == (case["host"], case["port"])
        assert (link.server_id and link.server_id.hex()) == case["server_id"]
        assert [pin.hex() for pin in link.pins] == case["pins"]
        assert (link.invite and link.invite.hex()) == case["invite"]
        assert str(link) == case["link"]


def test_manifests() -> None:
    """Bytes, hashes and signatures of a chain; what is refused of a successor, by name."""
    vector = _load("manifests")
    account = AccountSigningKey(unhex(vector["account_seed"]))
    server_id = ServerId(unhex(vector["server_id"]))
    for case in vector["chain"]:
        encoded = ManifestBytes(unhex(case["manifest"]))
        assert decode_manifest(encoded).encode() == encoded
        assert manifest_hash(encoded).hex() == case["hash"]
        assert account.sign(signing.manifest(encoded)).hex() == case["signature"]
    known = ManifestBytes(unhex(vector["chain"][0]["manifest"]))

    def take(case: Json) -> None:
        manifest = check_manifest(
            account.public,
            ManifestBytes(unhex(case["manifest"])),
            Signature(unhex(case["signature"])),
            user_id=UserId(vector["user_id"]),
            server_id=server_id,
        )
        check_successor(decode_manifest(known), known, manifest)

    take(vector["chain"][1])
    for case in vector["refused"]:
        with pytest.raises(PeerError) as refused:
            take(case)
        assert type(refused.value) is getattr(errors, case["gives"]["error"]), case["why"]


@pytest.mark.parametrize("case", _load("bundles")["cases"], ids=lambda case: str(case["why"]))
def test_bundles(case: Json) -> None:
    """A bundle is accepted, or refused as `BadBundle`."""
    keys = messages.decode_server_header(case["header"].encode())
    assert isinstance(keys, messages.Keys)
    address = DeviceAddress.parse("bob/main")
    server_id = ServerId(unhex(_load("bundles")["server_id"]))
    if case["gives"] == {"accepted": True}:
        check_bundle(keys, address, server_id, case["now_ms"])
        return
    with pytest.raises(PeerError) as refused:
        check_bundle(keys, address, server_id, case["now_ms"])
    assert type(refused.value) is getattr(errors, case["gives"]["error"])


def test_signatures() -> None:
    """Ed25519 is verified strictly."""
    for case in _load("signatures")["cases"]:
        key, signature = AccountKey(unhex(case["key"])), Signature(unhex(case["signature"]))
        if case["gives"] == {"accepted": True}:
            verify(key, unhex(case["message"]), signature)
            continue
        with pytest.raises(getattr(errors, case["gives"]["error"])):
            verify(key, unhex(case["message"]), signature)
