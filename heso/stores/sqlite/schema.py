"""The schema: numbered plain-SQL migrations, forward only, each in a transaction of its own.

A file with a newer schema than this code knows, and a file that is another program's, are refused untouched.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from heso.ports import WrongSchema

APPLICATION_ID = 0x4845534F  # "HESO", in the file's header
_WHOSE = """SELECT (SELECT user_version FROM pragma_user_version),
    (SELECT application_id FROM pragma_application_id),
    (SELECT count(*) FROM sqlite_master)"""  # one statement, so one snapshot: another process may be migrating
_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(connection: sqlite3.Connection, file: str) -> None:
    """Bring the schema up to date. Two processes may try at once: one migrates, the other finds it done."""
    steps = sorted(_MIGRATIONS.glob("[0-9]*.sql"))
    if check_schema(connection, file) == len(steps):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = check_schema(connection, file)  # again: somebody may have been faster
        for step in steps[done:]:
            for statement in _statements(step.read_text("utf-8")):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def check_schema(connection: sqlite3.Connection, file: str) -> int:
    """The file's schema version. Raises `WrongSchema` for a file that is not ours, or from the future."""
    version, application, tables = connection.execute(_WHOSE).fetchone()
    newest = len(list(_MIGRATIONS.glob("[0-9]*.sql")))
    is_ours = application == APPLICATION_ID if version else application == 0 and tables == 0
    if not is_ours:
        raise WrongSchema(
            file, "is a database of another program", "point heso at a project of its own"
        )
    if version > newest:
        why = f"has schema version {version}; this heso knows up to {newest}"
        raise WrongSchema(file, why, "upgrade heso: pip install -U heso")
    return int(version)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
