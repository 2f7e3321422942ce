"""Which messages a table supports, as rows of ``sdkmessages`` and ``sdkmessagefilters``.

Clients ask there before they use a bulk action (reference/dataverse.md 2.9). The rows follow from
the tables that there are, so nothing of them is kept.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.store.state import FIRST_VERSION, State
from app.sandbox.dataverse.tables.values import Reference, Values

MESSAGE, FILTER = "sdkmessage", "sdkmessagefilter"
NAMES = ("Create", "Update", "Delete", "CreateMultiple", "UpdateMultiple", "UpsertMultiple")


class Messages:
    """The rows of both tables for an organisation."""

    def __init__(self, state: State) -> None:
        self._state = state

    def rows(self, table: str) -> Mapping[str, Row] | None:
        """By id; None for a table whose rows are kept."""
        if table == MESSAGE:
            return dict(_row(MESSAGE, name, {"name": name}) for name in NAMES)
        if table == FILTER:
            return dict(
                _row(FILTER, f"{name} {other}", _filter(name, other))
                for other in self._state.tables
                if other not in (MESSAGE, FILTER)
                for name in NAMES
            )
        return None


def _filter(message: str, table: str) -> Values:
    return {
        "name": f"{message} of {table}",
        "primaryobjecttypecode": table,
        "secondaryobjecttypecode": "none",
        "sdkmessageid": Reference(MESSAGE, _id(MESSAGE, message)),
        "iscustomprocessingstepallowed": True,
    }


def _row(table: str, name: str, values: Values) -> tuple[str, Row]:
    row_id = _id(table, name)
    return row_id, Row(table, row_id, FIRST_VERSION, values)


def _id(table: str, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{table}:{name}"))
