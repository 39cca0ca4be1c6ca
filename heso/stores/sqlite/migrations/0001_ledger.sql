-- The ledger: every receipt in commit order. Rows are only ever inserted.
-- `receipt` holds the exact bytes that were signed; the other columns are for queries and are never hashed again.
-- What follows from these is not stored a second time: a row's audit entry, its link hash, its policy.
CREATE TABLE ledger (
    position    INTEGER PRIMARY KEY,   -- place in the audit chain, from 0
    entry_hash  BLOB NOT NULL,         -- of its audit entry
    action_hash BLOB NOT NULL,
    session_id  TEXT,                  -- NULL for a receipt that stands alone
    seq         INTEGER,
    recorded_at INTEGER NOT NULL,      -- nanoseconds since 1970, UTC
    decision    TEXT NOT NULL,
    verb        TEXT NOT NULL,
    tool_name   TEXT NOT NULL,
    workflow    TEXT NOT NULL,
    account     TEXT NOT NULL,
    receipt     BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX ledger_by_session ON ledger (session_id, seq) WHERE session_id IS NOT NULL;

-- There is no index by hash. One sorted by hash would touch a random page for every receipt, and any index costs the
-- gate time that only somebody looking for a receipt would win back.

-- Against slips, not against whoever owns the file: that is what the hashes are for.
CREATE TRIGGER ledger_keeps BEFORE DELETE ON ledger BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;
CREATE TRIGGER ledger_stays BEFORE UPDATE ON ledger BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

-- The exact text of every policy that was ever in force, and from which receipt on.
CREATE TABLE policy (
    since INTEGER PRIMARY KEY,         -- the position of its signed entry
    hash  BLOB NOT NULL,
    text  BLOB NOT NULL
) STRICT;

CREATE TRIGGER policy_keeps BEFORE DELETE ON policy BEGIN
    SELECT RAISE(ABORT, 'policies are append-only');
END;
CREATE TRIGGER policy_stays BEFORE UPDATE ON policy BEGIN
    SELECT RAISE(ABORT, 'policies are append-only');
END;

-- What waits for people: a checkpoint of the action, not of the coroutine.
CREATE TABLE ticket (
    action_hash       TEXT PRIMARY KEY,
    lifecycle_session TEXT NOT NULL,
    session_id        TEXT NOT NULL,
    tool_name         TEXT NOT NULL,
    workflow          TEXT NOT NULL,
    account           TEXT NOT NULL,
    rule_id           TEXT NOT NULL,
    policy_hash       TEXT NOT NULL,
    fields_json       BLOB NOT NULL,
    terms_json        BLOB NOT NULL,
    reveal_root       TEXT,
    resume_token      TEXT NOT NULL,
    suspended_at      INTEGER NOT NULL,  -- nanoseconds since 1970, UTC
    expires_at        INTEGER NOT NULL,
    state             TEXT NOT NULL CHECK (state IN ('suspended'))
) STRICT, WITHOUT ROWID;

CREATE INDEX ticket_due ON ticket (expires_at) WHERE state = 'suspended';
