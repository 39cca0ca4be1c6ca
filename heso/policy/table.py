"""Reading one TOML table strictly: each key is taken once, of one type; what nobody took is an error.

A silently ignored `sla_minuts` would be a hole, so an unknown key is refused with the nearest known one.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

from heso.policy.errors import PolicyError

T = TypeVar("T")


class Table:
    """A TOML table being read. Errors name `file`, `rule` (once it is known) and the key."""

    def __init__(self, values: object, *, file: str, rule: str = "", key: str = "") -> None:
        self.file = file
        self.rule = rule
        self._prefix = f"{key}." if key else ""
        if not isinstance(values, dict):
            raise PolicyError(file, "must be a table", rule, key)
        self._values: Mapping[str, object] = values
        self._taken: set[str] = set()
        self._known: set[str] = set()

    def name_rule(self, rule: str) -> None:
        """From here on errors name the rule instead of its place in the file."""
        self.rule = rule
        self._prefix = ""

    def fault(self, key: str, why: str) -> PolicyError:
        return PolicyError(self.file, why, self.rule, self._prefix + key)

    def has(self, key: str) -> bool:
        self._known.add(key)
        return key in self._values

    def raw(self, key: str) -> object:
        self._taken.add(key)
        if key not in self._values:
            raise self.fault(key, "is missing")
        return self._values[key]

    def text(self, key: str, default: str | None = None) -> str:
        return self._typed(key, str, "text", default)

    def flag(self, key: str, *, default: bool) -> bool:
        return self._typed(key, bool, "true or false", default)

    def integer(
        self,
        key: str,
        default: int | None = None,
        *,
        least: int | None = None,
        most: int = 2**53 - 1,
    ) -> int:
        number = self._typed(key, int, "a whole number", default)
        if least is not None and number < least:
            raise self.fault(key, f"must be at least {least}")
        if not -(2**53) < number <= most:
            raise self.fault(key, "is too large")
        return number

    def choice(self, key: str, allowed: Mapping[str, T], default: str | None = None) -> T:
        word = self.text(key, default)
        if word not in allowed:
            raise self.fault(key, f"{word!r} is not one of {', '.join(allowed)}")
        return allowed[word]

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of non-empty text; empty when the key is absent."""
        values = self._typed(key, list, "a list of text", [])
        for value in values:
            if not isinstance(value, str) or not value:
                raise self.fault(key, "must be a list of non-empty text")
        return tuple(values)

    def tables(self, key: str) -> list["Table"]:
        """A list of tables; empty when the key is absent."""
        values = self._typed(key, list, "a list of tables", [])
        return [
            Table(value, file=self.file, rule=self.rule, key=f"{self._prefix}{key}[{index}]")
            for index, value in enumerate(values)
        ]

    def finish(self) -> None:
        """Refuse every key that was not taken."""
        for key in self._values:
            if key not in self._taken:
                near = get_close_matches(key, self._taken | self._known, n=1)
                hint = f"; did you mean `{near[0]}`?" if near else ""
                raise self.fault(key, f"is not a known key{hint}")

    def _typed(self, key: str, kind: type[T], name: str, default: T | None) -> T:
        self._taken.add(key)
        if key not in self._values:
            if default is None:
                raise self.fault(key, "is missing")
            return default
        value = self._values[key]
        if type(value) is not kind:  # bool is an int to isinstance
            raise self.fault(key, f"must be {name}")
        return value
