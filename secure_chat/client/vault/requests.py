"""How much of people who were not accepted a vault holds (PROTOCOL.md 12.6).

Whoever may register can write to anybody, as much as the server carries: a vault that took all of
it would fill the disk of somebody who never asked for it.
"""

import apsw

from secure_chat.client.events import Strangers
from secure_chat.client.vault import habits
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import UserId

_WAITING = """
WITH RECURSIVE talking (user_id) AS (
  SELECT min(user_id) FROM messages
  UNION ALL SELECT (SELECT min(user_id) FROM messages WHERE user_id > t.user_id) FROM talking t
    WHERE t.user_id IS NOT NULL
)
SELECT count(*) FROM talking t WHERE user_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM contacts WHERE user_id = t.user_id AND engaged = 1)
  AND NOT EXISTS (SELECT 1 FROM habits WHERE user_id = t.user_id AND blocked > 0)
"""


def is_full(db: apsw.Connection, user_id: UserId, more: int = 0) -> bool:
    """Whether a stranger's request has no room for ``more`` bytes; never of anybody else."""
    if not habits.is_request(db, user_id):
        return False
    count, size = db.execute(
        "SELECT count(*), coalesce(sum(octet_length(text)), 0) FROM"
        " (SELECT text FROM messages WHERE user_id = ?1"
        "  UNION ALL SELECT text FROM edits WHERE user_id = ?1)",
        (user_id,),
    ).get
    return bool(count >= limits.REQUEST_LINES or size + more > limits.REQUEST_BYTES)


def is_one_too_many(db: apsw.Connection, user_id: UserId) -> bool:
    """Whether somebody would begin a request, and as many as may be held wait already."""
    if habits.strangers(db) is not Strangers.ASK or not habits.is_request(db, user_id):
        return False
    begun = db.execute("SELECT 1 FROM messages WHERE user_id = ? LIMIT 1", (user_id,)).get
    return begun is None and db.execute(_WAITING).get >= limits.REQUESTS
