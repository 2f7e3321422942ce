"""What a server still knows after a restart: all of its store, but no session and no token.

Sessions end with the process, as a client of the real system has to bear.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sandbox.content_server.store import Store
from app.sandbox.keeping import GAP, Part

_PACKAGE = "app.sandbox.content_server"
PART = Part(
    "content-server",
    (
        f"{_PACKAGE}.audit_trail",
        f"{_PACKAGE}.model",
        f"{_PACKAGE}.node_types",
        f"{_PACKAGE}.permissions",
        f"{_PACKAGE}.records_model",
        f"{_PACKAGE}.signature_model",
        f"{_PACKAGE}.tellings",
        f"{_PACKAGE}.workflow_model",
        "app.sandbox.events.ecm",
    ),
)

OF_THE_PROCESS = ("behaviour", "clock", "random", "changes", "happenings")
"""What a store has that belongs to its process; of random and happenings a part is kept."""

HEARD_BY = ("listeners", "cs_url")
"""What happenings have that belongs to the process: who hears of them, and where links lead."""


def kept(store: Store) -> dict[str, Any]:
    """The records of a store, not copied."""
    records = {name: value for name, value in vars(store).items() if name not in OF_THE_PROCESS}
    happenings = vars(store.happenings)
    records["happenings"] = {n: value for n, value in happenings.items() if n not in HEARD_BY}
    records["random"] = store.random.getstate()
    return records


def restore(store: Store, records: Mapping[str, Any]) -> None:
    """Make a new store be what `kept` gave of another; its search index is built from that."""
    for name, value in records.items():
        if name not in OF_THE_PROCESS:
            setattr(store, name, value)
    for name, value in records["happenings"].items():
        setattr(store.happenings, name, value)
    store.random.setstate(records["random"])


def resumed(records: dict[str, Any]) -> dict[str, Any]:
    """The records to go on with: no id of a node or an event that was told comes again."""
    records["_next_id"] += GAP
    records["happenings"]["told"] += GAP
    return records
