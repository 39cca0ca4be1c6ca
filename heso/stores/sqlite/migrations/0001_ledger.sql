-- The ledger: every receipt in commit order, with its audit entry. Rows are only ever inserted.
-- `receipt` and `audit_entry` are the exact bytes that were signed and hashed; the other columns are for queries
-- and are never hashed again.
CREATE TABLE ledger (
    position    INTEGER PRIMARY KEY,   -- place in the audit chain, from 0
    entry_hash  TEXT NOT NULL,
    action_hash TEXT NOT NULL,
    session_id  TEXT,                  -- NULL for a receipt that stands alone
    seq         INTEGER,
    link_hash   TEXT,                  -- what the next receipt of the session must name
    policy_hash TEXT NOT NULL,         -- the policy in force
    decision    TEXT NOT NULL,
    verb        TEXT NOT NULL,
    tool_name   TEXT NOT NULL,
    workflow    TEXT NOT NULL,
    account     TEXT NOT NULL,
    receipt     BLOB NOT NULL,
    audit_entry BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX ledger_by_session ON ledger (session_id, seq) WHERE session_id IS NOT NULL;
CREATE UNIQUE INDEX ledger_by_hash ON ledger (action_hash);

CREATE TRIGGER ledger_keeps BEFORE DELETE ON ledger BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;
CREATE TRIGGER ledger_stays BEFORE UPDATE ON ledger BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

-- The exact text of every policy that was ever in force here.
CREATE TABLE policy (
    hash TEXT PRIMARY KEY,
    text BLOB NOT NULL
) STRICT, WITHOUT ROWID;

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
