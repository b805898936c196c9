"""The vault's tables, and the steps from each version of them to the next.

`MIGRATIONS[n]` leads from version n to n + 1. A step that was released never changes; every later
change is a new step at the end. Times are milliseconds since 1970.
"""

import apsw

from secure_chat.client.vault.search import register
from secure_chat.errors import VaultTooNew

_FIRST = """
-- Who we are. The secrets and the server id are absent until the first verified connection.
CREATE TABLE profile (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  user_id TEXT NOT NULL,
  device TEXT NOT NULL,
  link TEXT NOT NULL,
  ca_file TEXT,
  server_id BLOB,
  account_secret BLOB,
  signing_secret BLOB,
  dh_secret BLOB,
  mls_secret BLOB,
  manifest BLOB,
  manifest_signature BLOB,
  register_sent INTEGER NOT NULL DEFAULT 0,
  registered INTEGER NOT NULL DEFAULT 0,
  acked INTEGER NOT NULL DEFAULT 0,        -- last mailbox sequence that is safe in this vault
  key_version INTEGER NOT NULL DEFAULT 0,  -- of the prekey set that was made last
  keys_rotated INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Private parts of published prekeys; retired ones wait for late messages.
CREATE TABLE prekeys (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('signed', 'last_resort', 'one_time', 'one_time_kem')),
  secret BLOB NOT NULL,
  public BLOB NOT NULL,                    -- as published, to publish it again after a crash
  retired INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A contact is known by its account key; pending_* is another key that nobody has accepted.
CREATE TABLE contacts (
  user_id TEXT PRIMARY KEY,
  account_key BLOB,
  manifest BLOB,
  counter INTEGER NOT NULL DEFAULT 0,
  pending_key BLOB,
  pending_manifest BLOB,
  pending_counter INTEGER NOT NULL DEFAULT 0,
  first_seen INTEGER NOT NULL DEFAULT 0,
  changed INTEGER NOT NULL DEFAULT 0,
  verified INTEGER NOT NULL DEFAULT 0,
  engaged INTEGER NOT NULL DEFAULT 0,      -- we wrote to them or opened the conversation
  rebuilt INTEGER NOT NULL DEFAULT 0       -- when we set up a lost session last
) STRICT;

-- All ratchet sessions with one device of one identity.
CREATE TABLE sessions (
  user_id TEXT NOT NULL,
  device TEXT NOT NULL,
  account_key BLOB NOT NULL,
  state BLOB NOT NULL,
  PRIMARY KEY (user_id, device, account_key)
) STRICT;

-- What a conversation shows. A content id is the sender's: ours and theirs never meet.
CREATE TABLE messages (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id TEXT NOT NULL,
  content_id BLOB NOT NULL,
  ours INTEGER NOT NULL,
  text TEXT NOT NULL,
  time INTEGER NOT NULL,
  claimed_time INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL,
  problem TEXT NOT NULL DEFAULT '',
  unread INTEGER NOT NULL DEFAULT 0,
  notice TEXT NOT NULL DEFAULT '',         -- kind of a line of our own, '' for a message
  repeated INTEGER NOT NULL DEFAULT 1,     -- how often a notice was due in a row
  UNIQUE (user_id, ours, content_id)
) STRICT;
CREATE INDEX messages_of ON messages (user_id, number);
CREATE INDEX messages_unread ON messages (user_id) WHERE unread = 1;

-- Contents that we owe somebody; a text stays until its receipt came.
CREATE TABLE outgoing (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id TEXT NOT NULL,
  content_id BLOB NOT NULL,
  kind INTEGER NOT NULL,
  payload BLOB NOT NULL,
  account_key BLOB,                        -- the identity it was queued for; NULL: none known
  created INTEGER NOT NULL,
  accepted INTEGER NOT NULL DEFAULT 0,     -- when the server took every copy
  confirmed INTEGER NOT NULL DEFAULT 0     -- a receipt came
) STRICT;
CREATE INDEX outgoing_of ON outgoing (user_id, accepted, id);

-- The outbox: one ciphertext for each device, made once and repeated until it is accepted.
CREATE TABLE copies (
  delivery_id BLOB PRIMARY KEY,
  outgoing INTEGER NOT NULL REFERENCES outgoing (id) ON DELETE CASCADE,
  device TEXT NOT NULL,
  body BLOB NOT NULL,
  accepted INTEGER NOT NULL DEFAULT 0,
  UNIQUE (outgoing, device)
) STRICT;

-- Deliveries that were handled.
CREATE TABLE seen (
  delivery_id BLOB PRIMARY KEY,
  digest BLOB NOT NULL,
  time INTEGER NOT NULL
) STRICT;
CREATE INDEX seen_time ON seen (time);
"""

