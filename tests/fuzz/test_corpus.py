"""What fuzzing found is read again: every kept input through its target, without the fuzzer."""

import time
from pathlib import Path

import pytest

pytest.importorskip("rfc3161_client", reason="NO `time` EXTRA: one of the targets needs it")

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
SLOW_SECONDS = 5.0  # for one input; the slowest takes a hundredth of it


@pytest.mark.parametrize("name", TARGETS)
def test_every_kept_input_is_read_or_refused(name: str) -> None:
    inputs = sorted(path for path in (CORPUS / name).glob("*") if path.is_file())
    if not inputs:
        pytest.skip(f"NO CORPUS for {name}: python -m tests.fuzz.run {name}")
    read = TARGETS[name]
    slow = []
    for path in inputs:
        data = path.read_bytes()
        start = time.perf_counter()
        try:
            read(data)
        except Exception as error:
            error.add_note(f"input: {path}")
            raise
        if time.perf_counter() - start > SLOW_SECONDS:
            slow.append(path.name)
    assert slow == []


def test_every_folder_of_the_corpus_has_a_target() -> None:
    folders = {path.name for path in CORPUS.iterdir() if path.is_dir()}
    assert folders <= set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"{}", b"[]", b"null", b"\xff" * 300, b"[" * 5000, b"\n" * 1000, b"-0", b'{"":' * 300],
    ids=["nothing", "nul", "object", "array", "null", "ff", "deep", "lines", "minus-zero", "keys"],
)  # fmt: skip
def test_the_plainest_inputs_are_read_or_refused(name: str, data: bytes) -> None:
    TARGETS[name](data)
