"""Document versions and bytes (reference/extended-ecm.md 5)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from app.sandbox.content_server import errors, versions
from app.sandbox.content_server.api.call import Call, Endpoint, to_bool
from app.sandbox.content_server.audit_trail import AuditEvent
from app.sandbox.content_server.model import Node, Version
from app.sandbox.content_server.render import links, version_properties
from app.sandbox.content_server.versions import find


def add_version(call: Call) -> Any:
    """``POST /v2/nodes/{id}/versions``: multipart with ``file`` and ``description``."""
    node = call.node()
    file = call.uploaded()
    if file is None:
        raise errors.missing_argument("file")
    major = to_bool(call.fields.get("add_major_version"))
    version = versions.add(
        call.store, node, file, call.text("description"), call.actor, major=major
    )
    call.use_up()
    return _answer(call, node, version, "POST")


def list_versions(call: Call) -> Any:
    """``GET /v2/nodes/{id}/versions``, newest first."""
    node = call.node()
    found = [{"data": _shown(call, node, version)} for version in reversed(node.versions)]
    return {"links": links(f"/v2/nodes/{node.id}/versions"), "results": found}


def get_version(call: Call) -> Any:
    """``GET /v2/nodes/{id}/versions/{n}``."""
    node = call.node()
    return _answer(call, node, find(node, call.path["number"]), "GET")


def latest_version(call: Call) -> Any:
    """``GET /v1/nodes/{id}/versions/latest``."""
    node = call.node()
    return {"data": _shown(call, node, find(node, None))["versions"]}


def purge_versions(call: Call) -> Any:
    """``DELETE /v2/nodes/{id}/versions`` with ``number_to_keep``."""
    node = call.node()
    keep = call.number("number_to_keep")
    if keep is None:
        raise errors.missing_argument("number_to_keep")
    versions.purge(call.store, node, keep, call.actor)
    return {"links": links(f"/v2/nodes/{node.id}/versions", "DELETE"), "results": {}}


def delete_version(call: Call) -> Any:
    """``DELETE /v2/nodes/{id}/versions/{n}``."""
    node = call.node()
    versions.delete(call.store, node, find(node, call.path["number"]), call.actor)
    return {"links": links(f"/v2/nodes/{node.id}/versions", "DELETE"), "results": {}}


def lock_version(call: Call) -> Any:
    """``POST .../versions/{n}/lock``."""
    return _locked(call, True)


def unlock_version(call: Call) -> Any:
    """``POST .../versions/{n}/unlock``."""
    return _locked(call, False)


def promote_version(call: Call) -> Any:
    """``POST .../versions/{n}/promote``: a minor version becomes a major one."""
    node = call.node()
    found = find(node, call.path["number"])
    return _answer(call, node, versions.promote(call.store, node, found, call.actor), "POST")


def content(call: Call) -> Any:
    """``GET /v2/nodes/{id}/content`` and ``.../versions/{n}/content``: the bytes.

    A missing node is HTTP 500 here, with the text that other calls send as 400.
    """
    try:
        node = call.node()
    except errors.ApiError as refusal:
        raise errors.ApiError(500, refusal.text) from refusal
    call.require(node, "see_contents")
    version = find(node, call.path.get("number"))
    call.store.record(node, AuditEvent.VERSION_OPENED, call.actor.id, value=str(version.number))
    kind = "attachment" if "action" in call.query else "inline"
    name = quote(version.file_name)
    return Response(
        version.content,
        media_type=version.mime_type,
        headers={"Content-Disposition": f"{kind}; filename*=UTF-8''{name}"},
    )


def _locked(call: Call, locked: bool) -> Any:
    node = call.node()
    found = find(node, call.path["number"])
    changed = versions.lock(call.store, node, found, call.actor, locked=locked)
    return _answer(call, node, changed, "POST")


def _answer(call: Call, node: Node, version: Version, method: str) -> dict[str, Any]:
    path = f"/v2/nodes/{node.id}/versions"
    if method == "GET":
        path += f"/{version.number}"
    return {"links": links(path, method), "results": {"data": _shown(call, node, version)}}


def _shown(call: Call, node: Node, version: Version) -> dict[str, Any]:
    zone = "Z" if call.store.behaviour.zulu_dates else ""
    return {"versions": version_properties(version, zone) | {"id": node.id}}


_VERSIONS = "/v2/nodes/{id:int}/versions"
_ONE = f"{_VERSIONS}/{{number:int}}"
ENDPOINTS = (
    Endpoint("POST", _VERSIONS, add_version, "M"),
    Endpoint("GET", _VERSIONS, list_versions),
    Endpoint("DELETE", _VERSIONS, purge_versions, "F"),
    Endpoint("GET", _ONE, get_version),
    Endpoint("DELETE", _ONE, delete_version),
    Endpoint("POST", f"{_ONE}/lock", lock_version),
    Endpoint("POST", f"{_ONE}/unlock", unlock_version),
    Endpoint("POST", f"{_ONE}/promote", promote_version),
    Endpoint("GET", f"{_ONE}/content", content),
    Endpoint("GET", "/v2/nodes/{id:int}/content", content),
    Endpoint("GET", "/v1/nodes/{id:int}/content", content),
    Endpoint("GET", "/v1/nodes/{id:int}/versions/{number:int}/content", content),
    Endpoint("GET", "/v1/nodes/{id:int}/versions/latest", latest_version),
)
