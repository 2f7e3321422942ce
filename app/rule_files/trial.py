"""Trying the rules on paper: facts in, commands out, and every command comes true at once.

Decides with the very code of the worker, over rows in memory. Dynamics holds what the case told and
wrote so far; Extended ECM makes each workspace and workflow that it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from app.rule_files.cases import Case, Given, Names, PlacedCase, short_name
from app.rule_files.compared import holds, nearest, text, told
from streams.catalogue import ColumnValue
from streams.decide import DecideStage
from streams.deciding.absorb import Absorber
from streams.deciding.memory import TIMERS
from streams.engine.records import Outgoing
from streams.flows.shape import Cause
from streams.guard import DeadLetterLimit, Guard
from streams.messages.commands import (
    DYNAMICS_COMMANDS,
    ECM_COMMANDS,
    AnyCommand,
    EnsureFolder,
    EnsureWorkspace,
    ReadRecord,
    SetRecordColumns,
    StartWorkflow,
)
from streams.messages.facts import (
    FACTS,
    EcmEvent,
    Operation,
    Origin,
    RecordChange,
    TimeReached,
    WorkspaceEvent,
)
from streams.messages.outcomes import (
    AnyOutcome,
    FolderEnsured,
    RecordColumnsSet,
    RecordRead,
    StepDone,
    WorkflowStarted,
    WorkspaceEnsured,
)
from streams.metrics import Metrics
from streams.rules import RuleBook
from streams.topics import CHANGES
from streams.topics import DYNAMICS_COMMANDS as TO_DYNAMICS
from streams.topics import ECM_COMMANDS as TO_ECM
from tables.keys import RecordRef
from tables.wakes import parse_timer

#: When cases begin: a Monday, 2024-01-01T08:00:00Z.
START_MS = 1_704_096_000_000
_MINUTE_MS = 60_000
_ORIGIN = Origin(format="case", topic="case", partition=0, offset=0)
#: More messages than any case needs: rules that answer each other for ever.
_LIMIT = 20_000
_OPERATIONS = {
    "create": Operation.CREATE,
    "change": Operation.UPDATE,
    "delete": Operation.DELETE,
}


@dataclass
class _Rows:
    """Tables as one dictionary."""

    tables: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def get(self, table: str, key: str) -> bytes | None:
        return self.tables.get((table, key))

    def put(self, table: str, key: str, value: bytes) -> None:
        self.tables[table, key] = value

    def delete(self, table: str, key: str) -> None:
        self.tables.pop((table, key), None)

    def under(self, table: str, prefix: str) -> list[tuple[str, bytes]]:
        rows = ((key, v) for (name, key), v in self.tables.items() if name == table)
        return sorted((key, value) for key, value in rows if key.startswith(prefix))


class Trial:
    """One case's world."""

    def __init__(self, book: RuleBook) -> None:
        metrics = Metrics(CollectorRegistry())
        guard = Guard("rules-test", metrics, DeadLetterLimit())
        self.now_ms = START_MS
        self.commands: list[AnyCommand] = []
        self.workspaces: dict[tuple[str, str, str], int] = {}
        self.folders: dict[tuple[int, str], int] = {}
        #: Whose workspace a number is: ``account/1#account-workspace``.
        self.owners: dict[int, str] = {}
        #: The workflows that were started, by the workspace that each is in, the newest last.
        self.workflows: dict[int, list[int]] = {}
        self._rows = _Rows()
        self._names = Names(book)
        self._dynamics: dict[str, dict[str, ColumnValue]] = {}
        self._next = 1000
        self._events = 0
        self._stage = DecideStage(book, Absorber(book), metrics, guard, lambda: self.now_ms)

    def play(self, case: Case) -> None:
        """Let everything happen that the case gives, and all that comes of it."""
        for name, columns in case.records.items():
            record = self._names.record(name)
            self._dynamics[record.key] = self._names.columns(record, columns)
        for given in case.given:
            self.now_ms += _MINUTE_MS
            if given.wait is not None:
                self._pass(given.wait)
            else:
                self._run([self._told(given)])

    def _told(self, given: Given) -> Cause:
        self._events += 1
        if given.event is not None:
            record = self._names.record(given.of or "")
            event = EcmEvent(
                event_id=f"event-{self._events}",
                event=given.event,
                at_ms=self.now_ms,
                record=record,
                document=given.document,
                actor=given.actor,
                attributes=self._attributes(given),
                origin=_ORIGIN,
            )
            return WorkspaceEvent(record=record, rule=given.rule or "", event=event)
        name = next(key for key in _OPERATIONS if getattr(given, key) is not None)
        record = self._names.record(getattr(given, name))
        columns = self._names.columns(record, given.columns)
        if name == "delete":
            self._dynamics.pop(record.key, None)
        else:
            self._dynamics.setdefault(record.key, {}).update(columns)
        return RecordChange(
            record=record,
            operation=_OPERATIONS[name],
            columns=columns,
            at_ms=self.now_ms,
            version=self._events,
            origin=_ORIGIN,
        )

    def _attributes(self, given: Given) -> Mapping[str, str | int | bool | None]:
        """What the event says; a workflow that a case does not name is the newest one there."""
        if not str(given.event).startswith("workflow.") or "workflow_id" in given.attributes:
            return given.attributes
        owner = f"{short_name(self._names.record(given.of or ''))}#{given.rule}"
        started = [
            n
            for place, found in self.workflows.items()
            for n in found
            if self.owners.get(place) == owner
        ]
        return {**given.attributes, **({"workflow_id": max(started)} if started else {})}

    def _pass(self, span_ms: int) -> None:
        until = self.now_ms + span_ms
        while True:
            timers = sorted(key for table, key in self._rows.tables if table == TIMERS)
            due, record = parse_timer(timers[0]) if timers else (until + 1, None)
            if record is None or due > until:
                break
            self.now_ms = max(due, self.now_ms)
            self._rows.delete(TIMERS, timers[0])
            self._run([TimeReached(record=record, at_ms=self.now_ms)])
        self.now_ms = until

    def _run(self, causes: list[Cause]) -> None:
        for _ in range(_LIMIT):
            if not causes:
                return
            for message in self._stage.decide(causes.pop(0), self._rows):
                causes += self._answered(message)
        raise RuntimeError(f"no end after {_LIMIT} messages: records of these rules ask for ever")

    def _answered(self, message: Outgoing) -> list[Cause]:
        if message.value is None:
            return []
        if message.topic == CHANGES.name:
            return [FACTS.validate_json(message.value)]
        if message.topic not in (TO_ECM.name, TO_DYNAMICS.name):
            return []
        adapter = ECM_COMMANDS if message.topic == TO_ECM.name else DYNAMICS_COMMANDS
        command: AnyCommand = adapter.validate_json(message.value)
        self.commands.append(command)
        return [self._outcome(command)]

    def _outcome(self, command: AnyCommand) -> AnyOutcome:
        """What a writer would say once the command is true."""
        common = {
            "command_id": command.id,
            "command": command.kind,
            "rule": command.rule,
            "record": command.record,
            "step": command.step,
            "desired": command.desired,
            "at_ms": self.now_ms,
            "caused_at_ms": command.caused_at_ms,
        }
        match command:
            case EnsureWorkspace():
                return self._ensured(command, common)
            case EnsureFolder():
                number = self._folder(command)
                url = f"https://ecm.example/{number}"
                return FolderEnsured(
                    **common,
                    workspace_id=command.workspace_id,
                    folder_id=number,
                    name=command.name,
                    url=url,
                )
            case StartWorkflow():
                number = self._number()
                self.workflows.setdefault(command.workspace_id, []).append(number)
                return WorkflowStarted(**common, workflow_id=number, round=command.round)
            case SetRecordColumns():
                self._dynamics.setdefault(command.key, {}).update(command.columns)
                return RecordColumnsSet(**common, columns=command.columns, modified_ms=self.now_ms)
            case ReadRecord():
                known = self._dynamics.get(command.key)
                whole = None if known is None else {**self._empty(command.record), **known}
                return RecordRead(**common, columns=whole, modified_ms=self.now_ms)
        return StepDone(**common)

    def _ensured(self, command: EnsureWorkspace, common: Mapping[str, Any]) -> WorkspaceEnsured:
        named = command.business_object
        triple = (named.external_system, named.type, named.id)
        created = triple not in self.workspaces
        number = self.workspaces.setdefault(triple, self._number())
        self.owners[number] = f"{short_name(command.record)}#{command.rule}"
        return WorkspaceEnsured(
            **common,
            workspace_id=number,
            name=command.name,
            url=f"https://ecm.example/{number}",
            created=created,
            properties=command.properties if created else None,
        )

    def _folder(self, command: EnsureFolder) -> int:
        named = (command.workspace_id, command.folder_key)
        if named not in self.folders:
            self.folders[named] = self._number()
        return self.folders[named]

    def _number(self) -> int:
        self._next += 1
        return self._next

    def _empty(self, record: RecordRef) -> dict[str, ColumnValue]:
        return dict.fromkeys(self._names.catalogue.tables[record.table].columns)


