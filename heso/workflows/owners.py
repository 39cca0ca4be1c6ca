"""Naming this process so that another one on the same machine can tell whether it still lives.

A process id alone is used again; together with the time the process began, and the machine's boot, it is not.
"""

import os
import socket
from functools import lru_cache
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STARTED_AT = 19  # field 22 of /proc/PID/stat, counted behind the name


def this_process() -> str:
    return _name_of(os.getpid())


@lru_cache(maxsize=1)  # by its pid, so a fork's child has a name of its own
def _name_of(pid: int) -> str:
    return f"{socket.gethostname()}/{_boot_id()}/{pid}/{_start_of(pid)}"


def is_gone(owner: str) -> bool:
    """Whether this owner surely lives no more. One on another machine may, for all we know."""
    try:
        host, boot, pid, start = owner.rsplit("/", 3)
        number = int(pid)
    except ValueError:
        return False
    if host != socket.gethostname() or not boot:
        return False
    return boot != _boot_id() or _start_of(number) != start


def _boot_id() -> str:
    try:
        return _BOOT.read_text("ascii").strip()
    except OSError:  # no Linux: leases have to do
        return ""


def _start_of(pid: int) -> str:
    """When a process began, in ticks since boot; empty when there is none. A zombie is none: it runs nothing more."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[_STARTED_AT]
