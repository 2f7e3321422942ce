"""Uploading large files in parts: ``/v2/multipart`` (reference/extended-ecm.md 5)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.api.call import Call, Endpoint
from app.sandbox.content_server.uploads import LARGEST, PART_SIZE, SMALLEST


def settings(_: Call) -> Any:
    """``GET /v2/multipart/settings``: sizes in bytes."""
    return {"is_enabled": True, "max_size": LARGEST, "min_size": SMALLEST}


def start(call: Call) -> Any:
    """``POST /v2/multipart`` with ``file_name``, ``file_size`` and ``mime_type``."""
    size = call.number("file_size")
    if size is None:
        raise errors.missing_argument("file_size")
    mime_type = call.text("mime_type") or "application/octet-stream"
    upload = call.uploads.start(call.required("file_name"), size, mime_type)
    return {
        "max_retries": 3,
        "num_parts": upload.part_count,
        "part_size": PART_SIZE,
        "upload_key": upload.key,
    }


def add_part(call: Call) -> Any:
    """``POST /v2/multipart/{key}/{n}`` with the file ``part_content``."""
    file = call.body.files.get("part_content")
    if file is None:
        raise errors.missing_argument("part_content")
    call.uploads.add_part(str(call.path["key"]), call.path["number"], file.content)
    return {}


def finish(call: Call) -> Any:
    """``POST /v2/multipart/{key}``: all parts are there."""
    call.uploads.finish(str(call.path["key"]))
    return {}


def cancel(call: Call) -> Any:
    """``DELETE /v2/multipart/{key}``."""
    call.uploads.cancel(str(call.path["key"]))
    return {}


ENDPOINTS = (
    Endpoint("GET", "/v2/multipart/settings", settings),
    Endpoint("POST", "/v2/multipart", start, "FB"),
    Endpoint("POST", "/v2/multipart/{key}", finish, "F"),
    Endpoint("DELETE", "/v2/multipart/{key}", cancel),
    Endpoint("POST", "/v2/multipart/{key}/{number:int}", add_part, "M"),
)