def tried(one: PlacedCase, book: RuleBook) -> list[str]:
    """Play a case; returns what went otherwise than it says, each with file and line."""
    trial = Trial(book)
    trial.play(one.case)
    shown = [_shown(command, trial) for command in trial.commands]
    wrong = []
    for index, wanted in enumerate(one.case.expect):
        ((kind, fields),) = wanted.items()
        of_kind = [command for command in shown if command["kind"] == kind]
        if not any(holds(fields, command) for command in of_kind):
            seen = nearest(fields, of_kind) or f"no {kind} came"
            wrong.append(f"{one.at('expect', index)}: {kind} {text(fields)} did not come; {seen}")
    for index, wanted in enumerate(one.case.never):
        ((kind, fields),) = wanted.items()
        came = [c for c in shown if c["kind"] == kind and holds(fields, c)]
        if came:
            wrong.append(f"{one.at('never', index)}: {kind} came: {told(came[0], fields)}")
    return wrong


def _shown(command: AnyCommand, trial: Trial) -> dict[str, Any]:
    """A command as cases write it."""
    shown = command.model_dump(mode="json") | {"record": short_name(command.record)}
    for name, short in (("workspace_id", "workspace"), ("related_id", "related")):
        if name in shown:
            shown[short] = trial.owners.get(shown[name], str(shown[name]))
    return shown
