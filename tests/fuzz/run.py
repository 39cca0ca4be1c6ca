"""Fuzz one target with atheris: `python -m tests.fuzz.run TARGET [libFuzzer options]`.

New inputs that reach new code are kept in tests/fuzz/corpus/TARGET; a fault is written there as `crash-*` and belongs
to the corpus for good. Needs `pip install atheris`; `pytest tests/fuzz` replays what was found without it.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["heso"]):
    from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    target, *options = sys.argv[1:]
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [sys.argv[0], str(folder), f"-artifact_prefix={folder}/", *options]
    atheris.Setup(arguments, lambda data: TARGETS[target](bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
