"""The root of every error this library raises, and the two that the wire format needs.

An error carries its values as attributes; `str(error)` is one lower-case sentence without a stack,
and `next_step` says what a person can do about it.
"""

from dataclasses import dataclass

from heso.core.strictness import StricterRule


class HesoError(Exception):
    """Anything heso refuses. `next_step` is one sentence, empty when there is nothing to do."""

    next_step: str = ""


@dataclass(eq=False)
class Malformed(HesoError):
    """A text or value that is not what it claims to be. `where` is a path such as `content.policy`.

    `rule` names a rule of ours that the format's reference does not have.
    """

    what: str
    why: str
    where: str = ""
    rule: StricterRule | None = None

    def __str__(self) -> str:
        place = f" at {self.where}" if self.where else ""
        return f"malformed {self.what}{place}: {self.why}"


@dataclass(eq=False)
class WrongPassphrase(HesoError):
    """The key container did not open: another passphrase, or a damaged file. The two look alike on purpose."""

    next_step = (
        "check HESO_KEY_PASSPHRASE or HESO_KEY_PASSPHRASE_FILE; a damaged key file needs its backup"
    )

    def __str__(self) -> str:
        return "the key file does not open with this passphrase, or it is damaged"
