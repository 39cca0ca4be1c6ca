"""What somebody may bring to the page to make it say what is not so."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from heso.verifier import read_page
from tests.verifier.bringing import drop, paste, tar_of, trust
from tests.verifier.conftest import OpenPage


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page(read_page())


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
    place = forge.text(forge.l0(forge.content(captured_at="HERE"))).index(b"HERE")
    when = "a" * (257 - place) + "ustar" + "0" * 300
    line = forge.text(forge.l0(forge.content(captured_at=when)))
    assert line[257:262] == b"ustar"
    bad = forge.text(forge.l0()).replace(b'"rooms":2', b'"rooms":3')
    drop(page, r__jsonl=line + b"\n" + bad)
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


def test_keys_inside_a_receipt_are_no_keys_that_anybody_knows(page: Page, forge: Any) -> None:
    """Whoever gets somebody to paste a receipt must not become known by it."""
    hostile = {**forge.l0(), "keys": {forge.operator.public: "the payments agent"}}
    paste(page, forge.text(hostile))
    expect(page.locator("#status")).to_have_text("1 receipts in 0 sessions; 1 do not hold.")
    paste(page, forge.text(forge.l0()))
    expect(page.locator("article")).to_have_class("unknown")


@pytest.mark.parametrize("keys", ["1", "null", '"x"', "[1]", '{"k":1}', '{"k":{"toString":0}}'])
def test_keys_that_are_none_make_nobody_known(page: Page, forge: Any, keys: str) -> None:
    drop(page, trust__json=f'{{"keys":{keys}}}'.encode(), r__json=forge.text(forge.l0()))
    expect(page.locator("#status")).to_have_text("1 receipts in 0 sessions; all hold.")
    expect(page.locator("article")).to_have_class("unknown")
