"""From an action's fields back to the request that they describe: approved, kept, or changed by an approver.

Rule: values that a receipt shows by their hashes are read from the project's own folder and hashed again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from heso.async_gate.door import installed_gate
from heso.async_gate.errors import GateError
from heso.core.encoding import Digest
from heso.core.errors import Malformed
from heso.integrations.describing import FORM, HTTP
from heso.integrations.exchange import Exchange
from heso.integrations.hiding import put_back
from heso.integrations.multipart import Part
from heso.integrations.payloads import restore_payloads

_BOUNDARY = "heso-7b1f0c52a9d84e6fb3c6d0e8a4517f29"


def exchange_of(fields: Mapping[str, object], headers: Mapping[str, str]) -> Exchange:
    """The request that these fields describe. `headers` are those that no receipt shows. Raises `GateError`."""
    http = http_of(fields)
    try:
        body, content_type = _body_of(fields, http)
    except Malformed as error:
        why = f"its body cannot be made again: {error}"
        raise GateError("the request", why, "send it where it was asked for") from error
    query = str(http.get("query", ""))
    url = f"{http['origin']}{http['path']}" + (f"?{query}" if query else "")
    added = cast("dict[str, str]", http.get("headers", {}))
    kind = {"content-type": content_type} if content_type else {}
    kept = {name: value for name, value in headers.items() if name != "content-type"}
    return Exchange(
        method=str(http["method"]),
        url=url,
        headers={**kept, **added, **kind},
        body=body,
        via=str(http.get("via", "")),
    )


def http_of(fields: Mapping[str, object]) -> dict[str, object]:
    http = fields.get(HTTP)
    if not isinstance(http, dict):
        raise GateError("the request", "it does not say what it was", "ask again")
    return http


def _body_of(fields: Mapping[str, object], http: Mapping[str, object]) -> tuple[bytes, str]:
    kind = str(http["media_type"])
    named = {name: value for name, value in fields.items() if name != HTTP}
    if "body" in http:
        content = restore_payloads(http["body"], _find_payload)
        return (content.content if isinstance(content, Part) else _write_json(content)), kind
    if not kind and not named:
        return b"", ""
    moved = cast("dict[str, object]", http.get("hidden", {}))
    restored = cast("dict[str, object]", restore_payloads(put_back(named, moved), _find_payload))
    if kind == FORM:
        order = cast("list[str]", http.get("order") or [])
        return _write_parts(restored, order), f"{kind}; boundary={_BOUNDARY}"
    return _write_json(restored), kind


def _write_json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        raise Malformed("body", "holds files where JSON has none") from None


def _find_payload(name: Digest) -> bytes | None:
    gate = installed_gate()
    return None if gate is None else gate.reveals.find(name)


def _write_parts(fields: Mapping[str, object], order: Sequence[str]) -> bytes:
    left = {name: iter(v if isinstance(v, list) else [v]) for name, v in fields.items()}
    in_turn = order or [n for n, v in fields.items() for _ in (v if isinstance(v, list) else [v])]
    lines: list[bytes] = []
    for name in in_turn:
        item: Any = next(left[name])
        part = item if isinstance(item, Part) else Part("", str(item).encode())
        where = f'form-data; name="{name}"'
        if part.filename is not None:
            where += f'; filename="{part.filename}"'
        if _BOUNDARY.encode() in part.content:
            raise Malformed("multipart body", "holds the boundary")
        lines += [f"--{_BOUNDARY}".encode(), f"Content-Disposition: {where}".encode()]
        if part.media_type:
            lines.append(b"Content-Type: " + part.media_type.encode("latin-1"))
        lines += [b"", part.content]
    lines += [f"--{_BOUNDARY}--".encode(), b""]
    return b"\r\n".join(lines)
