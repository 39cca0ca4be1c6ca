"""Signed notes, checkpoints, and a receipt's place in a log."""

import base64
import json
import uuid
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heso.core.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from heso.core.errors import Malformed
from heso.core.keys import SigningKey
from heso.core.merkle import Frontier, grow, hash_leaf, leaf_of, prove_inclusion
from heso.core.note import (
    KeyKind,
    Note,
    NoteKey,
    NoteRefused,
    NoteSignature,
    cosign_note,
    format_note,
    format_note_key,
    open_note,
    parse_note,
    parse_note_key,
    sign_note,
)
from heso.core.transparency import PinnedLog, add_proof, write_proof
from heso.core.verdict import Kind
from heso.core.verify import verify_receipt

Json = dict[str, Any]
LOG, WITNESS, STRANGER = (SigningKey.from_seed(bytes([seed]) * 32) for seed in (1, 5, 8))
KEY = NoteKey("log", LOG.public_key)
TEXT = "log\n2\n" + base64.b64encode(bytes(32)).decode() + "\n"


def test_a_note_says_who_signed_it_and_who_nobody_knows() -> None:
    note = sign_note(TEXT, name="log", signer=LOG)
    note = cosign_note(note, name="w", signer=WITNESS, at_seconds=1_700_000_000)
    witness = NoteKey("w", WITNESS.public_key, KeyKind.COSIGNATURE)
    opened = open_note(format_note(note), [KEY, witness])
    assert (opened.text, opened.signed_by, opened.unknown) == (TEXT, (KEY, witness), ())
    assert opened.cosigned_at_seconds == ((witness, 1_700_000_000),)
    assert open_note(format_note(note), [KEY]).unknown == ("w",)
    with pytest.raises(NoteRefused, match="no known key"):
        open_note(format_note(note), [NoteKey("log", STRANGER.public_key)])


def test_a_known_keys_bad_signature_is_refused_beside_a_good_one() -> None:
    good = sign_note(TEXT, name="log", signer=LOG)
    bad = NoteSignature("w", NoteKey("w", WITNESS.public_key).id, bytes(64))
    note = Note(TEXT, (*good.signatures, bad))
    with pytest.raises(NoteRefused, match="w does not hold"):
        open_note(format_note(note), [KEY, NoteKey("w", WITNESS.public_key)])
    twice = Note(TEXT, good.signatures * 2)
    with pytest.raises(NoteRefused, match="twice"):
        open_note(format_note(twice), [KEY])


def test_a_cosignature_is_over_its_time_too() -> None:
    key = NoteKey("w", WITNESS.public_key, KeyKind.COSIGNATURE)
    note = cosign_note(
        sign_note(TEXT, name="log", signer=LOG), name="w", signer=WITNESS, at_seconds=7
    )
    raw = note.signatures[1].raw
    later = NoteSignature("w", key.id, (8).to_bytes(8, "big") + raw[8:])
    with pytest.raises(NoteRefused):
        open_note(format_note(Note(TEXT, (note.signatures[0], later))), [KEY, key])


def test_a_published_key_is_read_back_as_it_was_written() -> None:
    for kind in KeyKind:
        key = NoteKey("example.com/log", LOG.public_key, kind)
        assert parse_note_key(format_note_key(key)) == key
    text = format_note_key(KEY)
    for bad in (
        text[:-1],
        text.replace("log", "log2"),
        text.upper(),
        "",
        "a+b",
        "a+b+c",
        text + " ",
    ):
        with pytest.raises(Malformed):
            parse_note_key(bad)


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_mangled_note_is_never_read_as_the_same(at: int, value: int) -> None:
    data = format_note(sign_note(TEXT, name="log", signer=LOG))
    at %= len(data)
    mangled = data[:at] + bytes([value]) + data[at + 1 :]
    if mangled == data:
        return
    try:
        opened = open_note(mangled, [KEY])
    except (Malformed, NoteRefused):
        return
    raise AssertionError(opened)


GOOD = format_note(sign_note(TEXT, name="log", signer=LOG)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        TEXT,
        GOOD.rstrip("\n"),
        GOOD.replace("\n\n", "\n"),
        GOOD.replace("—", "-"),
        GOOD + "\n",
        GOOD.replace("log\n2", "log\r\n2"),
        GOOD.replace("log\n2", "l\x1bog\n2"),
        GOOD + GOOD.split("\n\n")[1] * 100,
        GOOD.replace("— log ", "— a+b "),
        GOOD.replace("— log ", "—  "),
    ],
)
def test_a_note_of_another_shape_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_note(text.encode())


