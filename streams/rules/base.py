"""What the rules of all flows are made of.

A rule says for one table when a workspace is due, how it is named and filled, who gets a role in
it, what it is related to and what is written back. Expressions are CEL over ``record`` (its
declared columns; empty ones are null), over the records that ``lookups`` names (``customer`` for
the one in ``customerid``) and over ``stage`` (``id``, ``name``, ``category`` of the stage its
business process is in; null without one). They are compiled when the rules are read, so that a
fault is told with file and line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from streams.catalogue import ColumnKind, ColumnValue
from streams.rules.expressions import Cel, Expression

#: Where something stands within a rule: ``("workspace", "roles", 0, "role")``.
Trail = tuple[str | int, ...]

#: What stands under these keys gives values.
_VALUES = ("attributes", "comment")
_VALUE_KEYS = frozenset(_VALUES)


class RuleModel(BaseModel):
    """Base of all parts of a rule: frozen, unknown keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


M = TypeVar("M", bound=RuleModel)


class RoleRule(RuleModel):
    """Who gets the role: lookup columns of the record, and what names the member per table."""

    role: str
    members: tuple[str, ...] = Field(min_length=1)


class RelationRule(RuleModel):
    """The workspace of the record in ``column`` is this one's parent (or child).

    ``to`` names the rule that keeps the other workspace, for tables with several; without it that
    is the one of flow 1, or the table's first.
    """

    column: str
    relation: Literal["parent", "child"] = "parent"
    to: str | None = None


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


class WrittenColumns(RuleModel):
    """The record's columns that a flow writes; each may be left out.

    ``kinds``: what a column has to be of for what is written into it; dates where it says nothing.
    """

    kinds: ClassVar[Mapping[str, tuple[ColumnKind, ...]]] = {}

    def columns(self) -> Iterator[str]:
        return (value for value in self.model_dump().values() if value)


class LinkColumns(WrittenColumns):
    """The record's columns that show its workspace to people."""

    kinds: ClassVar[Mapping[str, tuple[ColumnKind, ...]]] = {
        "workspace_id": (ColumnKind.TEXT,),
        "workspace_url": (ColumnKind.TEXT,),
    }

    workspace_id: str | None = None
    workspace_url: str | None = None


class RecordRule(RuleModel):
    """What a rule says of the records of one table: conditions over them, and columns of theirs.

    By convention expressions under ``attributes`` and ``comment`` give values and all others are
    questions (true or false), and keys that end in ``_attribute`` hold the path of a category
    attribute, ``"Business Record/State"``; all are checked for every flow alike.
    """

    table: str
    #: Lookup columns whose records' columns conditions may use: ``{customer: customerid}``.
    lookups: Mapping[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], str] = Field(
        default_factory=dict
    )
    #: Columns that Dynamics alone writes: no rule may, and the writer refuses to.
    financial: tuple[str, ...] = ()
    write_back: WrittenColumns = WrittenColumns()
    #: What the flow writes into ``write_back.status``, each in the word that ``statuses`` has.
    known_statuses: ClassVar[tuple[str, ...]] = ()

    def questions(self) -> Iterator[tuple[Trail, Expression]]:
        """The conditions of the rule, and where each stands."""
        yield from _within(self, (), Expression, skip=_VALUES)

    def value_expressions(self) -> Iterator[tuple[Trail, Expression]]:
        """The expressions that give values, and where each stands."""
        for trail, expression in _within(self, (), Expression):
            if not _VALUE_KEYS.isdisjoint(trail):
                yield trail, expression

    def filled_attributes(self) -> Iterator[tuple[Trail, str]]:
        """The category attributes that expressions fill, as ``Category/Attribute``, and where."""
        for trail, _ in self.value_expressions():
            if trail[-3:-2] == ("attributes",):
                yield trail, f"{trail[-2]}/{trail[-1]}"

    def within(self, kind: type[M]) -> Iterator[tuple[Trail, M]]:
        """The parts of a kind, and where each stands."""
        yield from _within(self, (), kind)

    @cached_property
    def shown(self) -> frozenset[str]:
        """The columns of the record that attributes show."""
        return frozenset(
            column for _, value in self.value_expressions() for column in value.columns()
        )

    @cached_property
    def asked(self) -> frozenset[str]:
        """The columns of the record that conditions look at."""
        return frozenset(
            column for _, question in self.questions() for column in question.columns()
        )

    @cached_property
    def reads(self) -> Mapping[str, frozenset[str]]:
        """The columns that the rule's expressions read, for ``record`` and each of ``lookups``."""
        found = [expression for _, expression in _within(self, (), Expression)]
        return {
            name: frozenset(column for expression in found for column in expression.columns(name))
            for name in ("record", *self.lookups)
        }

    def shown_attributes(self) -> Iterator[tuple[Trail, str]]:
        """The attributes that the flow itself fills, and where the rule names each."""
        for trail, value in _within(self, (), str):
            if str(trail[-1]).endswith("_attribute"):
                yield trail, value

    def patterns(self) -> Iterator[tuple[Trail, str]]:
        """The patterns that are filled with the record's values, and where each stands."""
        return iter(())

    def status_words(self) -> Iterator[tuple[Trail, str, str]]:
        """The words for the statuses: where each is said, the column, and the word."""
        column: str | None = getattr(self.write_back, "status", None)
        said: Mapping[str, str] = getattr(self, "statuses", {})
        for status in self.known_statuses if column else ():
            where = ("statuses", status) if status in said else ("write_back", "status")
            yield where, column or "", said.get(status, status)

    def sets(self) -> Iterator[tuple[Trail, Mapping[str, ColumnValue]]]:
        """Columns that the rule gives values of its own, beside ``write_back``, and where."""
        return iter(())

    def columns_used(self) -> Iterator[tuple[Trail, str, tuple[ColumnKind, ...]]]:
        """Columns of the record that the rule names outside expressions: where, which, of what."""
        return iter(())


