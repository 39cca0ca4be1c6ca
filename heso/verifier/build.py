"""Writes what is made of other files: `schema.mjs`, the wire format's table, and `verify.html`, the page in one file.

    python -m heso.verifier.build [--check]

The table is `heso.core.schema`, so the two verifiers cannot come to know different formats. `--check` writes nothing and
fails when a file is not what it would be.
"""

import base64
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

from heso.core.schema import ENVELOPE
from heso.core.shapes import Flag, Free, Integer, ListOf, OneOf, Record, Shape, Text

HERE = Path(__file__).parent

_SCHEMA = """\
// Made by build.py from heso/core/schema.py: what a HESO/1 receipt may look like. `largest` is text: it may be beyond a
// double.

export const ENVELOPE = {};
"""


_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'none'; img-src 'none'; "
    "form-action 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.mjs";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const|let) (\w+))", re.MULTILINE)
_COMMENT = re.compile(r"^ *//.*\n", re.MULTILINE)
_INDENT = re.compile(r"^ +", re.MULTILINE)
_BLANK = re.compile(r"\n{2,}")


def made() -> dict[str, str]:
    """The text of every made file, by name."""
    schema = _SCHEMA.format(json.dumps(_as_json(ENVELOPE), separators=(",", ":")))
    return {"schema.mjs": schema, "verify.html": _page(schema)}


def _page(schema: str) -> str:
    script = _join("page", {"schema": schema}, set())
    style = _squeeze((HERE / "page.css").read_text())
    policy = _POLICY.format(script=_pin(script), style=_pin(style))
    page = (HERE / "page.html").read_text()
    for name, text in (("csp", policy), ("style", style), ("script", script)):
        page = page.replace(f"{{{name}}}", text)
    return page


def _join(name: str, texts: dict[str, str], done: set[str]) -> str:
    """A module and what it imports, each a function of its own that gives what it exports."""
    text = texts.get(name) or (HERE / f"{name}.mjs").read_text()
    before = "".join(
        _join(needed, texts, done) for _, needed in _IMPORT.findall(text) if needed not in done
    )
    done.add(name)
    names = _EXPORT.findall(text)
    body = _EXPORT.sub("", _IMPORT.sub(r"const \1 = \2_;\n", text))
    if re.search(r"const \{[^}]* as ", body):
        raise ValueError(f"{name}: an import under another name is not joined")
    body = _squeeze(_COMMENT.sub("", body))
    return f"{before}const {name}_ = (() => {{\n{body}return {{ {', '.join(names)} }};\n}})();\n"


def _squeeze(text: str) -> str:
    """Without indentation and empty lines: the files beside it are for reading, and the page for sending."""
    return _BLANK.sub("\n", _INDENT.sub("", text)).lstrip("\n")


def _pin(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _as_json(shape: Shape) -> object:
    match shape:
        case Record():
            return _record(shape)
        case ListOf(item=item):
            return {"list": _as_json(item)}
        case OneOf(names=names, record=record):
            return {"names": names} | ({} if record is None else {"orRecord": _record(record)})
        case Integer(largest=largest):
            return {"largest": str(largest)}
        case Text() | Flag() | Free():
            return {"kind": _KINDS[shape]}
        case _:
            assert_never(shape)


_KINDS = {
    Text(): "text",
    Flag(): "flag",
    Free(): "free",
    Free(is_object=True): "object",
}


def _record(shape: Record) -> object:
    return {
        "record": {key: _as_json(of) for key, of in shape.required.items()},
        "optional": {key: _as_json(of) for key, of in shape.optional.items()},
        "isSealed": shape.is_sealed,
        "drops": sorted(shape.drops),
        "neverNull": sorted(shape.never_null),
    }


def main(arguments: Sequence[str]) -> int:
    stale = [
        name
        for name, text in made().items()
        if not (HERE / name).exists() or (HERE / name).read_bytes() != text.encode()
    ]
    if "--check" in arguments:
        for name in stale:
            sys.stderr.write(f"{name} is not what build.py makes: python -m heso.verifier.build\n")
        return 1 if stale else 0
    for name, text in made().items():
        (HERE / name).write_bytes(text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
