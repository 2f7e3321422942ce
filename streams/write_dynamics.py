"""Stage 3b, write_dynamics: carries out commands to Dynamics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import TypeAdapter

from streams.errors import Refused
from streams.messages.commands import (
    DYNAMICS_COMMANDS,
    AnyCommand,
    DynamicsCommand,
    ReadRecord,
    SetRecordColumns,
)
from streams.messages.outcomes import AnyOutcome, RecordColumnsSet, RecordRead
from streams.ports import DynamicsGateway
from streams.writers.writing import Patience, Writer


@dataclass
class DynamicsWriter(Writer):
    """The writer of Dynamics. ``tag`` marks our writes in the events that they cause.

    ``financial``: the columns by table that Dynamics alone writes. Rules that would are refused
    when they are read; here is the second lock, whatever a command says. ``finance`` is the
    patience with finance and operations, for records of the tables in ``erp``: either system may
    be away without the other waiting. ``erp`` names, by table, the columns that a rule writes
    there; no command may touch another.
    """

    gateway: DynamicsGateway
    tag: str = "dovetail"
    financial: Mapping[str, frozenset[str]] = field(default_factory=dict)
    finance: Patience | None = None
    erp: Mapping[str, frozenset[str]] = field(default_factory=dict)

    name: ClassVar[str] = "write-dynamics"
    system: ClassVar[str] = "dynamics"
    ledger: ClassVar[str] = "ledger_dynamics"
    commands: ClassVar[TypeAdapter[Any]] = DYNAMICS_COMMANDS

    def patience_with(self, command: AnyCommand) -> Patience:
        away = self.finance if command.record.table in self.erp else None
        return away or self.patience

    def system_of(self, command: AnyCommand) -> str:
        return "finance" if command.record.table in self.erp else self.system

    def is_remembered(self, command: AnyCommand) -> bool:
        """A record is read again each time: what it held before is not what was asked for."""
        return not isinstance(command, ReadRecord)

    async def carry_out(self, command: DynamicsCommand) -> AnyOutcome:
        match command:
            case SetRecordColumns():
                self._allow(command)
                row = await self.gateway.write_columns(
                    command.record, command.columns, tag=self.tag
                )
                return RecordColumnsSet(
                    **self.common(command),
                    columns=command.columns,
                    version=row.version,
                    modified_ms=row.modified_ms,
                    read_ms=row.read_ms,
                )
            case ReadRecord():
                found = await self.gateway.read_record(command.record)
                common = self.common(command)
                return RecordRead(
                    **common,
                    columns=found.columns if found else None,
                    version=found.version if found else None,
                    modified_ms=found.modified_ms if found else common["at_ms"],
                    read_ms=found.read_ms if found else None,
                )

    def _allow(self, command: SetRecordColumns) -> None:
        """Raise Refused for a command that would touch a column which is not ours to write.

        ``column_financial``, or in finance and operations ``column_not_named`` by any rule. All of
        it is refused: half of what a flow wants would show a record that never was.
        """
        table = command.record.table
        touched = sorted(self.financial.get(table, frozenset()) & command.columns.keys())
        if touched:
            raise Refused(
                f"{', '.join(touched)} of {table} belong to Dynamics alone.",
                code="column_financial",
                advice="Take the column out of write_back, or out of financial, in the rules.",
            )
        unnamed = sorted(command.columns.keys() - self.erp.get(table, command.columns.keys()))
        if unnamed:
            raise Refused(
                f"No rule writes {', '.join(unnamed)} of {table}.",
                code="column_not_named",
                advice="Name the column in the rule's write_back.",
            )
