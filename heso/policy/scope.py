"""Scopes: which hosts a rule is about.

`*` is every action, also one without a host. `stripe.com` and `*.stripe.com` are that host and its subdomains.
Case, a trailing dot and a port do not matter. Any other scope never matches an action without a host.

Text that is no host (`evil.com/.stripe.com`) lies in no scope and outside none: whether it is covered is unknown.
"""

import ipaddress
import re

from heso.policy.model import Truth

_LABELS = re.compile(
    r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*", re.ASCII
)
_PORT = re.compile(r":[0-9]*$", re.ASCII)
_LONGEST_HOST = 253
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def parse_scope(text: str) -> str | None:
    """The scope in the form that `covers` takes: `*`, or a bare host. None when it is neither."""
    if text == "*":
        return "*"
    host = parse_host(text.removeprefix("*."))
    is_address = host is not None and (":" in host or host.rpartition(".")[2].isdigit())
    return None if is_address and text.startswith("*.") else host


def parse_host(text: str) -> str | None:
    """A host in its one form: lower-case ASCII, no port, no trailing dot, addresses as `ipaddress` writes them.

    None for text that is not a host: with a path, user, space or non-ASCII letter in it (a name in another script is
    written in punycode), or a number that only some programs read as an address.
    """
    if not text.isascii():  # before lower(), which makes a k of the Kelvin sign
        return None
    host = text.lower()
    if host.startswith("["):
        address, bracket, port = host[1:].partition("]")
        return _parse_ipv6(address) if bracket and (not port or _PORT.fullmatch(port)) else None
    if host.count(":") > 1:
        return _parse_ipv6(host)
    host = _PORT.sub("", host).removesuffix(".")
    if not _LABELS.fullmatch(host) or len(host) > _LONGEST_HOST:
        return None
    last = host.rpartition(".")[2]
    return _parse_ipv4(host) if last.isdigit() or last.startswith("0x") else host


def covers(scope: str, host: str | None) -> Truth:
    """Whether an action on `host` lies within `scope` (as `parse_scope` gave it). Unknown when it is no host."""
    if scope == "*":
        return True
    if host is None:
        return False
    name = parse_host(host)
    if name is None:
        return None
    return name == scope or name.endswith("." + scope)


def _parse_ipv6(text: str) -> str | None:
    """An address. One that carries an IPv4 address is that address: both reach the same machine."""
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    if "%" in text or 2**16 <= int(address) < 2**32:  # zones, and the deprecated `::a.b.c.d`
        return None
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    if address in _NAT64:
        return str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return str(address)


def _parse_ipv4(text: str) -> str | None:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        return None
