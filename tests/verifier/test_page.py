"""The page in Chromium, from disk, with the network off."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from heso.core.keys import signature_holds
from heso.core.redaction import Reveal, commit, format_sidecar
from heso.testing.vectors import differs, read_vectors
from heso.verifier import read_page
from tests.verifier.bringing import drop, paste, tar_of, trust
from tests.verifier.conftest import OpenPage
from tests.verifier.test_parts import beyond_the_order, published_cases, small_order_pairs

ROOT = Path(__file__).parents[2]
VECTORS = {
    name: one for name, one in read_vectors(ROOT / "tests" / "vectors") if "kind" in one["expect"]
}


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page(read_page())


def test_a_valid_receipt_by_a_stranger_is_not_green(page: Page, forge: Any) -> None:
    paste(page, forge.text(forge.l0()))
    expect(page.locator("#status")).to_have_text("1 receipts in 0 sessions; all hold.")
    card = page.locator("article")
    expect(card).to_have_class("unknown")
    expect(card).to_contain_text("whose keys these are is for you to know")
    expect(card).to_contain_text(forge.operator.public)


def test_a_known_key_makes_it_green_and_what_is_not_proven_is_said(page: Page, forge: Any) -> None:
    drop(page, r__json=forge.text(forge.l0()), trust__json=trust(forge.operator.public))
    card = page.locator("article")
    expect(card).to_have_class("known")
    card.get_by_text("What this does not prove").click()
    expect(card).to_contain_text("the time in it is the operator's word")


def test_a_tampered_receipt_names_the_step_and_the_broken_place(page: Page, forge: Any) -> None:
    receipts = [forge.text(envelope) for envelope in forge.chain(4)]
    receipts[2] = receipts[2].replace(b'"rooms":2', b'"rooms":3')
    paste(page, *receipts)
    expect(page.locator("#status")).to_contain_text("1 do not hold")
    expect(page.locator("ol.chain .failed")).to_have_text("2 broken here")
    steps = page.locator("article.invalid ol.steps .failed")
    expect(steps).to_have_text("the hash of the content: HashMismatch")


def test_text_of_a_receipt_stays_text_and_hidden_characters_are_named(
    page: Page, forge: Any
) -> None:
    fields = {
        "<img src=x onerror=alert(1)>": "</script><b>pay\u202eme\u200b</b>",
        "__proto__": {"a": 1},
    }
    paste(page, forge.text(forge.l0(forge.content(action=forge.action(fields=fields)))))
    card = page.locator("article")
    expect(card).to_contain_text("</script><b>payU+202EmeU+200B</b>")
    expect(card).to_contain_text("<img src=x onerror=alert(1)>")
    assert card.locator("img, b, script").count() == 0
    assert card.locator(".hidden-char").count() == 2


def test_a_bundle_with_receipts_a_sidecar_and_keys_is_read_whole(page: Page, forge: Any) -> None:
    reveal = Reveal(field_path="card", salt=b"\x01" * 32, value_json='"4242"')
    marker = {"field_path": "card", "algorithm": "salted-blake3/v1", "commitment": commit(reveal)}
    content = forge.content(
        action=forge.action(fields={"card": {"_sd": commit(reveal)}}),
        redaction={"mode": "commit_and_reveal", "markers": [marker]},
    )
    files = {
        "receipts.jsonl": forge.text(forge.l0(content)) + b"\n" + forge.text(forge.l1()) + b"\n",
        "reveals/one.json": format_sidecar([reveal]),
        "trust.json": trust(forge.operator.public, forge.approver.public),
        "notes.txt": b"not a receipt",
    }
    bundle = tar_of(files)
    drop(page, evidence__tar=bundle)
    expect(page.locator("#status")).to_contain_text(
        "2 receipts in 0 sessions; all hold. Not read: notes.txt."
    )
    expect(page.locator("article.unknown")).to_have_count(
        2
    )  # whose keys these are is the bundle's own word
    expect(page.locator("article").first).to_contain_text("the bundle claims it is ours")
    expect(page.locator("article").first).to_contain_text('What the sidecar openscard"4242"')


@pytest.mark.parametrize(
    "text", ["", "{", "[", "[]", "null", '{"content":1}', "x\ny", '{"keys":{}}']
)
def test_what_is_no_receipt_gets_an_answer_and_no_error(page: Page, text: str) -> None:
    paste(page, text.encode())
    expect(page.locator("#status")).to_contain_text(".")


def test_chromium_answers_every_vector(browser: Browser) -> None:
    """The modules themselves, over a server on this machine: a file:// page cannot import them."""
    with served(ROOT / "heso" / "verifier") as origin:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{origin}/index.d.ts")
        questions = [
            {k: v for k, v in vector.items() if k not in ("expect", "about")}
            for vector in VECTORS.values()
        ]
        answers = page.evaluate(
            """async (questions) => {
                const { examine, verifyActionChain, verifySession } = await import("./index.mjs");
                const bytes = (w) => typeof w === "string" ? new TextEncoder().encode(w)
                    : Uint8Array.from(atob(w.base64), (c) => c.charCodeAt(0));
                const answers = [];
                for (const { kind, terms = {}, roots = null, receipts } of questions) {
                    const data = receipts.map(bytes);
                    const verdict = kind === "receipt" ? (await examine(data[0], terms)).verdict
                        : kind === "action_chain" ? await verifyActionChain(data, terms)
                        : await verifySession(data, terms, { roots });
                    answers.push(JSON.parse(JSON.stringify(verdict, (_, v) => typeof v === "bigint" ? Number(v) : v)));
                }
                return answers;
            }""",
            questions,
        )
        context.close()
    wrong = [
        name
        for (name, vector), told in zip(VECTORS.items(), answers, strict=True)
        if differs(vector["expect"], told)
    ]
    assert wrong == []


