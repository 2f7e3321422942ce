"""WebReports: the feed of all changes over the audit table (reference/extended-ecm.md 8.3).

The one report that the simulator has is what an integration would ask an administrator to install:
every row of ``DAuditNew`` after an event id or a date, as JSON. It reads the table past all
permissions, as such reports do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.audit_trail import AuditRow
from app.sandbox.content_server.store import Store

CHANGES = "dovetail_changes"
DEFAULT_ROWS = 500
MOST_ROWS = 5000


@dataclass(frozen=True)
class Parameter:
    """One parameter of a report, as its description shows it."""

    name: str
    text: str
    type: str = "string"
    default: str = ""

    def described(self, order: int) -> dict[str, Any]:
        """The entry in the list of parameters."""
        return {
            "default_value": self.default,
            "description": self.text,
            "display_text": self.text,
            "mandatory": False,
            "parm_name": self.name,
            "prompt": False,
            "prompt_order": order,
            "type": self.type,
        }


@dataclass(frozen=True)
class Report:
    """What a WebReport node runs: a function of the given parameters that makes JSON."""

    parameters: tuple[Parameter, ...]
    run: Callable[[Store, Mapping[str, str]], Any]


def changes(store: Store, given: Mapping[str, str]) -> dict[str, Any]:
    """``{"rows": [...], "last_event_id": n, "more": bool}``, oldest first.

    ``after`` is the last event id that the caller has, ``since`` a UTC date and time from which
    rows count (included), ``limit`` the most rows of one answer.
    """
    after = _number(given, "after", 0)
    limit = min(max(_number(given, "limit", DEFAULT_ROWS), 1), MOST_ROWS)
    rows = store.audit[_first(store.audit, max(after, 0), _moment(given.get("since", ""))) :]
    page = rows[:limit]
    return {
        "rows": [_row(row) for row in page],
        "last_event_id": page[-1].sequence if page else after,
        "more": len(rows) > len(page),
    }


REPORTS: Mapping[str, Report] = {
    CHANGES: Report(
        (
            Parameter("after", "Rows after this EventID", "number", "0"),
            Parameter("since", "Rows from this UTC date and time on", "date"),
            Parameter("limit", "The most rows of one answer", "number", str(DEFAULT_ROWS)),
        ),
        changes,
    )
}


def _first(audit: Sequence[AuditRow], after: int, since: datetime | None) -> int:
    # The event ids count the rows from 1, so row ``after`` is the first that is wanted.
    index = min(after, len(audit))
    while since is not None and index < len(audit) and audit[index].at < since:
        index += 1
    return index


def _row(row: AuditRow) -> dict[str, Any]:
    return {
        "EventID": row.sequence,
        "AuditID": int(row.event),
        "AuditDate": f"{row.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
        "DataID": row.node_id,
        "SubType": row.node_type,
        "UserID": row.user_id,
        "PerformerID": row.user_id,
        "ValueKey": row.value_key,
        "Value1": row.value or None,
        "Value2": None,
    }


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(given[name]) if given.get(name) else default
    except ValueError as wrong:
        raise errors.invalid_datatype(name) from wrong


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as wrong:
        raise errors.invalid_datatype("since") from wrong
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