def test_bytes_that_are_no_text_and_too_many_are_malformed() -> None:
    for data in (b"\xff\n\n\xe2\x80\x94 a aaaa\n", b"a" * (1024 * 1024 + 1)):
        with pytest.raises(Malformed):
            parse_note(data)


def test_a_text_with_an_empty_line_in_it_is_still_one_text() -> None:
    text = "one\n\ntwo\n"
    assert open_note(format_note(sign_note(text, name="log", signer=LOG)), [KEY]).text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n2\n",
        TEXT + "more\n",
        TEXT.replace("\n2\n", "\n02\n"),
        TEXT.replace("\n2\n", "\n+2\n"),
        TEXT.replace("\n2\n", "\n-2\n"),
        TEXT.replace("\n2\n", "\n٢\n"),
        TEXT.replace("\n2\n", "\n9223372036854775808\n"),
        TEXT.replace("AAA=", "AAB="),
        "\n2\n" + TEXT.split("\n")[2] + "\n",
        "log\n2\nAAAA\n",
    ],
)
def test_a_checkpoint_of_another_shape_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_checkpoint(text)


def test_a_checkpoint_is_the_logs_own_word() -> None:
    checkpoint = Checkpoint("log", 2, bytes(32))
    data = sign_checkpoint(checkpoint, LOG)
    assert open_checkpoint(data, origin="log", key=LOG.public_key).checkpoint == checkpoint
    with pytest.raises(NoteRefused):
        open_checkpoint(data, origin="log", key=STRANGER.public_key)
    by_witness = format_note(cosign_note(Note(TEXT, ()), name="w", signer=WITNESS, at_seconds=1))
    witness = NoteKey("w", WITNESS.public_key, KeyKind.COSIGNATURE)
    with pytest.raises(NoteRefused, match="the log itself did not"):
        open_checkpoint(by_witness, origin="log", key=LOG.public_key, witnesses=[witness])
    other = format_note(sign_note(TEXT.replace("log", "gol"), name="log", signer=LOG))
    with pytest.raises(NoteRefused, match="'gol'"):
        open_checkpoint(other, origin="log", key=LOG.public_key)


class Logged:
    """A receipt, and a log of seven with the receipt at place 3."""

    def __init__(self, forge: Any) -> None:
        self.forge = forge
        self.envelope = forge.l0()
        mine = hash_leaf(leaf_of(self.envelope["content"]["action_hash"]))
        self.leaves = [hash_leaf(bytes([n]) * 32) for n in range(3)] + [mine]
        self.leaves += [hash_leaf(bytes([n]) * 32) for n in range(3)]
        self.root = grow(Frontier(), self.leaves).root()
        self.checkpoint = sign_checkpoint(Checkpoint("log", 7, self.root), LOG)

    def proof(self, **changes: Any) -> Json:
        path = prove_inclusion(self.leaves, index=3, size=7)
        made = write_proof(origin="log", index=3, proof=path, checkpoint=self.checkpoint)
        return {**made, **changes}

    def judge(self, *proofs: Json, compat: bool = False, **pins: Any) -> tuple[Kind, str]:
        envelope = self.envelope
        for proof in proofs:
            envelope = add_proof(envelope, proof)
        log = PinnedLog(origin="log", key=LOG.public_key, **pins)
        verdict = verify_receipt(json.dumps(envelope).encode(), log=log, compat=compat)
        return verdict.kind, verdict.detail


@pytest.fixture
def logged(forge: Any) -> Logged:
    return Logged(forge)


def test_a_receipt_with_its_proof_is_in_the_log(logged: Logged) -> None:
    assert logged.judge(logged.proof(), is_required=True) == (Kind.VALID, "")
    assert logged.judge(logged.proof(), is_required=True, compat=True) == (Kind.VALID, "")


def test_without_a_proof_the_pin_decides(logged: Logged) -> None:
    assert logged.judge() == (Kind.VALID, "")
    assert logged.judge(is_required=True)[0] is Kind.TRANSPARENCY_REQUIRED
    elsewhere = logged.proof(log_id="another", checkpoint="junk")
    assert logged.judge(elsewhere) == (Kind.VALID, "")
    assert logged.judge(elsewhere, is_required=True)[0] is Kind.TRANSPARENCY_REQUIRED
    assert verify_receipt(json.dumps(add_proof(logged.envelope, elsewhere)).encode()).is_valid


