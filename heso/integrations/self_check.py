"""`heso.self_check()`: what passes the gate in this process, what does not, and what cannot."""

import os
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from heso.async_gate.door import installed_gate
from heso.integrations.clients import is_gated, live_clients, unwrapped_clients
from heso.integrations.egress.audit import allowed_places, is_process_sealed
from heso.integrations.egress.gating import LIBRARIES, gated_libraries, is_library_gated
from heso.integrations.sdks import SDKS
from heso.integrations.standing_keys import find_standing_keys
from heso.integrations.websockets import is_patched

C_STACKS: Mapping[str, str] = MappingProxyType(
    {
        "pycurl": "libcurl",
        "curl_cffi": "libcurl",
        "grpc": "gRPC's core",
        "uvloop": "uvloop's sockets",
        "psycopg": "libpq",
        "psycopg2": "libpq",
        "ctypes": "anything in C",
        "cffi": "anything in C",
    }
)
"""Modules that open connections, or let code open them, without Python seeing it."""


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """Each entry is a sentence. `open` is what a line of code could close; `beyond` needs a sandbox around the process;
    `keys` are names of environment variables and what they hold."""

    gated: tuple[str, ...]
    open: tuple[str, ...]
    beyond: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]

    @property
    def is_closed(self) -> bool:
        """Whether nothing is open that could be closed."""
        return not self.open

    def __str__(self) -> str:
        held = [f"{name} holds {kind}" for name, kind in self.keys]
        parts = (
            ("passes the gate", self.gated),
            ("does not", self.open),
            ("cannot", self.beyond),
            ("keys within reach", held),
        )
        return "\n".join(
            f"{title}:\n" + "\n".join(f"  {line}" for line in lines)
            for title, lines in parts
            if lines
        )


def self_check() -> SelfCheck:
    """Look at this process as it is now. Changes nothing."""
    gated: list[str] = []
    left: list[str] = []
    if installed_gate() is None:
        gated.append(
            "nothing yet: there is no gate, so every gated call is refused until heso.init()"
        )
    _check_clients(gated, left)
    _check_libraries(gated, left)
    if is_process_sealed():
        places = f", but to {', '.join(allowed_places())}" if allowed_places() else ""
        gated.append(
            f"sockets and programs that Python starts outside of gated requests and tools: refused{places}"
        )
    else:
        left.append(
            "raw sockets, transports used without a client, and programs: heso.gate_http(seal=True)"
        )
    beyond = [
        f"what C code does by itself: {name} is loaded ({what})"
        for name, what in C_STACKS.items()
        if name in sys.modules
    ]
    beyond.append("tools that a provider runs itself: gate the `tools` of the model call")
    beyond.append(
        "names that are looked up, sockets that listen, connections that are open already"
    )
    return SelfCheck(
        tuple(gated), tuple(left), tuple(beyond), tuple(find_standing_keys(os.environ))
    )


def _check_clients(gated: list[str], left: list[str]) -> None:
    for name, count in sorted(Counter(_name(client) for client in live_clients()).items()):
        gated.append(f"{count} {name} client{'s' if count > 1 else ''}")
    bare = Counter(_name(client) for client in unwrapped_clients() if not is_gated(client))
    for name, count in sorted(bare.items()):
        left.append(
            f"{count} {name} client{'s' if count > 1 else ''} not wrapped: heso.wrap(client), or heso.instrument()"
        )
    for sdk in SDKS:
        module = sys.modules.get(sdk.name)
        version = str(getattr(module, "__version__", ""))
        major = version.partition(".")[0]
        if major.isdecimal() and not sdk.tested[0] <= int(major) <= sdk.tested[1]:
            left.append(f"{sdk.name} {version} is not a version that heso is tested with")


def _check_libraries(gated: list[str], left: list[str]) -> None:
    ours = gated_libraries()
    loose = [name for name in LIBRARIES if name in sys.modules and not is_library_gated(name)]
    gated += [f"requests by {name}" for name in ours if name not in loose]
    if loose:
        left.append(f"requests by {', '.join(loose)}: heso.gate_http()")
    if "websockets" in sys.modules and "websockets" not in ours:
        how = "only those of gated clients pass" if is_patched() else "none pass"
        left.append(f"WebSockets: {how}: heso.gate_http()")


def _name(client: object) -> str:
    kind = type(client)
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
