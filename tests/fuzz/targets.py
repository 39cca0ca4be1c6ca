"""What is fuzzed: every reader of hostile bytes in the core. Each target returns, or raises an error of its own kind.

A target that raises anything else, hangs, or needs memory beyond a small multiple of its input has found a fault.
"""

from collections.abc import Callable, Mapping

import orjson

from heso.core.approval_token import Answer, TokenRefused, check_token
from heso.core.audit import verify_audit_chain
from heso.core.canonical import canonical_bytes
from heso.core.chain import verify_action_chain
from heso.core.checkpoint import open_checkpoint
from heso.core.collection import verify_collection
from heso.core.commitment import verify_commitment
from heso.core.delegation import DelegationRefused, check_delegation
from heso.core.domains import APPROVER_DOMAIN, OPERATOR_DOMAIN
from heso.core.dsse import Untrusted, open_envelope
from heso.core.encoding import Digest, PublicKey, format_base64
from heso.core.errors import Malformed
from heso.core.hashing import digest
from heso.core.keys import SigningKey
from heso.core.note import NoteKey, NoteRefused, open_note, parse_note_key
from heso.core.projection import as_doubles
from heso.core.redaction import parse_sidecar
from heso.core.roles import signing_rule
from heso.core.session import Roots, verify_session_chain
from heso.core.strict_json import split_array
from heso.core.time_anchor import AnchorRefused
from heso.core.timestamps import TimeRoots
from heso.core.transparency import PinnedLog
from heso.core.verdict import Kind
from heso.core.verify import Terms, examine_receipt
from heso.taxonomy.bundle import BadTaxonomy, load_taxonomy, parse_taxonomy
from heso.taxonomy.rederive import rederive

KEY = PublicKey("O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=")
OPERATOR_KEY = SigningKey.from_seed(b"\x00" * 32)
APPROVER_KEY = SigningKey.from_seed(b"\x05" * 32)
LOG = PinnedLog(origin="log", key=KEY, witnesses=frozenset({KEY}), is_required=True)
NO_ROOTS = TimeRoots(())


def read_receipt(data: bytes) -> None:
    """Strict and lenient, with every pin; the strict reader never takes what the lenient one refuses."""
    strict = examine_receipt(data)
    lenient = examine_receipt(data, Terms(compat=True))
    if strict.verdict.is_valid and not lenient.verdict.is_valid:
        raise AssertionError(f"stricter and yet taken: {lenient.verdict}")
    named = strict.verdict.stricter is not None
    if named != (lenient.verdict.is_valid and not strict.verdict.is_valid):
        raise AssertionError(f"{strict.verdict} against {lenient.verdict}")
    examine_receipt(data, Terms(operator=KEY, log=LOG, time=NO_ROOTS))
    if rederive(strict, load_taxonomy()).kind is Kind.VALID and not strict.verdict.is_valid:
        raise AssertionError("derived again and better than before")


def read_resealed(data: bytes) -> None:
    """The receipt with its hash and signatures made right again, so that what lies behind them is reached."""
    try:
        envelope = orjson.loads(data)
        content = {key: item for key, item in envelope["content"].items() if key != "action_hash"}
        canonical = canonical_bytes(as_doubles(content))
        domain = signing_rule(content).domain if "kind" in content else OPERATOR_DOMAIN
        for entry in envelope["signatures"]:
            is_approval = entry["key_id"] == "approver" and "kind" not in content
            signer = APPROVER_KEY if entry["key_id"] == "approver" else OPERATOR_KEY
            signed = (APPROVER_DOMAIN if is_approval else domain) + canonical
            entry["public_key"] = signer.public_key
            entry["signature"] = format_base64(signer.sign(signed))
        envelope["content"]["action_hash"] = digest(canonical)
        resealed = orjson.dumps(envelope)
    except (ValueError, KeyError, TypeError, AttributeError, Malformed, RecursionError):
        return
    read_receipt(resealed)
    read_chain(resealed)


def read_chain(data: bytes) -> None:
    lines = data.split(b"\n")
    for compat in (False, True):
        terms = Terms(compat=compat)
        verify_action_chain(lines, terms)
        verify_session_chain(lines, terms, roots=Roots(producer=KEY, decision=KEY))
        verify_collection(lines, terms)
    verify_audit_chain(lines)


def read_array(data: bytes) -> None:
    """An array is cut into the texts of its items, no more and no less."""
    try:
        items = split_array(data)
    except Malformed:
        return
    if [orjson.loads(item) for item in _sound(items)] != _sound_array(data):
        raise AssertionError("cut in the wrong place")


def _sound(items: list[bytes]) -> list[bytes]:
    try:
        for item in items:
            orjson.loads(item)
    except ValueError:
        return []
    return items


def _sound_array(data: bytes) -> object:
    try:
        return orjson.loads(data)
    except ValueError:
        return []


def read_token(data: bytes) -> None:
    try:
        check_token(
            data,
            action=b"action",
            registered=(KEY,),
            now_seconds=1,
            scope="payment",
            answer=Answer.APPROVE,
            spend=lambda _nonce, _until: True,
        )
    except TokenRefused:
        return


def read_delegation(data: bytes) -> None:
    try:
        check_delegation(
            data,
            data[:148],
            operator=KEY,
            action_hash=Digest("0" * 64),
            scope="payment",
            answer=Answer.APPROVE,
            now_seconds=1,
            spend=lambda _nonce, _until: True,
        )
    except DelegationRefused:
        return


def read_note(data: bytes) -> None:
    for read in (
        lambda: open_note(data, [NoteKey("log", KEY)]),
        lambda: open_checkpoint(data, origin="log", key=KEY),
        lambda: parse_note_key(data.decode("utf-8", "replace")),
    ):
        try:
            read()
        except (Malformed, NoteRefused):
            continue


def read_envelope(data: bytes) -> None:
    for read in (
        lambda: open_envelope(data, trusted=[KEY]),
        lambda: verify_commitment(data, public_key=KEY, signature=KEY, signer_fpr=""),
        lambda: parse_sidecar(data),
    ):
        try:
            read()
        except (Malformed, Untrusted):
            continue


def read_timestamp(data: bytes) -> None:
    try:
        NO_ROOTS.gen_time(data, b"\0" * 32)
    except AnchorRefused:
        return


def read_taxonomy(data: bytes) -> None:
    try:
        parse_taxonomy(data)
    except BadTaxonomy:
        return


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "receipt": read_receipt,
    "resealed": read_resealed,
    "chain": read_chain,
    "array": read_array,
    "token": read_token,
    "delegation": read_delegation,
    "note": read_note,
    "envelope": read_envelope,
    "timestamp": read_timestamp,
    "taxonomy": read_taxonomy,
}
