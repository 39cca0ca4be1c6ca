"""A receipt's place in a transparency log: the envelope's `transparency` slot (fact sheet, sections 1.8 and 8.1).

The slot lies outside what the receipt's signatures cover, so a proof can be added later and proves by itself: the log
signed a checkpoint, and the receipt's action hash is in the tree that the checkpoint names.

Rule 1: only the pinned log counts. Every proof that claims to be from it must hold; others are passed over.
Rule 2: with pinned witnesses there must be a cosignature, and every one must be a pinned witness's, over the same
        text as the log's own.

A two-stage proof goes from the receipt to an organisation's own root, and from there to the log's:
`SHA-256("heso-transparency-top-leaf-v1" ++ org id (16 bytes) ++ epoch (u64be) ++ org root)` is the leaf hash there.
"""

import binascii
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from heso.core.checkpoint import Checkpoint, open_checkpoint
from heso.core.encoding import (
    Digest,
    PublicKey,
    format_base64,
    parse_public_key,
    parse_signature,
)
from heso.core.errors import HesoError, Malformed
from heso.core.keys import signature_holds
from heso.core.merkle import NODE_BYTES, Proof, ProofRefused, check_inclusion, hash_leaf, leaf_of
from heso.core.note import NoteRefused
from heso.core.receipt import Json

_TOP_LEAF_PREFIX = b"heso-transparency-top-leaf-v1"
_STAGE = ("org_root", "org_tree_size", "epoch", "org_id")


@dataclass(eq=False)
class TransparencyRefused(HesoError):
    """A proof in a receipt's slot that does not hold."""

    why: str
    next_step = "ask the log for a fresh proof of this receipt"

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedLog:
    """A log that the relying party knows: its name and key, and the witnesses it insists on.

    `is_required`: a receipt without a proof from this log is refused.
    """

    origin: str
    key: PublicKey
    witnesses: frozenset[PublicKey] = frozenset()
    is_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Included:
    """The receipt is in the log: at `index` of its tree, or of its organisation's, as of this checkpoint."""

    index: int
    checkpoint: Checkpoint
    witnesses: tuple[PublicKey, ...]


def write_proof(
    *,
    origin: str,
    index: int,
    proof: Proof,
    checkpoint: bytes,
    cosignatures: Sequence[tuple[PublicKey, bytes]] = (),
) -> Json:
    """One element of the slot. `checkpoint` is the signed note as the log gave it."""
    written: Json = {
        "log_id": origin,
        "leaf_index": index,
        "inclusion_proof": [format_base64(node) for node in proof],
        "checkpoint": checkpoint.decode(),
    }
    if cosignatures:
        written["cosignatures"] = [
            {"witness_key": key, "signature": format_base64(signature)}
            for key, signature in cosignatures
        ]
    return written


def add_proof(envelope: Json, proof: Json) -> Json:
    """The receipt's envelope with one more proof. Its signatures hold as before."""
    before: Any = envelope.get("transparency", [])
    return {**envelope, "transparency": [*before, proof]}


def check_transparency(envelope: Json, log: PinnedLog) -> tuple[Included, ...]:
    """What the pinned log's proofs show; nothing when it has none here. Raises `TransparencyRefused`."""
    slot: Any = envelope.get("transparency", [])
    content: Any = envelope["content"]
    mine = [proof for proof in slot if proof["log_id"] == log.origin]
    return tuple(_check_proof(proof, Digest(content["action_hash"]), log) for proof in mine)


def _check_proof(proof: dict[str, Any], action_hash: Digest, log: PinnedLog) -> Included:
    try:
        opened = open_checkpoint(proof["checkpoint"].encode(), origin=log.origin, key=log.key)
        tree = opened.checkpoint
        _check_inclusion(proof, action_hash, tree)
        witnesses = _check_witnesses(proof, opened.note.text, log)
    except (Malformed, NoteRefused, ProofRefused) as error:
        raise TransparencyRefused(str(error)) from None
    except UnicodeEncodeError:
        raise TransparencyRefused("the checkpoint is not text") from None
    return Included(index=proof["leaf_index"], checkpoint=tree, witnesses=witnesses)


def _check_inclusion(proof: dict[str, Any], action_hash: Digest, tree: Checkpoint) -> None:
    leaf = hash_leaf(leaf_of(action_hash))
    path = _nodes(proof["inclusion_proof"])
    staged = [key for key in _STAGE if key in proof]
    if not staged:
        check_inclusion(leaf, index=proof["leaf_index"], size=tree.size, proof=path, root=tree.root)
        return
    if len(staged) != len(_STAGE):
        raise ProofRefused(f"a two-stage proof has {', '.join(_STAGE)}")
    org_root = _node(proof["org_root"])
    check_inclusion(
        leaf,
        index=proof["leaf_index"],
        size=proof["org_tree_size"],
        proof=path,
        root=org_root,
    )
    check_inclusion(
        _top_leaf(proof, org_root),
        index=proof.get("top_leaf_index", 0),
        size=tree.size,
        proof=_nodes(proof.get("top_inclusion_proof", [])),
        root=tree.root,
    )


def _top_leaf(proof: dict[str, Any], org_root: bytes) -> bytes:
    try:
        organisation = uuid.UUID(proof["org_id"])
    except ValueError:
        raise ProofRefused("the organisation's id is not a UUID") from None
    if str(organisation) != proof["org_id"]:
        raise ProofRefused("the organisation's id is not in canonical form")
    epoch = int(proof["epoch"]).to_bytes(8, "big")
    return sha256(_TOP_LEAF_PREFIX + organisation.bytes + epoch + org_root).digest()


def _check_witnesses(proof: dict[str, Any], text: str, log: PinnedLog) -> tuple[PublicKey, ...]:
    if not log.witnesses:
        return ()
    seen: dict[PublicKey, None] = {}
    for cosignature in proof.get("cosignatures", []):
        key = PublicKey(cosignature["witness_key"])
        if key not in log.witnesses:
            raise NoteRefused(f"{key[:64]} is not a pinned witness")
        raw = parse_signature(cosignature["signature"])
        if not signature_holds(parse_public_key(key), text.encode(), raw):
            raise NoteRefused(f"the cosignature of {key} does not hold")
        seen[key] = None
    if not seen:
        raise NoteRefused("no pinned witness cosigned it")
    return tuple(seen)


def _nodes(texts: Sequence[str]) -> Proof:
    return tuple(_node(text) for text in texts)


def _node(text: str) -> bytes:
    """A hash on the wire: canonical base64 of 32 bytes."""
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        raise ProofRefused("a node is not base64") from None
    if len(raw) != NODE_BYTES or format_base64(raw) != text:
        raise ProofRefused("a node is not canonical base64 of 32 bytes")
    return raw
