"""Documents made from templates (reference/extended-ecm.md 5).

A document that lies in the Document Templates volume, outside the workspace templates, is a
template for every place.
"""

from __future__ import annotations

import math
from typing import Any

from app.sandbox.content_server import categories, errors
from app.sandbox.content_server.api.call import Call, Endpoint
from app.sandbox.content_server.api.workspace_lists import braced
from app.sandbox.content_server.bodies import UploadedFile
from app.sandbox.content_server.model import Node, NodeType
from app.sandbox.content_server.nodes import NodeRequest, create
from app.sandbox.content_server.render import links


def list_templates(call: Call) -> Any:
    """``GET /v2/nodes/{id}/doctemplates?subtypes={144}``: templates offered at the place."""
    if not call.node().is_container:
        raise errors.ApiError(400, "The item is not a container.")
    wanted = braced(call.query.get("subtypes", "{144}"))
    found = _templates(call) if str(int(NodeType.DOCUMENT)) in wanted else []
    rows = [_row(node) for node in found]
    shown = {
        "container": False,
        "hasTemplates": bool(rows),
        "name": "Document",
        "subtype": int(NodeType.DOCUMENT),
        "templates": rows,
    }
    return {"results": [shown]}


def create_document(call: Call) -> Any:
    """``POST /v2/doctemplates``: a copy of the template; 400 when the name exists."""
    template_id, parent_id = call.number("template_id"), call.number("parent_id")
    if template_id is None or parent_id is None:
        raise errors.missing_argument("template_id" if template_id is None else "parent_id")
    template = call.node(template_id)
    if template not in _templates(call):
        raise errors.ApiError(400, f"The template with the ID {template_id} is invalid.")
    newest = template.versions[-1]
    name = call.text("name") or template.name
    if call.store.child_by_name(call.node(parent_id).id, name) is not None:
        raise errors.ApiError(400, errors.name_taken(name).text)
    request = NodeRequest(
        NodeType.DOCUMENT,
        parent_id,
        name,
        call.text("description"),
        categories=categories.nested(call.fields.get("roles")),
        file=UploadedFile(newest.file_name, newest.mime_type, newest.content),
    )
    node = create(call.store, request, call.actor)
    return {
        "links": links("/v2/doctemplates", "POST"),
        "results": {"cacheId": call.store.random.randrange(1, 2**31), "id": node.id},
    }


def _templates(call: Call) -> list[Node]:
    return [
        node
        for volume in call.store.nodes.values()
        if volume.type == NodeType.TEMPLATES_VOLUME
        for node in call.visible(call.store.subtree(volume))
        if node.type == NodeType.DOCUMENT and call.store.enclosing_workspace(node) is None
    ]


def _row(node: Node) -> dict[str, Any]:
    size = len(node.versions[-1].content)
    return {
        "description_multilingual": {"en": node.description},
        "id": node.id,
        "isDPWizardAvailable": False,
        "mime_type": node.versions[-1].mime_type,
        "name": node.name,
        "name_multilingual": {"en": node.name},
        "size": size,
        "sizeformatted": f"{math.ceil(size / 1024)} KB",
        "type": int(node.type),
    }


ENDPOINTS = (
    Endpoint("GET", "/v2/nodes/{id:int}/doctemplates", list_templates),
    Endpoint("POST", "/v2/doctemplates", create_document, "B"),
)
