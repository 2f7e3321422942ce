"""Changes of metadata, undone when the transaction around them fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Registry, Table


class Recorder:
    """Puts things into the mappings of an organisation and takes them out."""

    def __init__(self, registry: Registry, store: Store) -> None:
        self._registry = registry
        self._store = store

    def put(self, table: Table) -> None:
        """Put a table in the place of the one of its name. Raises `Refusal` 412 for key clashes."""
        self.register(self._registry.tables, {table.name: table})
        self._store.index(table)

    def register(self, into: dict[str, Any], made: Mapping[str, Any]) -> None:
        for name, item in made.items():
            before = into.get(name)
            into[name] = item
            self._store.undoable(lambda n=name, b=before: _restore(into, n, b))  # type: ignore[misc]

    def unregister(self, from_: dict[str, Any], name: str) -> None:
        before = from_.pop(name)
        self._store.undoable(lambda: _restore(from_, name, before))


def _restore(into: dict[str, Any], name: str, before: Any) -> None:
    if before is None:
        into.pop(name, None)
    else:
        into[name] = before
