"""Deriving a receipt's classification again (fact sheet, sections 2.4 step 13 and 7.2).

A receipt's own word about what it touched is only as good as its facts; with the same taxonomy at hand, anybody can
tell whether the class, the effect, the egress and the verb follow from them. `observability` is told, never derived.
A receipt without a classification claims none, and there is nothing to derive.
"""

from dataclasses import replace
from typing import Any

from heso.core.verdict import Kind, Verdict
from heso.core.verify import STRICT, Examined, Terms, examine_receipt
from heso.taxonomy.classify import classify
from heso.taxonomy.model import Taxonomy


def verify_receipt_rederiving(data: bytes, taxonomy: Taxonomy, terms: Terms = STRICT) -> Verdict:
    """As `verify_receipt`; a Valid receipt's classification is then derived again.

    Two more kinds: TaxonomyUnavailable, when the receipt names another taxonomy, and ClassificationMismatch.
    """
    return rederive(examine_receipt(data, terms), taxonomy)


def rederive(examined: Examined, taxonomy: Taxonomy) -> Verdict:
    """The verdict on a receipt that was examined already, with its classification derived again."""
    verdict = examined.verdict
    if not verdict.is_valid or examined.envelope is None:
        return verdict
    action: Any = examined.envelope["content"]["action"]
    ert = action.get("ert")
    if ert is None:
        return verdict
    if ert["taxonomy_hash"] != taxonomy.hash:
        detail = f"the receipt names {ert['taxonomy_hash'][:64]}, and {taxonomy.hash} is at hand"
        return _refuse(verdict, Kind.TAXONOMY_UNAVAILABLE, detail)
    found = classify(ert["observed_facts"], taxonomy)
    claims = (
        ("resource_class", ert["resource_class"], found.resource_class),
        ("effect", ert["effect"], found.effect),
        ("egress", ert["egress"], found.egress),
        ("verb", action["verb"], str(found.verb)),
    )
    for what, claimed, derived in claims:
        if claimed != derived:
            detail = f"{what}: embedded={claimed[:64]} derived={derived}"
            return _refuse(verdict, Kind.CLASSIFICATION_MISMATCH, detail)
    return verdict


def _refuse(verdict: Verdict, kind: Kind, detail: str) -> Verdict:
    return replace(verdict, kind=kind, detail=detail, trust_level=None)
