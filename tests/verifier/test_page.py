"""The page in Chromium, from disk, with the network off."""

import base64
import io
import json
import tarfile
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
from tests.verifier.conftest import OpenPage
from tests.verifier.test_parts import beyond_the_order, published_cases, small_order_pairs

ROOT = Path(__file__).parents[2]
VECTORS = {
    name: one for name, one in read_vectors(ROOT / "tests" / "vectors") if "kind" in one["expect"]
}


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page(read_page())


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


def test_a_valid_receipt_by_a_stranger_is_not_green(page: Page, forge: Any) -> None:
    paste(page, forge.text(forge.l0()))
    expect(page.locator("#status")).to_have_text("1 receipts in 0 sessions; all hold.")
    card = page.locator("article")
    expect(card).to_have_class("unknown")
    expect(card).to_contain_text("whose keys these are is for you to know")
    expect(card).to_contain_text(forge.operator.public)


def test_an_old_answer_never_stands_beside_a_new_question(page: Page, forge: Any) -> None:
    good = forge.text(forge.l0())
    drop(page, r__json=good, trust__json=trust(forge.operator.public))
    expect(page.locator("article.known")).to_have_count(1)
    evil = b'{"keys":{"a":{"toString":0,"valueOf":0}}}'
    drop(page, trust__json=evil, r__json=good.replace(b'"rooms":2', b'"rooms":3'))
    expect(page.locator("#status")).to_contain_text("1 do not hold")
    drop(page, e__tar=tar_of({"x.jsonl": good}, typeflag=b"7"))
    expect(page.locator("#status")).to_contain_text("could not be read, so nothing was checked")
    expect(page.locator("article")).to_have_count(0)


def test_bytes_reach_the_verifier_as_they_are(page: Page, forge: Any) -> None:
    """No mark is stripped, and what is no UTF-8 is not made some."""
    line = forge.text(forge.l0(forge.content(action=forge.action(fields={"x": "\ufffd"}))))
    broken = line.replace("\ufffd".encode(), b"\xff")
    drop(page, r__jsonl=b"\xef\xbb\xbf" + line + b"\n" + broken + b"\n" + line + b"\n\xa0\n")
    expect(page.locator("#status")).to_contain_text("4 receipts in 0 sessions; 3 do not hold.")


def test_a_file_of_lines_is_no_tar_whatever_stands_in_it(page: Page, forge: Any) -> None:
    line = forge.text(forge.l0(forge.content(captured_at="a" * 600)))
    for offset in range(200):
        text = forge.text(
            forge.l0(
                forge.content(captured_at="a" * offset + "ustar\0".replace("\0", "x") + "0" * 300)
            )
        )
        if text[257:262] == b"ustar":
            break
    bad = line.replace(b'"rooms":2', b'"rooms":3')
    drop(page, r__jsonl=text + b"\n" + bad)
    expect(page.locator("#status")).to_contain_text("2 receipts in 0 sessions; 1 do not hold.")


@pytest.mark.parametrize("how", ["type", "size", "sum", "cut"])
def test_a_tar_that_readers_could_read_differently_is_refused(
    page: Page, forge: Any, how: str
) -> None:
    files = {"r.jsonl": forge.text(forge.l0())}
    data = bytearray(tar_of(files, typeflag=b"7" if how == "type" else b"0"))
    if how == "size":
        data[124:136] = b"-0000001000\0"
        data[148:156] = b"%06o\0 " % (sum(data[:148]) + 32 * 8 + sum(data[156:512]))
    if how == "sum":
        data[0] ^= 1
    drop(page, e__tar=bytes(data[:700] if how == "cut" else data))
    said = "There is no receipt in it. Not read: e.tar." if how == "sum" else "could not be read"
    expect(page.locator("#status")).to_contain_text(said)


def test_a_name_in_a_tar_hides_no_receipt_and_turns_no_text(page: Page, forge: Any) -> None:
    files = {"policies/more": b"x", "\u202e evil": b"y", "deep/README": b"z"}
    drop(page, e__tar=tar_of({**files, "r.jsonl": forge.text(forge.l0())}))
    expect(page.locator("#status")).to_contain_text(
        "Not read: policies/more, U+202E evil, deep/README."
    )


def test_keys_under_another_name_vouch_for_nobody(page: Page, forge: Any) -> None:
    drop(page, r__json=forge.text(forge.l0()), attachment__json=trust(forge.operator.public))
    expect(page.locator("article")).to_have_class("unknown")
    drop(page, trust__json=trust(forge.operator.public))
    expect(page.locator("#status")).to_contain_text("1 keys are known to you.")
    drop(page, r__json=forge.text(forge.l0()))
    expect(page.locator("article")).to_have_class("known")


