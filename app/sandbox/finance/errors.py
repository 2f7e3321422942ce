"""Refusals in the words and the shape of finance and operations (reference/dataverse.md 4)."""

from __future__ import annotations

from typing import Any, Self

GENERAL = "An error has occurred."


class Refusal(Exception):
    """An answer that is no success. ``inner`` is the message that says what is wrong."""

    def __init__(self, status: int, inner: str, type_: str = "") -> None:
        super().__init__(inner)
        self.status = status
        self.inner = inner
        self.type = type_ or "System.InvalidOperationException"

    def body(self) -> dict[str, Any]:
        inner = {
            "message": self.inner,
            "type": self.type,
            "stacktrace": "   at Microsoft.Dynamics.Platform.Integration.Services.OData",
        }
        return {"error": {"code": "", "message": GENERAL, "innererror": inner}}

    @classmethod
    def query(cls, what: str) -> Self:
        return cls(400, what, "Microsoft.OData.ODataException")

    @classmethod
    def write(cls, entity: str, why: str) -> Self:
        """What the business logic refuses; the service tells it as a failed write."""
        what = f"Write failed for table row of type '{entity}Entity'. Infolog: Warning: {why}."
        return cls(400, what, "Microsoft.Dynamics.Platform.Integration.Services.ODataException")

    @classmethod
    def no_row(cls) -> Self:
        return cls(404, "No resources were found when selecting for update.")

    @classmethod
    def no_resource(cls, name: str) -> Self:
        what = f"Resource not found for the segment '{name}'."
        return cls(404, what, "Microsoft.OData.UriParser.ODataUnrecognizedPathException")

    @classmethod
    def changed(cls) -> Self:
        return cls(412, "The record has been changed by another user since it was read.")

    @classmethod
    def method(cls, method: str) -> Self:
        return cls(405, f"The requested resource does not support http method '{method}'.")
