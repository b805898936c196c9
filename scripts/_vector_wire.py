"""Vectors of what travels before the encryption begins; see make_vectors.py."""

from typing import Any

from _vector_scenes import NOW, SERVER, Draws, Encapsulations, Json, Party
from secure_chat.errors import Code
from secure_chat.protocol import frames, messages, signing
from secure_chat.protocol.invite import InviteLink, Pin, ServerAddress
from secure_chat.protocol.wiretypes import Challenge, DeliveryId, InviteToken

Channel = dict[str, Any]
"""What every proof on one connection is over, but the features."""


def wire(kem: Encapsulations) -> Json:
    """Greeting, login, registration, deletion and links as bytes, with what is signed."""
    draws = Draws("wire")
    party = Party("alice", kem, one_time=False)
    hello = messages.Hello([1], [], SERVER, Challenge(draws(32)), "invite", NOW)
    exporter, invite = draws(32), InviteToken(draws(16))
    channel: Channel = {
        "version": 1,
        "exporter": exporter,
        "hello": messages.encode_header(hello),
        "server_id": SERVER,
        "device": party.device.address,
    }
    error = messages.Error(Code.RATE_LIMITED, 'not "now" \\ سلام\n\x01', retry_after=1.5)
    pins = Pin(draws(32)), Pin(draws(32))
    links = [
        InviteLink(ServerAddress("chat.example.org", 7443)),
        InviteLink(ServerAddress("::1", 7443), SERVER, pins, invite),
    ]
    return {
        "shows": "greeting, login, registration, deletion and links: bytes and what is signed",
        "party": party.described(),
        "server_id": SERVER.hex(),
        "exporter": exporter.hex(),
        "hello": _frame(hello),
        "logins": [_login(party, channel, features) for features in ([], ["one", "two"])],
        "registrations": [_registration(party, channel, token) for token in (invite, None)],
        "account_deletion": _deletion(party, channel),
        "pm": _frame(messages.Pm(DeliveryId(Draws("id")(16)), "bob/main", 2), b"opaque"),
        "error": _frame(error),
        "links": [_link(link) for link in links],
    }


def _frame(message: messages.Message, body: bytes = b"") -> Json:
    header = messages.encode_header(message)
    frame = frames.encode_frame(header, body)
    return {"header": header.decode(), "body": body.hex(), "frame": frame.hex()}


def _login(party: Party, channel: Channel, features: list[str]) -> Json:
    signed = signing.login(signing.Channel(**channel, features=features))
    signature = party.device.signing.sign(signed)
    login = messages.Login("alice", "main", 1, features, signature)
    return {"features": features, "signed": signed.hex(), **_frame(login)}


def _registration(party: Party, channel: Channel, token: InviteToken | None) -> Json:
    device = party.device
    published: dict[str, Any] = {
        "account_key": device.account_key,
        "manifest": device.manifest,
        "manifest_signature": device.manifest_signature,
        "signed_prekey": party.signed_prekey,
        "last_resort": party.kem_prekey,
    }
    signed = signing.registration(
        signing.Channel(**channel, features=[]), invite=token or b"", **published
    )
    register = messages.Register(
        "alice",
        "main",
        1,
        [],
        **published,
        account_signature=party.account.sign(signed),
        device_signature=device.signing.sign(signed),
        invite=token,
    )
    return {"invite": token.hex() if token else None, "signed": signed.hex(), **_frame(register)}


def _deletion(party: Party, channel: Channel) -> Json:
    signed = signing.account_deletion(signing.Channel(**channel, features=[]))
    return {
        "signed": signed.hex(),
        **_frame(messages.AccountDelete(7, party.account.sign(signed))),
    }


def _link(link: InviteLink) -> Json:
    return {
        "host": link.server.host,
        "port": link.server.port,
        "server_id": link.server_id and link.server_id.hex(),
        "pins": [each.hex() for each in link.pins],
        "invite": link.invite and link.invite.hex(),
        "link": str(link),
    }