@pytest.mark.parametrize(
    "change",
    [
        {"leaf_index": 4},
        {"leaf_index": 7},
        {"inclusion_proof": []},
        {"inclusion_proof": ["AAAA"] * 3},
        {"inclusion_proof": ["not base64"]},
        {"checkpoint": "junk"},
        {"checkpoint": ""},
        {"org_root": "x"},
        {"org_root": "x", "org_tree_size": 1, "epoch": 1, "org_id": "y"},
    ],
    ids=str,
)
def test_a_proof_that_does_not_hold_is_refused(logged: Logged, change: Json) -> None:
    assert logged.judge(logged.proof(**change))[0] is Kind.TRANSPARENCY_UNVERIFIABLE
    assert logged.judge(logged.proof(), logged.proof(**change))[0] is Kind.TRANSPARENCY_UNVERIFIABLE


def test_a_proof_for_another_receipt_does_not_hold(logged: Logged) -> None:
    logged.envelope = logged.forge.l0(logged.forge.content(captured_at="later"))
    assert logged.judge(logged.proof())[0] is Kind.TRANSPARENCY_UNVERIFIABLE


def test_a_checkpoint_by_another_key_does_not_hold(logged: Logged) -> None:
    logged.checkpoint = sign_checkpoint(Checkpoint("log", 7, logged.root), STRANGER)
    assert logged.judge(logged.proof())[0] is Kind.TRANSPARENCY_UNVERIFIABLE


def test_witnesses_that_are_pinned_must_have_signed_and_nobody_else(logged: Logged) -> None:
    text = logged.checkpoint.decode().partition("\n\n")[0] + "\n"

    def by(key: SigningKey, over: str = text) -> Json:
        signature = base64.b64encode(key.sign(over.encode())).decode()
        return {"witness_key": key.public_key, "signature": signature}

    pins = {"witnesses": frozenset({WITNESS.public_key})}
    good = logged.proof(cosignatures=[by(WITNESS)])
    assert logged.judge(good, **pins) == (Kind.VALID, "")
    for bad in (
        [],
        [by(STRANGER)],
        [by(WITNESS), by(STRANGER)],
        [by(WITNESS, "another text\n")],
        [{"witness_key": WITNESS.public_key, "signature": "x"}],
    ):
        verdict = logged.judge(logged.proof(cosignatures=bad), **pins)
        assert verdict[0] is Kind.TRANSPARENCY_UNVERIFIABLE
    assert logged.judge(logged.proof(cosignatures=[by(STRANGER)])) == (Kind.VALID, "")


def test_a_proof_in_two_stages_goes_through_the_organisations_root(logged: Logged) -> None:
    organisation, epoch = uuid.UUID(int=7), 9
    top = sha256(
        b"heso-transparency-top-leaf-v1"
        + organisation.bytes
        + epoch.to_bytes(8, "big")
        + logged.root
    ).digest()
    tops = [hash_leaf(b"x"), top, hash_leaf(b"y")]
    root = grow(Frontier(), tops).root()
    stage = {
        "checkpoint": sign_checkpoint(Checkpoint("log", 3, root), LOG).decode(),
        "org_root": base64.b64encode(logged.root).decode(),
        "org_tree_size": 7,
        "epoch": epoch,
        "org_id": str(organisation),
        "top_leaf_index": 1,
        "top_inclusion_proof": [
            base64.b64encode(node).decode() for node in prove_inclusion(tops, index=1, size=3)
        ],
    }
    assert logged.judge(logged.proof(**stage), is_required=True) == (Kind.VALID, "")
    for change in (
        {"epoch": 10},
        {"org_id": str(uuid.UUID(int=8))},
        {"org_id": str(organisation).upper().replace("-", "")},
        {"org_tree_size": 20},  # the format does not bind it: 8 has the same path
        {"top_leaf_index": 0},
        {"org_root": base64.b64encode(bytes(32)).decode()},
    ):
        verdict = logged.judge(logged.proof(**{**stage, **change}))
        assert verdict[0] is Kind.TRANSPARENCY_UNVERIFIABLE


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "leaf_index": st.integers(0, 2**53 - 1),
            "inclusion_proof": st.lists(st.text(max_size=50), max_size=3),
            "checkpoint": st.text(max_size=200),
            "org_root": st.text(max_size=50),
            "org_tree_size": st.integers(0, 2**53 - 1),
            "epoch": st.integers(0, 2**53 - 1),
            "org_id": st.text(max_size=50),
        },
    )
)
def test_junk_in_the_slot_gets_a_verdict(forge: Any, junk: Json) -> None:
    logged = Logged(forge)
    kind, _ = logged.judge(logged.proof(**junk))
    assert kind in (Kind.VALID, Kind.MALFORMED, Kind.TRANSPARENCY_UNVERIFIABLE)
    assert (kind is Kind.VALID) == (logged.proof(**junk) == logged.proof())
