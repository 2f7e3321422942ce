"""What the caller may do with nodes: ``POST /v2/nodes/actions`` (reference/extended-ecm.md 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.sandbox.content_server import access
from app.sandbox.content_server.api.call import Call, Endpoint
from app.sandbox.content_server.api.permissions import listed
from app.sandbox.content_server.model import Node, NodeType
from app.sandbox.content_server.render import links


@dataclass(frozen=True)
class Action:
    """One entry of a menu: where it is called, and the permission it takes."""

    name: str
    method: str
    path: str
    permission: str
    only: str = ""

    def fits(self, node: Node) -> bool:
        """Whether this kind of node has the action at all."""
        if self.only == "container":
            return node.is_container
        return self.only != "document" or node.type == NodeType.DOCUMENT


ACTIONS: Mapping[str, Action] = {
    "open": Action("Open", "GET", "/nodes/{id}/nodes", "see_contents", "container"),
    "download": Action("Download", "GET", "/nodes/{id}/content", "see_contents", "document"),
    "addversion": Action("Add Version", "POST", "/nodes/{id}/versions", "modify", "document"),
    "reserve": Action("Reserve", "PUT", "/nodes/{id}", "reserve", "document"),
    "addcategory": Action("Add Category", "POST", "/nodes/{id}/categories", "edit_attributes"),
    "audit": Action("Audit", "GET", "/nodes/{id}/audit?limit=1000", "see"),
    "comment": Action("Comments", "", "", "see_contents"),
    "copy": Action("Copy", "POST", "/nodes", "see_contents"),
    "delete": Action("Delete", "DELETE", "/nodes/{id}", "delete"),
    "editpermissions": Action("Edit Permissions", "", "", "edit_permissions"),
    "makefavorite": Action("Add to Favorites", "POST", "/members/favorites/{id}", "see"),
    "move": Action("Move", "PUT", "/nodes/{id}", "delete"),
    "permissions": Action("Permissions", "GET", "/nodes/{id}/permissions", "see"),
    "properties": Action("Properties", "GET", "/nodes/{id}", "see"),
    "rename": Action("Rename", "PUT", "/nodes/{id}", "modify"),
}


def node_actions(call: Call) -> Any:
    """``POST /v2/nodes/actions`` with ``ids`` and perhaps ``actions``: a menu for each node."""
    wanted = call.fields.get("actions")
    chosen = wanted if isinstance(wanted, list) else [wanted] if wanted else list(ACTIONS)
    results = {str(node.id): _menu(call, node, chosen) for node in listed(call, "ids")}
    return {"links": links("/v2/nodes/actions", "POST"), "results": results}


def _menu(call: Call, node: Node, chosen: list[Any]) -> dict[str, Any]:
    held = access.effective(call.store, node, call.actor)
    data = {
        key: _entry(action, node)
        for key, action in ACTIONS.items()
        if key in chosen and action.fits(node) and access.holds(held, action.permission)
    }
    default = "open" if node.is_container else "download"
    shown = {"default_action": default if default in data else ""}
    return {"data": data, "map": shown, "order": list(data)}


def _entry(action: Action, node: Node) -> dict[str, str]:
    href = f"/api/v2{action.path}".format(id=node.id) if action.path else ""
    return {
        "body": "",
        "content_type": "",
        "form_href": "",
        "href": href,
        "method": action.method,
        "name": action.name,
    }


ENDPOINTS = (Endpoint("POST", "/v2/nodes/actions", node_actions, "FB"),)
