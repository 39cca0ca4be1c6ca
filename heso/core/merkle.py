"""The log's Merkle tree: RFC 6962, section 2.1, over SHA-256.

    leaf  = SHA-256(00 ++ value)          value = the 32 raw bytes of an action hash
    node  = SHA-256(01 ++ left ++ right)  split at the largest power of two below the size
    empty = SHA-256("")

Rule 1: the tree is never held. A `Frontier` keeps one node for each bit of the size, and proofs are made from one
        pass over the leaf hashes.
Rule 2: a proof has exactly the nodes it needs: one too many or too few is refused.
Rule 3: a consistency proof from the empty tree is empty and says nothing; the format refuses it, and so do we.
"""

import hmac
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice

from heso.core.encoding import parse_digest
from heso.core.errors import HesoError

NODE_BYTES = 32
LARGEST = 2**63 - 1
EMPTY_ROOT = sha256(b"").digest()

Proof = tuple[bytes, ...]


@dataclass(eq=False)
class ProofRefused(HesoError):
    """A proof that does not prove what it was brought for."""

    why: str
    next_step = "get a fresh proof from the log, and a checkpoint you trust"

    def __str__(self) -> str:
        return f"the proof does not hold: {self.why}"


@dataclass(eq=False)
class TooFewLeaves(HesoError):
    """The log ended before the size that a proof was asked for."""

    size: int
    found: int
    next_step = "ask for a proof within the log's size"

    def __str__(self) -> str:
        return f"a proof for {self.size} leaves was asked for, and there are {self.found}"


def leaf_of(action_hash: str) -> bytes:
    """The leaf value of a receipt: 32 bytes. Raises `Malformed`."""
    return bytes.fromhex(parse_digest(action_hash))


def hash_leaf(value: bytes) -> bytes:
    return sha256(b"\0" + value).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of `size` leaves by the roots of its perfect subtrees, the largest first: all that growing it needs."""

    size: int = 0
    nodes: Proof = ()

    def root(self) -> bytes:
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = hash_children(node, root)
        return root


def grow(frontier: Frontier, leaf_hashes: Iterable[bytes]) -> Frontier:
    """The tree with these leaves added, in order. Ten million pass through a few hundred bytes."""
    size, nodes = frontier.size, list(frontier.nodes)
    push, pop = nodes.append, nodes.pop
    for leaf in leaf_hashes:
        node = leaf
        filled = size
        while filled & 1:  # the new leaf completes one subtree for each trailing one
            node = sha256(b"\1" + pop() + node).digest()
            filled >>= 1
        push(node)
        size += 1
    return Frontier(size, tuple(nodes))


def prove_inclusion(leaf_hashes: Iterable[bytes], *, index: int, size: int) -> Proof:
    """The path from leaf `index` to the root of the first `size` leaves, lowest node first.

    Takes the leaves once, in order. Raises `TooFewLeaves`, or `ProofRefused` for an index beyond the size.
    """
    _check_place(index, size)
    _, path = _walk(_Leaves(leaf_hashes, size), size, index)
    return tuple(path)


def prove_consistency(leaf_hashes: Iterable[bytes], *, old_size: int, new_size: int) -> Proof:
    """The nodes that show the first `old_size` leaves to be the beginning of the first `new_size`."""
    _check_sizes(old_size, new_size)
    leaves = _Leaves(leaf_hashes, new_size)
    return tuple(_subproof(leaves, old_size, new_size, is_whole=True)[1])


def check_inclusion(
    leaf_hash: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Raise `ProofRefused` unless the leaf stands at `index` in the tree of `size` leaves with this root."""
    _check_place(index, size)
    _check_nodes((leaf_hash, root, *proof))
    node, at, last = leaf_hash, index, size - 1
    for sibling in proof:
        if last == 0:
            raise ProofRefused("it has too many nodes")
        if at & 1 or at == last:
            node = hash_children(sibling, node)
            while not at & 1:  # the last node of a level rises until it has a neighbour on its left
                at >>= 1
                last >>= 1
        else:
            node = hash_children(node, sibling)
        at >>= 1
        last >>= 1
    if last != 0:
        raise ProofRefused("it has too few nodes")
    _check_same(node, root, "the leaf is not in the tree with this root")


