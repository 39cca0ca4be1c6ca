"""The house holds its shape: floors are import-linter's business, sizes and laziness are checked here."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import heso

PACKAGE = Path(heso.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FILE = 400
LONGEST_FUNCTION = 50


def test_nothing_inside_imports_the_facade() -> None:
    offenders = [
        str(file)
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if (isinstance(node, ast.Import) and any(name.name == "heso" for name in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "heso" and _asks_for_names(node))
    ]
    assert offenders == []


def _asks_for_names(node: ast.ImportFrom) -> bool:
    return any(name.name != "__version__" for name in node.names)


def test_no_file_and_no_function_is_too_long() -> None:
    long_files = [str(f) for f in FILES if len(f.read_text("utf-8").splitlines()) > LONGEST_FILE]
    long_functions = [
        f"{file}:{node.lineno} {node.name}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert (long_files, long_functions) == ([], [])


def test_the_facade_offers_what_it_says_and_type_checkers_see_the_same() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    seen_by_type_checkers = {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("heso.")
        for name in node.names
    }
    assert seen_by_type_checkers == set(heso.__all__)
    assert all(getattr(heso, name) is not None for name in heso.__all__)
    assert dir(heso) == sorted(heso.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'wrap_everything'"):
        _ = heso.wrap_everything


@pytest.mark.parametrize(
    ("program", "unwanted"),
    [
        ("import heso", ("orjson", "nacl", "sqlite3", "asyncio", "heso.core")),
        ("import heso; heso.verify_receipt", ("sqlite3", "asyncio", "anyio", "aiosqlite", "rich")),
        (
            "import heso; heso.init, heso.tool, heso.step",
            ("asyncio", "anyio", "aiosqlite", "rich", "pydantic", "httpx", "re2", "argparse"),
        ),
    ],
)
def test_a_program_loads_only_what_it_uses(program: str, unwanted: tuple[str, ...]) -> None:
    code = f"{program}\nimport sys\nprint([n for n in {unwanted!r} if n in sys.modules])"
    unmeasured = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=unmeasured)
    assert done.stdout.strip() == "[]"
