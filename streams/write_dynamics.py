"""Stage 3b, write_dynamics: carries out commands to Dynamics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import TypeAdapter

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
    """The writer of Dynamics. ``tag`` marks our writes in the events that they cause."""

    gateway: DynamicsGateway
    tag: str = "dovetail"

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
