"""From a `Definition` to a filled store: volumes, categories, types with templates, people."""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.sandbox.content_server import attributes, categories, nodes, process_seeding, roles
from app.sandbox.content_server.definition import (
    AttributeSpec,
    BusinessObjectTypeSpec,
    CategorySpec,
    Definition,
    TellingSpec,
    TemplateSpec,
    WorkspaceTypeSpec,
)
from app.sandbox.content_server.model import (
    Attribute,
    AttributeSet,
    BusinessObjectType,
    Category,
    ExternalSystem,
    Member,
    MemberType,
    Node,
    NodeType,
    Version,
    Workspace,
    WorkspaceType,
)
from app.sandbox.content_server.reports import CHANGES
from app.sandbox.content_server.store import ADMIN_ID, CATEGORIES_ID, ENTERPRISE_ID, Store
from app.sandbox.content_server.tellings import Telling

FULL_CONTROL = 16777215
_MARK = re.compile(r"\[([^\]]+)\]")


def fill(store: Store, definition: Definition) -> None:
    """Build everything that the definition names. Raises KeyError for a name it does not define."""
    _members(store, definition)
    store.new_node(-1, "Enterprise", NodeType.ENTERPRISE_VOLUME, ADMIN_ID, id=ENTERPRISE_ID)
    store.new_node(-1, "Categories", NodeType.CATEGORIES_VOLUME, ADMIN_ID, id=CATEGORIES_ID)
    templates = store.new_node(
        -1, "Content Server Document Templates", NodeType.TEMPLATES_VOLUME, ADMIN_ID
    )
    for name_of_system in definition.external_systems:
        store.external_systems[name_of_system.name] = ExternalSystem(
            store.new_id(), name_of_system.name, name_of_system.conn_type, name_of_system.base_url
        )
    for category in definition.categories:
        _category(store, category)
    for number, kind in enumerate(definition.workspace_types, start=1):
        _workspace_type(store, kind, number, templates)
    for number, bo_type in enumerate(definition.business_object_types, start=1):
        store.bo_types[number] = _business_object_type(store, bo_type, number)
    process_seeding.fill(store, definition)
    integrations = (store.member_named(client.login) for client in definition.clients)
    store.happenings.tellings.integrations = {user.id for user in integrations if user}
    report = store.new_node(ENTERPRISE_ID, "Changes", NodeType.WEBREPORT, ADMIN_ID, report=CHANGES)
    nodes.set_nickname(store, report, CHANGES)


def attribute_path(store: Store, path: str) -> tuple[int, ...]:
    """``Category/Attribute`` -> (category, attribute); with a set, (category, set, attribute)."""
    category_name, *labels = path.split("/")
    category = category_named(store, category_name)
    items: tuple[Attribute | AttributeSet, ...] = category.items
    ids = [category.id]
    for label in labels:
        item = {candidate.label: candidate for candidate in items}[label]
        ids.append(item.id)
        items = item.attributes if isinstance(item, AttributeSet) else ()
    return tuple(ids)


def category_named(store: Store, name: str) -> Category:
    """The category definition with that name; KeyError when there is none."""
    return {category.name: category for category in store.categories.values()}[name]


def _members(store: Store, definition: Definition) -> None:
    store.members[ADMIN_ID] = Member(
        ADMIN_ID, MemberType.USER, "Admin", "Admin", password="admin-password"
    )
    groups = {}
    for name in definition.groups:
        group = Member(store.new_id(), MemberType.GROUP, name)
        groups[name] = store.members[group.id] = group
    for user in definition.users:
        member = Member(
            store.new_id(),
            MemberType.USER,
            user.login,
            user.first_name,
            user.last_name,
            user.business_email,
            groups[user.groups[0]].id if user.groups else None,
            password=user.password,
        )
        store.members[member.id] = member
        for name in user.groups:
            groups[name].members.append(member.id)


def _category(store: Store, spec: CategorySpec) -> None:
    node = store.new_node(CATEGORIES_ID, spec.name, NodeType.CATEGORY, ADMIN_ID)
    next_id = 2
    items: list[Attribute | AttributeSet] = []
    for item in spec.items:
        item_id, next_id = next_id, next_id + 1
        if isinstance(item, AttributeSpec):
            items.append(_attribute(item, item_id))
            continue
        inner = tuple(_attribute(a, next_id + i) for i, a in enumerate(item.attributes))
        next_id += len(inner)
        items.append(AttributeSet(item_id, item.label, inner, item.max_rows))
    store.categories[node.id] = Category(node.id, spec.name, tuple(items))


