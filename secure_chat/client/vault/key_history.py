"""Rows of what happened to the account keys of others, in order. Only ever added to."""

import apsw

from secure_chat.client.events import KeyEvent, KeyFact, Means
from secure_chat.crypto.fingerprint import account_fingerprint
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.wiretypes import AccountKey


def note(
    db: apsw.Connection,
    user_id: UserId,
    account_key: AccountKey,
    fact: KeyFact,
    now_ms: int,
    means: Means | None = None,
) -> None:
    """Something happened to a key."""
    db.execute(
        "INSERT INTO key_history (user_id, account_key, fact, means, time) VALUES (?, ?, ?, ?, ?)",
        (user_id, bytes(account_key), fact.value, means.value if means else "", now_ms),
    )


def of(db: apsw.Connection, user_id: UserId) -> list[KeyEvent]:
    """All of it, the first moment first."""
    rows = db.execute(
        "SELECT time, fact, means, account_key FROM key_history WHERE user_id = ? ORDER BY id",
        (user_id,),
    )
    return [
        KeyEvent(
            time,
            KeyFact(fact),
            Means(means) if means else None,
            account_fingerprint(AccountKey(key)) if key is not None else "",
        )
        for time, fact, means, key in rows
    ]


def verified_by(db: apsw.Connection, user_id: UserId) -> Means | None:
    """How the contact was verified last."""
    means: str | None = db.execute(
        "SELECT means FROM key_history WHERE user_id = ? AND fact = ? ORDER BY id DESC LIMIT 1",
        (user_id, KeyFact.VERIFIED.value),
    ).get
    return Means(means) if means else None
