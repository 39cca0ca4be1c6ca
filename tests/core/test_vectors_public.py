"""Published test vectors: RFC 8785, Wycheproof, speccheck, and the HESO/1 specification's own.

They are not part of this repository. Where the folder is missing, every test here skips and says so.
"""

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from heso.core.audit import START, AuditTail, describe_receipt, extend_audit, format_audit_entry
from heso.core.canonical import canonical_bytes, format_number
from heso.core.chain import link_hash, next_block, verify_action_chain
from heso.core.encoding import Digest, PublicKey, format_base64, parse_signature
from heso.core.errors import Malformed
from heso.core.hashing import digest, fingerprint
from heso.core.keys import SigningKey, signature_holds
from heso.core.receipt import (
    Action,
    DecisionPath,
    PolicyRecord,
    SessionId,
    Verb,
    draft_content,
    seal_receipt,
)
from heso.core.redaction import Reveal, check_reveals, commit, merkle_root
from heso.core.strict_json import parse_json
from heso.core.verdict import ChainKind, ChainVerdict, Kind, Verdict
from heso.core.verify import verify_receipt

VECTORS = Path(
    os.environ.get("HESO_VECTORS") or Path(__file__).parents[2].parent / "shared" / "vectors"
)

pytestmark = pytest.mark.skipif(
    not VECTORS.is_dir(),
    reason=f"NO PUBLIC VECTORS: {VECTORS} is not a folder; set HESO_VECTORS to where they are",
)

OPERATOR = SigningKey.from_seed(b"\x00" * 32)


def load(path: str) -> Any:
    return json.loads((VECTORS / path).read_bytes())


def test_the_six_documents_of_rfc_8785_come_out_byte_for_byte() -> None:
    folder = VECTORS / "jcs" / "testdata"
    names = sorted(path.stem for path in (folder / "input").iterdir())
    written = {}
    expected = {}
    for name in names:
        value = parse_json((folder / "input" / f"{name}.json").read_bytes())
        written[name] = canonical_bytes(value)
        expected[name] = bytes.fromhex((folder / "outhex" / f"{name}.txt").read_text())
        assert expected[name] == (folder / "output" / f"{name}.json").read_bytes().rstrip(b"\n")
    assert written == expected
    assert names == ["arrays", "french", "structures", "unicode", "values", "weird"]


def test_twenty_thousand_numbers_are_printed_as_ecmascript_prints_them() -> None:
    lines = (VECTORS / "jcs" / "es6-numbers-20k.txt").read_text().splitlines()
    wrong = []
    for line in lines:
        bits, _, text = line.partition(",")
        (number,) = struct.unpack(">d", bytes.fromhex(bits.rjust(16, "0")))
        if format_number(number) != text or canonical_bytes(number) != text.encode():
            wrong.append(line)
    assert (len(lines), wrong) == (20_000, [])


def test_wycheproof_signatures_are_accepted_exactly_when_they_are_valid() -> None:
    wrong = []
    count = 0
    for group in load("ed25519/wycheproof.json")["testGroups"]:
        key = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            count += 1
            try:
                signature = parse_signature(format_base64(bytes.fromhex(case["sig"])))
                holds = signature_holds(key, bytes.fromhex(case["msg"]), signature)
            except Malformed:
                holds = False
            if holds != (case["result"] == "valid"):
                wrong.append(case["tcId"])
    assert (count, wrong) == (151, [])


def test_of_the_speccheck_cases_only_libsodiums_own_is_accepted() -> None:
    accepted = [
        number
        for number, case in enumerate(load("ed25519/speccheck.json"))
        if signature_holds(
            *(bytes.fromhex(case[part]) for part in ("pub_key", "message", "signature"))
        )
    ]
    assert accepted == [3]


def test_every_published_receipt_gets_its_published_verdict(crown: Any) -> None:
    answers = {}
    expected = {}
    for case in crown["action_receipt_v2"]["cases"]:
        verdict = verify_receipt(json.dumps(case["receipt_json"]).encode())
        answers[case["id"]] = (verdict.kind, verdict.trust_level)
        expected[case["id"]] = (case["expected_outcome"], case.get("expected_trust_level"))
    assert answers == expected
    assert len(answers) == 7


def test_the_golden_receipt_has_its_bytes_hash_and_signature(crown: Any) -> None:
    case = crown["action_receipt_v2"]["cases"][0]
    content = dict(case["receipt_json"]["content"])
    claimed = content.pop("action_hash")
    canonical = canonical_bytes(content)
    assert canonical.hex() == case["canonical_bytes_hex"]
    assert digest(canonical) == case["action_hash"] == claimed
    sealed = seal_receipt(content, OPERATOR)
    assert json.loads(sealed.body) == {
        key: value for key, value in case["receipt_json"].items() if key != "transparency"
    }