def _attribute(spec: AttributeSpec, attribute_id: int) -> Attribute:
    return Attribute(
        attribute_id,
        spec.label,
        spec.type,
        spec.max_length,
        spec.required,
        spec.multi_value,
        spec.choices,
        spec.column,
    )


def _workspace_type(store: Store, spec: WorkspaceTypeSpec, number: int, templates: Node) -> None:
    store.workspace_types[number] = WorkspaceType(
        number,
        spec.name,
        tuple(_template(store, template, number, templates) for template in spec.templates),
        spec.rm_enabled,
        _MARK.sub(lambda mark: _pattern_mark(store, mark[1]), spec.name_pattern),
        spec.name_without_bo,
        _location(store, spec.location),
        spec.location_for_manual,
        spec.creator_leads,
    )
    if spec.tells is not None:
        store.happenings.tellings.by_type[number] = _telling(store, spec.tells)


def _telling(store: Store, spec: TellingSpec) -> Telling:
    status = None
    if spec.status:
        category_id, attribute_id = attribute_path(store, spec.status)
        status = (category_id, attribute_id)
    return Telling(spec.subject, spec.folders, status, spec.workflow)


def _template(store: Store, spec: TemplateSpec, type_id: int, templates: Node) -> int:
    template = store.new_node(templates.id, spec.name, NodeType.WORKSPACE, ADMIN_ID)
    template.workspace = Workspace(type_id, template.id, is_template=True)
    for path in spec.folders:
        _folder(store, template.id, tuple(path.split("/")))
    for path, text in spec.documents.items():
        _document(store, template, path, text)
    for role in spec.roles:
        roles.add(
            store,
            template,
            role.name,
            role.description,
            leader=role.leader,
            perms=FULL_CONTROL if role.leader else roles.READ_PERMISSIONS,
            members=[_named(store, name).id for name in role.members],
        )
    for name in spec.categories:
        _put_on_template(store, template, name, spec.defaults)
    return template.id


def _document(store: Store, template: Node, path: str, text: str) -> None:
    *folders, name = path.split("/")
    parent_id = _folder(store, template.id, tuple(folders))
    node = store.new_node(parent_id, name, NodeType.DOCUMENT, ADMIN_ID)
    version = Version(0, 0, name, "text/plain", text.encode(), ADMIN_ID, store.clock())
    store.add_version(node, version, ADMIN_ID, first=True)


def _folder(store: Store, parent_id: int, path: tuple[str, ...]) -> int:
    """The folder at the path beneath the parent, made where it is missing."""
    for name in path:
        known = store.child_by_name(parent_id, name)
        folder = known or store.new_node(parent_id, name, NodeType.FOLDER, ADMIN_ID)
        parent_id = folder.id
    return parent_id


def _put_on_template(store: Store, template: Node, name: str, defaults: Mapping[str, str]) -> None:
    category = category_named(store, name)
    labelled = {
        label: value
        for path, value in defaults.items()
        for owner, _, label in [path.partition("/")]
        if owner == name
    }
    keys = attributes.keys_by_label(category, labelled)
    categories.apply(store, template, category.id, keys, store.members[ADMIN_ID])


def _pattern_mark(store: Store, path: str) -> str:
    category_id, attribute_id = attribute_path(store, path)
    return f"[{category_id}:{attribute_id}]"


def _location(store: Store, path: tuple[str, ...]) -> int | None:
    return _folder(store, ENTERPRISE_ID, path) if path else None


def _business_object_type(
    store: Store, spec: BusinessObjectTypeSpec, number: int
) -> BusinessObjectType:
    kinds = {kind.name: kind.id for kind in store.workspace_types.values()}
    properties = {}
    for name, path in spec.properties.items():
        category_id, attribute_id = attribute_path(store, path)
        properties[name] = (category_id, attribute_id)
    groups = {name: _group(store, columns) for name, columns in spec.groups.items()}
    return BusinessObjectType(
        number, spec.name, spec.external_system, kinds[spec.workspace_type], properties, groups
    )


def _group(store: Store, columns: Mapping[str, str]) -> tuple[int, int, dict[str, int]]:
    paths = {name: attribute_path(store, path) for name, path in columns.items()}
    category_id, set_id, _ = next(iter(paths.values()))
    return category_id, set_id, {name: path[2] for name, path in paths.items()}


def _named(store: Store, name: str) -> Member:
    member = store.member_named(name)
    if member is None:
        raise KeyError(name)
    return member
