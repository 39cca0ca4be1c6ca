"""Vectors for verifiers: what to ask, what to expect, and how any implementation answers.

    python -m heso.testing.vectors run [DIR] -- COMMAND... ask COMMAND every vector in DIR (tests/vectors) and compare
    python -m heso.testing.vectors answer                  be such a command: this verifier

COMMAND reads one question a line from standard input, a vector without `expect` and `about`, and writes one answer a line:
a JSON object with at least the keys of that vector's `expect`. `docs/conformance.md` says what they mean.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from heso.core.chain import verify_action_chain
from heso.core.collection import verify_collection
from heso.core.encoding import PublicKey
from heso.core.errors import Malformed
from heso.core.merkle import ProofRefused, check_consistency, check_inclusion
from heso.core.receipt import Action, Verb
from heso.core.redaction import check_reveals, parse_sidecar
from heso.core.session import Roots, verify_session_chain
from heso.core.strict_json import parse_json
from heso.core.transparency import PinnedLog
from heso.core.verdict import ChainVerdict, Verdict
from heso.core.verify import Terms, examine_receipt
from heso.policy.evaluate import decision_path, evaluate_action
from heso.policy.model import Outcome
from heso.policy.reader import parse_policy

Json = dict[str, Any]

_NOT_ASKED = ("expect", "about")
_RECEIPT_KEYS = ("kind", "trust_level", "action_hash", "signers", "stricter")
_CHAIN_KEYS = (
    "kind",
    "seq",
    "length",
    "operators",
    "deciders",
    "receipt_kind",
    "role",
    "stricter",
)


def read_vectors(folder: Path) -> Iterator[tuple[str, Json]]:
    """Every vector below a folder, with its path in there, in order."""
    for file in sorted(folder.rglob("*.json")):
        yield str(file.relative_to(folder)), json.loads(file.read_bytes())


def write_bytes(data: bytes) -> str | Json:
    """The bytes of a receipt as a vector holds them: text, or base64 where they are none."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def read_bytes(written: str | Json) -> bytes:
    if isinstance(written, str):
        return written.encode()
    return base64.b64decode(written["base64"])


def answer(question: Json) -> Json:
    """This verifier's answer. Raises `KeyError` for a kind that it does not know."""
    return _ANSWERS[question["kind"]](question)


def _on_receipt(question: Json) -> Json:
    (data,) = map(read_bytes, question["receipts"])
    return receipt_answer(examine_receipt(data, _read_terms(question)).verdict)


def _on_action_chain(question: Json) -> Json:
    receipts = [*map(read_bytes, question["receipts"])]
    return chain_answer(verify_action_chain(receipts, _read_terms(question)))


def _on_session(question: Json) -> Json:
    receipts = [*map(read_bytes, question["receipts"])]
    roots = _read_roots(question.get("roots"))
    return chain_answer(verify_session_chain(receipts, _read_terms(question), roots=roots))


def _on_collection(question: Json) -> Json:
    receipts = [*map(read_bytes, question["receipts"])]
    sessions, standalone = verify_collection(receipts, _read_terms(question))
    return {
        "sessions": [[one.session_id, one.receipts, str(one.verdict.kind)] for one in sessions],
        "standalone": [[one.place, str(one.verdict.kind)] for one in standalone],
    }


def _on_reveal(question: Json) -> Json:
    envelope: Any = parse_json(read_bytes(question["receipts"][0]))
    try:
        reveals = check_reveals(envelope["content"], parse_sidecar(read_bytes(question["sidecar"])))
    except Malformed:
        return {"holds": False, "opened": None}
    opened = [{"field_path": one.field_path, "value_json": one.value_json} for one in reveals]
    return {"holds": True, "opened": opened}


def _on_inclusion(question: Json) -> Json:
    leaf, root, *proof = map(
        bytes.fromhex, (question["leaf"], question["root"], *question["proof"])
    )
    index, size = question["index"], question["size"]
    return _holds(lambda: check_inclusion(leaf, index=index, size=size, proof=proof, root=root))


