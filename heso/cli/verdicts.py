"""Verdicts as people and programs read them, and the exit codes that go with them: 0 valid, 1 invalid, 2 unreadable."""

import argparse
from collections.abc import Iterable

import orjson

from heso.cli.output import answer, answer_json, paint
from heso.core.instant import format_instant
from heso.core.verdict import ChainKind, ChainVerdict, Kind, Verdict
from heso.core.visible import visible

_UNREADABLE = frozenset(
    {
        Kind.WRONG_ALGORITHM,
        Kind.UNSUPPORTED,
        Kind.MALFORMED,
        Kind.TAXONOMY_UNAVAILABLE,
        ChainKind.MALFORMED,
        ChainKind.EMPTY,
    }
)


def report_chain(name: str, verdict: ChainVerdict, options: argparse.Namespace) -> int:
    if options.json:
        answer_json(orjson.dumps(chain_fields(name, verdict)).decode())
    else:
        mark = paint(str(verdict.kind), "green" if verdict.is_valid else "red")
        about = f"{verdict.length} in order" if verdict.is_valid else verdict.detail
        if verdict.stricter is not None:
            about += f" [stricter than the reference: {verdict.stricter}]"
        answer(
            f"{visible(name)}: {mark} ({visible(about)})" if about else f"{visible(name)}: {mark}"
        )
    return exit_code([verdict.kind])


def show_verdict(verdict: Verdict, *, is_pinned: bool) -> None:
    answer(line_of(verdict))
    for signer in verdict.signers:
        answer(f"  signed by {signer}")
    if verdict.trusted_time is not None:
        answer(f"  a pinned time authority saw it at {format_instant(verdict.trusted_time)}")
    if verdict.is_valid:
        known = "that is the pinned operator's key"
        unknown = "whose key that is, is for you to know (--operator)"
        answer(paint(f"  checked here, offline; {known if is_pinned else unknown}", "dim"))


def line_of(verdict: Verdict) -> str:
    level = f" {verdict.trust_level}" if verdict.trust_level else ""
    detail = f": {visible(verdict.detail)}" if verdict.detail else ""
    if verdict.stricter is not None:
        detail += f" [stricter than the reference: {verdict.stricter}]"
    mark = paint(f"{verdict.kind}{level}", "green" if verdict.is_valid else "red")
    return f"{mark}{detail}  {visible(verdict.action_hash or '')}".rstrip()


def as_json(verdict: Verdict, **extra: object) -> str:
    """`kind`, `trust_level`, `detail` and `time_status` always; `gen_time` and `stricter` where there is one."""
    found: dict[str, object] = {
        "kind": verdict.kind,
        "trust_level": verdict.trust_level,
        "detail": verdict.detail,
        "time_status": "NoTrustedTime",
    }
    if verdict.trusted_time is not None:
        found["time_status"] = "TrustedTime"
        found["gen_time"] = format_instant(verdict.trusted_time)
    if verdict.stricter is not None:
        found["stricter"] = verdict.stricter
    return orjson.dumps({**found, **extra}).decode()


def chain_fields(name: str, verdict: ChainVerdict) -> dict[str, object]:
    """The fields of the format, in its words; `stricter` where the reference would have answered otherwise."""
    found: dict[str, object] = {
        "kind": verdict.kind,
        "trust_level": None,
        "detail": verdict.detail,
        "chain": name,
        "length": verdict.length,
        "seq": verdict.seq,
        "operators": verdict.operators,
        "deciders": verdict.deciders,
    }
    match verdict.kind:
        case ChainKind.CONTENT_TAMPER:
            found["reason"] = verdict.detail
        case ChainKind.ROLE_VIOLATION:
            found |= {"receipt_kind": verdict.receipt_kind, "required": verdict.role}
        case ChainKind.KEY_NOT_VALID_AT_POSITION:
            found["role"] = verdict.role
        case ChainKind.WRONG_CHAIN_KIND:
            found["receipt_kind"] = verdict.receipt_kind
        case _:
            pass
    if verdict.stricter is not None:
        found["stricter"] = verdict.stricter
    return found


def exit_code(kinds: Iterable[Kind | ChainKind]) -> int:
    worst = 0
    for kind in kinds:
        if kind not in (Kind.VALID, ChainKind.VALID):
            worst = max(worst, 2 if kind in _UNREADABLE else 1)
    return worst
