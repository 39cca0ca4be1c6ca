"""An approver whose machine has neither the project nor a network: the question travels as a file, the answer as a line.

Run it: python examples/07_air_gapped_approval.py
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import heso
from heso.project import create_project

POLICY = """
[[rule]]
id = "exports"
order = 10
verb = "data_export"
decision = "require_approval"
approvers = ["privacy"]
"""


@heso.tool(verb="data_export")
async def export_customers(country: str) -> int:
    """Hand out every customer of a country."""
    return 1_204


def command(folder: Path, *arguments: str) -> str:
    """What a person types on that machine."""
    clean = {name: value for name, value in os.environ.items() if name[:5] != "HESO_"}
    done = subprocess.run(
        [sys.executable, "-m", "heso.cli", *arguments],
        cwd=folder,
        env=clean,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


async def ask() -> str:
    try:
        await export_customers("Iceland")
    except heso.SuspendedError as held:
        return held.action_hash
    raise AssertionError("nobody was asked")


def main() -> None:
    project = Path(tempfile.mkdtemp(prefix="heso-example-"))
    island = Path(tempfile.mkdtemp(prefix="heso-island-"))
    create_project(project, None)
    key = island / "dora.key"
    dora = command(
        island,
        "approver",
        "enroll",
        "dora",
        "--role",
        "privacy",
        "--out",
        str(key),
        "--no-passphrase",
    )
    (project / "heso.toml").write_text(POLICY + dora)

    with heso.init(project):
        held = asyncio.run(ask())
    question = island / "question.json"
    command(project, "request", "export", held, "-o", str(question))
    answer = command(
        island, "approve", str(question), "--key", str(key), "--yes", "--reason", "agreed"
    )
    print("the answer is one line of", len(answer.strip()), "characters")
    print(command(project, "request", "import", answer.strip()).split("  ")[0])
    with heso.init(project):
        print("exported:", asyncio.run(heso.resume(held)))
    print(f"check it: heso verify --chain --project {project}")


if __name__ == "__main__":
    main()
