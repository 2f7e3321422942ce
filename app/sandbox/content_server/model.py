"""What the simulated Content Server holds: nodes, members, categories, workspace types.

Plain records without behaviour of their own; `store` keeps them and the modules beside it hold
the rules. Facts: reference/extended-ecm.md 0, 2.1, 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Literal

from app.sandbox.content_server.node_types import CONTAINER_TYPES as CONTAINER_TYPES
from app.sandbox.content_server.node_types import TYPE_NAMES as TYPE_NAMES
from app.sandbox.content_server.node_types import NodeType as NodeType
from app.sandbox.content_server.permissions import Acl

AttributeType = Literal["String", "Integer", "Real", "Date", "Boolean", "User"]
Scalar = str | int | float | bool | None
AttributeValue = Scalar | list[Scalar]


class MemberType(IntEnum):
    """Kinds of members, which share one id space (reference/extended-ecm.md 0)."""

    USER = 0
    GROUP = 1
    ROLE = 848


@dataclass(frozen=True)
class Attribute:
    """One attribute of a category; ``id`` is unique in the category, the first is 2."""

    id: int
    label: str
    type: AttributeType = "String"
    max_length: int = 254
    required: bool = False
    multi_value: bool = False
    choices: tuple[str, ...] = ()
    column: str | None = None


@dataclass(frozen=True)
class AttributeSet:
    """A group of attributes that repeats in rows, counted from 1."""

    id: int
    label: str
    attributes: tuple[Attribute, ...]
    max_rows: int = 50


@dataclass(frozen=True)
class Category:
    """A category definition; ``id`` is its node id and the first part of every attribute key."""

    id: int
    name: str
    items: tuple[Attribute | AttributeSet, ...]

    def attributes(self) -> list[Attribute]:
        """The attributes outside sets, in order."""
        return [item for item in self.items if isinstance(item, Attribute)]

    def sets(self) -> list[AttributeSet]:
        """The sets, in order."""
        return [item for item in self.items if isinstance(item, AttributeSet)]


@dataclass
class CategoryValues:
    """The values of one category on one node; ``revision`` makes its metadata token."""

    values: dict[int, AttributeValue] = field(default_factory=dict)
    rows: dict[int, list[dict[int, AttributeValue]]] = field(default_factory=dict)
    revision: int = 1
    inherit: bool = False

    def copy(self) -> CategoryValues:
        """An independent copy, as a template hands to a new workspace."""
        rows = {set_id: [dict(row) for row in rows] for set_id, rows in self.rows.items()}
        return CategoryValues(dict(self.values), rows, inherit=self.inherit)


@dataclass(frozen=True)
class BusinessReference:
    """Which record of the leading application a workspace stands for."""

    external_system: str
    bo_type: str
    bo_id: str

    def key(self) -> tuple[str, str, str]:
        """The unique triple (reference/extended-ecm.md 2.1)."""
        return (self.external_system, self.bo_type, self.bo_id)


@dataclass(frozen=True)
class Icon:
    """The picture of a workspace."""

    mime_type: str
    content: bytes


@dataclass
class Workspace:
    """What makes a node of type 848 a business workspace, or a template of one."""

    type_id: int
    template_id: int
    is_template: bool = False
    references: list[BusinessReference] = field(default_factory=list)
    role_ids: list[int] = field(default_factory=list)
    icon: Icon | None = None


@dataclass(frozen=True)
class Version:
    """One version of a document with its bytes."""

    number: int
    id: int
    file_name: str
    mime_type: str
    content: bytes
    owner_id: int
    created: datetime
    description: str = ""
    major: int = 0
    minor: int = 0
    locked_by: int = 0


@dataclass
class Node:
    """Any item. ``revision`` counts property changes and makes the metadata token.

    ``collected`` are the items of a collection, ``report`` names what a WebReport runs.
    """

    id: int
    parent_id: int
    name: str
    type: int
    volume_id: int
    created: datetime
    created_by: int
    modified: datetime
    modified_by: int
    description: str = ""
    original_id: int = 0
    url: str = ""
    nickname: str = ""
    reserved_by: int = 0
    reserved_at: datetime | None = None
    external: dict[str, Any] = field(default_factory=dict)
    categories: dict[int, CategoryValues] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    workspace: Workspace | None = None
    acl: Acl = field(default_factory=Acl)
    advanced_versioning: bool = False
    collected: list[int] = field(default_factory=list)
    report: str = ""
    revision: int = 1

    @property
    def is_container(self) -> bool:
        """Whether other nodes can lie beneath."""
        return self.type in CONTAINER_TYPES

    def volume_id_of_children(self) -> int:
        """The volume of what lies beneath: a workspace is its own (minus its id)."""
        return -self.id if self.workspace is not None or self.parent_id == -1 else self.volume_id


@dataclass
class Member:
    """A user, a group or a workspace role."""

    id: int
    type: MemberType
    name: str
    first_name: str = ""
    last_name: str = ""
    business_email: str = ""
    group_id: int | None = None
    title: str = ""
    password: str = ""
    deleted: bool = False
    members: list[int] = field(default_factory=list)

    @property
    def display_name(self) -> str:
        """First and last name, or the name of a group or role."""
        return f"{self.first_name} {self.last_name}".strip() or self.name


@dataclass
class Role(Member):
    """A role of one workspace; ``perms`` are permission bits (reference/extended-ecm.md 3)."""

    workspace_id: int = 0
    description: str = ""
    leader: bool = False
    perms: int = 36995
    inherited_from_id: int | None = None


@dataclass(frozen=True)
class WorkspaceType:
    """A kind of workspace with its templates and the rules that override a request."""

    id: int
    name: str
    template_ids: tuple[int, ...]
    rm_enabled: bool = False
    name_pattern: str = ""
    name_without_bo: bool = False
    location_id: int | None = None
    location_for_manual: bool = False
    creator_leads: bool = False


@dataclass(frozen=True)
class BusinessObjectType:
    """A record type of an external system, tied to a workspace type.

    ``properties`` maps a business property to ``(category id, attribute id)`` and ``groups`` a
    property group to ``(category id, set id, {property: attribute id})``.
    """

    id: int
    name: str
    external_system: str
    workspace_type_id: int
    properties: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    groups: Mapping[str, tuple[int, int, Mapping[str, int]]] = field(default_factory=dict)


@dataclass(frozen=True)
class ExternalSystem:
    """A connection to a leading application."""

    id: int
    name: str
    conn_type: str
    base_url: str
