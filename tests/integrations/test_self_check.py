"""What `heso.self_check()` and `heso doctor --module` say is so."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import heso
from heso.cli import main
from heso.project import create_project


def look(code: str, **environment: str) -> list[str]:
    """What `self_check` says in a process of its own."""
    program = f"import heso\n{code}\nprint(heso.self_check())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [line.strip() for line in done.stdout.splitlines()]


def test_a_bare_process_says_what_it_could_send() -> None:
    said = look("import requests, httpx")
    assert "does not:" in said
    assert any(
        "requests by httpx, requests, urllib3, http.client: heso.gate_http()" in x for x in said
    )
    assert any("heso.gate_http(seal=True)" in line for line in said)
    assert any("tools that a provider runs itself" in line for line in said)


def test_clients_are_counted_wrapped_and_not() -> None:
    pytest.importorskip("openai")
    said = look(
        "from openai import OpenAI, AsyncOpenAI\n"
        "a, b, c = (heso.wrap(OpenAI(api_key='k')) for _ in range(3))\n"
        "d = AsyncOpenAI(api_key='k')"
    )
    assert "3 openai.OpenAI clients" in said
    assert (
        "1 openai.AsyncOpenAI client not wrapped: heso.wrap(client), or heso.instrument()" in said
    )


def test_instrumented_clients_count_as_gated() -> None:
    pytest.importorskip("openai")
    said = look(
        "from openai import OpenAI\nbefore = OpenAI(api_key='k')\nheso.instrument()\nafter = OpenAI(api_key='k')"
    )
    assert "2 openai.OpenAI clients" in said
    assert not any("not wrapped" in line for line in said)


def test_keys_are_named_and_never_shown() -> None:
    said = "\n".join(
        look("", PAY="sk_live_51AbCdEfGhIj", CLOUD="AKIAABCDEFGHIJKLMNOP", PLAIN="hello")
    )
    assert "PAY holds a live payment key" in said
    assert "CLOUD holds a cloud access key" in said
    assert "PLAIN" not in said
    assert "51AbCd" not in said
    assert "ABCDEFG" not in said


def test_a_closed_process_says_so() -> None:
    pytest.importorskip("openai")
    code = "from openai import OpenAI\nc = heso.wrap(OpenAI(api_key='k'))\nheso.gate_http(seal=True)\nassert heso.self_check().is_closed, heso.self_check()"
    assert "passes the gate:" in look(code)


def test_doctor_says_it_of_a_module(tmp_path: Path) -> None:
    pytest.importorskip("openai")
    create_project(tmp_path, None)
    (tmp_path / "agent_of_doctor.py").write_text(
        "import heso\nfrom openai import OpenAI\n"
        "client = heso.wrap(OpenAI(api_key='k'))\nother = OpenAI(api_key='k')\n"
    )
    heso_program = Path(sys.executable).with_name("heso")
    done = subprocess.run(
        [heso_program, "doctor", "--project", tmp_path, "--module", "agent_of_doctor"],
        env={"PATH": os.environ["PATH"], "STRIPE": "sk_live_51AbCdEfGhIj"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "passes the gate: 1 openai.OpenAI client" in done.stdout
    assert "past the gate: 1 openai.OpenAI client not wrapped" in done.stdout
    assert "STRIPE in the environment holds a live payment key" in done.stdout
    assert "51AbCd" not in done.stdout


def test_doctor_without_a_module_says_where_to_look(tmp_path: Path, capsys: Any) -> None:
    create_project(tmp_path, None)
    main(["doctor", "--project", str(tmp_path)])
    assert "heso doctor --module NAME" in capsys.readouterr().out


def test_what_it_says_is_a_value() -> None:
    found = heso.self_check()
    assert isinstance(found.open, tuple)
    assert str(found).startswith("passes the gate:") or "does not:" in str(found)
