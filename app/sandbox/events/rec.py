"""RemoteExecutionContext as Dataverse's service endpoints push it (reference/dataverse.md 1.1).

An update that sets state and other columns leaves as two messages, the others first. ``__type``,
``/Date(ms)/`` and escaped slashes are those of .NET's DataContractJsonSerializer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.sandbox.events.change import ORG1, Encoded, RowEvent, Sender, made_guid, reference
from app.sandbox.events.rec_context import NO_ROW, Operation, Transport, sent
from app.sandbox.events.rec_values import (
    CONTRACTS,
    entity_value,
    option_value,
    pairs,
    reference_value,
    values,
)
from streams.catalogue import ColumnValue

_STATE = ("statecode", "statuscode")


@dataclass(frozen=True, slots=True)
class Habits:
    """How one endpoint is set up.

    ``transport`` chooses the headers: AMQP-encoded through Event Hubs, plain from a webhook.
    ``trimmed``: the body was too large, so parameters and images are gone. ``images``: a pre- and
    post-image of all columns is registered, with ``pre_image_only`` the former alone. ``split``:
    state columns leave on their own.
    """

    transport: Transport = "event_hub"
    trimmed: bool = False
    images: bool = False
    pre_image_only: bool = False
    split: bool = True
    sender: Sender = ORG1


PLAIN = Habits()


def encode(event: RowEvent, habits: Habits = PLAIN) -> list[Encoded]:
    """The messages of one create, update or delete, in the order in which they are sent."""
    if event.operation == "delete":
        target = reference_value(event.table.name, event.id)
        return [_message(event, habits, "Delete", {"Target": target}, event.operation)]
    name = event.operation.capitalize()
    return [
        _message(event, habits, name, {"Target": _entity(event, part)}, f"{name}{number}")
        for number, part in enumerate(_parts(event, habits))
    ]


def several(events: Sequence[RowEvent], habits: Habits = PLAIN) -> Encoded:
    """CreateMultiple or UpdateMultiple of rows of one table, by the first event's operation."""
    first = events[0]
    name = f"{first.operation.capitalize()}Multiple"
    targets = {
        "__type": f"EntityCollection:{CONTRACTS}",
        "Entities": [_entity(event, event.sent()) for event in events],
        "EntityName": first.table.name,
        "MoreRecords": False,
        "PagingCookie": None,
        "TotalRecordCount": -1,
    }
    return _message(first, habits, name, {"Targets": targets}, name, row_id=NO_ROW)


def assigned(event: RowEvent, habits: Habits = PLAIN) -> Encoded:
    """The legacy Assign message: the row's ``ownerid``."""
    owner = reference(event.row["ownerid"])
    parameters = {
        "Target": reference_value(event.table.name, event.id),
        "Assignee": reference_value(owner.table, owner.id),
    }
    return _message(event, habits, "Assign", parameters, "assign")


def state_set(event: RowEvent, habits: Habits = PLAIN, *, dynamic: bool = True) -> Encoded:
    """The legacy SetState message, or its dynamic twin: ``statecode`` and ``statuscode``."""
    parameters = {
        "EntityMoniker": reference_value(event.table.name, event.id),
        "State": option_value(event.row["statecode"]),
        "Status": option_value(event.row["statuscode"]),
    }
    name = "SetStateDynamicEntity" if dynamic else "SetState"
    return _message(event, habits, name, parameters, name)


def closed(
    event: RowEvent, habits: Habits = PLAIN, *, message: Literal["Win", "Lose", "Close"]
) -> Encoded:
    """Win, Lose or Close with its activity; the status is the row's."""
    activity = {
        "opportunity": "opportunityclose",
        "incident": "incidentresolution",
        "quote": "quoteclose",
    }[event.table.name]
    names = {
        "opportunityclose": "OpportunityClose",
        "incidentresolution": "IncidentResolution",
        "quoteclose": "QuoteClose",
    }
    closing = entity_value(
        activity,
        made_guid("close", event.id, event.at_ms),
        {
            "subject": f"{message} {event.table.name}",
            event.table.primary_id: reference_value(event.table.name, event.id),
        },
    )
    parameters = {names[activity]: closing, "Status": option_value(event.row["statuscode"])}
    return _message(event, habits, message, parameters, message)


