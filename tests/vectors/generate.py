"""Writes the vectors: every receipt and chain that the tests of the core judge, with the verdict that they assert, and
every action that the tests of policies put before one, with the decision.

    python -m tests.vectors.generate [--check]

The tests are run, and what they ask the verifier is written down, at most a few questions of each test, never twice. So a
vector's name is the sentence of its test, and what is expected was decided by whoever wrote that test, not by the
verifier. `--check` writes nothing and fails when the folder is not what it would be.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
TESTS_OF_POLICY = (
    "test_decimals",
    "test_fields",
    "test_floors_at_run_time",
    "test_hostile_input",
    "test_operator_table",
    "test_order",
    "test_regex",
    "test_scope",
    "test_shadow",
    "test_unknown",
)
TESTS_OF_RECEIPTS = (
    "test_chain",
    "test_compat",
    "test_corners",
    "test_effort",
    "test_quorum",
    "test_schema",
    "test_session",
    "test_time_anchor",
    "test_transparency",
    "test_verify_blocks",
    "test_verify_links",
    "test_verify_mutations",
    "test_verify_order",
    "test_verify_pins",
)
_MOST_OF_A_TEST = {"receipt": 6, "action_chain": 6, "session": 6, "policy": 2}
_LARGEST = 20_000  # bytes; what is only about size would fill the repository

Json = dict[str, Any]


class Recorder:
    """A pytest plugin that writes down what is asked of the verifier, and what it said."""

    def __init__(self) -> None:
        self.vectors: dict[str, Json] = {}
        self._asked: set[str] = set()
        self._test = ""
        self._of_test = 0
        self._is_inside = False

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        is_random = getattr(getattr(item, "function", None), "is_hypothesis_test", False)
        self._test = "" if is_random else item.name
        self._of_test = 0

    def keep(self, question: Json, verdict: Json) -> None:
        key = json.dumps(question, sort_keys=True)
        size = len(key)
        is_new = key not in self._asked and self._of_test < _MOST_OF_A_TEST[question["kind"]]
        if not self._test or not is_new or size > _LARGEST:
            return
        self._asked.add(key)
        self._of_test += 1
        about = self._test.removeprefix("test_").partition("[")
        sentence = about[0].replace("_", " ") + (f": {about[2][:-1]}" if about[2] else "")
        name = f"{question['kind']}/{_slug(sentence)}-{self._of_test}.json"
        self.vectors[name] = {"expect": verdict, "about": sentence, **question}

    @contextmanager
    def inside(self) -> Iterator[bool]:
        """Whether this question is asked by a test, and not by the verifier of a chain."""
        was_inside, self._is_inside = self._is_inside, True
        try:
            yield not was_inside
        finally:
            self._is_inside = was_inside


def record() -> dict[str, Json]:
    """The vectors, by file name."""
    recorder = Recorder()
    _listen_to_the_verifier(recorder)
    _listen_to_the_policy(recorder)
    files = [str(HERE.parent / "core" / f"{name}.py") for name in TESTS_OF_RECEIPTS]
    files += [str(HERE.parent / "policy" / f"{name}.py") for name in TESTS_OF_POLICY]
    quiet = ["-q", "--no-header", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist"]
    if pytest.main([*quiet, *files], plugins=[recorder]) != 0:
        raise SystemExit("the tests fail, so nothing is expected")
    return {**recorder.vectors, **proofs(), **reveals(), **heaps()}


SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 16, 21, 33)


def proofs() -> dict[str, Json]:
    """Trees of a few sizes: each proof as it is, and with one thing wrong with it."""
    from heso.core.merkle import Frontier, grow, hash_leaf, prove_consistency, prove_inclusion

    leaves = [hash_leaf(number.to_bytes(32, "big")) for number in range(max(SIZES))]
    roots = {size: grow(Frontier(), leaves[:size]).root().hex() for size in SIZES}
    found: dict[str, Json] = {}
    for size in SIZES:
        for index in sorted({0, size // 2, size - 1}):
            proof = [node.hex() for node in prove_inclusion(leaves, index=index, size=size)]
            place = {"leaf": leaves[index].hex(), "index": index, "size": size, "root": roots[size]}
            question = {"kind": "inclusion", **place, "proof": proof}
            found |= _sound_and_not(f"leaf {index} of {size}", question, ("leaf", "root"), "index")
    for old_size, new_size in ((old, new) for old in SIZES for new in SIZES if old <= new):
        path = prove_consistency(leaves, old_size=old_size, new_size=new_size)
        trees = {
            "old_size": old_size,
            "old_root": roots[old_size],
            "new_size": new_size,
            "new_root": roots[new_size],
        }
        question = {"kind": "consistency", **trees, "proof": [node.hex() for node in path]}
        name = f"{old_size} leaves grow to {new_size}"
        found |= _sound_and_not(name, question, ("old_root", "new_root"), "old_size")
    return found


def _sound_and_not(name: str, sound: Json, hashes: Sequence[str], number: str) -> dict[str, Json]:
    wrong = {f"with another {key}": {**sound, key: "ab" * 32} for key in hashes}
    wrong["with a node too many"] = {**sound, "proof": [*sound["proof"], "ab" * 32]}
    wrong[f"with a {number} beyond the tree"] = {**sound, number: 1000}
    if sound["proof"]:
        wrong["with a node too few"] = {**sound, "proof": sound["proof"][:-1]}
        wrong["with a short node"] = {**sound, "proof": [*sound["proof"][:-1], "ab"]}
    cases = {name: (sound, True), **{f"{name} {how}": (bad, False) for how, bad in wrong.items()}}
    return {
        f"{question['kind']}/{_slug(about)}.json": {
            "expect": {"holds": is_sound},
            "about": about,
            **question,
        }
        for about, (question, is_sound) in cases.items()
    }


def reveals() -> dict[str, Json]:
    """A receipt with two hidden values, and what is brought to open them."""
    from heso.core.redaction import Reveal, commit
    from tests.core.conftest import Forge

    forge = Forge()
    hidden = [
        Reveal(field_path="card", salt=b"\1" * 32, value_json='"4242"'),
        Reveal(field_path="who.name", salt=b"\2" * 32, value_json='"Ada"'),
    ]
    marks = [commit(one) for one in hidden]
    markers = [
        {"field_path": one.field_path, "algorithm": "salted-blake3/v1", "commitment": mark}
        for one, mark in zip(hidden, marks, strict=True)
    ]
    fields = {"card": {"_sd": marks[0]}, "who": {"name": {"_sd": marks[1]}, "age": 3}}
    redaction = {"mode": "commit_and_reveal", "markers": markers}
    content = forge.content(action=forge.action(fields=fields), redaction=redaction)
    receipt = forge.text(forge.l0(content)).decode()
    card, name = (
        {"field_path": one.field_path, "salt_hex": one.salt.hex(), "value_json": one.value_json}
        for one in hidden
    )
    brought: dict[str, tuple[object, bool]] = {
        "both": ([card, name], True),
        "the other way round": ([name, card], True),
        "one of them": ([name], True),
        "nothing": ([], True),
        "another value": ([{**card, "value_json": '"4243"'}], False),
        "the value with a space": ([{**card, "value_json": ' "4242"'}], False),
        "another salt": ([{**card, "salt_hex": "03" * 32}], False),
        "a salt in capitals": ([{**card, "salt_hex": "AB" * 32}], False),
        "a short salt": ([{**card, "salt_hex": "01"}], False),
        "a path without a marker": ([{**card, "field_path": "cart"}], False),
        "one good and one bad": ([card, {**name, "value_json": '"Bob"'}], False),
        "a path that is no text": ([{**card, "field_path": 1}], False),
        "a row that is no object": (["x"], False),
    }
    found: dict[str, Json] = {}
    for about, (rows, is_sound) in brought.items():
        shown = ("field_path", "value_json")
        opened = [{key: row[key] for key in shown} for row in rows] if is_sound else None  # type: ignore[attr-defined]
        found[f"reveal/{_slug(about)}.json"] = {
            "expect": {"holds": is_sound, "opened": opened},
            "about": f"hidden values are opened with {about}",
            "kind": "reveal",
            "receipts": [receipt],
            "sidecar": json.dumps({"reveals": rows}),
        }
    return found


def heaps() -> dict[str, Json]:
    """A sound session of three, and a fourth line: is it the session's, and what does it do to it?"""
    from heso.testing.vectors import write_bytes
    from tests.core.conftest import Forge

    forge = Forge()
    chain = [forge.text(envelope) for envelope in forge.chain(3)]
    spoilt = {
        "a number that no double holds": (b'{"content":{"session_id":"s","x":1e999}}', False),
        "a lone surrogate": (b'{"content":{"session_id":"s","x":"\\ud800"}}', False),
        "bytes that are no text": (b'{"content":{"session_id":"s","x":"\xff"}}', False),
        "a mark in front": (b"\xef\xbb\xbf" + chain[0], False),
        "nothing but its name": (b'{"content":{"session_id":"s"}}', True),
        "a name given twice, the last the same": (
            b'{"content":{"session_id":"x","session_id":"s"}}',
            True,
        ),
        "more depth than is read": (
            b'{"content":{"session_id":"s","x":' + b"[" * 200 + b"]" * 200 + b"}}",
            True,
        ),
        "a content that is no object": (b'{"content":[]}', False),
    }
    found: dict[str, Json] = {}
    for about, (line, is_member) in spoilt.items():
        session = ["s", 4, "Malformed"] if is_member else ["s", 3, "Valid"]
        found[f"collection/{_slug(about)}.json"] = {
            "expect": {
                "sessions": [session],
                "standalone": [] if is_member else [[3, "Malformed"]],
            },
            "about": f"a sound session, and a line with {about}",
            "kind": "collection",
            "terms": {},
            "receipts": [write_bytes(one) for one in (*chain, line)],
        }
    return found


