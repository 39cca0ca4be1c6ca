"""Text of unknown origin, for people: nothing in it steers a terminal or hides from a reader."""

import unicodedata

# Shown as nothing at all, though Unicode calls them letters and marks.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0"
) | frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
_HIDDEN = frozenset(
    {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
)  # control, format, surrogate, private, unassigned


def visible(text: str) -> str:
    """`text` with every character that could steer a terminal or hide from a reader written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if not is_hidden(character):
        return character
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    code = ord(character)
    return named.get(character) or (f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")


def is_hidden(character: str) -> bool:
    """Whether a reader would not see this character, or see others in its place."""
    return character in _BLANK or unicodedata.category(character) in _HIDDEN
