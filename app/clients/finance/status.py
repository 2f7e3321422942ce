"""What the answers of finance and operations mean (reference/dataverse.md 4).

It has no codes of errors, and tells some refusals of its business logic as 500: the words decide.
"""

from __future__ import annotations

from app.clients.setting_names import FINANCE_URL, TABLES_FILE
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

_LIMIT = "Give our application a higher priority in Throttling priority mapping, or call less."
_ROLE = "Give the user of our application a role that may use this entity."
_COLUMN = f"Correct the column in {TABLES_FILE} or the rule that writes it."
_WORKFLOW = "Changes of this record have to be proposed: take the column out of the workflow, or do"
_LOCKED = r"deadlock|lock request|timeout expired|rerun the transaction"
_WRITE = r"write failed for table row|infolog"
_PROPERTY = r"could not find a property named|does not exist on type"

FINANCE = StatusTable(
    "Finance and operations",
    (
        StatusRow(Throttled, "throttled", status=(429,), advice=_LIMIT),
        StatusRow(TokenExpired, "token_expired", status=(401,)),
        StatusRow(Unavailable, "gateway_error", status=(502, 503, 504)),
        StatusRow(Refused, "payload_too_large", status=(413,)),
        StatusRow(
            Unavailable,
            "not_json",
            is_json=False,
            advice=f"A gateway answered; if this stays, check {FINANCE_URL}.",
        ),
        StatusRow(Misconfigured, "access_denied", status=(403,), advice=_ROLE),
        StatusRow(Misconfigured, "column_unknown", status=(400,), text=_PROPERTY, advice=_COLUMN),
        StatusRow(Retryable, "sql_error", status=(400, 500), text=_LOCKED),
        StatusRow(
            Refused,
            "change_proposal_needed",
            status=(400, 500),
            text=r"\bpropos",
            advice=f"{_WORKFLOW} the change by hand.",
        ),
        StatusRow(Refused, "write_failed", status=(400, 500), text=_WRITE),
        StatusRow(Refused, "record_missing", status=(404,), text="no resources were found"),
        StatusRow(
            Misconfigured,
            "table_unknown",
            status=(404,),
            text="resource not found for the segment",
            advice=f"Correct the entity set in {TABLES_FILE}, or {FINANCE_URL}.",
        ),
        # An unknown 404 is not read as "deleted".
        StatusRow(Refused, "not_found", status=(404,)),
        StatusRow(Conflict, "version_changed", status=(409, 412)),
        StatusRow(Refused, "not_implemented", status=(405, 501)),
        StatusRow(Refused, "request_invalid", status=(400, 406, 415, 422)),
        StatusRow(Unavailable, "no_answer", status=(408, 425)),
        StatusRow(Retryable, "server_error", status=(500,)),
        StatusRow(Refused, "unexpected_answer"),
    ),
)
