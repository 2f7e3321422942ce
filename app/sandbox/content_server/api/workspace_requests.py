"""The body of a workspace creation as a typed request (reference/extended-ecm.md 2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.api.call import in_own_language, to_int
from app.sandbox.content_server.categories import nested
from app.sandbox.content_server.model import BusinessReference
from app.sandbox.content_server.store import Store
from app.sandbox.content_server.workspaces import WorkspaceRequest

_EXTERNAL = ("external_create_date", "external_modify_date")


def parse(store: Store, fields: Mapping[str, Any]) -> WorkspaceRequest:
    """Read the fields of POST and of one item of the bulk PUT."""
    fields = in_own_language(fields)
    return WorkspaceRequest(
        name=_text(fields, "name"),
        description=_text(fields, "description"),
        template_id=to_int(fields.get("template_id"), "template_id"),
        type_id=to_int(fields.get("wksp_type_id"), "wksp_type_id"),
        parent_id=to_int(fields.get("parent_id"), "parent_id"),
        reference=reference(store, fields),
        shared_workspace_id=to_int(fields.get("ibo_workspace_id"), "ibo_workspace_id"),
        categories=nested(fields.get("roles")),
        external={name: fields[name] for name in _EXTERNAL if fields.get(name)},
        properties=_properties(fields.get("bo_properties")),
        groups=_groups(fields.get("bo_property_groups")),
        relations=_relations(store, fields.get("bo_relations")),
        role_users=_role_users(fields.get("bo_roles_users")),
    )


def reference(store: Store, fields: Mapping[str, Any]) -> BusinessReference | None:
    """The business object by system and type, or by ``bo_type_id``; None when none is named."""
    bo_id = str(fields.get("bo_id") or "")
    type_id = to_int(fields.get("bo_type_id"), "bo_type_id")
    if type_id is not None:
        bo_type = store.bo_types.get(type_id)
        if bo_type is None:
            raise errors.ApiError(400, f"The business object type {type_id} does not exist.")
        return BusinessReference(bo_type.external_system, bo_type.name, bo_id)
    system, name = str(fields.get("ext_system_id") or ""), str(fields.get("bo_type") or "")
    if not (system or name or bo_id):
        return None
    for argument, value in (("ext_system_id", system), ("bo_type", name), ("bo_id", bo_id)):
        if not value:
            raise errors.missing_argument(argument)
    return BusinessReference(system, name, bo_id)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if isinstance(value, list | dict):
        raise errors.invalid_datatype(name)
    return "" if value is None else str(value)


def _properties(given: Any) -> dict[str, Any]:
    """``[{name, values}]``: one value as it is, several as a list."""
    argument = "bo_properties"
    return {_name(item, argument): _single(item) for item in _objects(given, argument)}


def _groups(given: Any) -> dict[str, list[Mapping[str, Any]]]:
    """``[{name, rows: [{columns: [{name, values}]}]}]``."""
    argument = "bo_property_groups"
    return {
        _name(group, argument): [
            {
                _name(column, argument): _single(column)
                for column in _objects(row.get("columns"), argument)
            }
            for row in _objects(group.get("rows"), argument)
        ]
        for group in _objects(given, argument)
    }


def _relations(store: Store, given: Any) -> list[tuple[str, BusinessReference]]:
    found: list[tuple[str, BusinessReference]] = []
    for item in _objects(given, "bo_relations"):
        for target in _objects(item.get("business_objects"), "bo_relations"):
            named = reference(store, target)
            if named is not None:
                found.append((str(item.get("relation_type")), named))
    return found


def _role_users(given: Any) -> dict[str, list[str]]:
    users: dict[str, list[str]] = {}
    for item in _objects(given, "bo_roles_users"):
        named = item.get("users") or []
        if not isinstance(named, list):
            raise errors.invalid_datatype("bo_roles_users")
        users[str(item.get("role"))] = [str(user) for user in named]
    return users


def _name(item: Mapping[str, Any], argument: str) -> str:
    name = item.get("name")
    if not isinstance(name, str):
        raise errors.invalid_datatype(argument)
    return name


def _single(item: Mapping[str, Any]) -> Any:
    values = item.get("values") or []
    if not isinstance(values, list):
        raise errors.invalid_datatype("values")
    return values[0] if len(values) == 1 else values or None


def _objects(given: Any, argument: str) -> list[dict[str, Any]]:
    if given in (None, ""):
        return []
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise errors.invalid_datatype(argument)
    return given
