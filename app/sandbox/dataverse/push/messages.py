"""What leaves for one commit: none, one or two messages of the platform, before any delivery."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.sandbox.dataverse.push.steps import Steps
from app.sandbox.dataverse.push.values import image, target
from app.sandbox.dataverse.store.commits import Commit, Row
from app.sandbox.dataverse.tables.schema import Table
from app.sandbox.dataverse.tables.values import Reference, Value
from app.sandbox.events.change import Encoded, Sender, made_guid
from app.sandbox.events.rec_context import (
    CUT_OFF,
    NO_ROW,
    Operation,
    context,
    headers,
    sent,
)
from app.sandbox.events.rec_values import option_value, pairs, reference_value

ASYNC = "CustomAsync"
"""Logic of this kind is passed over: the steps of service endpoints too."""

_STATE = ("statecode", "statuscode")
_STAMPS = ("modifiedon", "modifiedby", "modifiedonbehalfby")
_OUTER_STAGE = 30


@dataclass(frozen=True, slots=True)
class Message:
    """One message: what it is about, and its body as long as nothing was dropped from it."""

    operation: Operation
    rest: Mapping[str, Any]

    @property
    def about(self) -> str:
        """As faults look at it: ``<table>(<id>)``."""
        return f"{self.operation.table}({self.operation.row_id})"

    def headers(self, steps: Steps) -> tuple[tuple[str, bytes], ...]:
        """Those of a message of which nothing was dropped."""
        return headers(self.operation, steps.transport, trimmed=False)

    def encoded(self, steps: Steps, *, cut: bool = False) -> Encoded | None:
        """As it travels; None for one that is too large even when cut off: it is not sent."""
        whole = sent(self.operation, self.rest, steps.transport)
        if not cut and len(whole.value or b"") <= steps.limit_bytes:
            return whole
        rest = sent(self.operation, None, steps.transport)
        return rest if cut or len(rest.value or b"") <= steps.limit_bytes else None


class Writer:
    """Writes the messages of commits; ``table`` and ``row`` look things up as they are now."""

    def __init__(
        self,
        sender: Sender,
        table: Callable[[str], Table],
        row: Callable[[str, str], Row | None],
    ) -> None:
        self.sender = sender
        self._table = table
        self._row = row

    def messages(self, commit: Commit, number: int, steps: Steps) -> list[Message]:
        """In the order in which they happen. ``number`` is the commit's, for the ids."""
        if steps.tables is not None and commit.table not in steps.tables:
            return []
        if ASYNC in commit.author.bypass:
            return []
        found = []
        for part, columns in enumerate(_parts(commit, steps)):
            operation = self._operation(commit, f"{number}.{part}")
            passed_over = operation.step_id in commit.author.bypass_steps
            if not passed_over and _fires(commit, columns, steps):
                found.append(self._message(commit, operation, columns, steps))
        return found

    def _operation(self, commit: Commit, number: str) -> Operation:
        author = commit.author
        correlation = author.correlation_id
        if not _is_guid(correlation):
            correlation = made_guid("correlation", commit.transaction, correlation)
        agent = author.user_agent or self.sender.agent
        return Operation(
            message=commit.message,
            table=commit.table,
            row_id=commit.id,
            at_ms=int(commit.at.timestamp() * 1000),
            user_id=author.user_id,
            initiating_user_id=author.initiating_user_id,
            correlation_id=correlation,
            operation_id=made_guid("operation", commit.transaction, number),
            request_id=made_guid("request", commit.transaction),
            tag=author.tag,
            depth=commit.depth,
            sender=replace(self.sender, agent=agent),
        )

    def _message(
        self, commit: Commit, operation: Operation, columns: Mapping[str, Value], steps: Steps
    ) -> Message:
        parameters = pairs(self._parameters(commit, columns))
        parent = None
        if steps.nested:
            outer = replace(operation, stage=_OUTER_STAGE)
            parent = {**context(outer), **dict.fromkeys(CUT_OFF), "InputParameters": parameters}
            operation = replace(operation, tag=None)
        rest = {
            "InputParameters": parameters,
            "ParentContext": parent,
            "PreEntityImages": self._before(commit, steps),
            "PostEntityImages": self._after(commit, steps),
        }
        return Message(operation, rest)

    def _parameters(self, commit: Commit, columns: Mapping[str, Value]) -> dict[str, Any]:
        here = reference_value(commit.table, commit.id)
        match commit.message:
            case "Create" | "Update":
                return {"Target": target(self._table(commit.table), commit.id, columns)}
            case "Delete":
                return {"Target": here}
            case "Associate" | "Disassociate":
                name = commit.parameters["Relationship"]
                related = commit.parameters["RelatedEntities"]
                return {
                    "Target": here,
                    "Relationship": {"PrimaryEntityRole": None, "SchemaName": name},
                    "RelatedEntities": [reference_value(one.table, one.id) for one in related],
                }
            case "Merge":
                return self._merged(commit)
        return {name: self._parameter(name, value) for name, value in commit.parameters.items()}

    def _merged(self, commit: Commit) -> dict[str, Any]:
        content = commit.parameters["UpdateContent"]
        return {
            "Target": reference_value(commit.table, commit.id),
            "SubordinateId": commit.parameters["SubordinateId"],
            "UpdateContent": target(self._table(commit.table), NO_ROW, content),
            "PerformParentingChecks": False,
        }

    def _parameter(self, name: str, value: Any) -> Any:
        """Of an action that closes a record: its activity as a whole, and the status."""
        if isinstance(value, Reference):
            activity = self._row(value.table, value.id)
            columns = {} if activity is None else activity.values
            filled = {n: v for n, v in columns.items() if v is not None}
            return target(self._table(value.table), value.id, filled)
        return option_value(value) if name == "Status" else value

    def _before(self, commit: Commit, steps: Steps) -> list[Any]:
        """There is none of a row that comes to be."""
        if not steps.images or commit.before is None or commit.message not in ("Update", "Delete"):
            return []
        shown = image(self._table(commit.table), commit.id, commit.before.values)
        return pairs({"PreImage": shown})

    def _after(self, commit: Commit, steps: Steps) -> list[Any]:
        """Asynchronous steps bring the row's name unasked; there is none of a row that is gone."""
        if commit.after is None or commit.message not in ("Create", "Update"):
            return []
        table = self._table(commit.table)
        name = {table.primary_name: commit.after.values.get(table.primary_name)}
        images = {"AsynchronousStepPrimaryName": image(table, commit.id, name)}
        if steps.images:
            images["PostImage"] = image(table, commit.id, commit.after.values)
        return pairs(images)


def _parts(commit: Commit, steps: Steps) -> list[dict[str, Value]]:
    """The columns of each message: of a new row all, of an update those that were submitted."""
    if commit.message == "Create" and commit.after is not None:
        return [{name: value for name, value in commit.after.values.items() if value is not None}]
    if commit.message != "Update" or commit.after is None:
        return [{}]
    groups: list[dict[str, Value]] = [{}, {}, {}]
    for name, value in commit.submitted.items():
        own = (steps.split_owner and name == "ownerid") + 2 * (steps.split_state and name in _STATE)
        groups[own][name] = value
    stamps = {name: commit.after.values.get(name) for name in _STAMPS}
    return [{**group, **stamps} for group in groups if group] or [stamps]


def _fires(commit: Commit, columns: Mapping[str, Value], steps: Steps) -> bool:
    """Whether a step on this message is one for these columns."""
    filtering = steps.filtering.get(commit.table)
    return commit.message != "Update" or filtering is None or bool(filtering & set(columns))


def _is_guid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
