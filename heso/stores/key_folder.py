"""The project's keys on disk, mode 0600: `.heso/operator.key`, opened once per process, and `.heso/decision.key`, which
signs what was decided. An approver's key is a file of the same kind, on a machine of their own.

Without a passphrase `create_key` makes one for development and puts it beside the key: that protects nobody who can
read the folder, and production refuses it.
"""

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from heso.core.errors import HesoError
from heso.core.key_file import NONCE_BYTES, SALT_BYTES, open_key, seal_key
from heso.core.keys import SigningKey

KEY_FILE = "operator.key"
DECISION_KEY_FILE = "decision.key"
DEVELOPMENT_PASSPHRASE_FILE = "DEVELOPMENT-ONLY.passphrase"  # noqa: S105  # a file name


@dataclass(eq=False)
class KeyUnusable(HesoError):
    """A key cannot be used, so nothing can be signed with it; without the operator's, nothing runs."""

    why: str
    next_step: str = ""

    def __str__(self) -> str:
        return f"the key cannot be used: {self.why}"


def create_key(
    folder: Path, passphrase: bytes | None, *, name: str = KEY_FILE
) -> SigningKey | None:
    """A fresh key in `folder`, sealed; None when there is one already, which is never overwritten."""
    path = folder / name
    if path.exists():
        return None
    if passphrase is None:
        passphrase = _keep_development_passphrase(folder)
    try:
        return create_key_file(path, passphrase)
    except FileExistsError:
        return None  # another process was faster; its key stands


def create_key_file(path: Path, passphrase: bytes) -> SigningKey:
    """A fresh key in a file of its own, whole or not at all. Raises `FileExistsError`."""
    seed = os.urandom(32)
    container = seal_key(
        seed, passphrase, salt=os.urandom(SALT_BYTES), nonce=os.urandom(NONCE_BYTES)
    )
    _write_private(path, container)
    return SigningKey.from_seed(seed)


def open_key_file(path: Path, passphrase: bytes) -> SigningKey:
    """Raises `KeyUnusable`, `WrongPassphrase`."""
    return SigningKey.from_seed(open_key(_read_private(path), passphrase))


def _keep_development_passphrase(folder: Path) -> bytes:
    """The one that is there, from an attempt that ended before the key or from one going on beside us, else a new one."""
    path = folder / DEVELOPMENT_PASSPHRASE_FILE
    with contextlib.suppress(FileExistsError):
        _write_private(path, os.urandom(32).hex().encode() + b"\n")
    return _read_private(path).strip()


def load_key(
    folder: Path, passphrase: bytes | None, *, allow_development: bool, name: str = KEY_FILE
) -> SigningKey:
    """The key, opened with `passphrase`, else with the development one beside it when that is allowed."""
    path = folder / name
    container = _read_private(path)
    if passphrase is None:
        passphrase = _development_passphrase(folder, allowed=allow_development)
    return SigningKey.from_seed(open_key(container, passphrase))


def passphrase_for(folder: Path, passphrase: bytes | None, *, allow_development: bool) -> bytes:
    """What a new key of this project is sealed with: the passphrase given, else the development one. Raises
    `KeyUnusable`."""
    return passphrase or _development_passphrase(folder, allowed=allow_development)


def load_decision_key(
    folder: Path, passphrase: bytes | None, *, allow_development: bool
) -> SigningKey:
    """The key that signs decisions. A project from before it had one gets it now, under the same passphrase."""
    if not (folder / DECISION_KEY_FILE).exists():
        if passphrase is None:
            passphrase = _development_passphrase(folder, allowed=allow_development)
        create_key(folder, passphrase, name=DECISION_KEY_FILE)
    return load_key(folder, passphrase, allow_development=allow_development, name=DECISION_KEY_FILE)


def check_private_folder(folder: Path) -> None:
    """Raise `KeyUnusable` unless this is a folder of ours that nobody else can enter."""
    try:
        found = folder.lstat()
    except OSError:
        return  # the key in it is missing too, and says so
    if not stat.S_ISDIR(found.st_mode):
        raise KeyUnusable(f"{folder} is not a folder", "remove it and run `heso init`")
    if found.st_uid not in (os.geteuid(), 0):
        raise KeyUnusable(f"{folder} belongs to another user", "use a project of your own")
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise KeyUnusable(f"others can enter {folder} (mode {mode:04o})", f"chmod 700 {folder}")


def has_development_passphrase(folder: Path) -> bool:
    return (folder / DEVELOPMENT_PASSPHRASE_FILE).exists()


def _development_passphrase(folder: Path, *, allowed: bool) -> bytes:
    path = folder / DEVELOPMENT_PASSPHRASE_FILE
    if not allowed:
        raise KeyUnusable(
            "a passphrase is required here, and none is set",
            "set HESO_KEY_PASSPHRASE or HESO_KEY_PASSPHRASE_FILE",
        )
    if not path.exists():
        raise KeyUnusable(
            "it needs a passphrase, and none is set",
            "set HESO_KEY_PASSPHRASE or HESO_KEY_PASSPHRASE_FILE",
        )
    return _read_private(path).strip()


def read_passphrase_file(path: Path) -> bytes:
    """The passphrase in a file: its first line. Raises `KeyUnusable`."""
    try:
        with path.open("rb") as file:
            lines = file.read(64 * 1024).splitlines()
    except OSError as error:
        raise KeyUnusable(
            f"{path} cannot be read ({error.strerror})", "check HESO_KEY_PASSPHRASE_FILE"
        ) from error
    if not lines or not lines[0].strip():
        raise KeyUnusable(f"{path} is empty", "check HESO_KEY_PASSPHRASE_FILE")
    return lines[0].strip()


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_uid not in (os.geteuid(), 0):
                raise KeyUnusable(f"{path} belongs to another user", "use a key of your own")
            mode = stat.S_IMODE(found.st_mode)
            if mode & 0o077:
                raise KeyUnusable(f"others can read {path} (mode {mode:04o})", f"chmod 600 {path}")
            return file.read(64 * 1024)
    except FileNotFoundError:
        raise KeyUnusable(
            f"{path} is not there", "restore it from a backup; a new project: `heso init`"
        ) from None
    except OSError as error:
        raise KeyUnusable(
            f"{path} cannot be read ({error.strerror})", "check its owner and mode"
        ) from error


def _write_private(path: Path, data: bytes) -> None:
    """Create the file, whole or not at all; never overwrite. Raises `FileExistsError`."""
    unfinished = path.with_name(f"{path.name}.{os.urandom(8).hex()}.part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(unfinished, path)
    finally:
        unfinished.unlink()
