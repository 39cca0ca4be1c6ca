"""The seal: connections and programs that start outside of a gated request and of a gated tool are refused, by an audit
hook (PEP 578).

A gated request may connect to where it was let through to, and to nowhere else; the body of a gated tool may do what it was
judged for. It sees what Python does: sockets, `subprocess`, `os.system` and their like. It cannot be taken back. It does not see
what C code does by itself, a connection that is open already, or a name that is looked up.
"""

import _posixsubprocess
import ipaddress
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from heso.async_gate.context import current_action_hash
from heso.core.errors import HesoError
from heso.integrations.layers import current_sending
from heso.integrations.passage import current_passage
from heso.policy.scope import parse_host
from heso.transports.own import is_own_request

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
    networks: frozenset[ipaddress.IPv4Network | ipaddress.IPv6Network] = frozenset()
    paths: frozenset[str] = frozenset()

    def is_within(self, other: "Allowed") -> bool:
        return (
            self.hosts <= other.hosts
            and self.networks <= other.networks
            and self.paths <= other.paths
        )


class _State:
    allowed: Allowed | None = None


_resolving: ContextVar[bool] = ContextVar("heso_resolving", default=False)
_resolve = socket.getaddrinfo  # as it was before anybody could put another in its place
_sealing = threading.Lock()


def seal_sockets(allow: Iterable[str] = ()) -> None:
    """Seal this process. Raises `ValueError` for an entry that is no place, and, in a process that is sealed already, for
    one that it does not have: a seal is only ever made tighter."""
    wanted = parse_allowed(allow)
    with _sealing:
        before = _State.allowed
        if before is not None and not wanted.is_within(before):
            raise ValueError("this process is sealed already, and a seal is only made tighter")
        _State.allowed = wanted
        if before is None:
            sys.addaudithook(_hook)
            _posixsubprocess.fork_exec = _checked(_posixsubprocess.fork_exec)


def is_process_sealed() -> bool:
    return _State.allowed is not None


def allowed_places() -> tuple[str, ...]:
    """Where a sealed process may still go ungated."""
    allowed = _State.allowed or Allowed()
    hosts = [name if port is None else f"{name}:{port}" for name, port in allowed.hosts]
    return tuple(
        sorted([*hosts, *map(str, allowed.networks), *(f"unix:{p}" for p in allowed.paths)])
    )


def parse_allowed(allow: Iterable[str]) -> Allowed:
    hosts: set[tuple[str, int | None]] = set()
    networks: set[ipaddress.IPv4Network | ipaddress.IPv6Network] = set()
    paths: set[str] = set()
    for entry in allow:
        if entry.startswith("unix:"):
            paths.add(entry.removeprefix("unix:"))
            continue
        try:
            networks.add(ipaddress.ip_network(entry, strict=False))
            continue
        except ValueError:
            hosts.add(_parse_place(entry))
    return Allowed(frozenset(hosts), frozenset(networks), frozenset(paths))


def _parse_place(entry: str) -> tuple[str, int | None]:
    host, colon, port = entry.rpartition(":")
    if not colon:
        host, port = entry, ""
    bare = host.strip("[]").lower()
    is_number = port.isascii() and port.isdecimal()
    if parse_host(host if ":" not in bare else f"[{bare}]") is None or (colon and not is_number):
        raise ValueError(f"{entry!r} is no host, host:port, address, network or unix:PATH")
    return bare, int(port) if port else None


def _checked(original: Callable[..., Any]) -> Callable[..., Any]:
    """`multiprocessing` starts programs by this, and raises no event."""

    def fork_exec(*args: Any) -> Any:
        if not _is_in_gated_tool():
            raise SealedError("starting a program", str(args[0])[:80])
        return original(*args)

    return fork_exec


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event in _CONNECTS:
        _check_connection(arguments[1] if len(arguments) > 1 else None)
    elif event in _STARTS and not _is_in_gated_tool():
        raise SealedError("starting a program", str(arguments[0])[:80])


def _is_in_gated_tool() -> bool:
    """Whether this happens in the body of a gated tool, or is heso's own doing. A gated request starts no programs."""
    is_tool = current_action_hash() is not None and current_passage() is None
    return is_own_request() or is_tool


def _check_connection(address: object) -> None:
    allowed = _State.allowed
    if allowed is None or address is None or _resolving.get() or _is_in_gated_tool():
        return
    place = _exact(address)
    if isinstance(place, str):
        if place not in allowed.paths and f"unix:{place}" != _way_of_request():
            raise SealedError("a connection", f"unix:{place}"[:80])
    elif place is None or not (_is_allowed(allowed, place) or _is_of_request(place)):
        raise SealedError(
            "a connection", "somewhere" if place is None else f"{place[0]}:{place[1]}"
        )


def _exact(address: object) -> str | tuple[str, int] | None:
    """The address as the socket reads it, whatever a subclass would say of it."""
    if isinstance(address, bytes):
        return os.fsdecode(bytes(memoryview(address)))
    if isinstance(address, str):
        return "".join([str.__str__(address)])
    if not isinstance(address, tuple) or tuple.__len__(address) < 2:
        return None
    host, port = tuple.__getitem__(address, 0), tuple.__getitem__(address, 1)
    if isinstance(host, bytes):
        host = bytes(memoryview(host)).decode("latin-1")
    if not isinstance(host, str) or type(port) is not int:
        return None
    return "".join([str.__str__(host)]).partition("%")[0].lower(), port


def _is_allowed(allowed: Allowed, place: tuple[str, int]) -> bool:
    host, port = place
    if (host, port) in allowed.hosts or (host, None) in allowed.hosts:
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


def _is_of_request(place: tuple[str, int]) -> bool:
    """Whether it is where a request that was let through goes, or the proxy that it goes through."""
    found = current_sending()
    if found is None:
        return False
    exchange = found.exchange
    for name, port in (exchange.address, _split(exchange.via)):
        is_there = name == place[0] or place[0] in _addresses_of(name)
        if name and port == place[1] and is_there:
            return True
    return False


def _way_of_request() -> str:
    found = current_sending()
    return "" if found is None else found.exchange.via


def _split(via: str) -> tuple[str, int]:
    host, _, port = via.rpartition(":")
    return (host.strip("[]").lower(), int(port)) if port.isdecimal() else ("", 0)


def _addresses_of(host: str) -> set[str]:
    """Asked anew each time: an allowed name may move."""
    if not host:
        return set()
    token = _resolving.set(True)
    try:
        return {str(found[4][0]) for found in _resolve(host, None)}
    except OSError:
        return set()
    finally:
        _resolving.reset(token)
