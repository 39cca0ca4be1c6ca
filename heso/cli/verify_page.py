"""`heso verify-page`: the page that verifies receipts offline, for whoever trusts no program of yours."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from heso.cli.output import answer, fail, say
from heso.verifier import page_hash, read_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--out", metavar="FILE", help="write it there")
    what.add_argument("--open", action="store_true", help="open it in a browser")
    what.add_argument(
        "--print-hash", action="store_true", help="its SHA-256, to compare with a release's"
    )


def run(options: argparse.Namespace) -> int:
    if options.print_hash:
        answer(page_hash())
        return 0
    if options.out:
        return _write(Path(options.out))
    if options.open:
        return _open()
    sys.stdout.buffer.write(read_page())
    return 0


def _write(file: Path) -> int:
    try:
        file.write_bytes(read_page())
    except OSError as error:
        return fail(f"cannot write {file}: {error.strerror}", "name a file in a folder of yours")
    say(f"wrote {file}; its SHA-256 is {page_hash()}")
    return 0


def _open() -> int:
    import webbrowser  # noqa: PLC0415  # only who opens it needs one

    descriptor, name = tempfile.mkstemp(prefix="heso-verify-", suffix=".html")
    with os.fdopen(descriptor, "wb") as page:
        page.write(read_page())
    if not webbrowser.open(Path(name).as_uri()):
        return fail("there is no browser to open", "heso verify-page --out FILE, and open it")
    say(f"opened {name}")
    return 0