def check_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise `ProofRefused` unless the tree with the old root is the beginning of the one with the new root."""
    _check_sizes(old_size, new_size)
    if old_size == new_size:
        if proof:
            raise ProofRefused("it has too many nodes")
        _check_same(old_root, new_root, "two roots for one size")
        return
    _check_nodes((old_root, new_root, *proof))
    nodes = list(proof)
    if old_size & (old_size - 1) == 0:
        nodes.insert(0, old_root)  # a perfect old tree is itself a node of the new one
    if not nodes:
        raise ProofRefused("it has too few nodes")
    old, new = _fold(nodes, old_size, new_size)
    _check_same(old, old_root, "the old root is not the beginning of the tree")
    _check_same(new, new_root, "the new root is not the end of the tree")


def _fold(nodes: Sequence[bytes], old_size: int, new_size: int) -> tuple[bytes, bytes]:
    """RFC 9162, section 2.1.4.2: both roots from one list of nodes."""
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at >>= 1
        last >>= 1
    old = new = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise ProofRefused("it has too many nodes")
        if at & 1 or at == last:
            old, new = hash_children(node, old), hash_children(node, new)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            new = hash_children(new, node)
        at >>= 1
        last >>= 1
    if last != 0:
        raise ProofRefused("it has too few nodes")
    return old, new


class _Leaves:
    """Leaf hashes that are taken once, in order, and counted."""

    def __init__(self, hashes: Iterable[bytes], size: int) -> None:
        self._hashes: Iterator[bytes] = iter(hashes)
        self._size = size
        self._taken = 0

    def root_of_next(self, count: int) -> bytes:
        grown = grow(Frontier(), islice(self._hashes, count))
        self._taken += grown.size
        if grown.size != count:
            raise TooFewLeaves(self._size, self._taken)
        return grown.root()


def _walk(leaves: _Leaves, size: int, index: int) -> tuple[bytes, list[bytes]]:
    """The root of the next `size` leaves, and the path of the one at `index` among them."""
    if size == 1:
        return leaves.root_of_next(1), []
    split = _split(size)
    if index < split:
        left, path = _walk(leaves, split, index)
        right = leaves.root_of_next(size - split)
        return hash_children(left, right), [*path, right]
    left = leaves.root_of_next(split)
    right, path = _walk(leaves, size - split, index - split)
    return hash_children(left, right), [*path, left]


def _subproof(
    leaves: _Leaves, old_size: int, size: int, *, is_whole: bool
) -> tuple[bytes, list[bytes]]:
    """RFC 6962, section 2.1.2. `is_whole`: the old tree is this very subtree, whose root the checker has."""
    if old_size == size:
        root = leaves.root_of_next(size)
        return root, [] if is_whole else [root]
    split = _split(size)
    if old_size <= split:
        left, proof = _subproof(leaves, old_size, split, is_whole=is_whole)
        right = leaves.root_of_next(size - split)
        return hash_children(left, right), [*proof, right]
    left = leaves.root_of_next(split)
    right, proof = _subproof(leaves, old_size - split, size - split, is_whole=False)
    return hash_children(left, right), [*proof, left]


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _check_place(index: int, size: int) -> None:
    if type(index) is not int or type(size) is not int or not 0 <= index < size <= LARGEST:
        raise ProofRefused(f"there is no place {index} among {size}")


def _check_sizes(old_size: int, new_size: int) -> None:
    is_whole = type(old_size) is int and type(new_size) is int
    if not is_whole or not 0 < old_size <= new_size <= LARGEST:
        raise ProofRefused(f"a tree of {old_size} does not grow into one of {new_size}")


def _check_nodes(proof: Sequence[bytes]) -> None:
    if len(proof) > 2 * 64 or any(len(node) != NODE_BYTES for node in proof):
        raise ProofRefused(
            f"hashes are {NODE_BYTES} bytes each, and a proof has one for each level"
        )


def _check_same(found: bytes, want: bytes, why: str) -> None:
    if not hmac.compare_digest(found, want):
        raise ProofRefused(why)
