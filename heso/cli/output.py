"""Writing to people and to programs.

Rule 1: whatever an agent supplied goes through `visible` before it reaches a terminal. Escape sequences, text that
        runs backwards and characters that cannot be seen are shown as what they are.
Rule 2: colours and tables are for terminals; a pipe gets plain, tab-separated lines.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from heso.core.visible import is_hidden, visible

T = TypeVar("T")


def answer_json(line: str) -> None:
    """A line of JSON: exact for a program; on a terminal with hidden characters escaped, and with all that the stream
    cannot write: which is the same JSON."""
    if is_terminal() or not _can_write(line):
        line = "".join(map(_escaped, line))
    answer(line)


def _can_write(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escaped(character: str) -> str:
    if _can_write(character) and not (is_terminal() and is_hidden(character)):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def answer(line: str = "") -> None:
    """One line of what was asked for."""
    print(line)


def say(line: str) -> None:
    """One line of talk."""
    print(line, file=sys.stderr)


def fail(what: str, next_step: str = "", *, code: int = 1) -> int:
    """Tell what went wrong and what to do; gives the exit code to return."""
    say(f"heso: error: {visible(what)}")
    if next_step:
        say(f"heso: hint: {visible(next_step)}")
    return code


def is_terminal() -> bool:
    """Whether answers go to a person."""
    return sys.stdout.isatty()


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    styles: Sequence[str] = (),
    narrow: Sequence[str] = (),
) -> None:
    """Rows for a person as a table, for a program as tab-separated lines without a header.

    `styles` gives a rich style for each row, `narrow` names the columns that are never folded; cells are made visible
    here.
    """
    cells = [[visible(cell) for cell in row] for row in rows]
    if not is_terminal():
        for row in cells:
            answer("\t".join(row))
        return
    from rich.console import Console  # noqa: PLC0415  # only people need it, and it is slow to import
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for title in header:
        drawn.add_column(title, overflow="fold", no_wrap=title in narrow)
    for index, row in enumerate(cells):
        style = styles[index] if index < len(styles) else ""
        drawn.add_row(
            *(Text(cell) for cell in row), style=style
        )  # Text: markup in a cell is only text
    Console().print(drawn)


def with_progress(items: Iterable[T], total: int | None = None) -> Iterable[T]:
    """`items`, with a bar on stderr for a person who has to wait for them."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console  # noqa: PLC0415  # only people need it
    from rich.progress import track  # noqa: PLC0415

    console = Console(stderr=True)
    return track(items, total=total, description="verifying", console=console, transient=True)


def paint(text: str, style: str) -> str:
    """`text` in a colour when a person reads it: `green`, `red`, `yellow`, `bold` or `dim`."""
    codes = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
    return f"\x1b[{codes[style]}m{text}\x1b[0m" if is_terminal() else text
