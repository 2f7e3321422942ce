"""What every RemoteExecutionContext says beside its parameters and images, and its headers.

reference/dataverse.md 1.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.sandbox.events.change import ORG1, Encoded, Sender, dumped, made_guid
from app.sandbox.events.rec_values import pairs

NO_ROW = "00000000-0000-0000-0000-000000000000"
CUT_OFF = ("InputParameters", "ParentContext", "PreEntityImages", "PostEntityImages")
"""The fields that a transport drops from a body that is too large."""

Transport = Literal["event_hub", "webhook"]

_CLAIMS = "http://schemas.microsoft.com/xrm/2011/Claims/"


@dataclass(frozen=True, slots=True)
class Operation:
    """One message of the platform about one row: who, what, when, in whose wake.

    ``user_id`` is the user that the step runs as, ``initiating_user_id`` the real caller.
    ``operation_id`` is the same for each delivery of the message, ``correlation_id`` for all that
    one request caused.
    """

    message: str
    table: str
    row_id: str
    at_ms: int
    user_id: str
    initiating_user_id: str
    correlation_id: str
    operation_id: str
    request_id: str
    tag: str | None = None
    depth: int = 1
    stage: int = 40
    sender: Sender = ORG1

    @property
    def step_id(self) -> str:
        """The sdkmessageprocessingstep that sends it: one per table and message."""
        return step_id(self.table, self.message)


def step_id(table: str, message: str) -> str:
    """The id of the step on a message of a table; the same in every run."""
    return made_guid("step", table, message)


def context(operation: Operation) -> dict[str, Any]:
    """The fields of a body that survive trimming."""
    created = operation.message == "Create"
    return {
        "BusinessUnitId": operation.sender.unit,
        "CorrelationId": operation.correlation_id,
        "Depth": operation.depth,
        "InitiatingUserAzureActiveDirectoryObjectId": NO_ROW,
        "InitiatingUserId": operation.initiating_user_id,
        "IsExecutingOffline": False,
        "IsInTransaction": False,
        "IsOfflinePlayback": False,
        "IsolationMode": 1,
        "MessageName": operation.message,
        "Mode": 1,
        "OperationCreatedOn": f"/Date({operation.at_ms}+0000)/",
        "OperationId": operation.operation_id,
        "OrganizationId": operation.sender.organisation_id,
        "OrganizationName": operation.sender.organisation,
        "OutputParameters": pairs({"id": operation.row_id}) if created else [],
        "OwningExtension": {
            "Id": operation.step_id,
            "KeyAttributes": [],
            "LogicalName": "sdkmessageprocessingstep",
            "Name": f"{operation.message} of {operation.table}",
            "RowVersion": None,
        },
        "PrimaryEntityId": operation.row_id,
        "PrimaryEntityName": operation.table,
        "RequestId": operation.request_id,
        "SecondaryEntityName": "none",
        "SharedVariables": pairs({"tag": operation.tag}) if operation.tag else [],
        "Stage": operation.stage,
        "UserAzureActiveDirectoryObjectId": NO_ROW,
        "UserId": operation.user_id,
    }


def sent(
    operation: Operation, rest: Mapping[str, Any] | None, transport: Transport = "event_hub"
) -> Encoded:
    """The message; ``rest`` are the fields of `CUT_OFF`, None when the transport dropped them."""
    body = {**context(operation), **(rest or {})}
    value = dumped(dict(sorted(body.items())), slashes_escaped=True)
    return Encoded(None, value, headers(operation, transport, trimmed=rest is None))


def headers(
    operation: Operation, transport: Transport, *, trimmed: bool
) -> tuple[tuple[str, bytes], ...]:
    """Plain ones from a webhook, AMQP-encoded ones through Event Hubs."""
    sender = operation.sender
    if transport == "webhook":
        plain = {
            "content-type": "application/json",
            "x-ms-dynamics-organization": sender.host,
            "x-ms-dynamics-entity-name": operation.table,
            "x-ms-dynamics-request-name": operation.message,
            "x-ms-correlation-request-id": operation.correlation_id,
        }
        if trimmed:
            plain["x-ms-dynamics-msg-size-exceeded"] = "true"
        return tuple((header, text.encode()) for header, text in plain.items())
    claims = {
        "Organization": sender.host,
        "User": operation.user_id,
        "InitiatingUser": operation.initiating_user_id,
        "InitiatingUserAgent": sender.agent,
        "EntityLogicalName": operation.table,
        "RequestName": operation.message,
    }
    found = [(_CLAIMS + claim, _amqp_text(text)) for claim, text in claims.items()]
    if trimmed:
        found.append(("MessageMaxSizeExceeded", b"\x41"))
    return (*found, ("content-type", b"application/json"))


def _amqp_text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < 256:
        return bytes((0xA1, len(raw))) + raw
    return b"\xb1" + len(raw).to_bytes(4, "big") + raw
