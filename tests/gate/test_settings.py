"""Arguments over environment over file over default, and an error that names what is wrong."""

from pathlib import Path

import pytest

from heso.policy.errors import PolicyError
from heso.settings import Settings, SettingsError, read_settings
from heso.stores.key_folder import KeyUnusable


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "heso.toml").write_text("")
    return folder


def _write(root: Path, text: str) -> Path:
    (root / "heso.toml").write_text(f"[project]\n{text}\n")
    return root


def _read(
    root: Path, *, environment: dict[str, str] | None = None, **arguments: object
) -> Settings:
    return read_settings(environment or {}, root, **arguments)


SETTINGS = [
    # name, default, in the file, in the environment, as an argument
    ("workflow", "shop", ('workflow = "f"', "f"), ("HESO_WORKFLOW", "e", "e"), ("workflow", "a")),
    ("account", "default", ('account = "f"', "f"), ("HESO_ACCOUNT", "e", "e"), ("account", "a")),
    (
        "is_blocking",
        True,
        ("blocking = false", False),
        ("HESO_BLOCKING", "yes", True),
        ("blocking", False),
    ),
    (
        "timeout_seconds",
        30,
        ("timeout_seconds = 5", 5),
        ("HESO_TIMEOUT", "2.5", 2.5),
        ("timeout", 0.5),
    ),
    (
        "default_sla_minutes",
        1440,
        ("default_sla_minutes = 5", 5),
        ("HESO_DEFAULT_SLA_MINUTES", "7", 7),
        None,
    ),
]


@pytest.mark.parametrize("row", SETTINGS, ids=[row[0] for row in SETTINGS])
def test_the_nearest_one_wins(root: Path, row: tuple) -> None:
    name, default, (line, in_file), (variable, text, in_environment), argument = row
    assert getattr(_read(root), name) == default
    _write(root, line)
    assert getattr(_read(root), name) == in_file
    environment = {variable: text}
    assert getattr(_read(root, environment=environment), name) == in_environment
    assert getattr(_read(root, environment={variable: ""}), name) == in_file
    if argument is not None:
        told = {argument[0]: argument[1]}
        assert getattr(_read(root, environment=environment, **told), name) == argument[1]


@pytest.mark.parametrize(
    ("text", "truth"),
    [("1", True), ("TRUE", True), (" on ", True), ("0", False), ("No", False), ("off", False)],
)
def test_truths_are_written_in_several_ways(root: Path, text: str, truth: bool) -> None:
    assert _read(root, environment={"HESO_BLOCKING": text}).is_blocking is truth


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"HESO_BLOCKING": "maybe"}, "HESO_BLOCKING is 'maybe', not true or false"),
        ({"HESO_REQUIRE_PASSPHRASE": "2"}, "HESO_REQUIRE_PASSPHRASE is '2', not true or false"),
        ({"HESO_TIMEOUT": "soon"}, "HESO_TIMEOUT is 'soon', not a number of seconds"),
        ({"HESO_TIMEOUT": "0"}, "timeout must be more than 0 and at most 3600 seconds"),
        ({"HESO_TIMEOUT": "-1"}, "timeout must be more than 0 and at most 3600 seconds"),
        ({"HESO_TIMEOUT": "nan"}, "timeout must be more than 0 and at most 3600 seconds"),
        ({"HESO_TIMEOUT": "inf"}, "timeout must be more than 0 and at most 3600 seconds"),
        *(
            (
                {"HESO_DEFAULT_SLA_MINUTES": text},
                f"HESO_DEFAULT_SLA_MINUTES is '{text}', not a number of minutes",
            )
            for text in ("0", "-5", "1.5", "٣", "1h", "9" * 8)
        ),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(
    root: Path, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        _read(root, environment=environment)
    assert str(refused.value) == message


@pytest.mark.parametrize("timeout", [0, -1, 3601, float("nan")])
def test_a_timeout_out_of_bounds_is_refused(root: Path, timeout: float) -> None:
    with pytest.raises(SettingsError, match="timeout must be more than 0"):
        _read(root, timeout=timeout)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("workfolw = 'x'", "workfolw"),
        ("workflow = 3", "workflow"),
        ("blocking = 'no'", "blocking"),
        ("blocking = 0", "blocking"),
        ("timeout_seconds = 0", "timeout_seconds"),
        ("timeout_seconds = '5'", "timeout_seconds"),
        ("default_sla_minutes = true", "default_sla_minutes"),
        ("default_sla_minutes = 0", "default_sla_minutes"),
    ],
)
def test_a_key_of_the_file_that_cannot_be_used_is_named(root: Path, line: str, key: str) -> None:
    with pytest.raises(PolicyError) as refused:
        _read(_write(root, line))
    assert refused.value.key == f"project.{key}"
    assert str(root / "heso.toml") in str(refused.value)


