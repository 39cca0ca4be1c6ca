"""`heso doctor`: what is wrong here, and what to do about it."""

import argparse
import os
import platform
import shutil
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson

from heso.cli.arguments import add_project
from heso.cli.output import answer, paint, with_progress
from heso.cli.tools import add_module, load_modules
from heso.core.audit import verify_audit_chain
from heso.core.encoding import PublicKey
from heso.core.errors import HesoError
from heso.core.hashing import fingerprint
from heso.core.lifecycle import KEYS_SESSION
from heso.core.roles import signing_rule
from heso.core.session import verify_session_chain
from heso.core.verdict import Verdict
from heso.core.verify import verify_receipt
from heso.core.visible import visible
from heso.policy.lint import lint_policy
from heso.policy.reader import parse_policy
from heso.ports import Filter, Record
from heso.settings import POLICY_FILE, STATE_FOLDER, Settings, read_settings
from heso.stores.key_folder import (
    DECISION_KEY_FILE,
    has_development_passphrase,
    load_decision_key,
    load_key,
)
from heso.stores.sqlite.records import SqliteRecords

_LEAST_FREE_BYTES = 200 * 1024 * 1024
_SAFE_SQLITE = (3, 51, 3)  # before it: https://sqlite.org/wal.html#walresetbug
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """`level` is ok, warn or fail."""

    level: str
    says: str
    next_step: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_module(parser)
    add_project(parser)


def run(options: argparse.Namespace) -> int:
    if options.module:
        load_modules(options)
    worst = 0
    for finding in (*_ways_out(options.module), *_examine(options.project)):
        answer(f"{paint(f'{finding.level:<4}', _COLOURS[finding.level])}  {visible(finding.says)}")
        if finding.next_step:
            answer(f"      {visible(finding.next_step)}")
        worst = max(worst, int(finding.level == "fail"))
    return worst


def _examine(project: str | None) -> Iterator[Finding]:
    yield Finding("ok", f"Python {platform.python_version()}")
    yield _sqlite()
    try:
        settings = read_settings(os.environ, Path.cwd(), project_root=project)
    except HesoError as error:
        yield Finding("fail", str(error), error.next_step)
        return
    yield Finding("ok", f"project {settings.root}")
    yield from _policy(settings)
    yield from _key(settings)
    yield from _folder(settings)
    yield from _ledger(settings)
    yield from _receipts(settings)


def _ways_out(modules: Sequence[str]) -> Iterator[Finding]:
    """What leaves the process past the gate, as far as the modules that were given show it."""
    from heso.integrations.self_check import self_check  # noqa: PLC0415  # the other examinations do without

    found = self_check()
    for name, kind in found.keys:
        yield Finding(
            "warn",
            f"{name} in the environment holds {kind}",
            "an agent that can read it needs no gate: give it to the process that needs it alone",
        )
    if not modules:
        yield Finding("ok", "clients are looked at where they are made: heso doctor --module NAME")
        return
    yield from (Finding("ok", f"passes the gate: {line}") for line in found.gated)
    yield from (Finding("warn", f"past the gate: {line}") for line in found.open)
    yield from (Finding("ok", f"beyond any gate: {line}") for line in found.beyond)


def _sqlite() -> Finding:
    if sqlite3.sqlite_version_info >= _SAFE_SQLITE:
        return Finding("ok", f"SQLite {sqlite3.sqlite_version}")
    says = f"SQLite {sqlite3.sqlite_version}: several processes writing one file can, rarely, meet its WAL-reset fault"
    return Finding(
        "warn", says, "use SQLite 3.51.3 or later where several processes share a project"
    )


def _policy(settings: Settings) -> Iterator[Finding]:
    try:
        policy = parse_policy(settings.policy_text, file=POLICY_FILE)
    except HesoError as error:
        yield Finding("fail", str(error), error.next_step)
        return
    yield Finding("ok", f"policy {policy.hash[:12]}, {len(policy.rules)} rules")
    for found in lint_policy(policy):
        yield Finding("fail" if found.is_error else "warn", f"rule {found.rule!r} {found.says}")


def _key(settings: Settings) -> Iterator[Finding]:
    try:
        key = load_key(
            settings.state, settings.passphrase, allow_development=not settings.requires_passphrase
        )
    except HesoError as error:
        yield Finding("fail", str(error), error.next_step)
        return
    yield Finding("ok", f"operator key {key.public_key}  {fingerprint(key.public_key)}")
    yield from _on_roster(settings, key.public_key, "operator key")
    if (settings.state / DECISION_KEY_FILE).exists():
        yield from _decision_key(settings)
    if settings.passphrase is None and has_development_passphrase(settings.state):
        yield Finding(
            "warn",
            "the key opens with a development passphrase that lies beside it",
            "for production make a new project with HESO_KEY_PASSPHRASE set",
        )


