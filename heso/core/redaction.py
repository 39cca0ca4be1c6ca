"""Keeping a value out of a receipt while being able to prove it later (fact sheet, section 4).

    commitment  = BLAKE3(salt[32] ++ path ++ value_json)
    merkle_root = BLAKE3(every commitment in marker order, each followed by a newline)

Rule 1: redaction comes before hashing; the value never reaches the canonical bytes.
Rule 2: `value_json` is written once, here, and kept verbatim in the sidecar; checking hashes that text and never
        writes it again.
Rule 3: paths are relative to `fields`, split on dots, and walk objects only. A path that runs into something else
        hides that instead: an argument of another shape must not show what was meant to be hidden.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal, assert_never

import orjson

from heso.core.canonical import canonical_bytes
from heso.core.encoding import Digest, is_digest
from heso.core.errors import Malformed
from heso.core.forms import is_standin
from heso.core.hashing import digest
from heso.core.hot import hot_value
from heso.core.receipt import Json
from heso.core.strict_json import parse_json

SALT_BYTES = 32
COMMIT_SCHEME = "salted-blake3/v1"
DROP_SCHEME = "drop/v1"
DROPPED = "[redacted]"

Mode = Literal["commit_and_reveal", "destructive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal:
    """What opens one commitment. Whoever holds it knows the value."""

    field_path: str
    salt: bytes = field(repr=False)
    value_json: str = field(repr=False)


@hot_value
class Redacted:
    """Fields without the hidden values, the receipt's record of what was hidden, and what opens it.

    `record` is None when no path was present: nothing was hidden.
    """

    fields: Mapping[str, object] = field(repr=False)
    record: Json | None
    reveals: tuple[Reveal, ...] = field(repr=False, default=())


def redact_fields(
    fields: Mapping[str, object],
    paths: Sequence[str],
    *,
    draw_salt: Callable[[], bytes],
    mode: Mode = "commit_and_reveal",
) -> Redacted:
    """Hide the values at `paths`. A missing path hides nothing and draws no salt."""
    shown = dict(fields)
    literal = [path for path in paths if "." in path and path in shown]
    paths = [reached for path in paths if (reached := _reach(shown, path)) is not None]
    markers: list[Json] = []
    reveals: list[Reveal] = []
    commitments: list[Digest] = []
    # Policy reads such a key as well as the path. One spot after the other: each copies the objects on its way.
    spots = chain(
        ((path, shown, path) for path in literal),
        ((path, *_copy_down_to(shown, path)) for path in _outermost(paths)),
    )
    for path, parent, key in spots:
        match mode:
            case "commit_and_reveal":
                reveal = Reveal(
                    field_path=path,
                    salt=draw_salt(),
                    value_json=canonical_bytes(parent[key]).decode(),
                )
                commitment = commit(reveal)
                reveals.append(reveal)
                commitments.append(commitment)
                markers.append(_marker(path, COMMIT_SCHEME, commitment))
                parent[key] = {"_sd": commitment}
            case "destructive":
                markers.append(_marker(path, DROP_SCHEME, ""))
                parent[key] = DROPPED
            case _:
                assert_never(mode)
    if not markers:
        return Redacted(fields=fields, record=None)
    record: Json = {"mode": mode, "markers": markers}
    if mode == "commit_and_reveal":
        record["merkle_root"] = merkle_root(commitments)
    return Redacted(fields=shown, record=record, reveals=tuple(reveals))


def check_path(path: str) -> None:
    """Raise `ValueError` for a path that could never hide anything."""
    if not all(path.split(".")) or "*" in path:
        raise ValueError(f"{path!r} is no redact path: names separated by dots, no wildcards")


def commit(reveal: Reveal) -> Digest:
    """Raises `Malformed` for a salt that is not 32 bytes: nothing separates it from the path behind it."""
    if len(reveal.salt) != SALT_BYTES:
        raise Malformed("reveal", f"the salt is not {SALT_BYTES} bytes", reveal.field_path)
    return digest(reveal.salt + reveal.field_path.encode() + reveal.value_json.encode())


def merkle_root(commitments: Sequence[str]) -> Digest:
    return digest(b"".join(one.encode("ascii") + b"\n" for one in commitments))


def format_sidecar(reveals: Sequence[Reveal]) -> bytes:
    """The sidecar file: everything that opens a receipt's commitments, in marker order."""
    return orjson.dumps(
        {
            "reveals": [
                {"field_path": r.field_path, "salt_hex": r.salt.hex(), "value_json": r.value_json}
                for r in reveals
            ]
        }
    )


