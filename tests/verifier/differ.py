"""Both verifiers, asked about receipts that were changed at random: they must not disagree.

python -m tests.verifier.differ [--count N] [--seed S]
"""

import argparse
import random
import sys
from pathlib import Path
from typing import Any

from heso.testing.vectors import answer, ask, differs, read_bytes, read_vectors, write_bytes

ROOT = Path(__file__).parents[2]
COMMAND = ("node", str(ROOT / "heso/verifier/conform.mjs"))
TOKENS = (b"null", b"true", b"0", b"-0", b"1.0", b"1e2", b"9007199254740993", b"\"\"", b"[]", b"{}", b",", b"\xff", b"\\ud800",
          b"\"a\":1,", b" ", b"\xe2\x80\xae", b"18446744073709551615", b"1e999")  # fmt: skip


def disagreements(count: int, seed: int) -> list[str]:
    """What the two say otherwise about `count` changed receipts and chains, in words."""
    dice = random.Random(seed)  # noqa: S311  # the same ones again, when they find something
    read = read_vectors(ROOT / "tests" / "vectors")
    vectors = [vector for _, vector in read if "kind" in vector["expect"]]
    asked: dict[str, Any] = {}
    for number in range(count):
        vector = dice.choice(vectors)
        receipts = [read_bytes(written) for written in vector["receipts"]]
        if receipts:
            place = dice.randrange(len(receipts))
            receipts[place] = changed(receipts[place], dice)
        terms = {**vector.get("terms", {}), "compat": dice.random() < 0.4}
        kind = "collection" if dice.random() < 0.2 else vector["kind"]
        written = [write_bytes(data) for data in receipts]
        question = {**vector, "kind": kind, "terms": terms, "receipts": written}
        question["expect"] = answer(question)
        asked[f"{seed}/{number} {vector['about']}"] = question
    found = []
    for name, expect, told in ask(COMMAND, asked):
        for key in differs(expect, told):
            found.append(f"{name}: {key} is {told.get(key)!r} in JavaScript, {expect[key]!r} here")
    return found


def changed(data: bytes, dice: random.Random) -> bytes:
    """One change, or sometimes a few."""
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        at = dice.randrange(len(data) + 1)
        end = min(len(data), at + dice.choice((0, 1, 1, 2, 8, 40)))
        match dice.randrange(5):
            case 0:
                data = data[:at] + data[end:]
            case 1:
                data = data[:at] + bytes((dice.randrange(256),)) + data[at + 1 :]
            case 2:
                data = data[:at] + dice.choice(TOKENS) + data[end:]
            case 3:
                data = data[:end] + data[at:end] + data[end:]
            case _:
                data = swap_value(data, dice)
    return data


def swap_value(data: bytes, dice: random.Random) -> bytes:
    """Another value behind one of the keys."""
    colons = [place for place, byte in enumerate(data) if byte == ord(":")]
    if not colons:
        return data
    start = dice.choice(colons) + 1
    end = next((place for place in range(start, len(data)) if data[place] in b",}]"), len(data))
    return data[:start] + dice.choice(TOKENS) + data[end:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    found = disagreements(options.count, options.seed)
    for line in found:
        sys.stdout.write(line + "\n")
    sys.stdout.write(f"{options.count} asked, seed {options.seed}: {len(found)} disagreements\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
