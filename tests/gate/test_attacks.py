"""Ways round the gate that were open once. Each is named after what it did."""

import functools
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

import heso
from heso.core.errors import HesoError
from heso.project import create_project
from heso.settings import SettingsError

SECRET = "s3cr3t-4242"  # noqa: S105  # what must not leak
BLOCK_LARGE = """
[[rule]]
id = "large"
order = 1
verb = "tool_call"
conditions = [{ field = "order.amount", op = "gt", value = 100 }]
decision = "block"
[[rule]]
id = "rest"
order = 2
verb = "tool_call"
decision = "allow"
"""


def passing_on(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_ledger_whose_file_is_gone_admits_nobody(project, tmp_path: Path, how: str) -> None:
    ran = []

    @heso.tool
    def act(number: int) -> None:
        ran.append(number)

    act(1)
    project.database.rename(tmp_path / "elsewhere.db")
    if how == "replaced":
        project.database.write_bytes(b"")
    for _ in range(2):
        with pytest.raises(heso.GateError, match=r"removed or replaced"):
            act(2)
    assert ran == [1]


async def test_a_wrapped_coroutine_is_judged_when_it_runs(project) -> None:
    @heso.tool
    @passing_on
    async def send(box: dict[str, int]) -> int:
        return box["amount"]

    box = {"amount": 1}
    pending = send(box)
    box["amount"] = 10**6
    assert await pending == 10**6
    (content,) = project.read()
    assert content["action"]["fields"] == {"box": {"amount": 10**6}}


def test_a_wrapped_generator_is_judged_when_it_runs(project) -> None:
    @heso.tool
    @passing_on
    def count(box: list[int]):
        yield from box

    box = [1]
    pending = count(box)
    box.append(2)
    assert list(pending) == [1, 2]
    assert project.read()[0]["action"]["fields"] == {"box": [1, 2]}


def test_the_default_that_runs_is_the_one_on_the_receipt(project) -> None:
    def pay(amount: int = 1) -> int:
        return amount

    @functools.wraps(pay)
    def generous(amount: int = 10**6) -> int:
        return pay(amount)

    assert heso.tool(generous)() == 10**6
    assert project.read()[0]["action"]["fields"] == {"amount": 10**6}


@pytest.mark.parametrize(
    "arguments",
    [
        {"card.number": SECRET},
        {"card": {"number": SECRET}, "card.number": SECRET},
        {"card": SECRET.encode()},
        {"card": [SECRET]},
        {"card": {"number": {"deeper": SECRET}}},
    ],
)
def test_no_shape_of_an_argument_shows_what_is_to_be_hidden(project, arguments) -> None:
    @heso.tool(redact=["card.number"])
    def pay(**kwargs: object) -> object:
        return kwargs

    assert pay(**arguments) == arguments
    assert SECRET.encode() not in project.on_disk()
    assert b"czNjcjN0LTQyNDI" not in project.on_disk()  # its base64


@pytest.mark.parametrize(
    "paths", [["kwargs"], ["kwargs.password"], ["card."], ["*"], [""], ["a..b"]]
)
def test_a_redact_path_that_hides_nothing_is_refused(paths: list[str]) -> None:
    def pay(user: str, **kwargs: object) -> None: ...

    with pytest.raises(ValueError, match=r"redact path|by their names"):
        heso.tool(redact=paths)(pay)


def test_a_calls_redact_is_not_read_as_letters(project) -> None:
    with pytest.raises(heso.CaptureError):
        heso.gate_sync(heso.Call("pay", {"card": SECRET}, redact="card"))  # type: ignore[arg-type]
    assert SECRET.encode() not in project.on_disk()


@pytest.mark.parametrize(
    "order",
    [{"amount": 500}, '{"amount":500}', [{"amount": 500}], b"500", SimpleNamespace(amount=500)],
)
def test_no_shape_of_an_argument_gets_past_a_rule_about_what_is_in_it(project, order) -> None:
    project.start(BLOCK_LARGE)

    @heso.tool
    def buy(order: object) -> None:
        raise AssertionError("ran")

    with pytest.raises(heso.BlockedError):
        buy(order)


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "[::ffff:169.254.169.254]", "::ffff:a9fe:a9fe", "[64:ff9b::a9fe:a9fe]:80"],
)
def test_an_address_inside_an_address_is_that_host(project, host: str) -> None:
    project.start(
        '[[rule]]\nid="metadata"\norder=1\nverb="tool_call"\nscope="169.254.169.254"\ndecision="block"\n'
        '[[rule]]\nid="rest"\norder=2\nverb="tool_call"\ndecision="allow"\n'
    )
    with pytest.raises(heso.BlockedError):
        heso.gate_sync(heso.Call("get", {}, target_host=host))


@pytest.mark.parametrize("value", [["evil@x"], [["evil@x"]], [{"email": "evil@x"}]])
def test_what_stands_deeper_in_a_list_is_in_doubt(project, value: list[object]) -> None:
    project.start(
        '[[rule]]\nid="evil"\norder=1\nverb="tool_call"\ndecision="block"\n'
        'conditions=[{field="to",op="contains",value="evil@x"}]\n'
        '[[rule]]\nid="rest"\norder=2\nverb="tool_call"\ndecision="allow"\n'
    )
    with pytest.raises(heso.BlockedError):
        heso.gate_sync(heso.Call("send", {"to": value}))


def test_a_start_that_fails_leaves_no_gate_open(tmp_path: Path) -> None:
    @heso.tool
    def act() -> None: ...

    create_project(tmp_path, None)
    with heso.init(tmp_path):
        act()
        (tmp_path / "heso.toml").write_text("not toml", "utf-8")
        with pytest.raises(HesoError):
            heso.init(tmp_path)
        with pytest.raises(heso.GateError, match="there is no gate"):
            act()


def test_a_state_folder_that_is_a_link_is_not_used(tmp_path: Path) -> None:
    victim, mine = tmp_path / "victim", tmp_path / "mine"
    create_project(victim, None)
    mine.mkdir()
    (mine / "heso.toml").write_text("", "utf-8")
    (mine / ".heso").symlink_to(victim / ".heso")
    with pytest.raises(HesoError, match="is not a folder"):
        heso.init(mine)
    with pytest.raises(SettingsError, match="symbolic link"):
        create_project(mine, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_strangers_policy_is_not_found_by_searching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_project(tmp_path, None)
    os.chown(tmp_path / "heso.toml", 1201, 1201)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(SettingsError, match="belongs to another user"):
        heso.init()
    heso.init(tmp_path).close()  # named, it is what the caller wants


def test_an_opened_state_folder_is_refused(tmp_path: Path) -> None:
    create_project(tmp_path, None)
    (tmp_path / ".heso").chmod(0o755)
    with pytest.raises(HesoError, match=r"others can enter"):
        heso.init(tmp_path)
