"""What the tables and columns of a server's open book are called before people."""

from typing import Final

from secure_chat.client.i18n import N_, Words

_TITLES: Final = {
    "accounts": N_("Your account"),
    "devices": N_("Your devices, and how far their mailboxes are"),
    "one_time_keys": N_("One-time keys (X25519): public, for first messages to you"),
    "one_time_kem_keys": N_("One-time keys (ML-KEM-1024): public, for first messages to you"),
    "deliveries": N_("Messages that wait: for you, and from you for others"),
    "bodies": N_("The sealed contents of these messages"),
    "uploads": N_("Sealed files that you sent and that are still kept"),
    "memory": N_("In memory alone, on no disk"),
}
_COLUMNS: Final = {
    "id": N_("Number in this table"),
    "user_id": N_("Name"),
    "skeleton": N_("What look-alike names have in common with it"),
    "account_key": N_("Public key of the account"),
    "manifest": N_("List of your devices, signed"),
    "manifest_signature": N_("Signature of that list"),
    "manifest_counter": N_("Version of that list"),
    "disabled": N_("Shut out by the operator"),
    "account_id": N_("Number of the account"),
    "name": N_("Name of the device"),
    "signing_key": N_("Public key of the device"),
    "revoked": N_("Taken off the list"),
    "reserved": N_("Places in the mailbox, given out up to"),
    "acked": N_("Places in the mailbox, fetched up to"),
    "key_version": N_("Version of the keys for first messages"),
    "signed_prekey_id": N_("Number of the weekly key (X25519)"),
    "signed_prekey": N_("Weekly key (X25519), public"),
    "signed_prekey_expires": N_("Weekly key (X25519), valid until"),
    "signed_prekey_signature": N_("Signature of the weekly key (X25519)"),
    "last_resort_id": N_("Number of the weekly key (ML-KEM-1024)"),
    "last_resort": N_("Weekly key (ML-KEM-1024), public"),
    "last_resort_expires": N_("Weekly key (ML-KEM-1024), valid until"),
    "last_resort_signature": N_("Signature of the weekly key (ML-KEM-1024)"),
    "device_id": N_("Number of the device"),
    "key_id": N_("Number of the key"),
    "key": N_("Key, public"),
    "expires": N_("Valid until"),
    "signature": N_("Signature"),
    "seq": N_("Place in the mailbox"),
    "body_id": N_("Number of the sealed content"),
    "delivery_id": N_("Mark against delivering it twice"),
    "sender": N_("Sent by"),
    "time": N_("When"),
    "since": N_("When, by the server's own count"),
    "size": N_("Size"),
    "copies": N_("Mailboxes that still need it"),
    "body": N_("Sealed content"),
    "sha256": N_("Fingerprint of the sealed file"),
    "whole": N_("All of it is there"),
    "device": N_("Name of the device"),
    "network": N_("Network that limits count by"),
    "unacknowledged": N_("Messages on their way to you"),
    "connection": N_("Connection of the device"),
    "features": N_("What the two programs agreed on"),
    "connected_seconds": N_("Connected for so many seconds"),
    "silent_seconds": N_("Seconds since it last said something"),
    "unread_bytes": N_("Sent to it and not read yet"),
    "frames_lately": N_("Frames that it sent lately"),
    "refusals_lately": N_("Requests of it refused lately"),
    "requests_open": N_("Requests that wait for their answer"),
    "uploads_open": N_("Files that it is sending"),
    "watches": N_("Whose presence it is told"),
    "mailbox": N_("Mailbox in use"),
    "waiting": N_("Messages that wait in it"),
    "waiting_bytes": N_("Their size"),
    "senders": N_("How many people wrote them"),
    "delivery_ids_on_the_way": N_("Marks of messages on their way, of you and to you"),
    "delivery_ids_done_lately": N_("Marks of messages delivered lately, of you and to you"),
    "rate": N_("What you may do only so often"),
    "left": N_("So often right now"),
    "of": N_("So often at most at once"),
}
MOMENTS: Final = {"time", "expires", "signed_prekey_expires", "last_resort_expires"}
"""Columns of milliseconds since 1970."""
SIZES: Final = {"size", "unread_bytes", "waiting_bytes"}
"""Columns of bytes."""


def title(table: str, words: Words) -> str:
    """A heading for the rows of a table; its own name where this program has none."""
    known = _TITLES.get(table)
    return table if known is None else words(known)


def column(name: str, words: Words) -> str:
    """What a column holds; nothing where this program does not know it."""
    known = _COLUMNS.get(name)
    return "" if known is None else words(known)
