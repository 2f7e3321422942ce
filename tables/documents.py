"""A document as rows remember it."""

from __future__ import annotations

from tables.rows import Row


class DocumentRef(Row):
    """One version of a document; ``url`` opens it for a person."""

    id: int = 0
    version: int = 0
    name: str = ""
    url: str = ""
