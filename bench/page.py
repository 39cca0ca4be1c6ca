"""The offline page in Chromium, from disk, with the network off: how long it takes over a chain of receipts, and its size."""

import gzip
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

from bench.child import Answer
from heso.verifier import read_page

_DONE = "performance.getEntriesByName('checked').length"
_TOOK = "performance.measure('verify', 'read', 'checked').duration"


class Page:
    """A page that is opened anew for each question."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._file = folder / "verify.html"
        self._file.write_bytes(read_page())

    def ask(self, command: str) -> Answer:
        """Answer `verify FILE` with seconds, and `size` with the bytes that gzip makes of it."""
        if command == "size":
            return {"bytes": float(len(gzip.compress(read_page(), 9)))}
        with sync_playwright() as playwright:
            program = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            page = browser.new_context(offline=True).new_page()
            page.goto(self._file.as_uri())
            page.locator("#files").set_input_files(command.split()[1])
            while not page.evaluate(_DONE):
                page.wait_for_timeout(20)
            took = float(page.evaluate(_TOOK))
            browser.close()
        return {"seconds": took / 1000}