def _on_consistency(question: Json) -> Json:
    hashes = (question["old_root"], question["new_root"], *question["proof"])
    old_root, new_root, *proof = map(bytes.fromhex, hashes)
    sizes = {"old_size": question["old_size"], "new_size": question["new_size"]}
    return _holds(
        lambda: check_consistency(**sizes, old_root=old_root, new_root=new_root, proof=proof)
    )


def _holds(check: Callable[[], None]) -> Json:
    try:
        check()
    except ProofRefused:
        return {"holds": False}
    return {"holds": True}


def _on_policy(question: Json) -> Json:
    asked = question["action"]
    action = Action(**{**asked, "verb": Verb(asked["verb"])})
    return policy_answer(evaluate_action(action, parse_policy(question["policy"].encode())))


def policy_answer(outcome: Outcome) -> Json:
    return {"decision_path": str(decision_path(outcome.decision)), "rule_id": outcome.rule_id}


def receipt_answer(verdict: Verdict) -> Json:
    return _plain({key: getattr(verdict, key) for key in _RECEIPT_KEYS})


def chain_answer(verdict: ChainVerdict) -> Json:
    return _plain({key: getattr(verdict, key) for key in _CHAIN_KEYS})


def ask(command: Sequence[str], vectors: Mapping[str, Json]) -> Iterator[tuple[str, Json, Json]]:
    """Each vector's name, what it expects, and what the command answered."""
    questions = [
        {key: value for key, value in vector.items() if key not in _NOT_ASKED}
        for vector in vectors.values()
    ]
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    finished = subprocess.run(  # noqa: S603  # whoever calls this names the command
        list(command), input=lines.encode(), capture_output=True, check=False
    )
    answers = finished.stdout.splitlines()
    if finished.returncode != 0 or len(answers) != len(vectors):
        said = finished.stderr.decode(errors="replace")[-2000:]
        why = f"{len(answers)} answers to {len(vectors)} questions, exit code {finished.returncode}"
        raise SystemExit(f"{why}\n{said}")
    for (name, vector), line in zip(vectors.items(), answers, strict=True):
        yield name, vector["expect"], json.loads(line)


def differs(expect: Json, found: Json) -> list[str]:
    """The keys that were answered otherwise."""
    return [key for key, value in expect.items() if found.get(key) != value]


def _plain(values: Json) -> Json:
    """As JSON has it: tuples are lists, names are text."""
    plain: Json = json.loads(json.dumps(values))
    return plain


_ANSWERS: Mapping[str, Callable[[Json], Json]] = {
    "receipt": _on_receipt,
    "action_chain": _on_action_chain,
    "session": _on_session,
    "collection": _on_collection,
    "reveal": _on_reveal,
    "inclusion": _on_inclusion,
    "consistency": _on_consistency,
    "policy": _on_policy,
}


def _read_terms(question: Json) -> Terms:
    terms = question.get("terms", {})
    log = terms.get("log")
    return Terms(
        operator=terms.get("operator"),
        log=None
        if log is None
        else PinnedLog(
            origin=log["origin"],
            key=PublicKey(log["key"]),
            witnesses=frozenset(map(PublicKey, log.get("witnesses", ()))),
            is_required=log.get("isRequired", False),
        ),
        compat=terms.get("compat", False),
    )


def _read_roots(roots: Json | None) -> Roots | None:
    if roots is None:
        return None
    return Roots(producer=roots["producer"], decision=roots.get("decision"))


def _run(folder: Path, command: Sequence[str]) -> int:
    vectors = dict(read_vectors(folder))
    wrong = 0
    for name, expect, found in ask(command, vectors):
        for key in differs(expect, found):
            wrong += 1
            sys.stdout.write(f"{name}: {key} is {found.get(key)!r}, not {expect[key]!r}\n")
    sys.stdout.write(f"{len(vectors)} vectors, {wrong} differences\n")
    return 1 if wrong or not vectors else 0


def main(arguments: Sequence[str]) -> int:
    match list(arguments):
        case ["answer"]:
            for line in sys.stdin.buffer:
                sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
            return 0
        case ["run", "--", first, *rest]:
            return _run(Path("tests/vectors"), [first, *rest])
        case ["run", folder, "--", first, *rest]:
            return _run(Path(folder), [first, *rest])
        case _:
            sys.stderr.write(f"{__doc__}\n")
            return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
