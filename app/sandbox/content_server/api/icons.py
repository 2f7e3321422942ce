"""The icon of a workspace (reference/extended-ecm.md 2.7)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from app.sandbox.content_server import errors
from app.sandbox.content_server.api.call import Call, Endpoint
from app.sandbox.content_server.model import Icon, Node, Workspace

LARGEST = 1024 * 1024


def set_icon(call: Call) -> Any:
    """``POST`` and ``PUT /v2/businessworkspaces/{id}/icons``: a ``file`` under 1 MB."""
    node, workspace = _workspace(call)
    call.require(node, "modify")
    file = call.body.files.get("file")
    if file is None:
        raise errors.missing_argument("file")
    if len(file.content) >= LARGEST:
        raise errors.ApiError(400, "The icon is larger than 1 MB.")
    workspace.icon = Icon(call.text("file_content_type") or file.mime_type, file.content)
    call.store.touch(node, call.actor.id)
    return {"results": {"id": node.id}}


def get_icon(call: Call) -> Any:
    """``GET .../icons``: the picture; 404 when the workspace has none of its own."""
    _, workspace = _workspace(call)
    if workspace.icon is None:
        raise errors.ApiError(404, "The workspace has no icon.")
    return Response(workspace.icon.content, media_type=workspace.icon.mime_type)


def delete_icon(call: Call) -> Any:
    """``DELETE .../icons``."""
    node, workspace = _workspace(call)
    call.require(node, "modify")
    workspace.icon = None
    return {"results": {}}


def _workspace(call: Call) -> tuple[Node, Workspace]:
    node = call.workspace()
    assert node.workspace is not None
    return node, node.workspace


_ICONS = "/v2/businessworkspaces/{id:int}/icons"
ENDPOINTS = (
    Endpoint("GET", _ICONS, get_icon),
    Endpoint("POST", _ICONS, set_icon, "M"),
    Endpoint("PUT", _ICONS, set_icon, "M"),
    Endpoint("DELETE", _ICONS, delete_icon),
)