@pytest.mark.parametrize("text", ["project = 3", "= 1", "\xff", "[project]\n[project]"])
def test_a_file_that_cannot_be_read_is_named(root: Path, text: str) -> None:
    (root / "heso.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(PolicyError) as refused:
        _read(root)
    assert str(root / "heso.toml") in str(refused.value)


def test_the_project_is_found_upward(root: Path) -> None:
    deep = root / "a" / "b"
    deep.mkdir(parents=True)
    assert _read(deep).root == root.resolve()
    (deep / "heso.toml").write_text("")
    assert _read(deep).root == deep.resolve()


def test_an_argument_names_the_project_before_the_environment_does(
    root: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "heso.toml").write_text("")
    environment = {"HESO_PROJECT_ROOT": str(other)}
    assert read_settings(environment, root).root == other.resolve()
    assert read_settings(environment, root, project_root=root).root == root.resolve()


def test_a_folder_without_a_project_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        _read(tmp_path)
    assert "there is no heso.toml in" in str(refused.value)
    assert refused.value.next_step == "run `heso init`"
    with pytest.raises(SettingsError) as refused:
        _read(tmp_path, project_root=tmp_path)
    assert str(refused.value) == f"project_root {tmp_path.resolve()} holds no heso.toml"


def test_the_passphrase_comes_from_the_environment_or_a_file_and_is_never_shown(
    root: Path, tmp_path: Path
) -> None:
    file = tmp_path / "passphrase"
    file.write_text("from file\nsecond line\n")
    in_file = {"HESO_KEY_PASSPHRASE_FILE": str(file)}
    assert _read(root).passphrase is None
    assert _read(root, environment=in_file).passphrase == b"from file"
    both = _read(root, environment={**in_file, "HESO_KEY_PASSPHRASE": "hidden words"})
    assert both.passphrase == b"hidden words"
    assert "hidden words" not in repr(both)


@pytest.mark.parametrize("content", [None, "", "\n\n", "  \nsecond"])
def test_a_passphrase_file_without_a_passphrase_is_refused(
    root: Path, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "passphrase"
    if content is not None:
        file.write_text(content)
    with pytest.raises(KeyUnusable) as refused:
        _read(root, environment={"HESO_KEY_PASSPHRASE_FILE": str(file)})
    assert str(file) in str(refused.value)
    assert refused.value.next_step == "check HESO_KEY_PASSPHRASE_FILE"


@pytest.mark.parametrize(
    ("environment", "is_required"),
    [
        ({}, False),
        ({"HESO_ENV": "production"}, True),
        ({"HESO_ENV": " Prod "}, True),
        ({"HESO_ENV": "staging"}, False),
        ({"HESO_REQUIRE_PASSPHRASE": "true"}, True),
        ({"HESO_ENV": "production", "HESO_REQUIRE_PASSPHRASE": "false"}, True),
    ],
)
def test_production_requires_a_passphrase(
    root: Path, environment: dict[str, str], is_required: bool
) -> None:
    assert _read(root, environment=environment).requires_passphrase is is_required
