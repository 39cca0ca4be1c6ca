"""The log's tree against public vectors and against the definition written out."""

import base64
import json
import tracemalloc
from collections.abc import Sequence
from hashlib import sha256
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heso.core.errors import Malformed
from heso.core.merkle import (
    EMPTY_ROOT,
    Frontier,
    ProofRefused,
    TooFewLeaves,
    check_consistency,
    check_inclusion,
    grow,
    hash_leaf,
    leaf_of,
    prove_consistency,
    prove_inclusion,
)

LEAVES = [hash_leaf(bytes([n])) for n in range(130)]


def root_by_definition(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = root_by_definition(leaves[:split]), root_by_definition(leaves[split:])
    return sha256(b"\1" + left + right).digest()


def root(size: int) -> bytes:
    return grow(Frontier(), LEAVES[:size]).root()


def raw(text: str | None) -> bytes:
    return base64.b64decode(text) if text else b""


def test_every_public_proof_holds_or_fails_as_it_should(vectors: Path) -> None:
    files = sorted((vectors / "rfc6962" / "testdata").rglob("*.json"))
    wrong = []
    for file in files:
        case = json.loads(file.read_bytes())
        try:
            _check(case)
            refused = False
        except ProofRefused:
            refused = True
        if refused != case["wantErr"]:
            wrong.append(str(file))
    assert (wrong, len(files) > 190) == ([], True)


def _check(case: dict[str, Any]) -> None:
    proof = [raw(node) for node in case["proof"] or []]
    if "leafIdx" in case:
        place = {"index": case["leafIdx"], "size": case["treeSize"]}
        check_inclusion(raw(case["leafHash"]), **place, proof=proof, root=raw(case["root"]))
        return
    check_consistency(
        old_size=case["size1"],
        old_root=raw(case["root1"]),
        new_size=case["size2"],
        new_root=raw(case["root2"]),
        proof=proof,
    )


def test_the_formats_own_tree_is_made_and_proved(crown: dict[str, Any]) -> None:
    """Roots of 0 to 7 leaves, and consistency between them."""
    section = crown["rfc6962"]
    for case in section["consistency"]["cases"]:
        check_consistency(
            old_size=case["old_size"],
            old_root=bytes.fromhex(case["old_root_hex"]),
            new_size=case["new_size"],
            new_root=bytes.fromhex(case["new_root_hex"]),
            proof=[bytes.fromhex(node) for node in case["proof_hex"]],
        )
    assert section["consistency"]["cases"]
    assert sha256(b"").digest() == EMPTY_ROOT


@pytest.mark.parametrize("size", range(131))
def test_a_frontier_has_the_root_of_the_definition(size: int) -> None:
    assert root(size) == root_by_definition(LEAVES[:size])
    half = grow(Frontier(), LEAVES[: size // 2])
    assert grow(half, LEAVES[size // 2 : size]) == grow(Frontier(), LEAVES[:size])


@pytest.mark.parametrize("size", range(1, 131))
def test_every_leaf_and_every_beginning_is_proved(size: int) -> None:
    for index in range(size):
        proof = prove_inclusion(LEAVES, index=index, size=size)
        check_inclusion(LEAVES[index], index=index, size=size, proof=proof, root=root(size))
    for old in range(1, size + 1):
        proof = prove_consistency(LEAVES, old_size=old, new_size=size)
        check_consistency(
            old_size=old, old_root=root(old), new_size=size, new_root=root(size), proof=proof
        )


@given(st.integers(2, 130), st.data())
def test_an_inclusion_proof_changed_anywhere_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = prove_inclusion(LEAVES, index=index, size=size)
    place = data.draw(st.integers(0, len(proof) - 1))
    changed = (
        (*proof[:place], *proof[place + 1 :]),
        (*proof, proof[place]),
        (*proof[:place], bytes(32), *proof[place + 1 :]),
        (*proof[:place], proof[place][:-1], *proof[place + 1 :]),
    )
    for bad in changed:
        with pytest.raises(ProofRefused):
            check_inclusion(LEAVES[index], index=index, size=size, proof=bad, root=root(size))
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index))
    with pytest.raises(ProofRefused):
        check_inclusion(LEAVES[other], index=index, size=size, proof=proof, root=root(size))
    with pytest.raises(ProofRefused):
        check_inclusion(LEAVES[index], index=other, size=size, proof=proof, root=root(size))
    with pytest.raises(ProofRefused):
        check_inclusion(LEAVES[index], index=index, size=size, proof=proof, root=root(size - 1))


@given(st.integers(2, 130), st.data())
def test_a_consistency_proof_changed_anywhere_is_refused(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size - 1))
    proof = prove_consistency(LEAVES, old_size=old, new_size=size)
    place = data.draw(st.integers(0, len(proof) - 1))
    for bad in (
        (*proof[:place], *proof[place + 1 :]),
        (*proof, proof[place]),
        (*proof[:place], bytes(32), *proof[place + 1 :]),
    ):
        with pytest.raises(ProofRefused):
            check_consistency(
                old_size=old, old_root=root(old), new_size=size, new_root=root(size), proof=bad
            )
    for old_root, new_root in ((bytes(32), root(size)), (root(old), bytes(32))):
        with pytest.raises(ProofRefused):
            check_consistency(
                old_size=old, old_root=old_root, new_size=size, new_root=new_root, proof=proof
            )


@pytest.mark.parametrize(
    ("index", "size"), [(0, 0), (1, 1), (-1, 1), (True, 2), (0, 2**63), (0, 1.0)]
)
def test_a_place_that_is_none_is_refused(index: Any, size: Any) -> None:
    with pytest.raises(ProofRefused):
        check_inclusion(LEAVES[0], index=index, size=size, proof=[], root=LEAVES[0])
    with pytest.raises(ProofRefused):
        prove_inclusion(LEAVES, index=index, size=size)


def test_a_log_does_not_grow_from_nothing_nor_shrink() -> None:
    for old, new in ((0, 3), (3, 2), (0, 0)):
        with pytest.raises(ProofRefused):
            prove_consistency(LEAVES, old_size=old, new_size=new)


def test_a_log_that_ends_early_is_told() -> None:
    with pytest.raises(TooFewLeaves) as short:
        prove_inclusion(LEAVES[:5], index=2, size=9)
    assert (short.value.size, short.value.found) == (9, 5)


def test_a_leaf_is_the_raw_hash_of_a_receipt() -> None:
    assert leaf_of("ab" * 32) == bytes([0xAB]) * 32
    for bad in ("AB" * 32, "ab" * 31, ""):
        with pytest.raises(Malformed):
            leaf_of(bad)


def test_leaves_pass_through_without_being_held() -> None:
    tracemalloc.start()
    grow(Frontier(), repeat(LEAVES[0], 200_000))
    prove_inclusion(repeat(LEAVES[0], 200_000), index=77_777, size=200_000)
    prove_consistency(repeat(LEAVES[0], 200_000), old_size=99_999, new_size=200_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000
