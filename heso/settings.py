"""Settings: arguments > `HESO_*` environment > `[project]` in `heso.toml` > defaults.

| setting             | argument         | environment                | heso.toml             | default             |
|---------------------|------------------|----------------------------|-----------------------|---------------------|
| project folder      | project_root     | HESO_PROJECT_ROOT          |                       | upward to heso.toml |
| workflow            | workflow         | HESO_WORKFLOW              | workflow              | the folder's name   |
| account             | account          | HESO_ACCOUNT               | account               | default             |
| enforce decisions   | blocking         | HESO_BLOCKING              | blocking              | true                |
| wait for the ledger | timeout          | HESO_TIMEOUT               | timeout_seconds       | 30                  |
| approval deadline   |                  | HESO_DEFAULT_SLA_MINUTES   | default_sla_minutes   | 1440 (a day)        |
| a grant's life      |                  |                            | grant_minutes         | 60                  |
| a claim's lease     |                  |                            | lease_seconds         | 600                 |
| remind before       |                  |                            | remind_minutes        | 15                  |
| tell people         |                  |                            | [[notify]]            | nobody              |
| time authority      |                  |                            | time_authority        | none                |
| its root (PEM file) |                  |                            | time_roots            |                     |
| key passphrase      |                  | HESO_KEY_PASSPHRASE        |                       |                     |
|                     |                  | HESO_KEY_PASSPHRASE_FILE   |                       |                     |
| no development key  |                  | HESO_REQUIRE_PASSPHRASE, HESO_ENV=production |     | false               |
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict, TypeVar

from heso.core.errors import HesoError
from heso.policy.errors import PolicyError
from heso.policy.reader import MOST_MINUTES
from heso.policy.table import Table
from heso.stores.key_folder import read_passphrase_file

POLICY_FILE = "heso.toml"
STATE_FOLDER = ".heso"
DEFAULT_TIMEOUT_SECONDS = 30.0
DEFAULT_SLA_MINUTES = 24 * 60
DEFAULT_GRANT_MINUTES = 60
DEFAULT_LEASE_SECONDS = 600
DEFAULT_REMIND_MINUTES = 15

_TRUTHS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}
T = TypeVar("T")


@dataclass(eq=False)
class SettingsError(HesoError):
    """A setting that cannot be used. `name` is the argument or environment variable."""

    name: str
    why: str
    next_step: str = "see the table of settings in docs/reference/settings.md"

    def __str__(self) -> str:
        return f"{self.name} {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """One `[[notify]]`. `command` for a command, `url` for a webhook; `may_be_private` lets it be of this network."""

    via: Literal["stderr", "command", "webhook"]
    command: tuple[str, ...] = ()
    url: str = ""
    may_be_private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that starting needs, decided."""

    root: Path
    policy_text: bytes
    workflow: str
    account: str
    is_blocking: bool
    timeout_seconds: float
    default_sla_minutes: int
    default_grant_minutes: int
    lease_seconds: int
    passphrase: bytes | None = field(repr=False)
    requires_passphrase: bool
    time_authority: str
    time_roots: Path | None
    notify: tuple[NotifySettings, ...] = ()
    remind_minutes: int = DEFAULT_REMIND_MINUTES

    @property
    def state(self) -> Path:
        """The folder that is never committed."""
        return self.root / STATE_FOLDER

    @property
    def database(self) -> Path:
        return self.state / "heso.db"


def read_settings(
    environment: Mapping[str, str],
    here: Path,
    *,
    project_root: str | Path | None = None,
    workflow: str | None = None,
    account: str | None = None,
    blocking: bool | None = None,
    timeout: float | None = None,
) -> Settings:
    """Decide every setting. `here` is where the search for `heso.toml` begins. Raises `SettingsError`, `PolicyError`."""
    root = find_root(environment, here, project_root)
    policy_text = _read_policy(root)
    table = _project_table(policy_text, str(root / POLICY_FILE))
    written_workflow = table.text("workflow", root.name or "default")
    written_account = table.text("account", "default")
    settings = Settings(
        root=root,
        policy_text=policy_text,
        workflow=workflow or environment.get("HESO_WORKFLOW") or written_workflow,
        account=account or environment.get("HESO_ACCOUNT") or written_account,
        is_blocking=_first(
            blocking, _truth(environment, "HESO_BLOCKING"), table.flag("blocking", default=True)
        ),
        timeout_seconds=_timeout(environment, table, timeout),
        default_sla_minutes=_sla(environment, table),
        default_grant_minutes=_grant(table),
        lease_seconds=_lease(table),
        passphrase=read_passphrase(environment),
        requires_passphrase=requires_passphrase(environment),
        **_time_settings(table, root),
        remind_minutes=_remind(table),
        notify=_notify_settings(policy_text, str(root / POLICY_FILE)),
    )
    table.finish()
    return settings


def check_project_table(policy_text: bytes, file: str) -> None:
    """Raise `PolicyError` for a `[project]` that starting would refuse."""
    table = _project_table(policy_text, file)
    table.text("workflow", "default")
    table.text("account", "default")
    table.flag("blocking", default=True)
    _timeout({}, table, None)
    _sla({}, table)
    _grant(table)
    _lease(table)
    _remind(table)
    _notify_settings(policy_text, file)
    _time_settings(table, Path())
    table.finish()


