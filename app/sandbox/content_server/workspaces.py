"""Business workspaces: creation from templates, names and places by rule, references, upsert.

reference/extended-ecm.md 2.5 to 2.7. `create` is creation by hand (POST), `upsert` the automatic
creation of the bulk call (PUT), which finds the workspace by its business object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.content_server import access, categories, errors, relations, roles
from app.sandbox.content_server.audit_trail import AuditEvent
from app.sandbox.content_server.copying import copy_template
from app.sandbox.content_server.happenings import happened
from app.sandbox.content_server.model import (
    BusinessObjectType,
    BusinessReference,
    Member,
    Node,
    NodeType,
    Workspace,
    WorkspaceType,
)
from app.sandbox.content_server.store import Store

NAME_LIMIT = 248
_MARK = re.compile(r"\[(\d+):(\d+)\]")


@dataclass
class WorkspaceRequest:
    """What a create call asks for, already typed; ids are None when the request has none."""

    name: str = ""
    description: str = ""
    template_id: int | None = None
    type_id: int | None = None
    parent_id: int | None = None
    reference: BusinessReference | None = None
    shared_workspace_id: int | None = None
    categories: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    external: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    relations: list[tuple[str, BusinessReference]] = field(default_factory=list)
    role_users: Mapping[str, list[str]] = field(default_factory=dict)


def create(store: Store, request: WorkspaceRequest, actor: Member, *, by_hand: bool = True) -> Node:
    """Make a workspace, or attach the business object to ``shared_workspace_id``.

    Everything is checked before anything is filed, so a refused request leaves nothing behind.
    """
    if request.shared_workspace_id is not None:
        return _attach(store, request, actor)
    _check_reference(store, request.reference)
    template = _template(store, request)
    kind = _type_of(store, template)
    _check_kind(store, request.reference, kind)
    values = _values(store, template, request, actor)
    name = _name(kind, values, request)
    parent = _parent(store, kind, request, by_hand)
    access.require(store, parent, actor, "add_items")
    if store.child_by_name(parent.id, name) is not None:
        raise errors.name_taken(name)
    users = roles.resolve(store, template, request.role_users)
    node = store.new_node(
        parent.id,
        name,
        NodeType.WORKSPACE,
        actor.id,
        description=request.description,
        external=dict(request.external),
        workspace=Workspace(kind.id, template.id),
        categories=values,
    )
    if request.reference is not None:
        store.link(node, request.reference)
    store.record(node, AuditEvent.CREATE, actor.id)
    copy_template(store, template, node, actor)
    roles.replace_users(store, node, users)
    if kind.creator_leads:
        roles.add_to_lead(store, node, actor)
    relations.relate_objects(store, node, request.relations)
    return node


def upsert(store: Store, request: WorkspaceRequest, actor: Member) -> Node:
    """Create, or update the workspace that the business object has (reference 2.5, bulk)."""
    known = store.linked_workspace(request.reference) if request.reference else None
    if known is None:
        return create(store, request, actor, by_hand=False)
    if not access.visible(store, known, actor):
        raise errors.not_accessible()
    access.require(store, known, actor, "modify", "edit_attributes")
    template = store.workspace(_workspace(known).template_id)
    values = _values(store, known, request, actor)
    kind = _type_of(store, template)
    name = _name(kind, values, request) if kind.name_pattern else request.name or known.name
    users = roles.resolve(store, known, request.role_users)
    if name != known.name:
        store.place(known, known.parent_id, name)
        store.record(known, AuditEvent.RENAME, actor.id, value=name)
    if values != known.categories:
        known.categories = values
        store.record(known, AuditEvent.ATTRIBUTE_CHANGED, actor.id)
    store.touch(known, actor.id)
    roles.replace_users(store, known, users)
    relations.relate_objects(store, known, request.relations)
    return known


def complete(store: Store, node: Node, reference: BusinessReference, actor: Member) -> None:
    """Give a workspace (another) business object; a generated name is made anew."""
    _check_type(store, reference)
    kind, name = store.workspace_types[_workspace(node).type_id], node.name
    if kind.name_pattern:
        name = _name(kind, node.categories, WorkspaceRequest(name, reference=reference))
    if store.child_by_name(node.parent_id, name) not in (None, node):
        raise errors.name_taken(name)
    store.link(node, reference)
    if name != node.name:
        store.place(node, node.parent_id, name)
        store.record(node, AuditEvent.RENAME, actor.id, value=name)
    store.touch(node, actor.id)
    happened(store, "workspace.connected", node, actor.id, {})


def _workspace(node: Node) -> Workspace:
    assert node.workspace is not None
    return node.workspace


def _attach(store: Store, request: WorkspaceRequest, actor: Member) -> Node:
    if request.reference is None:
        raise errors.missing_argument("bo_id")
    _check_type(store, request.reference)
    assert request.shared_workspace_id is not None
    node = store.workspace(request.shared_workspace_id)
    if not access.visible(store, node, actor):
        raise errors.no_such_workspace(node.id)
    access.require(store, node, actor, "modify")
    store.link(node, request.reference)
    happened(store, "workspace.connected", node, actor.id, {})
    return node


def _check_type(store: Store, reference: BusinessReference) -> BusinessObjectType:
    if not reference.bo_id:
        raise errors.missing_argument("bo_id")
    return store.bo_type(reference.external_system, reference.bo_type)


def _check_reference(store: Store, reference: BusinessReference | None) -> None:
    if reference is None:
        return
    _check_type(store, reference)
    if store.linked_workspace(reference) is not None:
        raise errors.ApiError(store.behaviour.bo_linked_status, store.behaviour.bo_linked_text)


def _check_kind(store: Store, reference: BusinessReference | None, kind: WorkspaceType) -> None:
    """A business object type is set up for one workspace type."""
    if reference is None:
        return
    bo_type = store.bo_type(reference.external_system, reference.bo_type)
    if bo_type.workspace_type_id != kind.id:
        raise errors.ApiError(
            400,
            f"The business object type '{bo_type.name}' does not belong to the workspace type "
            f"'{kind.name}'.",
        )


def _template(store: Store, request: WorkspaceRequest) -> Node:
    if request.template_id is not None:
        node = store.nodes.get(request.template_id)
        if node is None or node.workspace is None or not node.workspace.is_template:
            raise errors.ApiError(
                400, f"The template with the ID {request.template_id} is invalid."
            )
        if request.type_id not in (None, node.workspace.type_id):
            raise errors.ApiError(400, "The template does not belong to the workspace type.")
        return node
    type_id = request.type_id
    if type_id is None and request.reference is not None:
        type_id = _check_type(store, request.reference).workspace_type_id
    kind = store.workspace_types.get(type_id) if type_id is not None else None
    if kind is None:
        raise errors.missing_argument("template_id")
    return store.nodes[kind.template_ids[0]]


def _type_of(store: Store, template: Node) -> WorkspaceType:
    return store.workspace_types[_workspace(template).type_id]


def _values(store: Store, source: Node, request: WorkspaceRequest, actor: Member) -> Any:
    """The category values of the request over those of ``source``, on a throw-away node."""
    draft = Node(0, 0, "", NodeType.WORKSPACE, 0, store.clock(), actor.id, store.clock(), actor.id)
    draft.categories = {key: values.copy() for key, values in source.categories.items()}
    for key, values in source.categories.items():
        draft.categories[key].revision = values.revision
    categories.put_on_new(store, draft, request.categories, actor)
    if request.reference is not None and (request.properties or request.groups):
        bo_type = store.bo_type(request.reference.external_system, request.reference.bo_type)
        categories.put_on_new(store, draft, _mapped(bo_type, request, draft), actor)
    return draft.categories


def _mapped(
    bo_type: BusinessObjectType, request: WorkspaceRequest, held: Node
) -> dict[int, dict[str, Any]]:
    """Business properties and groups as category keys, by the mapping of the type.

    A group brings all of its rows: those that the node has beyond them are removed.
    """
    keys: dict[int, dict[str, Any]] = {}
    for name, value in request.properties.items():
        if name in bo_type.properties:
            category_id, attribute_id = bo_type.properties[name]
            keys.setdefault(category_id, {})[f"{category_id}_{attribute_id}"] = value
    for name, rows in request.groups.items():
        if name not in bo_type.groups:
            continue
        category_id, set_id, columns = bo_type.groups[name]
        for number, row in enumerate(rows, start=1):
            for column, value in row.items():
                if column in columns:
                    key = f"{category_id}_{set_id}_{number}_{columns[column]}"
                    keys.setdefault(category_id, {})[key] = value
        present = held.categories[category_id].rows if category_id in held.categories else {}
        for number in range(len(rows) + 1, len(present.get(set_id, [])) + 1):
            keys.setdefault(category_id, {})[f"{category_id}_{set_id}_{number}"] = ""
    return keys


def _name(kind: WorkspaceType, values: Mapping[int, Any], request: WorkspaceRequest) -> str:
    """The name by the type's pattern where it applies, else the requested one, cleaned."""
    generated = ""
    if kind.name_pattern and (request.reference is not None or kind.name_without_bo):
        filled = [_cell(values, mark) for mark in _MARK.finditer(kind.name_pattern)]
        if any(filled):
            generated = _MARK.sub(lambda mark: _cell(values, mark), kind.name_pattern)
    name = (generated or request.name).replace(":", "_").strip() if generated else request.name
    check_name(name)
    return name[:NAME_LIMIT]


def check_name(name: str) -> None:
    """Refuse (400) an empty name, one with a colon or one over 248 characters."""
    if not name.strip():
        raise errors.missing_argument("name")
    if ":" in name:
        raise errors.ApiError(400, f"The name '{name}' must not contain a colon.")
    if len(name) > NAME_LIMIT:
        raise errors.ApiError(400, f"The name is longer than {NAME_LIMIT} characters.")


def _cell(values: Mapping[int, Any], mark: re.Match[str]) -> str:
    category_id, attribute_id = int(mark[1]), int(mark[2])
    found = values[category_id].values.get(attribute_id) if category_id in values else None
    return "" if found is None else str(found)


def _parent(store: Store, kind: WorkspaceType, request: WorkspaceRequest, by_hand: bool) -> Node:
    if kind.location_id is not None and (kind.location_for_manual or not by_hand):
        return store.nodes[kind.location_id]
    if request.parent_id is None or not by_hand:
        raise errors.missing_argument("parent_id")
    parent = store.node(request.parent_id)
    if not parent.is_container:
        raise errors.ApiError(400, "The parent is not a container.")
    return parent