def merged(event: RowEvent, subordinate_id: str, habits: Habits = PLAIN) -> Encoded:
    """Merge into the event's row; the changed columns are the content that it takes over."""
    content = event.sent()
    parameters = {
        "Target": reference_value(event.table.name, event.id),
        "SubordinateId": subordinate_id,
        "UpdateContent": entity_value(event.table.name, NO_ROW, values(event.table, content)),
        "PerformParentingChecks": False,
    }
    return _message(event, habits, "Merge", parameters, "merge")


def associated(event: RowEvent, related: Sequence[str], habits: Habits = PLAIN) -> Encoded:
    """Associate the row with others (``<table>:<guid>``) over an N:N relationship."""
    references = [reference(key) for key in related]
    parameters = {
        "Target": reference_value(event.table.name, event.id),
        "Relationship": {"PrimaryEntityRole": None, "SchemaName": "new_account_contact"},
        "RelatedEntities": [reference_value(found.table, found.id) for found in references],
    }
    return _message(event, habits, "Associate", parameters, "associate")


def _parts(event: RowEvent, habits: Habits) -> list[dict[str, ColumnValue]]:
    sent = event.sent()
    state = {name: value for name, value in sent.items() if name in _STATE}
    others = {name: value for name, value in sent.items() if name not in _STATE}
    if event.operation == "update" and habits.split and state and others:
        return [others, state]
    return [sent]


def _message(
    event: RowEvent,
    habits: Habits,
    name: str,
    parameters: Mapping[str, Any],
    step: str,
    row_id: str | None = None,
) -> Encoded:
    rest = None
    if not habits.trimmed:
        rest = {
            "InputParameters": pairs(parameters),
            "ParentContext": None,
            "PreEntityImages": _pre_images(event, habits),
            "PostEntityImages": _post_images(event, habits, name),
        }
    return sent(_operation(event, habits, name, step, row_id or event.id), rest, habits.transport)


def _operation(event: RowEvent, habits: Habits, name: str, step: str, row_id: str) -> Operation:
    request = (event.table.name, event.id, event.at_ms)
    return Operation(
        message=name,
        table=event.table.name,
        row_id=row_id,
        at_ms=event.at_ms,
        user_id=event.actor,
        initiating_user_id=event.actor,
        correlation_id=made_guid("correlation", *request),
        operation_id=made_guid("operation", step, *request),
        request_id=made_guid("request", *request),
        tag=event.tag,
        sender=habits.sender,
    )


def _pre_images(event: RowEvent, habits: Habits) -> list[Any]:
    before = event.row if event.operation == "delete" else event.before
    if not habits.images or before is None or event.operation == "create":
        return []
    return pairs({"PreImage": _image(event, before)})


def _post_images(event: RowEvent, habits: Habits, name: str) -> list[Any]:
    if event.operation == "delete" or name in ("Merge", "Associate") or name.endswith("Multiple"):
        return []
    images = {"AsynchronousStepPrimaryName": _image(event, {})}
    if habits.images and not habits.pre_image_only:
        images["PostImage"] = _image(event, event.row)
    return pairs(images)


def _image(event: RowEvent, columns: Mapping[str, ColumnValue]) -> dict[str, Any]:
    """An image holds no empty columns, and its entity has no ``__type``."""
    filled = {name: value for name, value in columns.items() if value is not None}
    attributes = {event.table.primary_id: event.id, **values(event.table, filled)}
    entity = entity_value(event.table.name, event.id, attributes)
    del entity["__type"]
    return entity


def _entity(event: RowEvent, columns: Mapping[str, ColumnValue]) -> dict[str, Any]:
    """A target: the columns, the id and who changed it when."""
    attributes = {
        **values(event.table, columns),
        event.table.primary_id: event.id,
        "modifiedon": f"/Date({event.modified_ms})/",
        "modifiedby": reference_value("systemuser", event.actor),
        "modifiedonbehalfby": None,
    }
    if event.operation == "create":
        attributes["createdon"] = f"/Date({event.modified_ms})/"
    return entity_value(event.table.name, event.id, attributes)
