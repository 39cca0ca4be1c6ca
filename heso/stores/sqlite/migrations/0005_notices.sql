-- Notices that were handed on, so that a restart does not send them all again.
CREATE TABLE notice (
    key TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