# Both are called before the tests import these names.
def _listen_to_the_verifier(recorder: Recorder) -> None:
    from heso.core import chain, session, verify
    from heso.testing.vectors import chain_answer, receipt_answer

    def recorded(work: Callable[..., Any], kind: str, answer: Callable[[Any], Json]) -> Any:
        def ask(data: Any, terms: Any = verify.STRICT, **options: Any) -> Any:
            with recorder.inside() as is_asked:
                found = work(data, terms, **options)
            if is_asked and terms.time is None and options.get("each", map) is map:
                question = _receipt_question(kind, data, terms, options.get("roots"))
                if question is not None:
                    recorder.keep(question, answer(found))
            return found

        return ask

    examine = recorded(
        verify.examine_receipt, "receipt", lambda found: receipt_answer(found.verdict)
    )
    for module in (verify, chain, session):
        module.examine_receipt = examine  # type: ignore[attr-defined]
    chain.verify_action_chain = recorded(chain.verify_action_chain, "action_chain", chain_answer)
    session.verify_session_chain = recorded(session.verify_session_chain, "session", chain_answer)


def _listen_to_the_policy(recorder: Recorder) -> None:
    from heso.policy import evaluate
    from heso.testing.vectors import policy_answer

    evaluate_action = evaluate.evaluate_action

    def evaluated(action: Any, policy: Any) -> Any:
        outcome = evaluate_action(action, policy)
        question = _policy_question(action, policy)
        if question is not None:
            recorder.keep(question, policy_answer(outcome))
        return outcome

    evaluate.evaluate_action = evaluated