class TableRule(RecordRule):
    """What the rules of all flows have in common: a name, and the records of one table.

    A rule that speaks of records of other tables too has parts.
    """

    #: The flow's name, as the files say it.
    flow: ClassVar[str]

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")

    def parts(self) -> Iterator[tuple[Trail, RecordRule]]:
        """The rule itself, and what it says of records of other tables, each with its place."""
        yield (), self

    def part(self, table: str) -> RecordRule | None:
        """What the rule says of records of this table."""
        return next((part for _, part in self.parts() if part.table == table), None)

    def watched(self) -> frozenset[str]:
        """The columns whose past the flow looks at (``streams.flows.past``)."""
        return frozenset()

    def words(self) -> Iterator[tuple[Trail, str, int | str]]:
        """Words that the rule writes into columns: where, into which, and the word."""
        return iter(())

    def homes_used(self) -> Iterator[tuple[Trail, str, str | None]]:
        """Whose workspaces the rule uses: where, by which lookup, of which rule."""
        return iter(())

    def faults(self) -> Iterator[tuple[Trail, str, str]]:
        """What is wrong within the rule and no model can say: where, what, and the fix."""
        return iter(())


class FlowRule(TableRule):
    """What the rules of the flows have in common that keep a workspace for each record."""

    workspace: WorkspaceRule
    write_back: LinkColumns = LinkColumns()
    #: What the workspace does when the record is deleted: says so, or stays as it is.
    on_delete: Literal["mark", "leave"] = "mark"

    def patterns(self) -> Iterator[tuple[Trail, str]]:
        yield ("workspace", "name"), self.workspace.name

    def homes_used(self) -> Iterator[tuple[Trail, str, str | None]]:
        for index, relation in enumerate(self.workspace.relations):
            yield ("workspace", "relations", index), relation.column, relation.to

    def roles_used(self) -> Iterator[tuple[Trail, str]]:
        """The workspace's roles that the rule names, and where."""
        for index, role in enumerate(self.workspace.roles):
            yield ("workspace", "roles", index, "role"), role.role


def _within(value: Any, trail: Trail, kind: type[Any], skip: Trail = ()) -> Iterator[Any]:
    """All values of a kind within a rule, each with its place."""
    inner: Iterator[tuple[str | int, Any]]
    if isinstance(value, kind):
        yield trail, value
        return
    if isinstance(value, BaseModel):
        inner = ((name, getattr(value, name)) for name in type(value).model_fields)
    elif isinstance(value, Mapping):
        inner = iter(value.items())
    elif isinstance(value, tuple):
        inner = iter(enumerate(value))
    else:
        return
    for name, part in inner:
        # What is said of records of another table speaks for itself.
        if name not in skip and not isinstance(part, RecordRule):
            yield from _within(part, (*trail, name), kind, skip)
