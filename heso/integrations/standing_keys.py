"""Keys that stand in the environment: an agent that can read it needs no gate to use them.

Rule: names only. No byte of a value leaves this file, not its length either.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

KINDS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "a live payment key": re.compile(r"(?:sk|rk)_live_[0-9A-Za-z]{8}"),
        "a cloud access key": re.compile(r"(?:AKIA|ASIA)[0-9A-Z]{12}"),
        "a code host's token": re.compile(r"(?:gh[pousr]_[0-9A-Za-z]{16}|github_pat_|glpat-)"),
        "a chat token": re.compile(r"(?:xox[abeprs]|xapp)-"),
        "a webhook's secret": re.compile(r"whsec_"),
        "a package registry's token": re.compile(r"(?:npm_|pypi-)[0-9A-Za-z]{16}"),
        "a mail service's key": re.compile(r"SG\.[0-9A-Za-z_-]{16}"),
        "a model hub's token": re.compile(r"hf_[0-9A-Za-z]{16}"),
        "a maps or cloud key": re.compile(r"AIza[0-9A-Za-z_-]{16}"),
        "a model provider's key": re.compile(r"sk-(?:ant-|proj-|svcacct-)?[0-9A-Za-z_-]{16}"),
        "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    }
)
"""How such keys begin, by what they are. Anchored, without repetition: linear."""


def find_standing_keys(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """The variables that hold one, by name, and what it is."""
    found = []
    for name in sorted(environment):
        value = environment[name].lstrip(" \t\r\n'\"").removeprefix("Bearer ")
        for kind, pattern in KINDS.items():
            if pattern.match(value):
                found.append((name, kind))
                break
    return found
