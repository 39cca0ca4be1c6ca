"""One SQLite file per project: WAL, `synchronous=FULL`, one writer per process with group commit."""
