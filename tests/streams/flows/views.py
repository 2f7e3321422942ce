"""Views for tests of the flows, short to write, and decisions in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from streams.catalogue import ColumnValue
from streams.flows.shape import Decision, View
from streams.messages.commands import AnyCommand, SetRecordColumns, UpdateWorkspace
from tables.approvals import ApprovalsRow
from tables.contracts import ContractsRow
from tables.evidence import EvidenceRow
from tables.flow_steps import StepsRow
from tables.keys import RecordRef
from tables.neighbours import NeighboursRow
from tables.pasts import PastRow
from tables.records import RecordRow, Stamp
from tables.rows import Row
from tables.stages import StagesRow
from tables.workspace_links import Link, LinksRow
from tests.streams.rulebook import BOOK, CATALOGUE
from tests.streams.samples import START_MS, change, ref

ACCOUNT, OTHER, DEAL = ref("account", 1), ref("account", 2), ref("opportunity", 3)
ANN, BOB, TEAM = ref("systemuser", 11), ref("systemuser", 12), ref("team", 13)
#: What set the decision off; the flows look at it only for events of workspaces.
CAUSE = change(ACCOUNT, 0)
WORKSPACE_ID = 70

Decide = Callable[[View], Decision]


def view(
    record: RecordRef,
    columns: Mapping[str, ColumnValue] | None = None,
    *,
    deleted: bool = False,
    links: Mapping[str, int] | None = None,
    neighbours: NeighboursRow | None = None,
    stages: StagesRow | None = None,
    evidence: EvidenceRow | None = None,
    approvals: ApprovalsRow | None = None,
    own: Row | None = None,
) -> View:
    """A record with these columns, seen at the start; ``links`` are workspaces by rule."""
    row = RecordRow()
    if columns is not None:
        row = row.merged(columns, Stamp(START_MS, 1)).row
    if deleted:
        row = row.removed(Stamp(START_MS + 1000))
    linked = {
        rule: Link(workspace_id=number, name="First name", url=f"https://ecm.example/{number}")
        for rule, number in (links or {}).items()
    }
    return View(
        record=record,
        row=row,
        links=LinksRow(links=linked),
        steps=StepsRow(),
        neighbours=neighbours or NeighboursRow(),
        stages=stages or StagesRow(),
        evidence=evidence or EvidenceRow(),
        approvals=approvals or ApprovalsRow(),
        past=PastRow(),
        own=own or ContractsRow(),
        catalogue=CATALOGUE,
        members=BOOK.members,
        at_ms=START_MS,
        now_ms=START_MS,
    )


def also(before: View, second: int, **columns: ColumnValue) -> View:
    """The view after a change of these columns."""
    stamp = Stamp(START_MS + second * 1000, 1 + second)
    return replace(before, row=before.row.merged(columns, stamp).row)


def confirmed(before: View, commands: tuple[AnyCommand, ...], second: int = 0) -> View:
    """The view after all these commands became true; columns that were set are in the row."""
    at_ms = START_MS + second * 1000
    after = before
    for command in commands:
        steps = after.steps.confirmed(command.rule, command.step, command.desired, at_ms)
        after = replace(after, steps=steps)
        if isinstance(command, SetRecordColumns):
            after = also(after, second, **command.columns)
    return after


def settled(decide: Decide, before: View, second: int = 0) -> View:
    """The view after everything that a rule wants became true."""
    after = before
    for _ in range(5):
        commands = decide(after).commands
        if not commands:
            return after
        after = confirmed(after, commands, second)
    raise AssertionError("it never comes to rest")


def asked(decision: Decision) -> list[str]:
    """The commands as ``kind step``."""
    return [f"{command.kind} {command.step}" for command in decision.commands]


def told(decision: Decision) -> list[str]:
    """The facts for others as ``kind key``."""
    return [f"{fact.kind} {fact.key}" for fact in decision.facts]


def why(decision: Decision) -> list[str]:
    return [reason.value for reason in decision.reasons]


def only(decision: Decision, step: str) -> Any:
    """The one command of this step."""
    found = [command for command in decision.commands if command.step == step]
    assert len(found) == 1, asked(decision)
    return found[0]


def state(decision: Decision) -> ColumnValue:
    """The state that the workspace is to show."""
    update: UpdateWorkspace = only(decision, "properties")
    return update.attributes["Business Record"]["Record State"]