def test_a_session_is_green_only_when_every_key_in_it_is_known(page: Page, forge: Any) -> None:
    receipt = forge.text(forge.l1(forge.approved_content(session_id="s", seq=0)))
    drop(page, r__jsonl=receipt, trust__json=trust(forge.operator.public))
    expect(page.locator("article")).to_have_count(2)
    expect(page.locator("article.known")).to_have_count(0)
    drop(page, r__jsonl=receipt, trust__json=trust(forge.operator.public, forge.approver.public))
    expect(page.locator("article.known")).to_have_count(2)


def test_an_argument_cannot_stand_in_for_the_pages_own_words(page: Page, forge: Any) -> None:
    fields = {"signed by": "Alice", "decision": "approved by the CFO"}
    paste(page, forge.text(forge.l0(forge.content(action=forge.action(fields=fields)))))
    own, called = page.locator("article dl").all()
    assert "Alice" not in (own.text_content() or "")
    assert "approved by the CFO" in (called.text_content() or "")
    expect(page.get_by_role("heading", name="What it was called with")).to_be_visible()


def test_everything_a_receipt_says_is_shown(page: Page, forge: Any) -> None:
    mandate = {
        "mandate_id": "m",
        "mandate_hash": "h",
        "verdict": "valid",
        "payee": "MALLORY",
        "amount_minor": 99,
        "currency": "EUR",
    }
    action = forge.action(target_host="evil.example", mandate=mandate)
    action["fields"] = {
        "items": [{"sku": "lamp"}, 2],
        "none": None,
        "deep": {"a": [True]},
        "n": 2.5,
    }
    paste(page, forge.text(forge.l0(forge.content(action=action, nonce="n0nce"))))
    called = ('[{"sku":"lamp"},2]', "null", '{"a":[true]}', "2.5")
    for text in ("evil.example", "MALLORY", "n0nce", *called):
        expect(page.locator("article")).to_contain_text(text)


def test_judging_like_the_reference_says_what_was_not_checked(page: Page, forge: Any) -> None:
    content = forge.content(
        trust_level="L1", approver_decision=forge.approval(decision="rejected", reason="NO")
    )
    page.get_by_label("answer like the format's reference").check()
    paste(page, forge.text(forge.l1(content)))
    card = page.locator("article")
    expect(card).to_contain_text("(Valid L1)")
    expect(card).to_contain_text("Judged like the format's reference, which is laxer.")
    expect(card).to_contain_text('"decision":"rejected"')
    link = forge.link(
        "completed", key=forge.operator, role="operator", domain=forge.domains["operator"]
    )
    link["alg"] = "another"
    paste(page, forge.text(link))
    expect(card.locator("ol.steps")).to_contain_text("the envelope's algorithm: not checked")
    expect(card).to_contain_text("one key alone signed this receipt")


def test_what_cannot_be_seen_is_named_and_much_of_it_stops_nothing(page: Page, forge: Any) -> None:
    fields = {
        "a": "x\u3164\u2800\ufe0f\u034f\U000e0100y",
        "b": "pay\nme    x",
        "c": "\u200b" * 200_000,
    }
    paste(page, forge.text(forge.l0(forge.content(action=forge.action(fields=fields)))))
    card = page.locator("article")
    expect(card).to_contain_text("xU+3164U+2800U+FE0FU+034FU+E0100y")
    expect(card).to_contain_text("pay\u21b5\nme    x")
    expect(card).to_contain_text("and 180000 characters more")


def test_what_does_not_hold_is_shown_however_many_others_there_are(page: Page, forge: Any) -> None:
    good = [forge.text(forge.l0()) for _ in range(260)]
    drop(page, r__jsonl=b"\n".join([*good, good[0].replace(b'"rooms":2', b'"rooms":3')]))
    expect(page.locator("#status")).to_contain_text("261 receipts in 0 sessions; 1 do not hold.")
    expect(page.locator("article.invalid h2")).to_have_text("Receipt 261")


def test_many_small_sessions_take_no_longer_than_one_large(page: Page, forge: Any) -> None:
    receipts = [forge.text(forge.l0(forge.content(session_id=f"s{n}", seq=0))) for n in range(800)]
    drop(page, r__jsonl=b"\n".join(receipts))
    expect(page.locator("#status")).to_contain_text("800 receipts in 800 sessions; all hold.")
    assert page.evaluate("performance.measure('verify', 'read', 'checked').duration") < 3000


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
