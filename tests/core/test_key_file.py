"""The key container: it opens with its passphrase, and with nothing else."""

import struct

import pytest

from heso.core.errors import HesoError, Malformed, WrongPassphrase
from heso.core.key_file import open_key, seal_key

SEED = bytes(range(32))
SALT = b"\xa5" * 16
NONCE = b"\x5a" * 24
CHEAP = {"opslimit": 1, "memory_kib": 8}
COSTS = struct.Struct(">II")


@pytest.fixture(scope="module")
def container() -> bytes:
    return seal_key(SEED, b"correct horse", salt=SALT, nonce=NONCE, **CHEAP)


def with_costs(container: bytes, opslimit: int, memory_kib: int) -> bytes:
    return container[:8] + COSTS.pack(opslimit, memory_kib) + container[16:]


def test_the_right_passphrase_gives_the_seed_back(container: bytes) -> None:
    assert open_key(container, b"correct horse") == SEED
    assert (len(container), container[:8]) == (104, b"HESOKEY1")
    assert container[8:56] == COSTS.pack(1, 8) + SALT + NONCE
    assert SEED not in container


@pytest.mark.parametrize(
    "passphrase", [b"", b"correct horse ", b"Correct horse", b"correct horse\x00", b"\xff" * 1000]
)
def test_another_passphrase_does_not_open_it(container: bytes, passphrase: bytes) -> None:
    with pytest.raises(WrongPassphrase) as caught:
        open_key(container, passphrase)
    assert str(caught.value) == "the key file does not open with this passphrase, or it is damaged"
    assert caught.value.next_step.startswith("check HESO_KEY_PASSPHRASE")


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_a_flip_of_any_byte_keeps_it_shut(container: bytes, flip: int) -> None:
    for place in range(len(container)):
        changed = bytearray(container)
        changed[place] ^= flip
        if place == 13 and flip != 0x01:
            continue  # honest costs of hundreds of MiB; the next test has the bounds
        with pytest.raises((Malformed, WrongPassphrase)):
            open_key(bytes(changed), b"correct horse")


@pytest.mark.parametrize(
    "costs",
    [
        (0, 8),
        (17, 8),
        (2**32 - 1, 8),
        (1, 0),
        (1, 7),
        (1, 1024 * 1024 + 1),
        (1, 2**32 - 1),
        (2**32 - 1, 2**32 - 1),
    ],
)
def test_hostile_costs_are_refused_before_any_work(
    container: bytes, costs: tuple[int, int]
) -> None:
    with pytest.raises(Malformed, match="costs are out of bounds"):
        open_key(with_costs(container, *costs), b"correct horse")


def test_other_costs_within_bounds_do_not_open_it(container: bytes) -> None:
    for costs in ((2, 8), (1, 9), (16, 8)):
        with pytest.raises(WrongPassphrase):
            open_key(with_costs(container, *costs), b"correct horse")


def test_bytes_that_are_no_container_are_malformed(container: bytes) -> None:
    others = [
        b"",
        SEED,
        container[:-1],
        container + b"\n",
        container[1:] + b"\x00",
        b"HSK1" + container[4:],
    ]
    for other in others:
        with pytest.raises(Malformed, match="not a heso key container"):
            open_key(other, b"correct horse")


@pytest.mark.parametrize(
    "costs",
    [
        {"opslimit": 17, "memory_kib": 8},
        {"opslimit": 0, "memory_kib": 8},
        {"opslimit": 1, "memory_kib": 7},
    ],
)
def test_a_container_that_could_never_be_opened_is_not_made(costs: dict[str, int]) -> None:
    with pytest.raises((HesoError, ValueError)):
        seal_key(SEED, b"p", salt=SALT, nonce=NONCE, **costs)


PARTS = {"seed": SEED, "salt": SALT, "nonce": NONCE}


@pytest.mark.parametrize("cut", [0, 1, -1])
@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_another_size_makes_no_container(part: str, cut: int) -> None:
    right = PARTS[part]
    wrong = right + b"\x00" if cut == 1 else right[:cut]
    parts = {**PARTS, part: wrong}
    with pytest.raises((HesoError, ValueError, TypeError)):
        seal_key(parts["seed"], b"p", salt=parts["salt"], nonce=parts["nonce"], **CHEAP)