def test_the_published_chains_get_their_published_verdicts(crown: Any) -> None:
    whole, spliced = crown["chain"]["cases"]
    receipts = [json.dumps(receipt).encode() for receipt in whole["chain_jsonl"]]
    signers = {
        entry["public_key"]: None
        for receipt in whole["chain_jsonl"]
        for entry in receipt["signatures"]
        if entry["key_id"] == "operator"
    }
    assert verify_action_chain(receipts) == ChainVerdict(
        kind=ChainKind.VALID, length=3, operators=tuple(signers)
    )
    receipts = [json.dumps(receipt).encode() for receipt in spliced["chain_jsonl"]]
    verdict = verify_action_chain(receipts)
    assert (verdict.kind, verdict.seq, verdict.length) == (ChainKind.LINK_BROKEN, 2, None)
    links = [
        link_hash(content["session_id"], content["seq"], content["action_hash"])
        for content in (receipt["content"] for receipt in whole["chain_jsonl"])
    ]
    assert links == list(crown["chain"]["link_hashes"].values())


def test_the_published_redaction_opens_with_its_salt_only(crown: Any) -> None:
    block = crown["redaction"]
    good, bad = block["cases"]
    value_json = bytes.fromhex(good["value_json_bytes_hex"]).decode()
    reveal, misfit = (
        Reveal(
            field_path=case["field_path"],
            salt=bytes.fromhex(case["salt_hex"]),
            value_json=value_json,
        )
        for case in (good, bad)
    )
    assert commit(reveal) == good["commitment"]
    assert commit(misfit) != bad["commitment_to_match"]
    assert merkle_root([good["commitment"]]) == good["merkle_root"]
    receipt = block["receipt_json"]
    assert verify_receipt(json.dumps(receipt).encode()).kind == block["receipt_expected_outcome"]
    assert check_reveals(receipt["content"], [reveal]) == (reveal,)
    with pytest.raises(Malformed, match="does not open"):
        check_reveals(receipt["content"], [misfit])


def worked_content(*, chained: bool = False) -> dict[str, object]:
    return draft_content(
        Action(verb=Verb.TOOL_CALL, tool_name="t", workflow="w", account="a", fields={}),
        PolicyRecord(
            rule_id="r", rule_display="d", matched_conditions=[], decision_path=DecisionPath.ALLOW
        ),
        captured_at="2026-01-01T00:00:00Z",
        operator=OPERATOR.public_key,
        chain=next_block(SessionId("s"), None) if chained else None,
    )


def test_the_worked_receipt_has_its_bytes_hash_and_signature(worked: Any) -> None:
    expected = worked["l0"]
    receipt = seal_receipt(worked_content(), OPERATOR)
    entry = json.loads(receipt.body)["signatures"][0]
    assert canonical_bytes(worked_content()) == expected["canonical"].encode()
    assert len(expected["canonical"]) == expected["canonical_len"]
    assert receipt.action_hash == expected["action_hash"]
    assert entry == {
        "algorithm": "Ed25519",
        "key_id": "operator",
        "public_key": expected["public_key"],
        "signature": expected["signature"],
    }
    assert verify_receipt(receipt.body) == Verdict(
        kind=Kind.VALID,
        trust_level="L0",
        action_hash=Digest(expected["action_hash"]),
        signers=(PublicKey(expected["public_key"]),),
    )


def test_the_worked_chain_has_its_hashes(worked: Any) -> None:
    expected = worked["chain"]
    first = seal_receipt(worked_content(chained=True), OPERATOR)
    assert first.action_hash == expected["genesis_action_hash"]
    links = [
        link_hash("s", 0, first.action_hash),
        link_hash("s", 1, expected["second_action_hash"]),
    ]
    assert links == [expected["genesis_link_hash"], expected["second_link_hash"]]
    assert digest(bytes.fromhex(expected["genesis_link_input_hex"])) == links[0]


def test_the_worked_redaction_has_its_commitment_and_root(worked: Any) -> None:
    expected = worked["redaction"]
    reveal = Reveal(
        field_path=expected["path"],
        salt=bytes.fromhex(expected["salt_hex"]),
        value_json=expected["value_json"],
    )
    assert commit(reveal) == expected["commitment"]
    assert merkle_root([expected["commitment"]]) == expected["merkle_root"]


def test_the_worked_audit_entry_has_its_hash(worked: Any) -> None:
    expected = worked["audit"]
    preimage = json.loads(expected["preimage_json"])["audit_entry"]
    assert preimage["redaction_count"] == 0
    content = {
        "action_hash": preimage["action_hash"],
        "action": {"workflow": preimage["workflow"], "account": preimage["account"]},
        "policy": {"decision_path": preimage["gate_decision"]},
        "trust_level": preimage["trust_level"],
    }
    remembered = describe_receipt(
        content, recorded_at=preimage["recorded_at"], signer=preimage["signing_key_id"]
    )
    text = format_audit_entry(START, remembered)
    assert json.loads(text) == {**preimage, "entry_hash": expected["entry_hash"]}
    assert extend_audit(START, remembered) == AuditTail(1, expected["entry_hash"])


def test_the_worked_keys_and_tokens_have_their_hashes(worked: Any) -> None:
    made = {
        name: SigningKey.from_seed(bytes.fromhex(name[:2]) * 32).public_key
        for name in worked["public_keys"]
    }
    assert made == worked["public_keys"]
    assert fingerprint(OPERATOR.public_key) == worked["signer_fingerprint"]
    assert (
        digest(worked["lifecycle"]["resume_token"].encode())
        == worked["lifecycle"]["resume_token_hash"]
    )
    assert digest(b"") == worked["lifecycle"]["empty_context_hash"]
