"""Silent contents that the engine itself owes a contact, so that sessions heal."""

import apsw
import msgspec

from secure_chat.client import content
from secure_chat.client.engine.context import Context
from secure_chat.client.vault import contacts, outbox
from secure_chat.client.vault.contacts import Contact


def owe_turn(context: Context, db: apsw.Connection, contact: Contact) -> None:
    """An empty silent content, which lets ratchets turn and begins sessions."""
    assert contact.identity is not None
    key = contact.identity.account_key
    content_id = context.new_content_id()
    outbox.owe(db, contact.user_id, content_id, content.Turn(), key, context.now_ms)


def owe_session_lost(context: Context, db: apsw.Connection, contact: Contact) -> None:
    """Tell a contact that a session was lost, so that what it has not confirmed comes again."""
    assert contact.identity is not None
    contacts.put(db, msgspec.structs.replace(contact, rebuilt=context.now_ms))
    outbox.owe(
        db,
        contact.user_id,
        context.new_content_id(),
        content.SessionLost(),
        contact.identity.account_key,
        context.now_ms,
    )
