"""The files of a piece of evidence, and the two forms they are handed over in: one page, or a tar.

    receipts.jsonl       the receipts, byte for byte, in audit order
    policies/HASH.toml   the policies in force, byte for byte
    trust.json           whose the keys are, as the project claims
    verify.html          the page that verifies, without the receipts
    verifier/            the same as modules for Node, and VERIFY.sh, which runs them or this package
    README

Rule 1: the same receipts give the same bytes: no time of making, no names of users, files in order.
Rule 2: what the bundle says of its own keys proves nothing, and the page says so; keys are known from elsewhere.
"""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from heso.evidence.collect import Collected
from heso.evidence.report import write_report
from heso.verifier import read_modules, read_page, with_data

_README = """\
Receipts of what AI agents did, and what checking them takes.

Open verify.html in a browser, offline, and drop receipts.jsonl on it; or run VERIFY.sh, which needs Node, or Python with
the package heso.

trust.json says whose the keys are, as whoever made this bundle claims. Compare each key with one you got from its owner
another way, and keep the ones that you have compared in a trust.json of your own, under "keys" instead of "claimed": drop
that one on the page.
"""

_VERIFY = """\
#!/bin/sh
# Verifies the receipts beside it. Exit code 0: all hold.
CDPATH= cd -- "$(dirname -- "$0")" || exit 64
if node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; then
    exec node verifier/main.mjs receipts.jsonl
elif python3 -c 'import heso' 2>/dev/null; then
    exec python3 -m heso.cli verify --chain receipts.jsonl
fi
echo "There is neither Node nor Python with heso: open verify.html in a browser and drop receipts.jsonl on it." >&2
exit 2
"""


def write_files(collected: Collected, names: Mapping[str, str]) -> dict[str, bytes]:
    """Every file of the bundle, by its name in there."""
    files = {
        "README": _README.encode(),
        "VERIFY.sh": _VERIFY.encode(),
        "receipts.jsonl": b"".join(item.receipt + b"\n" for item in collected.items),
        "trust.json": json.dumps({"claimed": dict(sorted(names.items()))}, indent=1).encode()
        + b"\n",
        "verify.html": read_page(),
    }
    files |= {f"policies/{name}.toml": text for name, text in collected.policies.items()}
    files |= {f"verifier/{name}": text for name, text in read_modules().items()}
    return dict(sorted(files.items()))


def write_tar(files: Mapping[str, bytes]) -> bytes:
    """A POSIX tar, the same for the same files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o755 if name.endswith(".sh") else 0o644
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def write_folder(files: Mapping[str, bytes], folder: Path) -> None:
    for name, data in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        if name.endswith(".sh"):
            file.chmod(0o755)


def write_page(collected: Collected, names: Mapping[str, str]) -> bytes:
    """One page with the receipts, the policies and the verifier in it, which checks them when it is opened."""
    files = write_files(collected, names)
    kept = {name: files[name].decode() for name in ("receipts.jsonl", "trust.json")}
    return with_data(kept, write_report(collected, names))
