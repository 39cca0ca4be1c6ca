-- A ticket's whole life: decided, claimed, finished. It keeps the asked receipt, so resuming reads nothing else.
CREATE TABLE ticket_now (
    number            INTEGER PRIMARY KEY,   -- in the order in which they were opened
    action_hash       TEXT NOT NULL UNIQUE,
    asked             BLOB NOT NULL,         -- the receipt, as it was signed
    lifecycle_session TEXT NOT NULL,
    session_id        TEXT NOT NULL,
    tool_name         TEXT NOT NULL,
    tool_version      TEXT NOT NULL,
    workflow          TEXT NOT NULL,
    account           TEXT NOT NULL,
    rule_id           TEXT NOT NULL,
    policy_hash       TEXT NOT NULL,
    terms_json        BLOB NOT NULL,
    reveal_root       TEXT,
    resume_token      TEXT NOT NULL,
    call_key          TEXT NOT NULL,         -- equal for the same call in the same session
    suspended_at      INTEGER NOT NULL,      -- nanoseconds since 1970, UTC
    due               INTEGER NOT NULL,      -- when somebody has to look again
    state             TEXT NOT NULL CHECK (state IN ('suspended', 'approved', 'running', 'in_doubt', 'done', 'failed',
                                                     'rejected', 'expired', 'cancelled', 'replaced')),
    rung              INTEGER NOT NULL,
    votes_json        BLOB NOT NULL,
    fence             INTEGER NOT NULL,
    owner             TEXT NOT NULL,
    result_json       BLOB,
    error             TEXT,
    replaced_by       TEXT,
    changes_json      BLOB,                  -- what an approver put in place of what was asked
    is_delivered      INTEGER NOT NULL
) STRICT;

INSERT INTO ticket_now (action_hash, asked, lifecycle_session, session_id, tool_name, tool_version, workflow, account,
        rule_id, policy_hash, terms_json, reveal_root, resume_token, call_key, suspended_at, due, state, rung, votes_json,
        fence, owner, is_delivered)
    SELECT ticket.action_hash, ledger.receipt, ticket.lifecycle_session, ticket.session_id, ticket.tool_name, '',
        ticket.workflow, ticket.account, ticket.rule_id, ticket.policy_hash, ticket.terms_json, ticket.reveal_root,
        ticket.resume_token, '', ticket.suspended_at, ticket.expires_at, 'suspended', 0, CAST('[]' AS BLOB), 0, '', 0
    FROM ledger CROSS JOIN ticket ON ticket.action_hash = lower(hex(ledger.action_hash))
    WHERE ledger.decision = 'require_approval'
    ORDER BY ledger.position;

DROP TABLE ticket;
ALTER TABLE ticket_now RENAME TO ticket;

-- What can still happen, most urgent first: the inbox, the sweeper and the workers read it from one end.
CREATE INDEX ticket_due ON ticket (state, due) WHERE state IN ('suspended', 'approved', 'running', 'in_doubt');
CREATE INDEX ticket_call ON ticket (call_key) WHERE is_delivered = 0;