def test_chromium_takes_exactly_the_signatures_that_libsodium_takes(browser: Browser) -> None:
    cases = [*published_cases(), *small_order_pairs(), *beyond_the_order()]
    asked = [[base64.b64encode(part).decode() for part in case] for case in cases]
    wanted = [len(s) == 64 and len(k) == 32 and signature_holds(k, m, s) for k, m, s in cases]
    with served(ROOT / "heso" / "verifier") as origin:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{origin}/index.d.ts")
        taken = page.evaluate(
            """async (cases) => {
                const { signatureHolds, useArithmetic } = await import("./ed25519.mjs");
                const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
                const ask = async () => {
                    const found = [];
                    for (const [k, m, s] of cases) found.push(await signatureHolds(bytes(k), bytes(m), bytes(s)));
                    return found;
                };
                const byEngine = await ask();
                useArithmetic();
                return [byEngine, await ask()];
            }""",
            asked,
        )
        context.close()
    assert taken == [wanted, wanted]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_usable_by_everybody(page: Page, forge: Any, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    receipts = [forge.text(envelope) for envelope in forge.chain(3)]
    paste(page, *receipts, receipts[1].replace(b'"rooms":2', b'"rooms":3'), forge.text(forge.l1()))
    expect(page.locator("article")).to_have_count(6)
    for summary in page.locator("summary").all():
        summary.click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_everything_can_be_done_with_the_keyboard(page: Page, forge: Any) -> None:
    page.keyboard.press("Tab")
    page.keyboard.insert_text(forge.text(forge.l0()).decode())
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("article")).to_have_count(1)
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_thousand_receipts_do_not_keep_anybody_waiting(page: Page, forge: Any) -> None:
    receipts = [forge.text(envelope) for envelope in forge.chain(1000)]
    drop(page, r__jsonl=b"\n".join(receipts))
    expect(page.locator("#status")).to_contain_text("1000 receipts in 1 sessions; all hold.")
    assert page.evaluate("performance.measure('verify', 'read', 'checked').duration") < 3000


def test_a_phone_in_the_dark_shows_everything_without_scrolling_sideways(
    page: Page, forge: Any
) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme="dark")
    paste(
        page,
        forge.text(forge.l0(forge.content(action=forge.action(fields={"x" * 300: "y" * 900})))),
    )
    expect(page.locator("article")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder over HTTP, with the types that modules need."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    host, port = server.server_address[:2]
    yield f"http://{host}:{port}"  # type: ignore[str-bytes-safe]
    server.shutdown()
    server.server_close()
    thread.join()


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {".mjs": "text/javascript", "": "text/plain"}  # noqa: RUF012  # as its base has it

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""