def _on_roster(settings: Settings, key: PublicKey, what: str) -> Iterator[Finding]:
    """A key of the project's own decides nothing, so a quorum could wait for it in vain."""
    try:
        policy = parse_policy(settings.policy_text, file=POLICY_FILE)
    except HesoError:
        return  # said above
    for person in policy.approvers:
        if key in person.keys:
            yield Finding(
                "fail",
                f"approver {person.id!r} has the project's own {what}, and nobody approves their own action",
                "make another with `heso approver enroll`, and put that on the roster",
            )


def _decision_key(settings: Settings) -> Iterator[Finding]:
    try:
        key = load_decision_key(
            settings.state, settings.passphrase, allow_development=not settings.requires_passphrase
        )
    except HesoError as error:
        yield Finding("fail", str(error), error.next_step)
        return
    yield Finding("ok", f"decision key {key.public_key}  {fingerprint(key.public_key)}")
    yield from _on_roster(settings, key.public_key, "decision key")


def _folder(settings: Settings) -> Iterator[Finding]:
    if not settings.state.is_dir():
        yield Finding("fail", f"there is no {STATE_FOLDER} folder", "run `heso init`")
        return
    mode = stat.S_IMODE(settings.state.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            "fail",
            f"others can enter {STATE_FOLDER} (mode {mode:04o})",
            f"chmod 700 {settings.state}",
        )
    if not os.access(settings.state, os.W_OK):
        yield Finding(
            "fail",
            f"{STATE_FOLDER} cannot be written",
            "check its owner, and how the disk is mounted",
        )
    ignore = settings.root / ".gitignore"
    if not ignore.exists() or f"{STATE_FOLDER}/".encode() not in ignore.read_bytes().splitlines():
        yield Finding(
            "warn", f".gitignore does not name {STATE_FOLDER}/", "run `heso init`: it adds the line"
        )
    free = shutil.disk_usage(settings.root).free
    if free < _LEAST_FREE_BYTES:
        yield Finding(
            "fail",
            f"only {free // 2**20} MiB of disk are free",
            "make room: a full disk stops every action",
        )


def _ledger(settings: Settings) -> Iterator[Finding]:
    if not settings.database.exists():
        yield Finding("ok", "no receipts yet")
        return
    mode = stat.S_IMODE(settings.database.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            "fail",
            f"others can read the ledger (mode {mode:04o})",
            f"chmod 600 {settings.database}",
        )
    try:
        records = SqliteRecords(settings.database)
    except HesoError as error:
        yield Finding("fail", str(error), error.next_step)
        return
    try:
        verdict = verify_audit_chain(record.audit_entry for record in records.read())
    except HesoError as error:
        yield Finding("fail", str(error), error.next_step)
        return
    finally:
        records.close()
    if verdict.length is None and verdict.kind != "Empty":
        yield Finding(
            "fail",
            f"the audit chain is {verdict.kind}: {verdict.detail}",
            "restore the ledger from a backup",
        )
    else:
        yield Finding("ok", f"{verdict.length or 0} receipts, audit chain whole")


def _receipts(settings: Settings) -> Iterator[Finding]:
    """Every receipt, held against this project's own key: the chains themselves are made without one."""
    try:
        key = load_key(
            settings.state, settings.passphrase, allow_development=not settings.requires_passphrase
        )
        records = SqliteRecords(settings.database)
    except HesoError:
        return  # said above
    with closing(records):
        try:
            known = _keys_until(key.public_key, records)
            for record in with_progress(records.read(), records.count()):
                verdict, is_ours = _judge(record, known)
                if not verdict.is_valid or not is_ours:
                    kind = verdict.kind if not verdict.is_valid else "by another operator"
                    says = f"receipt {record.position} is {kind}: {verdict.detail}"
                    yield Finding(
                        "fail", says, "somebody else wrote to this ledger, or its key was changed"
                    )
                    return
        except HesoError:
            return  # said above
    yield Finding("ok", "every receipt is signed by the operator's key")


def _keys_until(current: PublicKey, records: SqliteRecords) -> frozenset[str]:
    """The operator's key, and those before it that handed over to it, each signed by the one that went."""
    links = [record.receipt for record in records.read(Filter(session_id=KEYS_SESSION))]
    if not links or not verify_session_chain(links).is_valid:
        return frozenset({current})
    known = {current}
    for link in reversed(links):
        rotation = orjson.loads(link)["content"]["key_rotation"]
        if rotation["role"] == "producer" and rotation["incoming_public_key"] in known:
            known.add(rotation["outgoing_public_key"])
    return frozenset(known)


def _judge(record: Record, known: frozenset[str]) -> tuple[Verdict, bool]:
    """The verdict, and whether the operator it is by is one of ours. Who signs decisions is another key."""
    verdict = verify_receipt(record.receipt)
    content = orjson.loads(record.receipt)["content"]
    is_decision = "kind" in content and signing_rule(content).role == "decision"
    return verdict, is_decision or (bool(verdict.signers) and verdict.signers[0] in known)
