-- Nonces of approval tokens that were used: a token is good once. They are kept for good; one is 32 bytes.
CREATE TABLE nonce (
    nonce  BLOB PRIMARY KEY,
    expiry TEXT NOT NULL               -- the token's last second, UTC, in decimal: it may exceed 63 bits
) STRICT, WITHOUT ROWID;

CREATE TRIGGER nonce_keeps BEFORE DELETE ON nonce BEGIN
    SELECT RAISE(ABORT, 'nonces are append-only');
END;
CREATE TRIGGER nonce_stays BEFORE UPDATE ON nonce BEGIN
    SELECT RAISE(ABORT, 'nonces are append-only');
END;
