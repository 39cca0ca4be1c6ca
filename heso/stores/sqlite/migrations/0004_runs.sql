-- Durable runs, what each has done so far, and what it was told.
CREATE TABLE run (
    id             TEXT NOT NULL UNIQUE,
    name           TEXT NOT NULL,
    version        INTEGER NOT NULL,
    arguments_json BLOB NOT NULL,
    created        INTEGER NOT NULL,          -- nanoseconds since 1970, UTC
    state          TEXT NOT NULL CHECK (state IN ('ready', 'running', 'waiting', 'parked', 'done', 'failed', 'cancelled')),
    due            INTEGER NOT NULL,          -- when it may go on by itself
    waiting_for    TEXT NOT NULL,             -- lines: an action hash, signal:NAME or run:ID
    fence          INTEGER NOT NULL,
    owner          TEXT NOT NULL,
    result_json    BLOB,
    error          TEXT
) STRICT;

CREATE INDEX run_due ON run (state, due) WHERE state IN ('ready', 'running', 'waiting', 'parked');
-- The lines of `waiting_for`, each found by what has come. Only runs that wait have any.
CREATE TABLE awaited (
    what TEXT NOT NULL,
    run  TEXT NOT NULL,
    PRIMARY KEY (what, run)
) STRICT, WITHOUT ROWID;

CREATE INDEX awaited_by ON awaited (run);

CREATE TABLE step (
    run        TEXT NOT NULL,
    name       TEXT NOT NULL,
    occurrence INTEGER NOT NULL,
    inputs     TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('started', 'asked', 'done', 'failed')),
    ticket     TEXT,
    value_json BLOB,
    at         INTEGER NOT NULL,
    PRIMARY KEY (run, name, occurrence)
) STRICT, WITHOUT ROWID;

CREATE TABLE signal (
    number     INTEGER PRIMARY KEY,
    run        TEXT NOT NULL,
    name       TEXT NOT NULL,
    value_json BLOB NOT NULL,
    is_taken   INTEGER NOT NULL
) STRICT;

CREATE INDEX signal_untaken ON signal (run, name) WHERE is_taken = 0;
