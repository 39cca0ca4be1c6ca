"""An agent loop that is killed between the model's answer and the tool it asked for, and goes on where it was.

Run it: python examples/06_agent_survives_kill.py
The model is a file of answers that counts how often it was asked; put your model in its place.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import heso
from heso.project import create_project

POLICY = """
[[rule]]
id = "models-and-tools"
order = 10
verb = "any"
decision = "allow"
"""
ANSWERS = ["search lamps", "order lamp-3", "done"]


@heso.tool(verb="llm_call")
def ask_model(turn: int) -> str:
    """A question costs money, so it is asked once."""
    with Path("asked").open("a") as meter:
        meter.write("x")
    return ANSWERS[turn]


@heso.tool
def use_tool(command: str) -> str:
    """Whatever the model wants done; once."""
    with Path("done").open("a") as log:
        log.write(command + "\n")
    return f"{command}: ok"


@heso.workflow()
async def agent(goal: str) -> list[str]:
    """Each call is a step; what has happened is read from the journal and not done again."""
    results: list[str] = []
    for turn in range(len(ANSWERS)):
        answer = ask_model(turn)
        if answer == "done":
            break
        if turn == 1 and not Path("killed").exists():
            Path("killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)  # between the model call and the tool call
        results.append(use_tool(answer))
    return results


async def work() -> None:
    await heso.start(agent, "a lamp", id="agent-1")
    print("result:", await heso.result("agent-1"), flush=True)


def main() -> None:
    os.chdir(tempfile.mkdtemp(prefix="heso-example-"))
    create_project(Path.cwd(), None)
    Path("heso.toml").write_text(POLICY)
    for number in (1, 2):
        run = subprocess.run([sys.executable, __file__, "work"], check=False)
        print(f"process {number} ended with {run.returncode}", flush=True)
    print("the model was asked", len(Path("asked").read_text()), "times")
    print("the tools did", Path("done").read_text().splitlines())
    print(f"check it: heso verify --chain --project {Path.cwd()}")


if __name__ == "__main__":
    if sys.argv[1:] == ["work"]:
        with heso.init():
            asyncio.run(work())
    else:
        main()
