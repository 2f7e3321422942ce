"""The request encodings of Content Server (reference/extended-ecm.md 0 and 9.1).

``F`` a flat form, ``B`` a form whose one field ``body`` is a JSON object, ``M`` a multipart form
with a file and either kind of fields, ``J`` a JSON document. A call accepts what it declares; the
lenient switch accepts all four everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.requests import Request

from app.sandbox.content_server import errors

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
LARGEST_FIELD = 16 * 1024 * 1024
_MEANING = {
    "F": "form fields",
    "B": "a form with one field 'body' that holds JSON",
    "M": "multipart/form-data",
    "J": "application/json",
}


@dataclass(frozen=True)
class UploadedFile:
    """The file part of a multipart request."""

    name: str
    mime_type: str
    content: bytes


@dataclass
class Body:
    """The fields of a request, whatever their encoding, and its files by part name.

    ``wrapped``: they came as the JSON of the one field ``body``.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    wrapped: bool = False
    files: dict[str, UploadedFile] = field(default_factory=dict)


async def read_body(request: Request, accepted: str, *, lenient: bool) -> Body:
    """The fields of the request; ``accepted`` is a string of the letters above.

    Raises ApiError 400 for an encoding that the call does not take, and for broken JSON. A request
    without a body is an empty one.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    allowed = "FBMJ" if lenient else accepted
    if content_type == MULTIPART:
        return await _multipart(request, allowed)
    raw = await request.body()
    if not raw:
        return Body()
    if content_type == FORM:
        # What is not UTF-8 becomes a replacement character, as the product shows it too.
        pairs = parse_qsl(raw.decode(errors="replace"), keep_blank_values=True)
        return _body(pairs, allowed)
    if content_type == "application/json" and "J" in allowed:
        return Body(_json_object(raw))
    raise _refused(allowed, content_type)


async def _multipart(request: Request, allowed: str) -> Body:
    if "M" not in allowed:
        raise _refused(allowed, MULTIPART)
    body = Body()
    pairs: list[tuple[str, str]] = []
    if "boundary=" not in request.headers.get("content-type", ""):
        raise errors.ApiError(400, "The multipart request cannot be parsed.")
    async with request.form(max_part_size=LARGEST_FIELD) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                mime_type = value.content_type or "application/octet-stream"
                body.files[name] = UploadedFile(value.filename or "", mime_type, await value.read())
            else:
                pairs.append((name, value))
    read = _body(pairs, "FB")
    body.fields, body.wrapped = read.fields, read.wrapped
    return body


def _body(pairs: Iterable[tuple[str, str]], allowed: str) -> Body:
    flat: dict[str, Any] = {}
    for name, value in pairs:
        if name not in flat:
            flat[name] = value
        elif isinstance(flat[name], list):
            flat[name].append(value)
        else:
            flat[name] = [flat[name], value]
    if "B" in allowed and isinstance(flat.get("body"), str):
        return Body(_json_object(flat["body"]), wrapped=True)
    if "F" not in allowed and flat:
        raise _refused(allowed, FORM)
    return Body(flat)


def _json_object(raw: str | bytes) -> dict[str, Any]:
    try:
        # Half of a surrogate pair is no text that an answer could hold.
        parsed = _whole(json.loads(raw))
    except (ValueError, RecursionError) as broken:
        raise errors.ApiError(400, "The JSON of the request cannot be parsed.") from broken
    if not isinstance(parsed, dict):
        raise errors.ApiError(400, "The JSON of the request is not an object.")
    return parsed


def _refused(allowed: str, content_type: str) -> errors.ApiError:
    wanted = " or ".join(_MEANING[letter] for letter in allowed) or "no body"
    return errors.ApiError(
        400, "Invalid request body.", f"This call takes {wanted}, not '{content_type}'."
    )


def _whole(value: Any) -> Any:
    """The value with each text made valid Unicode."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return value
