"""All rules of a company together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from streams.catalogue import Catalogue
from streams.rules.base import FlowRule, RuleModel, TableRule
from streams.rules.record_workspace import RecordWorkspaceRule

R = TypeVar("R", bound=TableRule)


class ProcessRule(RuleModel):
    """A business process table whose rows guide records of another (reference/dataverse.md 3.3)."""

    table: str
    record_column: str
    stage_column: str


@dataclass(frozen=True)
class RuleBook:
    """All rules, ready for use. ``digest`` tells which rules decided."""

    catalogue: Catalogue = field(default_factory=Catalogue)
    rules: tuple[TableRule, ...] = ()
    processes: tuple[ProcessRule, ...] = ()
    members: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    def of(self, kind: type[R]) -> tuple[R, ...]:
        """The rules of one flow."""
        return tuple(rule for rule in self.rules if isinstance(rule, kind))

    def rule(self, name: str) -> TableRule | None:
        return next((rule for rule in self.rules if rule.name == name), None)

    def about(self, table: str) -> tuple[TableRule, ...]:
        """The rules that say something of the table's records."""
        return tuple(rule for rule in self.rules if rule.part(table) is not None)

    def financial(self) -> Mapping[str, frozenset[str]]:
        """The columns that nobody but Dynamics writes, by table."""
        parts = [part for rule in self.rules for _, part in rule.parts()]
        return {
            table: frozenset(c for part in parts if part.table == table for c in part.financial)
            for table in {part.table for part in parts if part.financial}
        }

    def erp(self) -> Mapping[str, frozenset[str]]:
        """The tables of finance and operations, with the columns there that some rule writes."""
        written: dict[str, set[str]] = {
            table.name: set() for table in self.catalogue.tables.values() if table.finance
        }
        for part in (part for rule in self.rules for _, part in rule.parts()):
            if part.table in written:
                written[part.table].update(part.write_back.columns())
                written[part.table].update(name for _, given in part.sets() for name in given)
        return {table: frozenset(columns) for table, columns in written.items()}

    def homes(self, table: str) -> tuple[str, ...]:
        """The rules whose workspace stands for a record of the table, the first one first.

        Those of flow 1; for a table without any, all that it has.
        """
        names = tuple(r.name for r in self.of(RecordWorkspaceRule) if r.table == table)
        return names or tuple(r.name for r in self.of(FlowRule) if r.table == table)

    def business_objects(self) -> Mapping[tuple[str, str], str]:
        """Which table a business object type stands for: ``{(external system, type): table}``."""
        return {_business_object(rule): rule.table for rule in self.of(FlowRule)}

    def rule_for_business_object(self, external_system: str, object_type: str) -> str | None:
        wanted = (external_system, object_type)
        return next((r.name for r in self.of(FlowRule) if _business_object(r) == wanted), None)

    def watched(self, table: str) -> frozenset[str]:
        """The columns of a table whose past some rule looks at."""
        return self._watched.get(table, frozenset())

    @cached_property
    def _watched(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        for rule in self.rules:
            found[rule.table] = found.get(rule.table, frozenset()) | rule.watched()
        return found


def _business_object(rule: FlowRule) -> tuple[str, str]:
    return rule.workspace.external_system, rule.workspace.business_object_type
