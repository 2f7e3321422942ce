"""What an organisation still knows after a restart: its `State`, which is all there is to know."""

from __future__ import annotations

from app.sandbox.keeping import Part

_PACKAGE = "app.sandbox.dataverse"
PART = Part(
    "dataverse",
    (
        f"{_PACKAGE}.store.commits",
        f"{_PACKAGE}.store.state",
        f"{_PACKAGE}.tables.schema",
        f"{_PACKAGE}.tables.values",
    ),
)
