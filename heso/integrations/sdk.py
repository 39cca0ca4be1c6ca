"""What has to be known of a model provider's SDK. Each has a file of its own."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from heso.core.redaction import check_path
from heso.integrations.describing import Settings
from heso.integrations.payloads import LARGEST_TEXT, MOST_TOGETHER


@dataclass(frozen=True, slots=True)
class Sdk:
    """`name` is its package and the tool on receipts; its clients derive from `bases` of `home`."""

    name: str
    home: str
    base_names: tuple[str, ...]
    tested: tuple[int, int]
    """The oldest and the newest major version that the tests run against."""

    def is_installed(self) -> bool:
        return self.name in sys.modules or find_spec(self.name) is not None

    def is_loaded(self) -> bool:
        return self.home in sys.modules

    def bases(self) -> tuple[type, ...]:
        module = import_module(self.home)
        return tuple(getattr(module, name) for name in self.base_names)

    def settings(
        self, *, name: str | None, redact: Iterable[str], largest: int | None, outcomes: bool
    ) -> Settings:
        """Raises `TypeError` or `ValueError` for what could hide nothing or show nothing."""
        if isinstance(redact, str):  # which would be read as its letters
            raise TypeError(f"redact takes a list of paths: redact=[{redact!r}]")
        paths = tuple(redact)
        for path in paths:
            check_path(path)
        if largest is not None and not 0 < largest <= MOST_TOGETHER:
            raise ValueError(
                f"largest is a number of bytes from 1 to {MOST_TOGETHER}, not {largest}"
            )
        return Settings(
            name=name or self.name,
            redact=paths,
            largest=largest or LARGEST_TEXT,
            records_outcomes=outcomes,
        )
