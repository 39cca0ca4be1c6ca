"""Making a project: the files of `heso init`. Idempotent; a key or a policy that is there is never touched."""

from dataclasses import dataclass
from pathlib import Path

from heso.core.hashing import fingerprint
from heso.settings import POLICY_FILE, STATE_FOLDER, SettingsError
from heso.stores.key_folder import DECISION_KEY_FILE, create_key, has_development_passphrase

BOOTSTRAP_FILE = "heso_bootstrap.py"
_BOOTSTRAP = '''"""Import this first: every gated call of this project goes through heso from here on."""

import heso

heso.init()
'''
_STARTER_POLICY = """# What your agents may do. Reviewed like code: every change of this file is itself a signed entry on the ledger.
#
# Rules are asked in ascending `order`; the first one that matches decides. An action no rule is about asks a person.
# Built in and not configurable: delete and account_change always ask a person; payment and data_export pass only
# under a bounding condition. Check this file with `heso policy check`.

[project]
# workflow = "my-agent"        # who acts; a name for receipts (default: this folder's name)
# account = "default"          # on whose behalf

[[rule]]
id = "tools"
order = 100
verb = "tool_call"
decision = "allow"

[[rule]]
id = "models"
order = 110
verb = "llm_call"
decision = "allow"

# [[rule]]
# id = "small-payments"
# order = 200
# verb = "payment"
# conditions = [{ field = "amount_usd", op = "lte", value = 100 }]
# redact = ["card"]
# decision = "allow"

# [[rule]]
# id = "large-payments"
# order = 210
# verb = "payment"
# decision = "require_approval"
# approvers = ["finance"]      # a role or a person of the roster below
# sla_minutes = 60

# [[approver]]
# id = "ada"
# roles = ["finance"]
# keys = ["O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik="]   # ada's own public key, in base64
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What `create_project` did. `key` is the new operator key's fingerprint, None when there was one already."""

    root: Path
    created: tuple[str, ...]
    key: str | None
    has_development_passphrase: bool


def create_project(root: Path, passphrase: bytes | None) -> Made:
    """Make what is missing in `root`. Without a passphrase the key gets a development one beside it."""
    root.mkdir(parents=True, exist_ok=True)
    state = root / STATE_FOLDER
    if state.is_symlink():
        raise SettingsError(
            str(state), "is a symbolic link", "remove it: the key belongs in the project"
        )
    created: list[str] = []
    if not state.exists():
        created.append(f"{STATE_FOLDER}/")
    state.mkdir(mode=0o700, exist_ok=True)
    state.chmod(0o700)
    key = create_key(state, passphrase)
    if key is not None:
        created.append(f"{STATE_FOLDER}/operator.key")
    # A project that has its own passphrase gets no development one: its key is made when it is first needed.
    may_make = key is not None or passphrase is not None
    if may_make and create_key(state, passphrase, name=DECISION_KEY_FILE) is not None:
        created.append(f"{STATE_FOLDER}/{DECISION_KEY_FILE}")
    for name, text in ((POLICY_FILE, _STARTER_POLICY), (BOOTSTRAP_FILE, _BOOTSTRAP)):
        if _create(root / name, text):
            created.append(name)
    if _ignore(root / ".gitignore", f"{STATE_FOLDER}/"):
        created.append(".gitignore")
    return Made(
        root=root,
        created=tuple(created),
        key=None if key is None else fingerprint(key.public_key),
        has_development_passphrase=has_development_passphrase(state),
    )


def _create(path: Path, text: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _ignore(path: Path, line: str) -> bool:
    """Add `line` to a .gitignore unless it is there. True when something was written."""
    if path.is_symlink():
        return False
    text = path.read_bytes() if path.exists() else b""
    if line.encode() in text.splitlines():
        return False
    end = b"" if not text or text.endswith(b"\n") else b"\n"
    path.write_bytes(text + end + line.encode() + b"\n")
    return True