_CONTENT = """
-- A message is known by its author and its content id, whoever else uses the same id.
CREATE TABLE messages_by_author (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id TEXT NOT NULL,
  content_id BLOB NOT NULL,
  ours INTEGER NOT NULL,
  author BLOB NOT NULL DEFAULT x'',        -- account key of who wrote it; empty: ourselves
  addressee BLOB,                          -- of ours: the account key that it was encrypted to
  text TEXT NOT NULL,
  time INTEGER NOT NULL,
  claimed_time INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL,
  problem TEXT NOT NULL DEFAULT '',
  unread INTEGER NOT NULL DEFAULT 0,
  notice TEXT NOT NULL DEFAULT '',         -- kind of a line of our own, '' for a message
  repeated INTEGER NOT NULL DEFAULT 1,     -- how often a notice was due in a row
  edited INTEGER NOT NULL DEFAULT 0,       -- when the newest edit came
  deleted INTEGER NOT NULL DEFAULT 0,      -- its author took it back
  timer INTEGER NOT NULL DEFAULT 0,        -- seconds from reading or sending to disappearing
  expires INTEGER NOT NULL DEFAULT 0,      -- when that will be, once the time runs
  quote_author BLOB,
  quote_id BLOB,
  UNIQUE (user_id, author, content_id)
) STRICT;
INSERT INTO messages_by_author (number, user_id, content_id, ours, author, addressee, text, time,
  claimed_time, state, problem, unread, notice, repeated)
SELECT m.number, m.user_id, m.content_id, m.ours,
  CASE WHEN m.ours = 1 OR m.notice <> '' THEN x'' ELSE coalesce(c.account_key, x'') END,
  CASE WHEN m.ours = 1 THEN c.account_key END,
  m.text, m.time, m.claimed_time, m.state, m.problem, m.unread, m.notice, m.repeated
FROM messages m LEFT JOIN contacts c ON c.user_id = m.user_id ORDER BY m.number;
DROP TABLE messages;
ALTER TABLE messages_by_author RENAME TO messages;
CREATE INDEX messages_of ON messages (user_id, number);
CREATE INDEX messages_unread ON messages (user_id) WHERE unread = 1;
CREATE INDEX messages_expiring ON messages (expires) WHERE expires > 0;
CREATE INDEX messages_quoting ON messages (user_id, quote_id) WHERE quote_id IS NOT NULL;

-- What is done to messages, under their author and id, whether they are here yet or not.
CREATE TABLE edits (
  user_id TEXT NOT NULL,
  author BLOB NOT NULL,
  content_id BLOB NOT NULL,
  revision INTEGER NOT NULL,               -- 0: the text as it was first, once it was edited
  text TEXT NOT NULL,
  time INTEGER NOT NULL,
  PRIMARY KEY (user_id, author, content_id, revision)
) STRICT, WITHOUT ROWID;
CREATE TABLE reactions (
  user_id TEXT NOT NULL,
  author BLOB NOT NULL,
  content_id BLOB NOT NULL,
  reader BLOB NOT NULL,                    -- account key of who reacted; empty: ourselves
  revision INTEGER NOT NULL,
  emoji TEXT NOT NULL,                     -- empty: withdrawn
  time INTEGER NOT NULL,
  PRIMARY KEY (user_id, author, content_id, reader)
) STRICT, WITHOUT ROWID;
CREATE TABLE gone (
  user_id TEXT NOT NULL,
  author BLOB NOT NULL,
  content_id BLOB NOT NULL,
  time INTEGER NOT NULL,
  PRIMARY KEY (user_id, author, content_id)
) STRICT, WITHOUT ROWID;

-- What a conversation has beside its messages.
CREATE TABLE talks (
  user_id TEXT PRIMARY KEY,
  timer_revision INTEGER NOT NULL DEFAULT 0,
  timer INTEGER NOT NULL DEFAULT 0,
  name_told INTEGER NOT NULL DEFAULT 0     -- revision of our display name that they were told
) STRICT;
CREATE TABLE names (
  user_id TEXT NOT NULL,                   -- empty for our own
  author BLOB NOT NULL,
  revision INTEGER NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (user_id, author)
) STRICT, WITHOUT ROWID;
CREATE TABLE choices (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- The message that a queued change is about: it goes when that message goes.
ALTER TABLE outgoing ADD COLUMN about BLOB;
"""

