"""Document versions and bytes (reference/extended-ecm.md 5)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from app.sandbox.content_server import errors, nodes
from app.sandbox.content_server.api.call import Call, Endpoint
from app.sandbox.content_server.model import Node, Version
from app.sandbox.content_server.render import links, version_properties


def add_version(call: Call) -> Any:
    """``POST /v2/nodes/{id}/versions``: multipart with ``file`` and ``description``."""
    node = call.node()
    file = call.body.files.get("file")
    if file is None:
        raise errors.missing_argument("file")
    version = nodes.add_version(call.store, node, file, call.text("description"), call.actor)
    path = f"/v2/nodes/{node.id}/versions"
    return {"links": links(path, "POST"), "results": {"data": _shown(call, node, version)}}


def list_versions(call: Call) -> Any:
    """``GET /v2/nodes/{id}/versions``, newest first."""
    node = call.node()
    found = [{"data": _shown(call, node, version)} for version in reversed(node.versions)]
    return {"links": links(f"/v2/nodes/{node.id}/versions"), "results": found}


def get_version(call: Call) -> Any:
    """``GET /v2/nodes/{id}/versions/{n}``."""
    node = call.node()
    version = _version(node, call.path["number"])
    path = f"/v2/nodes/{node.id}/versions/{version.number}"
    return {"links": links(path), "results": {"data": _shown(call, node, version)}}


def latest_version(call: Call) -> Any:
    """``GET /v1/nodes/{id}/versions/latest``."""
    node = call.node()
    return {"data": _shown(call, node, _version(node, None))["versions"]}


def purge_versions(call: Call) -> Any:
    """``DELETE /v2/nodes/{id}/versions`` with ``number_to_keep``."""
    node = call.node()
    keep = call.number("number_to_keep")
    if keep is None:
        raise errors.missing_argument("number_to_keep")
    nodes.purge_versions(call.store, node, keep, call.actor)
    return {"links": links(f"/v2/nodes/{node.id}/versions", "DELETE"), "results": {}}


def content(call: Call) -> Any:
    """``GET /v2/nodes/{id}/content`` and ``.../versions/{n}/content``: the bytes.

    A missing node is HTTP 500 here, with the text that other calls send as 400.
    """
    try:
        node = call.node()
    except errors.ApiError as refusal:
        raise errors.ApiError(500, refusal.text) from refusal
    call.require(node, "see_contents")
    version = _version(node, call.path.get("number"))
    kind = "attachment" if "action" in call.query else "inline"
    name = quote(version.file_name)
    return Response(
        version.content,
        media_type=version.mime_type,
        headers={"Content-Disposition": f"{kind}; filename*=UTF-8''{name}"},
    )


def _shown(call: Call, node: Node, version: Version) -> dict[str, Any]:
    zone = "Z" if call.store.behaviour.zulu_dates else ""
    return {"versions": version_properties(version, zone) | {"id": node.id}}


def _version(node: Node, number: int | None) -> Version:
    """The version with the number, or the newest; 400 when there is none."""
    for version in reversed(node.versions):
        if number in (None, version.number):
            return version
    raise errors.ApiError(400, "The version does not exist.")


_VERSIONS = "/v2/nodes/{id:int}/versions"
ENDPOINTS = (
    Endpoint("POST", _VERSIONS, add_version, "M"),
    Endpoint("GET", _VERSIONS, list_versions),
    Endpoint("DELETE", _VERSIONS, purge_versions, "F"),
    Endpoint("GET", f"{_VERSIONS}/{{number:int}}", get_version),
    Endpoint("GET", f"{_VERSIONS}/{{number:int}}/content", content),
    Endpoint("GET", "/v2/nodes/{id:int}/content", content),
    Endpoint("GET", "/v1/nodes/{id:int}/versions/latest", latest_version),
)