def parse_sidecar(data: bytes) -> tuple[Reveal, ...]:
    """Read a sidecar. Raises `Malformed`."""
    value = parse_json(data, what="reveal sidecar")
    rows = value.get("reveals") if isinstance(value, dict) else None
    if not isinstance(rows, list):
        raise Malformed("reveal sidecar", "no list `reveals`")
    return tuple(_parse_reveal(row, index) for index, row in enumerate(rows))


def check_reveals(content: Json, reveals: Sequence[Reveal]) -> tuple[Reveal, ...]:
    """The reveals, once every one of them opens the marker of its path in `content`.

    Raises `Malformed` for a reveal without a marker or one whose value is not what was committed to.
    """
    markers = _markers_by_path(content)
    for reveal in reveals:
        commitments = markers.get(reveal.field_path)
        if commitments is None:
            raise Malformed("reveal", "the receipt has no commitment here", reveal.field_path)
        commitment = commit(reveal)
        if commitment not in commitments or not _stands_there(
            content, reveal.field_path, commitment
        ):
            raise Malformed("reveal", "does not open the commitment", reveal.field_path)
    return tuple(reveals)


def has_sound_markers(record: Json) -> bool:
    """Whether every marker is spelled as its mode demands (verdict `MalformedRedaction` otherwise)."""
    markers: list[dict[str, str]] = record["markers"]  # type: ignore[assignment]  # the schema saw to it
    if record["mode"] == "destructive":
        return all(m["algorithm"] != COMMIT_SCHEME and m["commitment"] == "" for m in markers)
    return all(m["algorithm"] == COMMIT_SCHEME and is_digest(m["commitment"]) for m in markers)


def _outermost(paths: Sequence[str]) -> list[str]:
    """The paths without repeats, and without those that lie below another one: the whole parent is hidden."""
    unique = list(dict.fromkeys(paths))
    return [p for p in unique if not any(p.startswith(other + ".") for other in unique)]


def _reach(fields: Mapping[str, object], path: str) -> str | None:
    """The path to hide for `path`: itself, the part of it that is no object, or None when nothing is there."""
    found: object = fields
    walked: list[str] = []
    for segment in path.split("."):
        if not isinstance(found, dict) or is_standin(found):
            return None if found is None else ".".join(walked)
        if segment not in found:
            return None
        found = found[segment]
        walked.append(segment)
    return path


def _copy_down_to(root: dict[str, object], path: str) -> tuple[dict[str, object], str]:
    """The object that holds the last segment, every object on the way replaced by a copy of itself."""
    *parents, last = path.split(".")
    here = root
    for segment in parents:
        inner = dict(here[segment])  # type: ignore[call-overload]  # `_reach` walked it: it is a dict
        here[segment] = inner
        here = inner
    return here, last


def _stands_there(content: Json, path: str, commitment: Digest) -> bool:
    """Whether the receipt shows this very commitment at the path; not to be seen below a hidden parent is all right."""
    action = content.get("action")
    fields = action.get("fields") if isinstance(action, dict) else None
    if not isinstance(fields, dict):
        return True
    if path in fields:
        return bool(fields[path] == {"_sd": commitment})
    found: object = fields
    for segment in path.split("."):
        if not isinstance(found, dict) or segment not in found:
            return True
        found = found[segment]
    return bool(found == {"_sd": commitment})


def _marker(path: str, algorithm: str, commitment: str) -> Json:
    return {"field_path": path, "algorithm": algorithm, "commitment": commitment}


def _markers_by_path(content: Json) -> dict[str, set[str]]:
    """The commitments at each path; the format allows several. Dropped values have none."""
    record = content.get("redaction")
    found: dict[str, set[str]] = {}
    if isinstance(record, dict):
        for marker in record["markers"]:
            if marker["algorithm"] == COMMIT_SCHEME:
                found.setdefault(marker["field_path"], set()).add(marker["commitment"])
    return found


def _parse_reveal(row: object, index: int) -> Reveal:
    where = f"reveals.{index}"
    if not isinstance(row, dict):
        raise Malformed("reveal sidecar", "must be an object", where)
    path, salt_hex, value_json = (row.get(k) for k in ("field_path", "salt_hex", "value_json"))
    if not isinstance(path, str) or not isinstance(value_json, str):
        raise Malformed("reveal sidecar", "field_path and value_json must be text", where)
    if not is_digest(salt_hex):
        raise Malformed("reveal sidecar", "salt_hex must be 64 lower-case hex characters", where)
    return Reveal(field_path=path, salt=bytes.fromhex(str(salt_hex)), value_json=value_json)
