"""`heso log-proof`: that a receipt is in this project's log, or that the log only grew."""

import argparse
from itertools import islice

import orjson

from heso.cli.arguments import add_project
from heso.cli.ledger import find_one, open_records
from heso.cli.log_tree import leaf_hashes, load_operator, origin_of, sign_current
from heso.cli.output import answer_json, fail
from heso.core.encoding import format_base64
from heso.core.merkle import prove_consistency, prove_inclusion
from heso.core.transparency import add_proof, write_proof


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "hash", nargs="?", metavar="HASH", help="the beginning of the receipt's hash"
    )
    parser.add_argument(
        "--receipt", action="store_true", help="the whole receipt with the proof in it"
    )
    parser.add_argument(
        "--old-size",
        type=int,
        metavar="SIZE",
        help="instead: proof that the log of this many receipts is the beginning of today's",
    )
    parser.add_argument("--origin", help="the log's name (default: the operator's fingerprint)")
    add_project(parser)


def run(options: argparse.Namespace) -> int:
    if (options.hash is None) == (options.old_size is None):
        return fail("one receipt, or one old size", "heso log-proof HASH", code=64)
    if options.receipt and options.hash is None:
        return fail("--receipt goes with a hash", "heso log-proof HASH --receipt", code=64)
    return _prove_growth(options) if options.hash is None else _prove_receipt(options)


def _prove_receipt(options: argparse.Namespace) -> int:
    signer = load_operator(options.project)
    origin = origin_of(signer, options.origin)
    with open_records(options.project) as records:
        record = find_one(records, options.hash)
        checkpoint, note = sign_current(records, signer, origin)
        proof = prove_inclusion(leaf_hashes(records), index=record.position, size=checkpoint.size)
    written = write_proof(origin=origin, index=record.position, proof=proof, checkpoint=note)
    if options.receipt:
        written = add_proof(orjson.loads(record.receipt), written)
    answer_json(orjson.dumps(written).decode())
    return 0


def _prove_growth(options: argparse.Namespace) -> int:
    signer = load_operator(options.project)
    with open_records(options.project) as records:
        checkpoint, note = sign_current(records, signer, origin_of(signer, options.origin))
        leaves = islice(leaf_hashes(records), checkpoint.size)
        proof = prove_consistency(leaves, old_size=options.old_size, new_size=checkpoint.size)
    told = {
        "old_size": options.old_size,
        "new_size": checkpoint.size,
        "consistency_proof": [format_base64(node) for node in proof],
        "checkpoint": note.decode(),
    }
    answer_json(orjson.dumps(told).decode())
    return 0
