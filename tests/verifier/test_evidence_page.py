"""A piece of evidence, opened by whoever got it."""

from typing import Any

import orjson
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from heso.evidence.bundle import write_page
from heso.evidence.collect import Collected, Item
from tests.verifier.conftest import OpenPage

NAMES = {"O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=": "operator <b>x</b>"}


def collected(forge: Any, *, tampered: bool = False) -> Collected:
    receipts = [forge.text(envelope) for envelope in forge.chain(5)]
    if tampered:
        receipts[3] = receipts[3].replace(b'"rooms":2', b'"rooms":9')
    at = "2026-01-01T00:00:00Z"
    items = tuple(Item(receipt, orjson.loads(receipt)["content"], at) for receipt in receipts)
    return Collected(items, {"ab" * 32: b"# a policy </pre><script>alert(1)</script>"})


@pytest.fixture
def page(open_page: OpenPage, forge: Any) -> Page:
    return open_page(write_page(collected(forge), NAMES))


def test_it_verifies_itself_when_it_is_opened_and_believes_nobodys_own_word(page: Page) -> None:
    expect(page.locator("#status")).to_have_text("5 receipts in 1 sessions; all hold.")
    expect(page.locator("article.unknown")).to_have_count(6)
    expect(page.locator("article").first).to_contain_text(
        "the bundle claims it is operator <b>x</b>"
    )
    expect(page.locator("form")).to_be_hidden()


def test_it_shows_what_is_in_it_and_a_policy_stays_text(page: Page) -> None:
    expect(page.get_by_role("img", name="Decisions over time")).to_be_visible()
    expect(page.get_by_role("img", name="By verb: tool_call 5")).to_be_visible()
    page.get_by_text("Policy abab").click()
    expect(page.locator("pre")).to_have_text("# a policy </pre><script>alert(1)</script>")


def test_changed_evidence_says_so(open_page: OpenPage, forge: Any) -> None:
    page = open_page(write_page(collected(forge, tampered=True), NAMES))
    expect(page.locator("#status")).to_contain_text("1 do not hold")
    expect(page.locator("ol.chain .failed")).to_have_text("3 broken here")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_usable_by_everybody(page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    expect(page.locator("article")).to_have_count(6)
    page.get_by_text("Policy abab").click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
