"""What a call does, whatever it was declared as: the floor by effect.

A tool call that goes to a payment provider is a payment. Where the taxonomy puts a call into one of the floored verbs,
the stricter of the declared and the classified verb is what policy judges and the receipt shows; it is never laxer.

Rule: a receipt carries a classification only when it names something, and when anybody who derives it again comes to
      the receipt's own verb.
"""

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from heso.core.hot import hot_value
from heso.core.receipt import Action, Json, Verb

if TYPE_CHECKING:
    from heso.taxonomy.facts import Signal

_FLOORED = frozenset({Verb.PAYMENT, Verb.DELETE, Verb.ACCOUNT_CHANGE, Verb.DATA_EXPORT})
_LONGEST_REMEMBERED = 256
_SAY_NOTHING = frozenset({Verb.TOOL_CALL, Verb.HTTP_REQUEST})


@hot_value
class Effect:
    """The verb that counts, and the receipt's `ert` block."""

    verb: Verb
    ert: Json | None


def classify_call(action: Action, signal: "Signal | None" = None) -> Action:
    """The action under the verb that its effect amounts to, with its classification."""
    if signal is not None:
        is_short = len(signal.path or "") + len(signal.fs_path or "") < _LONGEST_REMEMBERED
        find = _find_seen_effect if is_short else _find_effect
        effect = find(action.verb, action.target_host, signal)
    elif action.target_host is None and action.verb in _SAY_NOTHING:
        return action  # no fact is known of it
    else:
        effect = _find_known_effect(action.verb, action.target_host)
    if effect.ert is None and effect.verb is action.verb:
        return action
    return replace(action, verb=effect.verb, ert=effect.ert)


@lru_cache(maxsize=4096)
def _find_seen_effect(verb: Verb, target_host: str | None, signal: "Signal") -> Effect:
    return _find_effect(verb, target_host, signal)


@lru_cache(maxsize=4096)
def _find_known_effect(verb: Verb, target_host: str | None) -> Effect:
    return _find_effect(verb, target_host, None)


def _find_effect(verb: Verb, target_host: str | None, signal: "Signal | None") -> Effect:
    # A program whose calls go nowhere does not load the taxonomy.
    from heso.taxonomy.bundle import load_taxonomy  # noqa: PLC0415
    from heso.taxonomy.classify import classify, stricter_verb  # noqa: PLC0415
    from heso.taxonomy.facts import NOTHING_SEEN, build_ert, observe  # noqa: PLC0415
    from heso.taxonomy.model import UNRESOLVED  # noqa: PLC0415

    taxonomy = load_taxonomy()
    facts = observe(verb, target_host, signal or NOTHING_SEEN)
    found = classify(facts, taxonomy)
    counts = stricter_verb(verb, found.verb) if found.verb in _FLOORED else verb
    if found.resource_class == UNRESOLVED or found.verb is not counts:
        return Effect(counts, None)
    return Effect(counts, build_ert(facts, found, taxonomy))
