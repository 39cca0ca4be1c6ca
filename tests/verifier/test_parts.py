"""The parts of the JavaScript verifier, against the libraries that the Python one is made of."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from heso.core.canonical import canonical_bytes
from heso.core.errors import Malformed
from heso.core.keys import signature_holds
from heso.core.redaction import Reveal, check_reveals, commit, format_sidecar
from heso.core.strict_json import parse_json
from tests.core.test_reveals import BAD_SIDECARS
from tests.core.test_strict_json import ACCEPTED, DUPLICATES, REFUSED

Ask = Any
VECTORS = Path(
    os.environ.get("HESO_VECTORS") or Path(__file__).parents[2].parent / "shared" / "vectors"
)
ENGINES = pytest.mark.parametrize("engine", [[], ["--arithmetic"]], ids=["WebCrypto", "BigInt"])

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def public(path: str) -> Any:
    if not VECTORS.is_dir():
        pytest.skip(f"NO PUBLIC VECTORS: {VECTORS} is not a folder; set HESO_VECTORS")
    return json.loads((VECTORS / path).read_bytes())


def test_blake3_is_the_librarys_at_every_length_around_a_block_a_chunk_and_a_subtree(
    ask: Ask,
) -> None:
    lengths = [
        *range(200),
        *(
            n + d
            for n in (1024, 2048, 3072, 4096, 8192, 31744, 102400)
            for d in (-65, -1, 0, 1, 65)
        ),
    ]
    data = [bytes((i * 7 + 3) % 251 for i in range(length)) for length in lengths]
    assert ask({"ask": "blake3", "data": b64(one)} for one in data) == [
        blake3(one).hexdigest() for one in data
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def canonical_or_refused(text: bytes) -> object:
    try:
        return b64(canonical_bytes(parse_json(text)))
    except Malformed:
        return {"refused": True}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(JSON, st.integers(0, 10**6)), min_size=5, max_size=30))
def test_any_json_is_read_and_written_alike(ask: Ask, values: list[tuple[Any, int]]) -> None:
    texts = []
    for value, place in values:
        text = json.dumps(value, ensure_ascii=False).encode()
        cut = place % (len(text) + 1)
        texts += [text, text[:cut] + bytes((place % 256,)) + text[cut + 1 :]]
    assert ask({"ask": "canonical", "data": b64(text)} for text in texts) == [
        *map(canonical_or_refused, texts)
    ]


def test_what_strict_json_refuses_is_refused_and_what_it_takes_is_taken(ask: Ask) -> None:
    texts = [
        *REFUSED.values(),
        *ACCEPTED.values(),
        *(text.encode() for text in DUPLICATES.values()),
    ]
    assert ask({"ask": "canonical", "data": b64(text)} for text in texts) == [
        *map(canonical_or_refused, texts)
    ]


def test_the_numbers_of_es6_are_written_as_they_should_be(ask: Ask) -> None:
    public("blake3/test_vectors.json")
    lines = (VECTORS / "jcs" / "es6-numbers-20k.txt").read_text().split()
    texts = [line.partition(",")[2] for line in lines][::7]
    # As a fraction: the digits alone are a whole number that no double holds.
    written = [repr(float(text)).encode() for text in texts]
    answers = ask({"ask": "canonical", "data": b64(data)} for data in written)
    assert answers == [b64(text.encode()) for text in texts]


@ENGINES
def test_exactly_the_signatures_that_libsodium_takes_are_taken(ask: Ask, engine: list[str]) -> None:
    """Wycheproof, speccheck, every pair of small-order points, and S beyond L: engines differ in all of these."""
    cases = [*published_cases(), *small_order_pairs(), *beyond_the_order()]
    questions = [
        {"ask": "signature", "key": b64(key), "message": b64(message), "signature": b64(signature)}
        for key, message, signature in cases
    ]
    wanted = [len(s) == 64 and len(k) == 32 and signature_holds(k, m, s) for k, m, s in cases]
    assert any(wanted)
    assert ask(questions, *engine) == wanted


def published_cases() -> list[tuple[bytes, bytes, bytes]]:
    found = []
    for case in public("ed25519/speccheck.json"):
        found.append(tuple(bytes.fromhex(case[k]) for k in ("pub_key", "message", "signature")))
    for group in public("ed25519/wycheproof.json")["testGroups"]:
        key = bytes.fromhex(group["publicKey"]["pk"])
        found += [(key, bytes.fromhex(t["msg"]), bytes.fromhex(t["sig"])) for t in group["tests"]]
    return found


def small_order_pairs() -> list[tuple[bytes, bytes, bytes]]:
    eight = 2707385501144840649318225287225658788936804267575313519463743609750303402022
    ys = [0, 1, P - 1, P, P + 1, eight, P - eight]
    points = [(y | sign << 255).to_bytes(32, "little") for y in ys for sign in (0, 1)]
    return [(a, b"m", r + bytes(32)) for a in points for r in points]


def beyond_the_order() -> list[tuple[bytes, bytes, bytes]]:
    key = SigningKey(bytes(32))
    raw = bytes(key.verify_key)
    signature = key.sign(b"m").signature
    s = int.from_bytes(signature[32:], "little")
    return [
        (raw, b"m", signature[:32] + (s + k * L).to_bytes(32, "little"))
        for k in range(16)
        if s + k * L < 2**256
    ]


def test_a_sidecar_opens_what_it_opens_in_python(ask: Ask, forge: Any) -> None:
    reveals = [Reveal(field_path="card", salt=b"\x01" * 32, value_json='"4242"'),
               Reveal(field_path="who.name", salt=b"\x02" * 32, value_json='"Ada"')]  # fmt: skip
    marks = [commit(one) for one in reveals]
    fields = {"card": {"_sd": marks[0]}, "who": {"name": {"_sd": marks[1]}, "age": 3}}
    markers = [
        {"field_path": r.field_path, "algorithm": "salted-blake3/v1", "commitment": m}
        for r, m in zip(reveals, marks, strict=True)
    ]
    redaction = {"mode": "commit_and_reveal", "markers": markers}
    content = forge.content(action=forge.action(fields=fields), redaction=redaction)
    receipt = forge.text(forge.l0(content))
    good = format_sidecar(reveals)
    sidecars = [
        good,
        good.replace(b"4242", b"4243"),
        good.replace(b"card", b"cart"),
        format_sidecar([]),
    ]
    sidecars += [json.dumps(bad).encode() for bad, _ in BAD_SIDECARS.values()]
    answers = ask(
        {"ask": "reveals", "receipt": b64(receipt), "sidecar": b64(sidecar)} for sidecar in sidecars
    )
    assert answers == [python_opens(content, sidecar) for sidecar in sidecars]
    assert answers[0] == [
        {"field_path": "card", "value_json": '"4242"'},
        {"field_path": "who.name", "value_json": '"Ada"'},
    ]


def python_opens(content: Any, sidecar: bytes) -> object:
    from heso.core.redaction import parse_sidecar

    try:
        opened = check_reveals(content, parse_sidecar(sidecar))
    except Malformed:
        return {"refused": True}
    return [{"field_path": r.field_path, "value_json": r.value_json} for r in opened]
