"""Scopes: which hosts a rule is about.

`*` is every action, also one without a host. `stripe.com` and `*.stripe.com` are that host and its subdomains.
Case, a trailing dot and a port do not matter. Any other scope never matches an action without a host.
"""

import re

_HOST = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", re.ASCII)
_IPV6 = re.compile(r"\[[0-9a-f:.]+\]", re.ASCII)


def parse_scope(text: str) -> str | None:
    """The scope in the form that `covers` takes: `*`, or a bare host. None when it is neither."""
    if text == "*":
        return "*"
    host = normalise_host(text)
    if _HOST.fullmatch(host):
        return host.removeprefix("*.")
    return host if _IPV6.fullmatch(host) else None


def normalise_host(host: str) -> str:
    """Lower-case, without port and trailing dot."""
    host = host.strip().lower()
    head, colon, port = host.rpartition(":")
    if colon and port.isascii() and port.isdigit() and (":" not in head or head.endswith("]")):
        host = head
    return host.removesuffix(".")


def covers(scope: str, host: str | None) -> bool:
    """Whether an action on `host` lies within `scope` (as `parse_scope` gave it)."""
    if scope == "*":
        return True
    if not host:
        return False
    name = normalise_host(host)
    return name == scope or name.endswith("." + scope)
