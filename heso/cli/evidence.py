"""`heso evidence`: receipts with all that checking and reading them takes, for somebody else."""

import argparse
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from heso.cli.arguments import add_project
from heso.cli.ledger import open_records
from heso.cli.output import fail, say
from heso.core.encoding import PublicKey
from heso.core.errors import HesoError
from heso.core.hashing import fingerprint
from heso.evidence.bundle import write_files, write_folder, write_page, write_tar
from heso.evidence.collect import Collected, Wish, collect
from heso.policy.model import Approver
from heso.policy.reader import parse_policy
from heso.settings import POLICY_FILE, find_root


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--session", help="this session, and what became of its questions")
    parser.add_argument("--workflow", help="the sessions with a receipt of this workflow")
    parser.add_argument(
        "--since",
        metavar="TIME",
        help="the sessions with a receipt from then on: 2026-11-25, or 2026-11-25T08:00:00Z",
    )
    parser.add_argument(
        "-o",
        "--out",
        metavar="FILE.html|FILE.tar|DIR",
        required=True,
        help="one page that verifies itself, a tar, or a new folder",
    )
    add_project(parser)


def run(options: argparse.Namespace) -> int:
    out = Path(options.out)
    if out.exists() and not (out.is_file() and out.suffix in (".html", ".tar")):
        return fail(f"{out} is there already", "name a new folder, or a .html or .tar file")
    if options.since is not None and not _is_time(options.since):
        why = f"{options.since!r} is no day and no second in UTC"
        return fail(why, "heso evidence --since 2026-11-25 or 2026-11-25T08:00:00Z", code=64)
    with open_records(options.project) as records:
        wish = Wish(session=options.session, workflow=options.workflow, since=options.since)
        collected = collect(records, wish)
    if not collected.items:
        return fail("no receipt is like that", "see `heso log`")
    names = _names(find_root(os.environ, Path.cwd(), options.project), collected)
    try:
        _write(collected, names, out)
    except OSError as error:
        return fail(f"cannot write {out}: {error.strerror}", "name a file in a folder of yours")
    say(f"heso: {len(collected.items)} receipts in {out}")
    return 0


def _is_time(text: str) -> bool:
    """Written as the ledger writes its own, so that the two compare as text."""
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"):
        with suppress(ValueError):
            return datetime.strptime(text, form).replace(tzinfo=UTC).strftime(form) == text
    return False


def _write(collected: Collected, names: dict[str, str], out: Path) -> None:
    match out.suffix:
        case ".html":
            out.write_bytes(write_page(collected, names))
        case ".tar":
            out.write_bytes(write_tar(write_files(collected, names)))
        case _:
            write_folder(write_files(collected, names), out)


def _names(root: Path, collected: Collected) -> dict[str, str]:
    """Whose the keys in these receipts are, in this project's own words."""
    names: dict[str, str] = {}
    for item in collected.items:
        envelope = orjson.loads(item.receipt)
        for signature in envelope["signatures"]:
            key = PublicKey(signature["public_key"])
            role = _role(signature["key_id"], item.content)
            names.setdefault(key, f"{role} {fingerprint(key)}")
    for person in _roster(root / POLICY_FILE):
        names |= {key: f"approver {person.id}" for key in person.keys if key in names}
    return names


def _role(key_id: str, content: dict[str, Any]) -> str:
    if key_id == "operator":
        return "operator"
    return "decision key" if "kind" in content else "approver"


def _roster(policy: Path) -> Sequence[Approver]:
    """The people of today's roster; a policy that cannot be read leaves them without names, and nothing else missing."""
    try:
        return parse_policy(policy.read_bytes(), file=str(policy)).approvers
    except (OSError, HesoError) as error:
        say(f"heso: approvers have no names in it: {error}")
        return ()
