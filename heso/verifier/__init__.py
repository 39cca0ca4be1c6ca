"""The verifier for browsers and Node: ES modules without dependencies, and one page made of them."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

_HERE = Path(__file__).parent


def read_page() -> bytes:
    """The page: one HTML file that verifies receipts wherever it is opened, and asks no network."""
    return (_HERE / "verify.html").read_bytes()


def page_hash() -> str:
    """SHA-256 of the page in hex, as a release names it."""
    return sha256(read_page()).hexdigest()


def read_modules() -> dict[str, bytes]:
    """The modules, by file name, as Node needs them; those of the page are left out."""
    of_the_page = {"page.mjs", "tar.mjs", "conform.mjs"}
    files = [file for file in sorted(_HERE.glob("*.mjs")) if file.name not in of_the_page]
    return {file.name: file.read_bytes() for file in files}


def with_data(files: Mapping[str, str], report: str) -> bytes:
    """The page with files in it, which it verifies when it is opened, below a report in HTML. Its scripts stay what they
    were, so its policy still names them. Whoever wrote the report has escaped what is in it."""
    # In a script no reader of HTML looks for tags, but for the end of it.
    kept = json.dumps(files).replace("<", "\\u003c")
    data = f'<script type="application/json" id="evidence">{kept}</script>'
    page = read_page().decode()
    return page.replace("<!--report-->", report).replace("<!--data-->", data).encode()
