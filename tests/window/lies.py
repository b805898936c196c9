"""A server that names other keys for somebody, for the window to notice."""

import os
import time

from secure_chat.crypto.identity import new_account
from secure_chat.errors import CODES, Code
from secure_chat.protocol.addresses import FIRST_DEVICE, UserId
from secure_chat.protocol.messages import ClientMessage, Error, Manifest, Pm, ServerMessage
from tests.client.meddler import Said
from tests.client.world import World


def name_other_keys(world: World, user_id: UserId) -> None:
    """From now on the account has another key, and messages to it are told so once."""
    now_ms = time.time_ns() // 1_000_000
    server_id = world.server.store.server_id
    _, fake = new_account(user_id, server_id, FIRST_DEVICE, now_ms, os.urandom)
    told: list[Pm] = []

    def request(message: ClientMessage, body: bytes) -> list[Said] | None:
        if isinstance(message, Pm) and message.to == f"{user_id}/main" and not told:
            told.append(message)
            code = Code.DEVICES_CHANGED
            return [(Error(code, CODES[code].message, id=message.id), b"")]
        return None

    def answer(message: ServerMessage, body: bytes) -> list[Said]:
        if isinstance(message, Manifest) and f"{user_id}@".encode() in bytes(message.manifest):
            lie = Manifest(message.ref, fake.account_key, fake.manifest, fake.manifest_signature)
            return [(lie, b"")]
        return [(message, body)]

    world.server.meddler.request = request
    world.server.meddler.answer = answer
