"""How the authority says no: OAuth error, AADSTS code and HTTP status.

Codes and texts as Entra ID publishes them; `SignInRefused.body` is the JSON that clients get.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, Self


class SignInRefused(Exception):
    """A token was asked for and not given."""

    def __init__(self, status: int, error: str, code: str, text: str) -> None:
        super().__init__(f"AADSTS{code}: {text}")
        self.status = status
        self.error = error
        self.code = code
        self.text = text

    def body(self, correlation_id: str | None = None) -> dict[str, Any]:
        """The answer's JSON; ``correlation_id`` is echoed when the client sent one."""
        trace, correlation = str(uuid.uuid4()), correlation_id or str(uuid.uuid4())
        timestamp = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        description = (
            f"AADSTS{self.code}: {self.text} Trace ID: {trace} "
            f"Correlation ID: {correlation} Timestamp: {timestamp}"
        )
        return {
            "error": self.error,
            "error_description": description,
            "error_codes": [int(self.code)],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
        }

    @classmethod
    def wrong_secret(cls, client_id: str) -> Self:
        text = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the "
            "client secret value, not the client secret ID, for a secret added to app "
            f"'{client_id}'."
        )
        return cls(401, "invalid_client", "7000215", text)

    @classmethod
    def no_credential(cls) -> Self:
        text = (
            "'client_assertion', 'client_secret' or 'request' is required for the "
            "'client_credentials' grant type."
        )
        return cls(401, "invalid_client", "7000216", text)

    @classmethod
    def unknown_client(cls, client_id: str, tenant: str) -> Self:
        text = (
            f"Application with identifier '{client_id}' was not found in the directory '{tenant}'."
        )
        return cls(400, "unauthorized_client", "700016", text)

    @classmethod
    def unknown_tenant(cls, tenant: str) -> Self:
        text = f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
        return cls(400, "invalid_request", "90002", text)

    @classmethod
    def missing_parameter(cls, name: str) -> Self:
        text = f"The request body must contain the following parameter: '{name}'."
        return cls(400, "invalid_request", "900144", text)

    @classmethod
    def grant_type(cls, grant_type: str) -> Self:
        text = f"The app requested an unsupported grant type '{grant_type}'."
        return cls(400, "unsupported_grant_type", "70003", text)

    @classmethod
    def scope(cls, scope: str) -> Self:
        text = (
            f"The provided value for scope {scope} is not valid. Client credential flows must have "
            "a scope value with /.default suffixed to the resource identifier "
            "(application ID URI)."
        )
        return cls(400, "invalid_scope", "1002012", text)

    @classmethod
    def unknown_resource(cls, resource: str) -> Self:
        text = (
            f"The resource principal named {resource} was not found in the tenant. This can happen "
            "if the application has not been installed by the administrator of the tenant."
        )
        return cls(400, "invalid_resource", "500011", text)

    @classmethod
    def assertion_malformed(cls) -> Self:
        text = "Invalid JWT token. The token is malformed."
        return cls(401, "invalid_client", "50027", text)

    @classmethod
    def assertion_signature(cls, reason: str) -> Self:
        text = f"Client assertion failed signature validation. [Reason - {reason}.]"
        return cls(401, "invalid_client", "700027", text)

    @classmethod
    def assertion_out_of_time(cls) -> Self:
        text = "Client assertion is not within its valid time range."
        return cls(401, "invalid_client", "700024", text)

    @classmethod
    def assertion_audience(cls) -> Self:
        text = "Client assertion audience claim does not match Realm issuer."
        return cls(401, "invalid_client", "700023", text)

    @classmethod
    def no_federation(cls, code: str, what: str, value: str) -> Self:
        text = (
            "No matching federated identity record found for presented assertion "
            f"{what} '{value}'. Check your federated identity credential Subject, Audience and "
            "Issuer against the presented assertion."
        )
        return cls(401, "invalid_client", code, text)
