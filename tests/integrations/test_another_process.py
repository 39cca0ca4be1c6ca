"""A model call that one process asks for, a person approves on the command line, and another process sends, once."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import orjson
import pytest

from heso.core.verify import verify_receipt
from heso.project import create_project
from heso.stores.key_folder import create_key_file
from heso.testing.model_server import ModelServer, SeenRequest, model_server

pytest.importorskip("openai")
POLICY = """
[[rule]]
id = "asked"
order = 1
verb = "llm_call"
decision = "require_approval"
[[approver]]
id = "ada"
keys = ["KEY"]
"""
AGENT = """
import sys
import heso
from openai import OpenAI

url = open("url").read()

def make():
    return OpenAI(api_key="test-key", base_url=url + "/v1", max_retries=0)

heso.register_client("openai", make)
if __name__ == "__main__":
    with heso.init(), make() as client:
        heso.wrap(client, redact=["messages.content"])
        try:
            answer = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": sys.argv[1]}], extra_headers={"x-case": "7"})
            print(answer.choices[0].message.content)
        except heso.SuspendedError as held:
            print(held.action_hash)
        except heso.InDoubtError:
            print("in doubt")
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path) -> None:
    key = create_key_file(tmp_path / "ada.key", b"")
    (tmp_path / "heso.toml").write_text(POLICY.replace("KEY", key.public_key))
    create_project(tmp_path, None)
    (tmp_path / "agent.py").write_text(AGENT)


def test_a_process_that_is_killed_while_it_waits_for_the_answer_leaves_it_in_doubt(
    tmp_path: Path,
) -> None:
    arrived, answering = threading.Event(), threading.Event()

    def never(_: SeenRequest) -> None:
        arrived.set()
        answering.wait(20)

    with model_server(never) as server:
        (tmp_path / "url").write_text(server.url)
        asked = run(tmp_path, sys.executable, "agent.py", "the secret").strip()
        run(tmp_path, "heso", "approve", asked, "--key", "ada.key", "--yes")
        sending = start(tmp_path, sys.executable, "agent.py", "the secret")
        assert arrived.wait(20)
        sending.kill()
        finish(sending)
        answering.set()
        assert finish(start(tmp_path, "heso", "worker", "--once", "--module", "agent")) == 0
        assert run(tmp_path, sys.executable, "agent.py", "the secret") == "in doubt\n"
        assert len(server.requests) == 1


def test_it_is_sent_once_by_whichever_process_comes_first(tmp_path: Path) -> None:
    with model_server() as server:
        (tmp_path / "url").write_text(server.url)
        asked = run(tmp_path, sys.executable, "agent.py", "the secret").strip()
        assert (len(asked), server.requests) == (64, [])
        run(tmp_path, "heso", "approve", asked, "--key", "ada.key", "--yes")
        workers = [
            start(tmp_path, "heso", "worker", "--once", "--module", "agent") for _ in range(3)
        ]
        assert [finish(worker) for worker in workers] == [0, 0, 0]
        sent_as_asked(server)
        said = run(tmp_path, sys.executable, "agent.py", "the secret")
        assert said == "It is sunny.\n"
        assert len(server.requests) == 1
        exported = run(tmp_path, "heso", "export", "-o", "-").encode().splitlines()
        assert all(verify_receipt(receipt).is_valid for receipt in exported)
        assert not any(b"the secret" in receipt for receipt in exported)


def sent_as_asked(server: ModelServer) -> None:
    (request,) = server.requests
    assert orjson.loads(request.body) == {
        "model": "m",
        "messages": [{"role": "user", "content": "the secret"}],
    }
    assert request.headers["x-case"] == "7"
    assert request.headers["authorization"] == "Bearer test-key"


def start(folder: Path, program: str | Path, *arguments: str) -> subprocess.Popen[str]:
    program = Path(sys.executable).with_name("heso") if program == "heso" else program
    environment = {name: value for name, value in os.environ.items() if name[:5] != "HESO_"}
    return subprocess.Popen(
        [program, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(running: subprocess.Popen[str]) -> int:
    running.communicate(timeout=30)
    return running.returncode


def run(folder: Path, program: str | Path, *arguments: str) -> str:
    running = start(folder, program, *arguments)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 0, err
    return out
