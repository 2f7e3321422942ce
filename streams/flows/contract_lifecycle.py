"""Flow 2, contract_lifecycle: an opportunity that reaches a stage has a contract workspace.

The stage is reached when the rule's ``stage_reached`` says so, over the opportunity's columns and
over the stage of its business process. The contract's status follows the contract events of
Extended ECM (draft, in negotiation, in approval, rejected, approved, signed, executed, expired,
terminated); status, dates and, once it is approved or signed, the final document go back to the
record. Stage and events may come in either order, and events in any.

| the opportunity is     | the contract workspace                         | the record shows       |
|------------------------|------------------------------------------------|------------------------|
| not all known          | is not made; one that exists stays as it was   | is read                |
| before the stage       | is not made; one that exists: state Moved Back | link, status, document |
| at the stage or after  | exists, state Active; related to the record's  | link, status, document |
|                        | and the account's workspaces                   |                        |
| won                    | exists if the stage was reached; state Won     | link, status, document |
| lost                   | is not made; one that exists: state Lost       | link, status, document |
| deleted                | is not made; one that exists: state Deleted    | -                      |

| the newest contract event is           | dates and document of the round so far           |
|----------------------------------------|--------------------------------------------------|
| draft, in negotiation, in approval,    | void: a new round begins, columns are emptied    |
| rejected                               |                                                  |
| approved, signed, executed             | each date as it came, newest document            |
| expired, terminated                    | stay as they were                                |
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from streams.catalogue import ColumnValue
from streams.flows import moments, relations, workspaces
from streams.flows.conditions import STAGE_COLUMNS, context, holds
from streams.flows.plan import Plan
from streams.flows.shape import Cause, Decision, Flow, Reason, View
from streams.flows.workspaces import Wanted
from streams.messages.facts import WorkspaceEvent
from streams.rules import ContractColumns, ContractRule
from tables.contracts import STATUSES, ContractEvent, ContractsRow, ContractState
from tables.documents import DocumentRef
from tables.keys import RecordRef

EVENT_PREFIX = "contract."


class ContractWorkspaceState(StrEnum):
    """The opportunity's state as its contract workspace shows it."""

    ACTIVE = "Active"
    MOVED_BACK = "Moved Back"
    WON = "Won"
    LOST = "Lost"
    DELETED = "Deleted"


def decide(cause: Cause, view: View, rule: ContractRule) -> Decision:
    """Take in a contract event, then compare what the rule wants with what is confirmed."""
    assert isinstance(view.own, ContractsRow)
    contracts = _reported(view.own, cause, rule)
    contract = contracts.get(rule.name)
    plan = Plan(view, rule.name)
    plan.look_up(rule)
    _want_stage_name(plan)
    variables = context(view, rule)
    related, complete = relations.below(view, rule.record_workspace)
    wanted = Wanted(
        workspace_state(view, rule, variables).value,
        shown=_status_shown(rule, contract),
        columns=contract_columns(view, rule, contract),
        related=related,
        complete=complete,
    )
    workspaces.keep(plan, rule, variables, wanted, lambda: _is_due(plan, rule, variables))
    return plan.decision(own=contracts)


def workspace_state(
    view: View, rule: ContractRule, variables: Mapping[str, Any]
) -> ContractWorkspaceState:
    if not view.row.alive:
        return ContractWorkspaceState.DELETED
    if holds(rule.lost, variables):
        return ContractWorkspaceState.LOST
    if holds(rule.won, variables):
        return ContractWorkspaceState.WON
    # A stage that cannot be told is no reason to send people back: only a clear "no" is.
    known = view.knows(rule.stage_reached.columns())
    if known and holds(rule.stage_reached, variables) is False:
        return ContractWorkspaceState.MOVED_BACK
    return ContractWorkspaceState.ACTIVE


def _reported(contracts: ContractsRow, cause: Cause, rule: ContractRule) -> ContractsRow:
    """Take in the event, when it is a contract event of this rule's workspace."""
    if not isinstance(cause, WorkspaceEvent) or cause.rule != rule.name:
        return contracts
    status = cause.event.event.removeprefix(EVENT_PREFIX)
    if not cause.event.event.startswith(EVENT_PREFIX) or status not in STATUSES:
        return contracts
    told = cause.event.document
    document = DocumentRef(**told.model_dump()) if told else None
    event = ContractEvent(
        at_ms=cause.event.at_ms,
        event_id=cause.event.event_id,
        document=document,
        attributes=cause.event.attributes,
    )
    return contracts.reported(rule.name, status, event)


def _want_stage_name(plan: Plan) -> None:
    """The name of the stage is a column of its ``processstage`` row: ask that row for it."""
    current = plan.view.stages.current
    if current is None:
        return
    if plan.columns_of(RecordRef.parse(current), STAGE_COLUMNS) is None:
        plan.because(Reason.WAITING_FOR_STAGE_NAME)


def _is_due(plan: Plan, rule: ContractRule, variables: Mapping[str, Any]) -> bool:
    if not plan.view.knows(rule.asked):
        plan.read_record()
        return False
    if holds(rule.lost, variables):
        plan.because(Reason.OPPORTUNITY_LOST)
        return False
    reached = holds(rule.stage_reached, variables)
    if reached is None:
        plan.because(Reason.CONDITION_UNDECIDED)
    elif not reached:
        plan.because(Reason.STAGE_NOT_REACHED)
    return reached is True


def _status_shown(rule: ContractRule, contract: ContractState) -> dict[str, ColumnValue]:
    """The status as the workspace shows it; nothing before the first event."""
    if not rule.status_attribute or contract.status is None:
        return {}
    return {rule.status_attribute: _status_label(rule, contract.status)}


def contract_columns(
    view: View, rule: ContractRule, contract: ContractState
) -> dict[str, ColumnValue]:
    """What the record shows of its contract; nothing before the first event."""
    if contract.status is None:
        return {}
    document = contract.document
    columns = rule.write_back
    shown: dict[str | None, ColumnValue] = {
        columns.status: _status_label(rule, contract.status),
        columns.document_id: str(document.id) if document else None,
        columns.document_version: document.version if document else None,
        columns.document_url: document.url if document else None,
        **_dates(view, columns, contract),
    }
    return {column: value for column, value in shown.items() if column}


def _dates(
    view: View, columns: ContractColumns, contract: ContractState
) -> dict[str | None, ColumnValue]:
    """The key dates: when the contract was approved and so on, or as its documents say."""
    dates: dict[str | None, int | None] = {
        columns.approved_on: contract.when("approved"),
        columns.signed_on: contract.when("signed"),
        columns.effective_on: _told_ms(contract, "effective_on", contract.when("executed")),
        columns.expires_on: _told_ms(contract, "expires_on", contract.when("expired")),
        columns.terminated_on: contract.when("terminated"),
    }
    return {c: moments.as_column(view, c, at_ms) for c, at_ms in dates.items() if c}


def _told_ms(contract: ContractState, attribute: str, otherwise: int | None) -> int | None:
    """A date that the events carry, else the moment of the event itself."""
    told = moments.told_ms(contract.attribute(attribute))
    return otherwise if told is None else told


def _status_label(rule: ContractRule, status: str) -> str:
    return rule.statuses.get(status, status)


FLOW = Flow(
    "contract_lifecycle",
    lambda book: book.of(ContractRule),
    decide,
    own_table="contracts",
    own_row=ContractsRow,
)
