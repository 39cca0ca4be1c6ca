"""The project's log as a Merkle tree: the leaves are its receipts' action hashes, in audit order."""

import os
from collections.abc import Iterator
from pathlib import Path

from heso.cli.output import with_progress
from heso.core.checkpoint import Checkpoint, sign_checkpoint
from heso.core.hashing import fingerprint
from heso.core.keys import SigningKey
from heso.core.merkle import Frontier, grow, hash_leaf, leaf_of
from heso.settings import read_settings
from heso.stores.key_folder import load_key
from heso.stores.sqlite.records import SqliteRecords


def load_operator(project: str | None) -> SigningKey:
    """The project's own key. It signs the log's checkpoints as well: whoever acts vouches for their own log."""
    settings = read_settings(os.environ, Path.cwd(), project_root=project)
    return load_key(
        settings.state, settings.passphrase, allow_development=not settings.requires_passphrase
    )


def origin_of(signer: SigningKey, told: str | None) -> str:
    """The log's name."""
    return told or fingerprint(signer.public_key)


def leaf_hashes(records: SqliteRecords) -> Iterator[bytes]:
    """Every leaf of the log, once, in order."""
    hashes = with_progress(records.action_hashes(), records.count())
    return (hash_leaf(leaf_of(action_hash)) for action_hash in hashes)


def sign_current(
    records: SqliteRecords, signer: SigningKey, origin: str
) -> tuple[Checkpoint, bytes]:
    """The log as it is now, and the signed note that says so."""
    tree = grow(Frontier(), leaf_hashes(records))
    checkpoint = Checkpoint(origin, tree.size, tree.root())
    return checkpoint, sign_checkpoint(checkpoint, signer)