def find_root(environment: Mapping[str, str], here: Path, project_root: str | Path | None) -> Path:
    """The project's folder: as told, else the nearest one upward that holds a `heso.toml`."""
    told = project_root or environment.get("HESO_PROJECT_ROOT")
    if told:
        root = Path(told).expanduser().resolve()
        if not (root / POLICY_FILE).is_file():
            raise SettingsError(
                "project_root", f"{root} holds no {POLICY_FILE}", f"run `heso init {root}`"
            )
        return root
    start = here.resolve()
    for folder in (start, *start.parents):
        if (folder / POLICY_FILE).is_file():
            _refuse_strangers(folder / POLICY_FILE)
            return folder
    raise SettingsError(
        "no project:", f"there is no {POLICY_FILE} in {start} or above it", "run `heso init`"
    )


def _refuse_strangers(path: Path) -> None:
    """A policy that was found and not named must not be somebody else's: anybody may put a file in a shared folder."""
    owner = path.stat().st_uid
    if owner not in (os.geteuid(), 0):
        raise SettingsError(
            f"{path} belongs to another user (uid {owner})",
            "and was only found by searching",
            "name it: HESO_PROJECT_ROOT",
        )


def read_passphrase(environment: Mapping[str, str]) -> bytes | None:
    """The key's passphrase from the environment; None when there is none."""
    passphrase = environment.get("HESO_KEY_PASSPHRASE")
    if passphrase:
        return os.fsencode(passphrase)
    path = environment.get("HESO_KEY_PASSPHRASE_FILE")
    return read_passphrase_file(Path(path)) if path else None


def requires_passphrase(environment: Mapping[str, str]) -> bool:
    """Whether a development passphrase lying beside the key is refused."""
    is_production = environment.get("HESO_ENV", "").strip().lower() in ("production", "prod")
    return is_production or bool(_truth(environment, "HESO_REQUIRE_PASSPHRASE"))


def _read_policy(root: Path) -> bytes:
    try:
        return (root / POLICY_FILE).read_bytes()
    except OSError as error:
        raise SettingsError(
            str(root / POLICY_FILE), f"cannot be read ({error.strerror})"
        ) from error


def _project_table(text: bytes, file: str) -> Table:
    return Table(_read_toml(text, file).get("project", {}), file=file, key="project")


def _read_toml(text: bytes, file: str) -> dict[str, object]:
    try:
        return tomllib.loads(text.decode())
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise PolicyError(file, f"is not TOML: {error}") from None


def _first(*candidates: T | None) -> T:
    return next(one for one in candidates if one is not None)


def _truth(environment: Mapping[str, str], name: str) -> bool | None:
    text = environment.get(name, "").strip().lower()
    if not text:
        return None
    if text not in _TRUTHS:
        raise SettingsError(name, f"is {text[:20]!r}, not true or false")
    return _TRUTHS[text]


def _timeout(environment: Mapping[str, str], table: Table, argument: float | None) -> float:
    written = table.integer("timeout_seconds", int(DEFAULT_TIMEOUT_SECONDS), least=1)
    text = environment.get("HESO_TIMEOUT")
    try:
        seconds = argument if argument is not None else float(text) if text else float(written)
    except ValueError:
        raise SettingsError(
            "HESO_TIMEOUT", f"is {str(text)[:20]!r}, not a number of seconds"
        ) from None
    if not 0 < seconds <= 3600:
        raise SettingsError("timeout", "must be more than 0 and at most 3600 seconds")
    return seconds


class _TimeSettings(TypedDict):
    time_authority: str
    time_roots: Path | None


def _time_settings(table: Table, root: Path) -> _TimeSettings:
    url = table.text("time_authority", "")
    roots = table.text("time_roots", "")
    if bool(url) != bool(roots):
        raise table.fault(
            "time_roots" if url else "time_authority",
            "a time authority has an address (time_authority) and a root to believe (time_roots)",
        )
    return {"time_authority": url, "time_roots": root / roots if roots else None}


def _grant(table: Table) -> int:
    return table.integer("grant_minutes", DEFAULT_GRANT_MINUTES, least=1, most=MOST_MINUTES)


def _lease(table: Table) -> int:
    return table.integer("lease_seconds", DEFAULT_LEASE_SECONDS, least=1, most=7 * 86_400)


def _remind(table: Table) -> int:
    return table.integer("remind_minutes", DEFAULT_REMIND_MINUTES, least=0, most=MOST_MINUTES)


def _notify_settings(text: bytes, file: str) -> tuple[NotifySettings, ...]:
    """Every `[[notify]]`. Raises `PolicyError`."""
    document = Table(_read_toml(text, file), file=file)
    return tuple(_parse_notify(table) for table in document.tables("notify"))


def _parse_notify(table: Table) -> NotifySettings:
    ways: dict[str, Literal["stderr", "command", "webhook"]] = {
        "stderr": "stderr",
        "command": "command",
        "webhook": "webhook",
    }
    via = table.choice("via", ways)
    found = NotifySettings(
        via=via,
        command=table.texts("command") if via == "command" else (),
        url=table.text("url") if via == "webhook" else "",
        may_be_private=table.flag("may_be_private", default=False) if via == "webhook" else False,
    )
    if via == "command" and not found.command:
        raise table.fault("command", 'needs a program and its arguments: ["notify-send", "heso"]')
    if via == "webhook" and not found.url.startswith(("https://", "http://")):
        raise table.fault("url", "must begin with https://")
    table.finish()
    return found


def _sla(environment: Mapping[str, str], table: Table) -> int:
    written = table.integer("default_sla_minutes", DEFAULT_SLA_MINUTES, least=1, most=MOST_MINUTES)
    text = environment.get("HESO_DEFAULT_SLA_MINUTES")
    if not text:
        return written
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:12]) <= MOST_MINUTES:
        raise SettingsError(
            "HESO_DEFAULT_SLA_MINUTES", f"is {text[:20]!r}, not a number of minutes"
        )
    return int(text)
