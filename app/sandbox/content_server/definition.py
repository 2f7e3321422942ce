"""How a simulated Content Server is described before it starts: data, no ids.

A `Definition` names things by their labels; `seeding` gives them node ids. Attribute paths are
written ``Category/Attribute`` or, inside a set, ``Category/Set/Attribute``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.sandbox.content_server.model import AttributeType


@dataclass(frozen=True)
class AttributeSpec:
    """An attribute; ``column`` publishes it as a list column such as ``wnf_att_35s_2``."""

    label: str
    type: AttributeType = "String"
    max_length: int = 254
    required: bool = False
    multi_value: bool = False
    choices: tuple[str, ...] = ()
    column: str | None = None


@dataclass(frozen=True)
class SetSpec:
    """A repeating group of attributes."""

    label: str
    attributes: tuple[AttributeSpec, ...]
    max_rows: int = 50


@dataclass(frozen=True)
class CategorySpec:
    """A category in the categories volume."""

    name: str
    items: tuple[AttributeSpec | SetSpec, ...]


@dataclass(frozen=True)
class RoleSpec:
    """A role of a template; ``members`` are logins or group names."""

    name: str
    description: str = ""
    leader: bool = False
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class TemplateSpec:
    """What a new workspace is copied from.

    ``folders`` are paths (``Contracts/Signed`` makes both), ``documents`` map a path to its text,
    ``defaults`` an attribute path to its value.
    """

    name: str
    folders: tuple[str, ...] = ()
    documents: Mapping[str, str] = field(default_factory=dict)
    roles: tuple[RoleSpec, ...] = ()
    categories: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TellingSpec:
    """What a type's workspaces tell of their ``subject`` beside the general events.

    This is what a customer builds from workflow steps and event scripts: with the subject
    ``contract``, a document filed in a folder of ``folders`` tells ``contract.<state>`` of that
    folder, a workflow (of the map ``workflow``, or any) ``contract.in_approval``, ``.approved`` or
    ``.rejected``, a signature ``contract.signed``, and a person who sets ``status`` (an attribute
    path) the state set.
    """

    subject: str
    folders: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    workflow: str = ""


@dataclass(frozen=True)
class WorkspaceTypeSpec:
    """A workspace type with its templates, the first being the default.

    ``name_pattern`` holds ``[Category/Attribute]`` marks and makes the server generate names;
    ``location`` is a path beneath the enterprise volume that overrides the requested parent
    (for calls by hand, which every POST is, only with ``location_for_manual``).
    """

    name: str
    templates: tuple[TemplateSpec, ...]
    name_pattern: str = ""
    name_without_bo: bool = False
    location: tuple[str, ...] = ()
    location_for_manual: bool = True
    rm_enabled: bool = False
    creator_leads: bool = False
    tells: TellingSpec | None = None


@dataclass(frozen=True)
class BusinessObjectTypeSpec:
    """A record type of an external system; ``properties`` maps property -> attribute path.

    ``groups`` maps a property group to ``{property: "Category/Set/Attribute"}``.
    """

    name: str
    workspace_type: str
    external_system: str
    properties: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class ExternalSystemSpec:
    """A connection to a leading application."""

    name: str
    conn_type: str = "D365Adapter"
    base_url: str = "https://contoso.crm4.dynamics.example"


@dataclass(frozen=True)
class UserSpec:
    """A user who can sign in with ``login`` and ``password``."""

    login: str
    first_name: str
    last_name: str
    business_email: str
    password: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClientSpec:
    """An OAuth client of the directory service that acts as the user ``login``."""

    client_id: str
    client_secret: str
    login: str


@dataclass(frozen=True)
class StepSpec:
    """A step of a workflow map: who does it (login or group) and how it may end.

    ``assignee_attribute`` is the label of a user attribute that goes before ``assignee``.
    """

    name: str
    assignee: str
    instructions: str = ""
    dispositions: tuple[str, ...] = ("Approve", "Reject")
    rejecting: tuple[str, ...] = ("Reject",)
    assignee_attribute: str = ""
    signing: bool = False


@dataclass(frozen=True)
class WorkflowMapSpec:
    """A workflow map beneath the enterprise volume; ``manager`` is a login.

    One that is not ``offered`` is listed for no document or place, and can be started all the same.
    """

    name: str
    steps: tuple[StepSpec, ...]
    attributes: tuple[AttributeSpec, ...] = ()
    manager: str = "Admin"
    nickname: str = ""
    skips_start: bool = False
    offered: bool = True


@dataclass(frozen=True)
class RmClassificationSpec:
    """A place in the file plan: ``path`` (``Customer Service/Cases``) and its RSI."""

    path: str
    rsi: str = ""
    file_number: str = ""


@dataclass(frozen=True)
class RecordsSpec:
    """Records management: schedules by name and years, the file plan, codes, clearance.

    ``cleared`` gives logins a level and markings; ``codes`` are what details may hold.
    """

    rsis: Mapping[str, int] = field(default_factory=dict)
    file_plan: tuple[RmClassificationSpec, ...] = ()
    classifications: tuple[str, ...] = ()
    codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    levels: Mapping[int, str] = field(default_factory=dict)
    markings: Mapping[str, str] = field(default_factory=dict)
    cleared: Mapping[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Definition:
    """Everything a simulated server starts with."""

    external_systems: tuple[ExternalSystemSpec, ...] = ()
    categories: tuple[CategorySpec, ...] = ()
    workspace_types: tuple[WorkspaceTypeSpec, ...] = ()
    business_object_types: tuple[BusinessObjectTypeSpec, ...] = ()
    users: tuple[UserSpec, ...] = ()
    groups: tuple[str, ...] = ()
    clients: tuple[ClientSpec, ...] = ()
    workflow_maps: tuple[WorkflowMapSpec, ...] = ()
    records: RecordsSpec = field(default_factory=RecordsSpec)
