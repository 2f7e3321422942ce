"""Rules together with where they stand in their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.rule_files.faults import Location
from app.rule_files.yaml import Document, Trail
from streams.catalogue import ColumnValue
from streams.rules import FlowRule, RecordRule, TableRule, WorkspaceRule


@dataclass(frozen=True)
class PlacedPart:
    """What a rule says of the records of one table, and where that stands."""

    rule: RecordRule
    document: Document
    trail: Trail

    @property
    def workspace(self) -> WorkspaceRule | None:
        """The workspace that the rule keeps, if its flow keeps one."""
        return self.rule.workspace if isinstance(self.rule, FlowRule) else None

    def at(self, *trail: Any) -> Location:
        """The line of a part of the rule: ``at("workspace", "type")``."""
        return self.document.at((*self.trail, *trail))

    def written(self) -> Iterator[tuple[str, str]]:
        """The columns that are written: the key of ``write_back`` and the column."""
        found = self.rule.write_back.model_dump().items()
        return ((key, column) for key, column in found if column)

    def set(self) -> Iterator[tuple[Trail, str, ColumnValue]]:
        """The columns that get a value of the rule's own: where, which and what."""
        for trail, values in self.rule.sets():
            yield from (((*trail, column), column, value) for column, value in values.items())


@dataclass(frozen=True)
class PlacedRule(PlacedPart):
    """A rule and where it stands."""

    rule: TableRule

    def parts(self) -> Iterator[PlacedPart]:
        """The rule table by table."""
        for place, part in self.rule.parts():
            yield PlacedPart(part, self.document, (*self.trail, *place))
