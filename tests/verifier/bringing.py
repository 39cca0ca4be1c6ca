"""Ways of bringing something to the page."""

import io
import json
import tarfile

from playwright.sync_api import Page


def paste(page: Page, *receipts: bytes) -> None:
    page.get_by_label("Paste receipts").fill(b"\n".join(receipts).decode())
    page.get_by_role("button", name="Verify").click()


def drop(page: Page, **files: bytes) -> None:
    page.locator("#files").set_input_files(
        [{"name": name.replace("__", "."), "mimeType": "", "buffer": data} for name, data in files.items()]
    )  # fmt: skip


def tar_of(files: dict[str, bytes], typeflag: bytes = b"0") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(data), typeflag
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def trust(*keys: str) -> bytes:
    return json.dumps({"keys": dict.fromkeys(keys, "ours")}).encode()
