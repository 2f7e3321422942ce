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
from streams.writing import Writer


@dataclass
class DynamicsWriter(Writer):
    """The writer of Dynamics. ``tag`` marks our writes in the events that they cause.

    ``financial``: the columns by table that Dynamics alone writes. Rules that would are refused
    when they are read; here is the second lock, whatever a command says.
    """

    gateway: DynamicsGateway
    tag: str = "dovetail"
    financial: Mapping[str, frozenset[str]] = field(default_factory=dict)

    name: ClassVar[str] = "write-dynamics"
    system: ClassVar[str] = "dynamics"
    ledger: ClassVar[str] = "ledger_dynamics"
    commands: ClassVar[TypeAdapter[Any]] = DYNAMICS_COMMANDS

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
                )
            case ReadRecord():
                found = await self.gateway.read_record(command.record)
                common = self.common(command)
                return RecordRead(
                    **common,
                    columns=found.columns if found else None,
                    version=found.version if found else None,
                    modified_ms=found.modified_ms if found else common["at_ms"],
                )

    def _allow(self, command: SetRecordColumns) -> None:
        """Raise Refused (``column_financial``) for a command that would touch a financial column.

        All of it is refused: half of what a flow wants would show a record that never was.
        """
        table = command.record.table
        touched = sorted(self.financial.get(table, frozenset()) & command.columns.keys())
        if touched:
            raise Refused(
                f"{', '.join(touched)} of {table} belong to Dynamics alone.",
                code="column_financial",
                advice="Take the column out of write_back, or out of financial, in the rules.",
            )
