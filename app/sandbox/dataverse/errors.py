"""How Dataverse says no: HTTP status, service code, message (reference/dataverse.md 2.11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

ANNOTATION = "Microsoft.PowerApps.CDS"


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    def body(self, wants: Callable[[str], bool] = lambda _: False) -> dict[str, Any]:
        """The JSON of the answer; ``wants`` tells which annotations the client asked for."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        more = {
            "ErrorDetails.OperationStatus": "0",
            "ErrorDetails.SubErrorCode": "2147746359",
            "HelpLink": f"http://go.microsoft.com/fwlink/?LinkID=398563&error={self.code}",
            "TraceText": "",
            "InnerError.Message": self.message,
        }
        for name, value in more.items():
            if wants(f"{ANNOTATION}.{name}"):
                error[f"@{ANNOTATION}.{name}"] = value
        return {"error": error}

    @classmethod
    def unknown_property(cls, name: str, table: str) -> Self:
        text = f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table}'."
        return cls(400, "0x0", text)

    @classmethod
    def undeclared_property(cls, name: str) -> Self:
        text = (
            f"Error identified in Payload provided by the user for Entity: An undeclared property "
            f"'{name}' which only has property annotations in the payload but no property value "
            "was found in the payload. In OData, only declared navigation properties and declared "
            "named streams can be represented as properties without values."
        )
        return cls(400, "0x80048d19", text)

    @classmethod
    def payload(cls, message: str) -> Self:
        text = f"Error identified in Payload provided by the user for Entity: {message}"
        return cls(400, "0x80048d19", text)

    @classmethod
    def bad_query(cls, message: str) -> Self:
        return cls(400, "0x80060888", message)

    @classmethod
    def invalid_argument(cls, message: str) -> Self:
        return cls(400, "0x80040203", message)

    @classmethod
    def too_long(cls, column: str, table: str, length: int, limit: int) -> Self:
        text = (
            f"A validation error occurred. The length of the '{column}' attribute of the '{table}' "
            f"entity exceeded the maximum allowed length of '{limit}'. It has {length} characters."
        )
        return cls(400, "0x80044331", text)

    @classmethod
    def out_of_range(cls, column: str, value: object) -> Self:
        text = (
            "A validation error occurred. The value "
            f"{value} of '{column}' is outside the valid range."
        )
        return cls(400, "0x80044331", text)

    @classmethod
    def status_pair(cls, table: str, row_id: str, state: object, status: object) -> Self:
        text = (
            f"{status} is not a valid status code for state code {state} on {table} with Id "
            f"{row_id}."
        )
        return cls(400, "0x80048408", text)

    @classmethod
    def closed_by_action(cls, table: str, action: str) -> Self:
        text = (
            f"This message can not be used to set the state of {table}. In order to set the state "
            f"of {table}, use the {action} message instead."
        )
        return cls(400, "0x80048408", text)

    @classmethod
    def missing_row(cls, table: str, row_id: str) -> Self:
        return cls(404, "0x80040217", f"{table} With Id = {row_id} Does Not Exist")

    @classmethod
    def missing_key(cls, table: str) -> Self:
        text = f"A record with the specified key values does not exist in {table} entity"
        return cls(404, "0x80060891", text)

    @classmethod
    def missing_segment(cls, segment: str) -> Self:
        return cls(404, "0x8006088a", f"Resource not found for the segment '{segment}'.")

    @classmethod
    def method(cls, method: str) -> Self:
        text = f"The requested resource does not support http method '{method}'."
        return cls(405, "0x0", text)

    @classmethod
    def version_mismatch(cls, table: str) -> Self:
        text = (
            f"The version of the existing record doesn't match the RowVersion property provided. "
            f"({table})"
        )
        return cls(412, "0x80060882", text)

    @classmethod
    def already_exists(cls) -> Self:
        return cls(412, "0x80060892", "A record with matching key values already exists.")

    @classmethod
    def duplicate(cls, table: str, columns: tuple[str, ...]) -> Self:
        text = (
            f"Entity Key {', '.join(columns)} violated. A record with the same value for "
            f"{', '.join(columns)} already exists on {table}. A duplicate record cannot be created."
        )
        return cls(412, "0x80040237", text)

    @classmethod
    def not_a_member(cls, who: str) -> Self:
        return cls(403, "0x80072560", f"The user is not a member of the organization. ({who})")

    @classmethod
    def not_implemented(cls, what: str) -> Self:
        return cls(501, "0x80060888", f"{what} is not implemented in this simulation.")

    @classmethod
    def missing_privilege(cls, user_id: str, privilege: str, table: str | None) -> Self:
        on = f" for entity '{table}'" if table else ""
        text = f"Principal user (Id={user_id}, type=8) is missing {privilege} privilege{on}."
        return cls(403, "0x80040220", text)

    @classmethod
    def secured_column(cls, user_id: str, column: str, table: str) -> Self:
        text = (
            f"Caller user with Id {user_id} does not have update permissions to the '{column}' "
            f"secured attribute on the '{table}' entity."
        )
        return cls(403, "0x8004f507", text)

    @classmethod
    def too_large(cls, limit: int) -> Self:
        return cls(413, "0x0", f"The request body is larger than {limit} bytes.")

    @classmethod
    def duplicate_detected(cls) -> Self:
        text = (
            "A record was not created or updated because a duplicate of the current record already "
            "exists."
        )
        return cls(412, "0x80040333", text)

    @classmethod
    def held_by(cls, table: str, row_id: str, holder: str) -> Self:
        text = (
            f"The object you tried to delete is associated with another object and cannot be "
            f"deleted. ({table} {row_id} is held by {holder})"
        )
        return cls(405, "0x80040227", text)

    @classmethod
    def tracking_option(cls, option: str) -> Self:
        text = f'The "{option}" query parameter isn\'t supported when Change Tracking is enabled.'
        return cls(400, "0x80060888", text)

    @classmethod
    def expired_token(cls) -> Self:
        text = "Version stamp associated with the client has expired. Please perform a full sync."
        return cls(400, "0x80044352", text)
