"""The search index: what is known of each node, some seconds behind the nodes themselves.

Like a live index it learns of a change after ``Behaviour.index_lag_seconds`` and then reads the
node as it is at that moment (reference/extended-ecm.md 8.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.sandbox.content_server.attributes import flat_values
from app.sandbox.content_server.model import Node
from app.sandbox.content_server.store import Store

_WORD = re.compile(r"\w+")
_LONGEST_TEXT = 100_000


@dataclass(frozen=True)
class Entry:
    """A node as the index knows it: its regions, and the words of its metadata and content."""

    node_id: int
    regions: Mapping[str, Any]
    metadata: tuple[str, ...]
    content: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """All words, in order."""
        return (*self.metadata, *self.content)


class SearchIndex:
    """Entries by node id; `catch_up` brings in what has changed long enough ago."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._entries: dict[int, Entry] = {}
        for node_id in store.nodes:
            self._learn(node_id)
        store.changes.forget()

    def catch_up(self) -> None:
        """Index every change that is older than the lag."""
        for node_id in self._store.changes.due(self._store.behaviour.index_lag_seconds):
            self._learn(node_id)

    def entries(self) -> Iterator[Entry]:
        """Every entry whose node still exists, in the order of first indexing."""
        return (entry for entry in self._entries.values() if entry.node_id in self._store.nodes)

    def _learn(self, node_id: int) -> None:
        node = self._store.nodes.get(node_id)
        if node is None:
            self._entries.pop(node_id, None)
        else:
            self._entries[node_id] = entry_of(self._store, node)


def entry_of(store: Store, node: Node) -> Entry:
    """What the index keeps of a node as it is now."""
    attributes = attribute_regions(store, node)
    texts = [node.name, node.description]
    texts += [str(item) for value in attributes.values() for item in _items(value)]
    return Entry(
        node.id, _regions(store, node) | attributes, words(" ".join(texts)), _content(node)
    )


def words(text: str) -> tuple[str, ...]:
    """The words of a text, case folded."""
    return tuple(word.casefold() for word in _WORD.findall(text))


def attribute_regions(store: Store, node: Node) -> dict[str, Any]:
    """``Attr_{category}_{attribute}``; the rows of a set become one list of values."""
    regions: dict[str, Any] = {}
    for category_id, values in node.categories.items():
        for key, value in flat_values(store.categories[category_id], values).items():
            parts = key.split("_")
            if len(parts) == 2:
                regions[f"Attr_{key}"] = value
            else:
                regions.setdefault(f"Attr_{category_id}_{parts[1]}_{parts[3]}", []).append(value)
    return regions


def _regions(store: Store, node: Node) -> dict[str, Any]:
    version = node.versions[-1] if node.versions else None
    return {
        "OTName": node.name,
        "OTDComment": node.description,
        "OTDataID": node.id,
        "OTParentID": node.parent_id,
        "OTSubType": int(node.type),
        "OTLocation": " ".join(str(item.id) for item in _line(store, node)),
        "OTOwnerID": node.volume_id,
        "OTCreatedBy": node.created_by,
        "OTCreateDate": f"{node.created:%Y%m%d}",
        "OTModifyDate": f"{node.modified:%Y%m%d}",
        "OTObjectDate": f"{node.modified:%Y%m%d}",
        "OTMIMEType": version.mime_type if version else "",
        "OTObjectSize": len(version.content) if version else 0,
    }


def _line(store: Store, node: Node) -> list[Node]:
    line = [node]
    while line[0].parent_id in store.nodes:
        line.insert(0, store.nodes[line[0].parent_id])
    return line


def _content(node: Node) -> tuple[str, ...]:
    if not node.versions or not node.versions[-1].mime_type.startswith("text/"):
        return ()
    return words(node.versions[-1].content[:_LONGEST_TEXT].decode(errors="replace"))


def _items(value: Any) -> list[Any]:
    found = value if isinstance(value, list) else [value]
    return [item for item in found if item not in (None, "")]