_NUMBERS = """
-- How many numbered contents each identity was sent.
CREATE TABLE streams (
  user_id TEXT NOT NULL,
  account_key BLOB NOT NULL,
  stream BLOB NOT NULL,                    -- random; another one after an old copy was restored
  number INTEGER NOT NULL,
  PRIMARY KEY (user_id, account_key)
) STRICT, WITHOUT ROWID;
ALTER TABLE outgoing ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;  -- its number; 0: none yet

-- How far each stream of theirs has come here, and which of its numbers have not.
CREATE TABLE heard (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id TEXT NOT NULL,
  account_key BLOB NOT NULL,
  stream BLOB NOT NULL,
  number INTEGER NOT NULL,
  UNIQUE (user_id, account_key, stream)
) STRICT;
CREATE TABLE missing (
  slot INTEGER PRIMARY KEY,                -- the line's number in `messages` that is kept for it
  user_id TEXT NOT NULL,
  account_key BLOB NOT NULL,
  stream BLOB NOT NULL,
  number INTEGER NOT NULL,
  UNIQUE (user_id, account_key, stream, number)
) STRICT;
"""

_SEARCH = """
-- What is being written in each conversation.
CREATE TABLE drafts (
  user_id TEXT PRIMARY KEY,
  text TEXT NOT NULL,
  reply_to INTEGER NOT NULL DEFAULT 0,     -- number of the message that it answers
  editing INTEGER NOT NULL DEFAULT 0,      -- number of the message that it shall replace
  aside TEXT NOT NULL DEFAULT ''           -- what was being written when the editing began
) STRICT;

-- The words of messages, by their numbers. `folded` is the program's own function (vault/search).
CREATE VIRTUAL TABLE search USING fts5(text, content='', tokenize="unicode61 remove_diacritics 0");
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER search_added AFTER INSERT ON messages WHEN new.notice = '' AND new.text <> '' BEGIN
  INSERT INTO search (rowid, text) VALUES (new.number, folded(new.text));
END;
CREATE TRIGGER search_gone AFTER DELETE ON messages WHEN old.notice = '' AND old.text <> '' BEGIN
  INSERT INTO search (search, rowid, text) VALUES ('delete', old.number, folded(old.text));
END;
CREATE TRIGGER search_unsaid AFTER UPDATE OF text ON messages
  WHEN old.notice = '' AND old.text <> '' BEGIN
  INSERT INTO search (search, rowid, text) VALUES ('delete', old.number, folded(old.text));
END;
CREATE TRIGGER search_said AFTER UPDATE OF text ON messages
  WHEN new.notice = '' AND new.text <> '' BEGIN
  INSERT INTO search (rowid, text) VALUES (new.number, folded(new.text));
END;
INSERT INTO search (rowid, text)
  SELECT number, folded(text) FROM messages WHERE notice = '' AND text <> '';
"""

_FILES = """
-- Files of messages. The bytes lie sealed in the folder `files` while they are under way.
CREATE TABLE files (
  user_id TEXT NOT NULL,
  author BLOB NOT NULL,
  content_id BLOB NOT NULL,
  name TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  key BLOB NOT NULL,
  sha256 BLOB NOT NULL,                    -- of the sealed bytes; empty until they are made
  state TEXT NOT NULL,
  path TEXT NOT NULL,                      -- ours: what was sent; theirs: where it goes or lies
  problem TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (user_id, author, content_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX files_moving ON files (state) WHERE state NOT IN ('sent', 'offered', 'saved');
"""

_HABITS = """
-- What a person decided about somebody, beside the trust in their key.
CREATE TABLE habits (
  user_id TEXT PRIMARY KEY,
  name TEXT NOT NULL DEFAULT '',           -- what we call them here; never leaves this device
  blocked INTEGER NOT NULL DEFAULT 0,      -- since when
  was_engaged INTEGER NOT NULL DEFAULT 0,  -- whether they were no stranger when they were blocked
  muted INTEGER NOT NULL DEFAULT 0,        -- until when
  pinned INTEGER NOT NULL DEFAULT 0,       -- since when
  archived INTEGER NOT NULL DEFAULT 0      -- since when
) STRICT, WITHOUT ROWID;

-- What happened to a contact's account key, in order. Nothing is ever taken out of it.
CREATE TABLE key_history (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id TEXT NOT NULL,
  account_key BLOB,                        -- NULL: an earlier version did not keep it
  fact TEXT NOT NULL,
  means TEXT NOT NULL DEFAULT '',          -- how it was verified
  time INTEGER NOT NULL
) STRICT;
CREATE INDEX key_history_of ON key_history (user_id, id);
INSERT INTO key_history (user_id, account_key, fact, means, time)
  SELECT user_id, key, fact, means, time FROM (
    SELECT user_id, CASE WHEN changed > 0 AND pending_key IS NULL THEN NULL ELSE account_key END
        AS key, 'seen' AS fact, '' AS means, first_seen AS time
      FROM contacts WHERE account_key IS NOT NULL
    UNION ALL SELECT user_id, coalesce(pending_key, account_key), 'changed', '', changed
      FROM contacts WHERE account_key IS NOT NULL AND changed > 0
    UNION ALL SELECT user_id, account_key, 'verified', 'digits', verified
      FROM contacts WHERE account_key IS NOT NULL AND verified > 0
  ) ORDER BY time;
"""

