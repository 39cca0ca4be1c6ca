"""What is wrong with a policy file: always the file, the rule and the key, so that it can be mended."""

from dataclasses import dataclass

from heso.core.errors import HesoError


@dataclass(eq=False)
class PolicyError(HesoError):
    """A policy that is not loaded. Nothing runs under a policy that could not be read in full."""

    file: str
    why: str
    rule: str = ""
    key: str = ""

    next_step = "mend the file and run `heso policy check`"

    def __str__(self) -> str:
        rule = f", rule {self.rule!r}" if self.rule else ""
        key = f", key `{self.key}`" if self.key else ""
        return f"{self.file}{rule}{key}: {self.why}"


@dataclass(eq=False)
class FloorBypass(PolicyError):
    """A rule that would let an action below its verb's built-in floor (code `FLOOR_BYPASS`)."""

    verb: str = ""
    code = "FLOOR_BYPASS"

    def __str__(self) -> str:
        return f"[{self.code}] {super().__str__()}"
