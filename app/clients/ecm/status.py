"""What the answers of Content Server and OTDS mean (reference/extended-ecm.md 9).

Content Server says most things in words under 400 or 500. "Exists" is looked for first, then "not
found", then "denied": one text speaks of both of the last two.
"""

from __future__ import annotations

from app.clients.setting_names import CONTENT_SERVER_URL, OTDS_URL
from app.clients.status import StatusRow, StatusTable
from streams.errors import (
    Conflict,
    Misconfigured,
    Refused,
    Throttled,
    TokenExpired,
    Unavailable,
)

_APPLICATION = (400, 403, 404, 500)
_RIGHTS = "Give our user the right, or correct the rule."

CONTENT_SERVER = StatusTable(
    "Content Server",
    (
        StatusRow(Throttled, "throttled", status=(429,)),
        StatusRow(TokenExpired, "ticket_expired", status=(401,)),
        StatusRow(
            Unavailable,
            "gateway_error",
            status=(502, 503, 504),
            advice="Content Server or its ingress restarts; it is waited for.",
        ),
        StatusRow(
            Unavailable,
            "not_json",
            is_json=False,
            advice=f"It is overloaded or restarting; if this stays, check {CONTENT_SERVER_URL}.",
        ),
        StatusRow(
            Misconfigured,
            "endpoint_missing",
            status=(400, 404),
            text="could not be found in the mappings registry",
            advice="This Content Server is too old or lacks the Business Workspaces module.",
        ),
        StatusRow(Conflict, "edit_conflict", status=(409,)),
        StatusRow(Conflict, "edit_conflict", status=(400, 500), text=r"\(edit conflict\)"),
        StatusRow(
            Refused,
            "categories_unreadable",
            status=(400, 500),
            text="cannot be parsed",
            advice="Check the attributes of the rule.",
        ),
        StatusRow(
            Refused,
            "already_there",
            status=(400, 409, 500),
            text=r"already (linked|assigned|related|a member|been)|relationship already"
            r"|attribute group .* already exists",
        ),
        StatusRow(
            Refused,
            "name_taken",
            status=(400, 409, 500),
            text=r"already exist|duplicate|already in use",
            advice="Rename the other item, or make the name pattern of the rule more exact.",
        ),
        StatusRow(
            Refused,
            "record_locked",
            status=_APPLICATION,
            text=r"\bon hold\b|(final|official) record",
            advice="Release the hold, or leave the record as it is.",
        ),
        StatusRow(
            Refused,
            "not_found",
            status=_APPLICATION,
            text=r"not found|(does|do) not exist|could not (be )?(get|access|found)",
            advice="It was deleted, or our user may not see it.",
        ),
        StatusRow(
            Refused,
            "permission_denied",
            status=_APPLICATION,
            text=r"(insufficient|not enough) permission|not authori[sz]ed"
            r"|permission denied|access denied",
            advice=_RIGHTS,
        ),
        StatusRow(Refused, "permission_denied", status=(403,), advice=_RIGHTS),
        StatusRow(Refused, "not_found", status=(404,)),
        StatusRow(Refused, "payload_too_large", status=(413,)),
        StatusRow(
            Refused,
            "value_invalid",
            status=(400,),
            text=r"invalid datatype|not a valid|is (required|missing|longer)|matching attribute",
            advice="Check the attribute in the rule against the category in Content Server.",
        ),
        StatusRow(Refused, "request_invalid", status=(400, 405, 415, 422)),
        StatusRow(Unavailable, "no_answer", status=(408, 425)),
        # A 500 with JSON is the application speaking, not an outage.
        StatusRow(Refused, "application_error"),
    ),
)

OTDS = StatusTable(
    "OTDS",
    (
        StatusRow(Throttled, "throttled", status=(429,)),
        StatusRow(Refused, "credentials_refused", status=(400, 401, 403), is_json=True),
        StatusRow(Refused, "credentials_refused", status=(401, 403)),
        StatusRow(
            Unavailable,
            "otds_unavailable",
            advice=f"It is waited for; if it stays away, check {OTDS_URL}.",
        ),
    ),
)
