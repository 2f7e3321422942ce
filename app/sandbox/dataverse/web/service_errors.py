"""Failures of the service itself, played on purpose (reference/dataverse.md 2.11).

As kinds of faults, each before anything is written: `SERVICE_ERRORS`. Among them are the answers
that no request of a well-behaved client provokes, so that it can be held to every row of the table.
A ``status`` fault gets the body that the service has for that status.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.faults import Fault

OLDER = {
    "Message": "An error has occurred.",
    "ExceptionMessage": "Object reference not set to an instance of an object.",
    "ExceptionType": "System.NullReferenceException",
    "StackTrace": "   at Microsoft.Crm.Extensibility.OData.CrmODataServiceDataProvider",
}
"""The second, older shape of an error body."""

_REFUSALS: dict[str, Refusal] = {
    "plugin_error": Refusal(400, "0x80040265", "An error occurred in the plug-in."),
    "sql_error": Refusal(500, "0x80044150", "Sql error: Generic SQL error."),
    "sql_timeout": Refusal(500, "0x80044151", "SQL timeout expired."),
    "bad_uri": Refusal.bad_query("Bad Request - Error in query syntax."),
    "undeclared_property": Refusal.undeclared_property("new_gone"),
    "unknown_attribute": Refusal(
        400, "0x80047019", "The attribute with the name 'new_gone' does not exist."
    ),
    "invalid_argument": Refusal.invalid_argument("Argument 'x' is invalid."),
    "privilege_in_400": Refusal(400, "0x80040220", "SecLib::CheckPrivilege failed."),
    "key_missing": Refusal.missing_key("account"),
    "delete_blocked": Refusal.held_by("account", "0", "opportunity"),
    "key_exists": Refusal.already_exists(),
    "key_exists_uncoded": Refusal(412, "", "A record with matching key values already exists."),
    "duplicate_found": Refusal.duplicate_detected(),
    "not_implemented": Refusal.not_implemented("The function"),
}
SERVICE_ERRORS: dict[str, tuple[int, dict[str, Any]]] = {
    **{kind: (refusal.status, refusal.body()) for kind, refusal in _REFUSALS.items()},
    "older_error": (500, OLDER),
}
"""Status and body by the kind of fault."""

BY_STATUS = {
    400: ("0x80040265", "An error occurred in the plug-in."),
    403: ("0x80040220", "Principal user is missing a privilege."),
    404: ("0x80040217", "The entity with the specified id does not exist."),
    409: ("0x80040216", "The request conflicts with the current state."),
    412: ("0x80060882", "The version of the existing record doesn't match."),
    413: ("0x0", "The request body is too large."),
    429: (
        "0x80072322",
        "Number of requests exceeded the limit of 6000 over time window of 300 seconds.",
    ),
    500: ("0x80044150", "Sql error: Generic SQL error."),
}
UNEXPECTED = ("0x80040216", "An unexpected error occurred.")


class ServiceError(Exception):
    """One of `SERVICE_ERRORS`, on its way to the client."""

    def __init__(self, error: tuple[int, dict[str, Any]]) -> None:
        super().__init__(str(error[0]))
        self.status, self.body = error


def planned_status(fault: Fault) -> Response:
    """A status that was asked for, in the service's words."""
    refusal = Refusal(fault.status, *BY_STATUS.get(fault.status, UNEXPECTED))
    return JSONResponse(refusal.body(), refusal.status)