_METADATA = """
-- Whether a picture of ours is sent with what its camera wrote into it.
ALTER TABLE files ADD COLUMN keep_metadata INTEGER NOT NULL DEFAULT 0;
"""


def _searched(text: str, row: str) -> str:
    """What is looked for in a message, as an expression: its text, and the name of its file."""
    name = (
        "SELECT ' ' || f.name FROM files f"  # noqa: S608 - constants
        f" WHERE f.user_id = {row}.user_id AND f.author = {row}.author"
        f" AND f.content_id = {row}.content_id"
    )
    return f"{text} || coalesce(({name}), '')"


_FILE_NAMES = f"""
-- The search knows messages by the names of their files, too.
DROP TRIGGER search_added;
DROP TRIGGER search_gone;
DROP TRIGGER search_unsaid;
DROP TRIGGER search_said;
CREATE TRIGGER search_added AFTER INSERT ON messages WHEN new.notice = '' BEGIN
  INSERT INTO search (rowid, text) VALUES (new.number, folded({_searched("new.text", "new")}));
END;
CREATE TRIGGER search_gone AFTER DELETE ON messages WHEN old.notice = '' BEGIN
  INSERT INTO search (search, rowid, text)
    VALUES ('delete', old.number, folded({_searched("old.text", "old")}));
END;
CREATE TRIGGER search_said AFTER UPDATE OF text ON messages WHEN new.notice = '' BEGIN
  INSERT INTO search (search, rowid, text)
    VALUES ('delete', old.number, folded({_searched("old.text", "old")}));
  INSERT INTO search (rowid, text) VALUES (new.number, folded({_searched("new.text", "new")}));
END;
CREATE TRIGGER search_file_added AFTER INSERT ON files BEGIN
  INSERT INTO search (search, rowid, text) SELECT 'delete', number, folded(text) FROM messages
    WHERE user_id = new.user_id AND author = new.author AND content_id = new.content_id;
  INSERT INTO search (rowid, text) SELECT number, folded(text || ' ' || new.name) FROM messages
    WHERE user_id = new.user_id AND author = new.author AND content_id = new.content_id;
END;
CREATE TRIGGER search_file_gone AFTER DELETE ON files BEGIN
  INSERT INTO search (search, rowid, text)
    SELECT 'delete', number, folded(text || ' ' || old.name) FROM messages
    WHERE user_id = old.user_id AND author = old.author AND content_id = old.content_id;
  INSERT INTO search (rowid, text) SELECT number, folded(text) FROM messages
    WHERE user_id = old.user_id AND author = old.author AND content_id = old.content_id;
END;
INSERT INTO search (search) VALUES ('delete-all');
INSERT INTO search (rowid, text)
  SELECT number, folded({_searched("m.text", "m")}) FROM messages m WHERE notice = '';
"""  # noqa: S608 - constants

MIGRATIONS: tuple[str, ...] = (
    _FIRST, _CONTENT, _NUMBERS, _SEARCH, _FILES, _HABITS, _METADATA, _FILE_NAMES,
)  # fmt: skip


def migrate(db: apsw.Connection, migrations: tuple[str, ...] = MIGRATIONS) -> None:
    """Bring the tables up to date, each step whole or not at all; raise `VaultTooNew`."""
    register(db)
    found = int(db.pragma("user_version"))
    if found > len(migrations):
        raise VaultTooNew(found=found, known=len(migrations))
    for version in range(found, len(migrations)):
        db.execute("BEGIN IMMEDIATE")
        try:
            db.execute(migrations[version])
            db.execute(f"PRAGMA user_version = {version + 1}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # a full disk has ended it already
                db.execute("ROLLBACK")
            raise
