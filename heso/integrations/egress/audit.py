"""The seal: connections and programs that start outside of a gated request and of a gated tool are refused, by an audit
hook (PEP 578).

It sees what Python does: sockets, `subprocess`, `os.system` and their like. It cannot be taken back, by nobody in the process.
It does not see what C code does by itself, a connection that is open already, or a name that is looked up.
"""

import ipaddress
import socket
import sys
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass

from heso.async_gate.context import current_action_hash
from heso.core.errors import HesoError
from heso.integrations.layers import is_on_its_way

_CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_STARTS = frozenset(
    {
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
        "pty.spawn",
    }
)


@dataclass(eq=False)
class SealedError(HesoError):
    """Something went out past every gated library. It was stopped before it did."""

    what: str
    where: str

    next_step = "make the request with a gated library, or name the place: heso.gate_http(seal=True, allow=[...])"

    def __str__(self) -> str:
        return f"{self.what} to {self.where} is outside of any gated request or tool, and this process is sealed"


@dataclass(frozen=True, slots=True)
class Allowed:
    """Where ungated connections may go."""

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    paths: frozenset[str] = frozenset()


class _State:
    allowed: Allowed | None = None
    is_hooked = False


_resolving: ContextVar[bool] = ContextVar("heso_resolving", default=False)


def seal_sockets(allow: Iterable[str] = ()) -> None:
    """Seal this process. Calling it again replaces the list. Raises `ValueError` for an entry that is no place."""
    _State.allowed = parse_allowed(allow)
    if not _State.is_hooked:
        sys.addaudithook(_hook)
        _State.is_hooked = True


def is_process_sealed() -> bool:
    return _State.allowed is not None


def parse_allowed(allow: Iterable[str]) -> Allowed:
    hosts: set[tuple[str, int | None]] = set()
    networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    paths: set[str] = set()
    for entry in allow:
        if entry.startswith("unix:"):
            paths.add(entry.removeprefix("unix:"))
            continue
        try:
            networks.append(ipaddress.ip_network(entry, strict=False))
            continue
        except ValueError:
            pass
        host, colon, port = entry.rpartition(":")
        if not colon:
            host, port = entry, ""
        if not host or (port and not port.isdecimal()) or "/" in host:
            raise ValueError(f"{entry!r} is no host, host:port, address, network or unix:PATH")
        hosts.add((host.strip("[]").lower(), int(port) if port else None))
    return Allowed(frozenset(hosts), tuple(networks), frozenset(paths))


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event in _CONNECTS:
        _check_connection(arguments[1] if len(arguments) > 1 else None)
    elif event in _STARTS and not _is_judged():
        raise SealedError("starting a program", str(arguments[0])[:80])


def _is_judged() -> bool:
    """Whether this happens in a gated request, or in the body of a gated tool."""
    return is_on_its_way() or current_action_hash() is not None


def _check_connection(address: object) -> None:
    allowed = _State.allowed
    if allowed is None or address is None or _is_judged() or _resolving.get():
        return
    if isinstance(address, str | bytes):
        path = address.decode("utf-8", "replace") if isinstance(address, bytes) else address
        if path in allowed.paths:
            return
        raise SealedError("a connection", f"unix:{path}"[:80])
    if isinstance(address, tuple) and len(address) >= 2 and _is_allowed(allowed, address):
        return
    raise SealedError("a connection", _shown(address))


def _is_allowed(allowed: Allowed, address: tuple[object, ...]) -> bool:
    host, port = str(address[0]).partition("%")[0].lower(), address[1]
    if any(name == host and number in (None, port) for name, number in allowed.hosts):
        return True
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return False
    if any(number in network for network in allowed.networks):
        return True
    return any(
        str(number) in _addresses_of(name)
        for name, wanted in allowed.hosts
        if wanted in (None, port)
    )


def _addresses_of(host: str) -> set[str]:
    """Asked anew each time: an allowed name may move."""
    token = _resolving.set(True)
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except OSError:
        return set()
    finally:
        _resolving.reset(token)


def _shown(address: object) -> str:
    return ":".join(map(str, address[:2])) if isinstance(address, tuple) else repr(address)[:80]
