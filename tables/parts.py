"""Rows kept in parts: a head, and one row of the table for each entry under it.

A row that holds a list of documents, or of those who ask, grows with the list: read and written
whole for each of its entries it gets slow, and one day larger than Kafka takes. So each entry is a
row of its own, read when somebody asks for it and written when it has changed.

    head   <record key>          what there is but once; mostly nothing
    part   <record key>/<name>   one entry; names are as the table says

In the first release a row's entries lay in its head; they are still read there, and move out with
the next decision about the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, cast

from tables.rows import Row

P = TypeVar("P", bound=Row)

#: So many parts are kept read, of whichever records: those of one record are read again and again.
_KEPT_PARTS = 12_000


class Shelf(Protocol):
    """The rows of one key in one table: the head under the empty name, and the parts."""

    def get(self, name: str) -> bytes | None:
        """Return the head or a part, None when there is none."""
        ...

    def scan(self, prefix: str) -> Iterable[tuple[str, bytes]]:
        """Return the parts whose name begins so, with their names, in the order of these."""
        ...


class EmptyShelf:
    """The shelf of a row that was never stored."""

    def get(self, name: str) -> bytes | None:
        return None

    def scan(self, prefix: str) -> Iterable[tuple[str, bytes]]:
        return ()


_EMPTY = EmptyShelf()


@dataclass(frozen=True)
class PartedRow(Generic[P]):
    """A frozen row in parts: ``changed`` lies above what is on the shelf, None where a part went.

    Subclasses say of what their parts are, and what their head is.
    """

    part: ClassVar[type[Row]]
    head_row: ClassVar[type[Row]] = Row

    changed: Mapping[str, P | None] = field(default_factory=dict)
    head: Any = None
    shelf: Shelf = _EMPTY
    stored: bytes | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.head is None:
            object.__setattr__(self, "head", self.head_row())

    @classmethod
    def load(cls, shelf: Shelf) -> Self:
        """Read the head; parts are read when they are asked for."""
        stored = shelf.get("")
        head, moving = cls.moved_out(cls.head_row.from_bytes(stored))
        return cls(cast("Mapping[str, P | None]", moving), head, shelf, stored)

    @classmethod
    def moved_out(cls, head: Any) -> tuple[Row, Mapping[str, Row]]:
        """The head without the entries that lay in it in the first release, and those as parts."""
        return head, {}

    def get(self, name: str) -> P | None:
        """Return one part, None when there is none."""
        if name in self.changed:
            return self.changed[name]
        value = self.shelf.get(name)
        return None if value is None else cast("P", _read(self.part, value))

    def under(self, prefix: str = "") -> Iterator[tuple[str, P]]:
        """The parts whose name begins so, in the order of their names."""
        found = {
            name: cast("P", _read(self.part, value))
            for name, value in self.shelf.scan(prefix)
            if name not in self.changed
        }
        above = {name: part for name, part in self.changed.items() if name.startswith(prefix)}
        for name, part in sorted((found | above).items(), key=_name):
            if part is not None:
                yield name, part

    def with_parts(self, parts: Mapping[str, P | None]) -> Self:
        """Return the row with these parts; None takes one away."""
        return replace(self, changed={**self.changed, **parts})

    def with_head(self, head: Row) -> Self:
        return replace(self, head=head)

    def pending(self) -> dict[str, bytes | None]:
        """What has to be stored, by name: the parts that changed, and the head if it did."""
        rows: dict[str, bytes | None] = {
            name: None if part is None else part.to_bytes() for name, part in self.changed.items()
        }
        if self.head != self.head_row.from_bytes(self.stored):
            empty = self.head == self.head_row()
            rows[""] = None if empty else self.head.to_bytes()
        return rows


def _name(entry: tuple[str, Any]) -> str:
    return entry[0]


@lru_cache(maxsize=_KEPT_PARTS)
def _read(kind: type[Row], value: bytes) -> Row:
    return kind.from_bytes(value)
