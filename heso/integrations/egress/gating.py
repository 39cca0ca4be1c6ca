"""`heso.gate_http()`: every HTTP request of this process is an action, whichever library sends it.

It shows method, place and sizes. Headers and bodies are hidden, and only there when a person has to approve exactly these.
"""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType

from heso.core.errors import HesoError
from heso.core.redaction import check_path
from heso.integrations.describing import Settings
from heso.integrations.egress import aiohttp, http_client, httpx, requests, urllib3
from heso.integrations.egress.audit import seal_sockets
from heso.integrations.egress.patching import Patches
from heso.integrations.websockets import gate_all_websockets

Gating = Callable[[ModuleType, Settings, Patches], None]

LIBRARIES: Mapping[str, Gating] = {
    "httpx": httpx.gate,
    "httpx2": httpx.gate,
    "requests": requests.gate,
    "urllib3": urllib3.gate,
    "aiohttp": aiohttp.gate,
    "http.client": http_client.gate,
}
"""How each library is gated, by its module's name."""

_STARTS_PROGRAMS = ("httpcore", "httpcore2")
"""Loaded at a client's first request, they load trio if it is there, which asks a program where a library lies."""
_patches = Patches()
_gated: list[str] = []
_modules: dict[str, ModuleType] = {}


def gate_http(
    *,
    name: str = "http",
    redact: Iterable[str] = (),
    proxies: Iterable[str] = (),
    seal: bool = False,
    allow: Iterable[str] = (),
) -> list[str]:
    """Gate the requests of httpx, httpx2, requests, urllib3, aiohttp, http.client and websockets, as far as they are
    installed; the names of those that are. Clients that exist already are gated too. Calling it again replaces it.

    `name` is the tool on receipts. `redact` lists more paths that no receipt shows, such as `http.path`. `proxies` lists
    the `host:port`s and `unix:` paths that requests may go through: policy judges where a request says it goes, and a proxy
    could lead elsewhere. `seal` also refuses every connection and program that starts in Python outside of a gated request, for the rest of the process;
    `allow` lists the hosts, `host:port`s, addresses and `unix:` paths that may still be reached (see `heso.self_check`).

    A gated request raises `BlockedError`, `SuspendedError` or `GateError` before it is sent.
    """
    if any(isinstance(given, str) for given in (redact, proxies, allow)):
        raise TypeError("redact, proxies and allow take lists: redact=[...]")
    paths = tuple(redact)
    for path in paths:
        check_path(path)
    settings = Settings(name=name, redact=paths, is_model=False, proxies=frozenset(proxies))
    ungate_http()
    _gate_libraries(settings)
    if seal:
        _load_what_starts_programs()
        seal_sockets(allow)
    return list(_gated)


def _gate_libraries(settings: Settings) -> None:
    for library, gate in LIBRARIES.items():
        if library in sys.modules or _is_installed(library):
            try:
                module = _modules[library] = importlib.import_module(library)
                gate(module, settings, _patches)
            except Exception as error:
                ungate_http()
                raise CannotGate(library, type(error).__name__) from error
            _gated.append(library)
    if _is_installed("websockets"):
        gate_all_websockets(settings)
        _gated.append("websockets")


def _load_what_starts_programs() -> None:
    for library in _STARTS_PROGRAMS:
        if _is_installed(library):
            importlib.import_module(library)


def ungate_http() -> None:
    """Take back `gate_http`. A seal stays: nothing in a process can take it back."""
    _patches.take_back()
    gate_all_websockets(None)
    _gated.clear()


def is_gating() -> bool:
    return bool(_gated)


def is_library_gated(name: str) -> bool:
    """Whether what a program would use now is what was gated: a module can be loaded a second time."""
    return name in _gated and _modules.get(name) is sys.modules.get(name)


def gated_libraries() -> list[str]:
    return list(_gated)


@dataclass(eq=False)
class CannotGate(HesoError):
    """A library that is not what we know, so none is gated."""

    library: str
    why: str

    next_step = "use a version that is tested, or heso.gate_http() of a newer heso"

    def __str__(self) -> str:
        return f"{self.library} cannot be gated ({self.why}): its inside is not what is known"


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
