"""The verifier for browsers and Node: ES modules without dependencies, and one page made of them."""

from hashlib import sha256
from pathlib import Path


def read_page() -> bytes:
    """The page: one HTML file that verifies receipts wherever it is opened, and asks no network."""
    return (Path(__file__).parent / "verify.html").read_bytes()


def page_hash() -> str:
    """SHA-256 of the page in hex, as a release names it."""
    return sha256(read_page()).hexdigest()
