"""What is observed of a call, and the classification that its receipt carries (fact sheet, sections 1.8 and 7.3).

Facts come from where the call goes and from what was declared about it, never from its arguments or its tool's name:
those are the agent's to choose. A fact that does not hold is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from heso.core.receipt import Action, Json, Verb
from heso.taxonomy.classify import Classified, classify
from heso.taxonomy.model import METHODS, Taxonomy

Observability = Literal["wire", "args", "symbol", "blind"]
Origin = Literal[
    "browser_driver",
    "browser_form",
    "messaging_sdk",
    "payment_sdk",
    "agent_protocol",
    "storage_sdk",
    "sdk",
    "proxy",
]
ObservedVia = Literal["fs_hook", "object_sdk", "sql_proxy", "iac_tool", "http_delete"]

_DECLARED: Mapping[Verb, str] = MappingProxyType(
    {
        Verb.PAYMENT: "is_payment",
        Verb.DELETE: "effect_destructive",
        Verb.ACCOUNT_CHANGE: "is_identity_change",
        Verb.DATA_EXPORT: "is_secret",
        Verb.LLM_CALL: "is_model_call",
    }
)
_PORT = frozenset("0123456789")
_BY_ORIGIN = MappingProxyType({"payment_sdk": "is_payment", "agent_protocol": "is_model_call"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What an instrumented client saw of a call. Everything is optional; a method is written in capitals."""

    method: str | None = None
    path: str | None = None
    fs_path: str | None = None
    row_count_estimate: int | None = None
    argv_tokens: tuple[str, ...] = ()
    origin: Origin | None = None
    observed_via: ObservedVia | None = None
    mcp_server: str | None = None


NOTHING_SEEN = Signal()


def observe(verb: Verb, target_host: str | None, signal: Signal = NOTHING_SEEN) -> Json:
    """The facts of a call: its host in lower case without port or final dot, what was declared, what was seen."""
    facts: Json = {}
    if target_host is not None:
        facts["host"] = _bare_host(target_host)
    if verb in _DECLARED:
        facts[_DECLARED[verb]] = True
    if signal is not NOTHING_SEEN:
        _add_request(facts, signal)
        _add_local(facts, signal)
    return facts


def observability(facts: Mapping[str, object]) -> Observability:
    """How the facts came to be known. It is told, and never derived again."""
    if "host" in facts or "method" in facts:
        return "wire"
    if "mcp_server" in facts:
        return "symbol"
    return "args" if facts else "blind"


def build_ert(facts: Json, classified: Classified, taxonomy: Taxonomy) -> Json:
    """The receipt's `ert` block. A classification can be derived again from what is in it."""
    return {
        "observed_facts": facts,
        "resource_class": classified.resource_class,
        "effect": classified.effect,
        "egress": classified.egress,
        "observability": observability(facts),
        "taxonomy_hash": taxonomy.hash,
    }


def classify_action(action: Action, taxonomy: Taxonomy, signal: Signal = NOTHING_SEEN) -> Json:
    """The `ert` block of an action."""
    facts = observe(action.verb, action.target_host, signal)
    return build_ert(facts, classify(facts, taxonomy), taxonomy)


def _bare_host(host: str) -> str:
    bare = host.lower()
    if not bare.startswith("["):  # an address in brackets keeps its colons
        name, colon, port = bare.rpartition(":")
        if colon and _PORT.issuperset(port) and ":" not in name:  # a port may be empty
            bare = name
    return bare.removesuffix(".")


def _add_request(facts: Json, signal: Signal) -> None:
    method = None if signal.method is None else signal.method.upper()
    if method in METHODS:
        facts["method"] = method
    if method == "DELETE" or signal.observed_via is not None:
        facts["effect_destructive"] = True
    if signal.path is not None:
        facts["path"] = signal.path.partition("?")[0].partition("#")[0]  # a query may hold a secret
    if signal.origin is not None:
        facts["origin"] = signal.origin
        if signal.origin in _BY_ORIGIN:
            facts[_BY_ORIGIN[signal.origin]] = True
    if signal.observed_via is not None:
        facts["observed_via"] = signal.observed_via
    if signal.mcp_server is not None:
        facts["mcp_server"] = signal.mcp_server


def _add_local(facts: Json, signal: Signal) -> None:
    if signal.fs_path is not None:
        facts["realpath"] = signal.fs_path
        facts["is_local_compute"] = True
    if signal.row_count_estimate is not None:
        facts["row_count_estimate"] = signal.row_count_estimate
        facts["is_local_compute"] = True
    if signal.argv_tokens:
        facts["argv_tokens"] = [token.lower() for token in signal.argv_tokens]
