"""The audit trail of one node (reference/extended-ecm.md 8.2)."""

from __future__ import annotations

from datetime import date
from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.api.call import Call, Endpoint, to_int
from app.sandbox.content_server.audit_trail import AUDIT_NAMES, AuditRow
from app.sandbox.content_server.render import collection, member_properties, paginate, stamp

DEFAULT_PAGE = 25
LARGEST_PAGE = 500


def node_audit(call: Call) -> Any:
    """``GET /v2/nodes/{id}/audit``: newest first; the date filters mean whole days."""
    node = call.node()
    own = [row for row in call.store.audit if row.node_id == node.id]
    found = [row for row in own if _wanted(call, row)]
    sort = call.query.get("sort", "desc_audit_date")
    if sort not in ("asc_audit_date", "desc_audit_date"):
        raise errors.ApiError(400, f"Invalid sort column '{sort}'.")
    if sort.startswith("desc"):
        found.reverse()
    limit = call.query_number("limit", DEFAULT_PAGE)
    page = paginate(found, limit, call.query_number("page", 1), LARGEST_PAGE)
    page.items[:] = [_shown(call, row) for row in page.items]
    answer = collection(page, f"/v2/nodes/{node.id}/audit", call.query.multi_items(), sort)
    kinds = sorted({row.event for row in own})
    answer["results"] = {
        "data": {
            "audit": page.items,
            "audit_event_types": [{"id": int(e), "name": AUDIT_NAMES[e]} for e in kinds],
        }
    }
    return answer


def _wanted(call: Call, row: AuditRow) -> bool:
    kind = to_int(call.query.get("where_type"), "where_type")
    user = to_int(call.query.get("where_user_id"), "where_user_id")
    first = _day(call, "where_audit_date_start", date.min)
    last = _day(call, "where_audit_date_end", date.max)
    return (
        kind in (None, row.event) and user in (None, row.user_id) and first <= row.at.date() <= last
    )


def _day(call: Call, name: str, default: date) -> date:
    try:
        return date.fromisoformat(call.query[name][:10]) if name in call.query else default
    except ValueError as wrong:
        raise errors.invalid_datatype(name) from wrong


def _shown(call: Call, row: AuditRow) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": row.node_id,
        "event_type": int(row.event),
        "audit_name": AUDIT_NAMES[row.event],
        "audit_date": stamp(row.at, "Z" if call.store.behaviour.zulu_dates else ""),
        "user_id": row.user_id,
        "agent_id": None,
        "target_user_id": None,
        "audit_language_code": None,
    }
    if any("user_id" in item for item in call.query.getlist("expand")):
        user = call.store.members.get(row.user_id)
        shown["user_id_expand"] = member_properties(user, call.store) if user else None
    return shown


ENDPOINTS = (Endpoint("GET", "/v2/nodes/{id:int}/audit", node_audit),)
