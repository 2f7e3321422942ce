"""The rules of the flows: typed values. Loading them from YAML is ``app.rule_files.loading``' job.

A rule says for one table when a workspace is due, how it is named and filled, who gets a role in
it, what it is related to and what is written back. Expressions are CEL over ``record`` (its
declared columns; empty ones are null) and ``stage`` (``id``, ``name``, ``category`` of the stage
its business process is in; null without one). They are compiled when the rules are read, so that a
fault is told with file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import cel
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from streams.catalogue import Catalogue

_TEXT_LITERAL = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_RECORD_COLUMN = re.compile(r"\brecord\.([A-Za-z_][A-Za-z0-9_]*)")


class Expression:
    """A compiled CEL expression; equal when the source is equal."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.program = cel.compile(source)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"

    def columns(self) -> frozenset[str]:
        """The record's columns that the expression reads."""
        code = _TEXT_LITERAL.sub("''", self.source)
        return frozenset(_RECORD_COLUMN.findall(code))


def _compiled(value: Any) -> Expression:
    if isinstance(value, Expression):
        return value
    if isinstance(value, bool | int | float):
        value = str(value).lower()
    if not isinstance(value, str):
        raise ValueError("expected a CEL expression, written as text")
    try:
        return Expression(value)
    except ValueError as fault:
        raise ValueError(f"not a CEL expression: {str(fault).splitlines()[0]}") from None


Cel = Annotated[
    Expression, BeforeValidator(_compiled), PlainSerializer(lambda e: e.source, return_type=str)
]


class RuleModel(BaseModel):
    """Base of all parts of a rule: frozen, unknown keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class RoleRule(RuleModel):
    """Who gets the role: lookup columns of the record, and what names the member per table."""

    role: str
    members: tuple[str, ...] = Field(min_length=1)


class RelationRule(RuleModel):
    """The workspace of the record in ``column`` is this one's parent (or child)."""

    column: str
    relation: Literal["parent", "child"] = "parent"


class WorkspaceRule(RuleModel):
    """The workspace that a rule keeps."""

    external_system: str
    business_object_type: str
    type: str
    template: str | None = None
    name: str = Field(min_length=1)
    attributes: Mapping[str, Mapping[str, Cel]] = Field(default_factory=dict)
    #: Category and attribute that show the record's state, e.g. "Business Record/Record State".
    state_attribute: str | None = None
    roles: tuple[RoleRule, ...] = ()
    relations: tuple[RelationRule, ...] = ()


class LinkColumns(RuleModel):
    """The record's columns that show its workspace to people."""

    workspace_id: str | None = None
    workspace_url: str | None = None

    def columns(self) -> Iterator[str]:
        return (value for value in self.model_dump().values() if value)


class RecordWorkspaceRule(RuleModel):
    """Flow 1: a record that meets ``when`` has a workspace that follows it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    table: str
    when: Cel = Expression("true")
    closed: Cel = Expression("false")
    #: Columns of a merged record: the flag and the lookup of the surviving record.
    merged: str | None = None
    merged_into: str | None = None
    workspace: WorkspaceRule
    write_back: LinkColumns = LinkColumns()


class ContractColumns(LinkColumns):
    """The record's columns that show its contract."""

    status: str | None = None
    approved_on: str | None = None
    signed_on: str | None = None
    effective_on: str | None = None
    expires_on: str | None = None
    terminated_on: str | None = None
    document_id: str | None = None
    document_version: str | None = None
    document_url: str | None = None


class ContractRule(RuleModel):
    """Flow 2: a record that reaches ``stage_reached`` has a contract workspace."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    table: str
    stage_reached: Cel
    won: Cel = Expression("false")
    lost: Cel = Expression("false")
    workspace: WorkspaceRule
    #: The rule of flow 1 whose workspace for the same record becomes the parent.
    record_workspace: str | None = None
    #: Category and attribute that show the contract's status, e.g. "Contract/Status".
    status_attribute: str | None = None
    statuses: Mapping[str, str] = Field(default_factory=dict)
    write_back: ContractColumns = ContractColumns()


class ProcessRule(RuleModel):
    """A business process table whose rows guide records of another (reference/dataverse.md 3.3)."""

    table: str
    record_column: str
    stage_column: str


Rule = RecordWorkspaceRule | ContractRule


@dataclass(frozen=True)
class RuleBook:
    """All rules, ready for use. ``digest`` tells which rules decided."""

    catalogue: Catalogue = field(default_factory=Catalogue)
    record_workspaces: tuple[RecordWorkspaceRule, ...] = ()
    contracts: tuple[ContractRule, ...] = ()
    processes: tuple[ProcessRule, ...] = ()
    members: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    def rules(self) -> Iterator[Rule]:
        yield from self.record_workspaces
        yield from self.contracts

    def business_objects(self) -> Mapping[tuple[str, str], str]:
        """Which table a business object type stands for: ``{(external system, type): table}``."""
        return {
            (rule.workspace.external_system, rule.workspace.business_object_type): rule.table
            for rule in self.rules()
        }

    def rule_for_business_object(self, external_system: str, object_type: str) -> str | None:
        wanted = (external_system, object_type)
        return next((r.name for r in self.rules() if _business_object(r) == wanted), None)


def _business_object(rule: Rule) -> tuple[str, str]:
    return rule.workspace.external_system, rule.workspace.business_object_type
