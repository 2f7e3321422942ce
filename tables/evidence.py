"""``evidence``: what Extended ECM reported of the documents in a record's workspaces.

For each document and kind of event the newest one is kept, and what only older ones of its kind
have said, so any order and any repetition of the same events ends in the same row; status, type and
expiry are derived when they are needed. Each document is a part of its own (``tables.parts``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

from tables.documents import DocumentRef
from tables.parts import PartedRow
from tables.rows import Row

Value = str | int | bool | None

#: The attribute of events that says of which type a document is.
DOCUMENT_TYPE = "document_type"

#: The events of a document in the order of its life; the later one wins within one moment.
KINDS = (
    "added",
    "version_added",
    "renamed",
    "moved",
    "changed",
    "rejected",
    "approved",
    "expired",
    "deleted",
)


class ItemStatus(StrEnum):
    """What became of a document so far."""

    ADDED = "added"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    REMOVED = "removed"


#: A new version has to be approved again. What only describes a document leaves its status.
_STATUS = {
    "added": ItemStatus.ADDED,
    "version_added": ItemStatus.ADDED,
    "rejected": ItemStatus.REJECTED,
    "approved": ItemStatus.APPROVED,
    "expired": ItemStatus.EXPIRED,
    "deleted": ItemStatus.REMOVED,
}


class ItemEvent(Row):
    """The newest event of one kind: when, which, by whom, and what it said."""

    at_ms: int = 0
    event_id: str = ""
    actor: str | None = None
    document: DocumentRef | None = None
    attributes: Mapping[str, Value] = {}


class Said(NamedTuple):
    """What an event said of an attribute, which a newer event of its kind does not repeat."""

    at_ms: int
    kind: str
    event_id: str
    value: Value

    @property
    def order(self) -> tuple[int, int, str]:
        return self.at_ms, KINDS.index(self.kind), self.event_id


def _newest(one: Mapping[str, Said], other: Mapping[str, Said]) -> dict[str, Said]:
    """Of each attribute what was said last."""
    later = {n: told for n, told in other.items() if n not in one or one[n].order < told.order}
    return {**one, **later}


class Item(Row):
    """One document: its newest events by kind, and attributes that only older ones have said."""

    events: Mapping[str, ItemEvent] = {}
    said: Mapping[str, Said] = {}

    def reported(self, kind: str, event: ItemEvent) -> Item:
        """Return the item after an event; of an older one of the same kind its attributes count."""
        before = self.events.get(kind)
        if before is None:
            return self._saying({**self.events, kind: event}, self.said)
        if (before.at_ms, before.event_id) == (event.at_ms, event.event_id):
            return self
        older, newer = sorted((before, event), key=lambda one: (one.at_ms, one.event_id))
        said = {n: Said(older.at_ms, kind, older.event_id, v) for n, v in older.attributes.items()}
        return self._saying({**self.events, kind: newer}, _newest(self.said, said))

    def _saying(self, events: Mapping[str, ItemEvent], said: Mapping[str, Said]) -> Item:
        """The item with these events, without what one of them says newer."""
        after = self.model_copy(update={"events": events})
        kept = {n: told for n, told in said.items() if told.order > after._newest_saying(n)}
        after = after.model_copy(update={"said": kept})
        return self if after == self else after

    def merged(self, other: Item) -> Item:
        """Return the item with all events that are known of either, and all that was said."""
        merged = self
        for kind, event in other.events.items():
            merged = merged.reported(kind, event)
        return merged._saying(merged.events, _newest(merged.said, other.said))

    def told(self) -> Iterator[Mapping[str, Value]]:
        """The attributes of each event that is kept, and those that only older ones have said."""
        yield from (event.attributes for event in self.events.values())
        yield {name: told.value for name, told in self.said.items()}

    @property
    def status(self) -> ItemStatus:
        return self._status(self.events)

    def status_at(self, at_ms: int) -> ItemStatus:
        """The status as far as it is known, but for an expiry that came after this moment."""
        return self._status(
            kind for kind, told in self.events.items() if kind != "expired" or told.at_ms <= at_ms
        )

    @property
    def since_ms(self) -> int:
        """When the document got its status (Unix ms)."""
        deciding = self._deciding(self.events)
        return self.events[deciding].at_ms if deciding else 0

    @property
    def actor(self) -> str | None:
        """Who brought the document into its status."""
        deciding = self._deciding(self.events)
        return self.events[deciding].actor if deciding else None

    def _status(self, kinds: Iterable[str]) -> ItemStatus:
        deciding = self._deciding(kinds)
        return _STATUS[deciding] if deciding else ItemStatus.ADDED

    def _deciding(self, kinds: Iterable[str]) -> str | None:
        """The newest event that gives a status. A document that left and was moved back in later
        is what it was."""
        found = {kind for kind in kinds if kind in _STATUS}
        back = self.events.get("moved")
        if back and "deleted" in found and self._order("moved") > self._order("deleted"):
            found.discard("deleted")
        return max(found, key=self._order, default=None)

    @property
    def document(self) -> DocumentRef | None:
        """The document as the newest event that describes it says."""
        told = [kind for kind, event in self.events.items() if event.document is not None]
        return self.events[max(told, key=self._order)].document if told else None

    def attribute(self, name: str) -> Value:
        """What the newest event that carries the attribute says of it."""
        if name in self.said:
            return self.said[name].value
        told = [kind for kind, event in self.events.items() if name in event.attributes]
        return self.events[max(told, key=self._order)].attributes[name] if told else None

    def _newest_saying(self, name: str) -> tuple[int, int, str]:
        """The order of the newest event that is kept and carries the attribute."""
        told = (self._order(kind) for kind, e in self.events.items() if name in e.attributes)
        return max(told, default=(-1, -1, ""))

    def _order(self, kind: str) -> tuple[int, int, str]:
        event = self.events[kind]
        return event.at_ms, KINDS.index(kind), event.event_id


class EvidenceHead(Row):
    """Nothing; in the first release all documents, by ``rule/document id``."""

    items: Mapping[str, Item] = {}


class EvidenceRow(PartedRow[Item]):
    """The documents of a record's workspaces, by ``rule/document id``."""

    part: ClassVar[type[Row]] = Item
    head_row: ClassVar[type[Row]] = EvidenceHead

    @classmethod
    def moved_out(cls, head: Any) -> tuple[Row, Mapping[str, Row]]:
        return EvidenceHead(), head.items

    def of(self, rule: str) -> dict[int, Item]:
        """The documents in the workspace of a rule, by id, removed ones too."""
        start = f"{rule}/"
        return {int(name.removeprefix(start)): item for name, item in self.under(start)}

    def item(self, rule: str, document_id: int) -> Item | None:
        """One document, None when nothing was heard of it."""
        return self.get(f"{rule}/{document_id}")

    def reported(self, rule: str, document_id: int, kind: str, event: ItemEvent) -> EvidenceRow:
        return self.told(rule, document_id, Item(events={kind: event}))

    def told(self, rule: str, document_id: int, item: Item) -> EvidenceRow:
        """Return the row with what another record knows of a document; nothing new, no change."""
        before = self.item(rule, document_id) or Item()
        after = before.merged(item)
        if after is before:
            return self
        return self.with_parts({f"{rule}/{document_id}": after})
