"""What the answers of Dataverse mean (reference/dataverse.md 2.11 and 2.12)."""

from __future__ import annotations

from app.clients.setting_names import DATAVERSE_URL, TABLES_FILE
from app.clients.status import StatusRow, StatusTable
from streams.errors import (
    Conflict,
    Misconfigured,
    Refused,
    Retryable,
    Throttled,
    TokenExpired,
    Unavailable,
)

_LIMIT = "A service protection limit; fewer parallel calls or another application user help."
_ROLE = "Give the security role of our application user this privilege."
_COLUMN = f"Correct the column in {TABLES_FILE} or the rule that writes it."

DATAVERSE = StatusTable(
    "Dataverse",
    (
        StatusRow(Throttled, "requests_exceeded", codes=("0x80072322",), advice=_LIMIT),
        StatusRow(Throttled, "time_exceeded", codes=("0x80072321",), advice=_LIMIT),
        StatusRow(Throttled, "concurrency_exceeded", codes=("0x80072326",), advice=_LIMIT),
        StatusRow(Throttled, "throttled", status=(429,), advice=_LIMIT),
        StatusRow(TokenExpired, "token_expired", status=(401,)),
        StatusRow(Unavailable, "gateway_error", status=(502, 503, 504)),
        StatusRow(
            Misconfigured,
            "not_a_member",
            codes=("0x80072560",),
            advice="Make the app registration an application user of this environment.",
        ),
        StatusRow(Misconfigured, "column_secured", codes=("0x8004f507",), advice=_ROLE),
        StatusRow(Misconfigured, "privilege_missing", codes=("0x80040220",), advice=_ROLE),
        StatusRow(
            Refused,
            "payload_too_large",
            status=(413,),
        ),
        StatusRow(
            Unavailable,
            "not_json",
            is_json=False,
            advice=f"A gateway answered; if this stays, check {DATAVERSE_URL}.",
        ),
        StatusRow(Misconfigured, "access_denied", status=(403,), advice=_ROLE),
        StatusRow(
            Misconfigured,
            "column_unknown",
            status=(400,),
            text="could not find a property named|undeclared property",
            advice=_COLUMN,
        ),
        StatusRow(Misconfigured, "column_unknown", codes=("0x80047019",), advice=_COLUMN),
        StatusRow(Refused, "value_invalid", codes=("0x80048d19",)),
        StatusRow(Refused, "text_too_long", codes=("0x80044331",)),
        StatusRow(Refused, "argument_invalid", codes=("0x80040203",)),
        StatusRow(
            Retryable,
            "plugin_failed",
            codes=("0x80040265",),
            advice="A plug-in of the environment threw; if it does so again, ask its owner.",
        ),
        StatusRow(Refused, "record_missing", status=(404,), codes=("0x80040217",)),
        StatusRow(Refused, "key_not_found", status=(404,), codes=("0x80060891",)),
        StatusRow(
            Misconfigured,
            "table_unknown",
            status=(404,),
            text="resource not found for the segment|no http resource was found",
            advice=f"Correct the entity set in {TABLES_FILE}, or {DATAVERSE_URL}.",
        ),
        # An unknown 404 is not read as "deleted".
        StatusRow(Refused, "not_found", status=(404,)),
        StatusRow(Refused, "delete_blocked", status=(405,)),
        StatusRow(Conflict, "version_changed", codes=("0x80060882",)),
        StatusRow(Refused, "duplicate_key", codes=("0x80040237", "0x80060892")),
        StatusRow(Refused, "duplicate_key", status=(412,), text="matching key values"),
        StatusRow(Refused, "duplicate_detected", codes=("0x80040333",)),
        StatusRow(Conflict, "version_changed", status=(409, 412)),
        StatusRow(Unavailable, "sql_error", codes=("0x80044150", "0x80044151")),
        StatusRow(Refused, "not_implemented", status=(501,)),
        StatusRow(Refused, "request_invalid", status=(400, 406, 415, 422)),
        StatusRow(Unavailable, "no_answer", status=(408, 425)),
        StatusRow(Retryable, "server_error", status=(500,)),
        StatusRow(
            Refused,
            "unexpected_answer",
        ),
    ),
)