def _receipt_question(kind: str, data: Any, terms: Any, roots: Any) -> Json | None:
    """None for what is no bytes."""
    from heso.testing.vectors import write_bytes

    receipts = [data] if kind == "receipt" else data
    if not all(isinstance(one, bytes | bytearray) for one in receipts):
        return None
    written = [write_bytes(bytes(one)) for one in receipts]
    known = {} if roots is None else {"roots": _roots(roots)}
    return {"kind": kind, "terms": _terms(terms), **known, "receipts": written}


def _policy_question(action: Any, policy: Any) -> Json | None:
    """None for what JSON cannot ask."""
    asked = {
        "verb": str(action.verb),
        "tool_name": action.tool_name,
        "workflow": action.workflow,
        "account": action.account,
        "fields": action.fields,
    }
    if action.target_host is not None:
        asked["target_host"] = action.target_host
    try:
        json.dumps(asked, allow_nan=False, ensure_ascii=False).encode()
        text = policy.text.decode()
        if json.loads(json.dumps(asked)) != asked:
            return None
    except (TypeError, ValueError):
        return None
    return {"kind": "policy", "policy": text, "action": asked}


def _terms(terms: Any) -> Json:
    found: Json = {}
    if terms.operator is not None:
        found["operator"] = terms.operator
    if terms.compat:
        found["compat"] = True
    if terms.log is not None:
        log = terms.log
        found["log"] = {"origin": log.origin, "key": log.key, "witnesses": sorted(log.witnesses)}
        found["log"]["isRequired"] = log.is_required
    return found


def _roots(roots: Any) -> Json:
    return {"producer": roots.producer, "decision": roots.decision}


def _slug(sentence: str) -> str:
    return re.sub("[^a-z0-9]+", "-", sentence.lower()).strip("-")[:90]


def written(vectors: dict[str, Json]) -> dict[str, bytes]:
    return {
        name: (json.dumps(vector, indent=1, ensure_ascii=True) + "\n").encode()
        for name, vector in vectors.items()
    }


def main(arguments: Sequence[str]) -> int:
    files = written(record())
    there = {str(file.relative_to(HERE)): file for file in HERE.rglob("*.json")}
    stale = sorted(
        name
        for name in files.keys() | there.keys()
        if name not in files or name not in there or there[name].read_bytes() != files[name]
    )
    if "--check" in arguments:
        for name in stale:
            sys.stderr.write(f"{name} is not what the tests say\n")
        return 1 if stale else 0
    for name in stale:
        if name in files:
            (HERE / name).parent.mkdir(exist_ok=True)
            (HERE / name).write_bytes(files[name])
        else:
            there[name].unlink()
    sys.stdout.write(f"{len(files)} vectors, {len(stale)} written anew\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
