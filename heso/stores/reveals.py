"""Reveal sidecars as files: `<merkle root>.json`, mode 0600, in a folder of mode 0700.

Written and synced before the receipt that commits to them, so no receipt exists whose values nobody can show. A
crash in between leaves a sidecar that no receipt names, which harms nobody.
"""

import contextlib
import os
from pathlib import Path

from heso.core.encoding import Digest, parse_digest
from heso.ports import NotWritten


class RevealFolder:
    """`Reveals` in one folder, made when the first sidecar is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, merkle_root: Digest, sidecar: bytes) -> None:
        path = self._path(merkle_root)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(
                unfinished,
                os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW,
                0o600,
            )
            with os.fdopen(descriptor, "wb") as file:
                file.write(sidecar)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
            self._sync_folder()
        except OSError as error:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            why = f"the reveal sidecar cannot be kept: {error.strerror}"
            raise NotWritten(why, "check room and permissions of .heso/reveals") from error

    def find(self, merkle_root: Digest) -> bytes | None:
        try:
            return self._path(parse_digest(merkle_root)).read_bytes()
        except FileNotFoundError:
            return None

    def _path(self, merkle_root: Digest) -> Path:
        return self._folder / f"{merkle_root}.json"

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
