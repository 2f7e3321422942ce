"""A part is what one system keeps: plain records, and the modules that define them."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import io
import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

GAP = 10_000
"""How far counters go on when a system resumes: what it did after its last save is lost, but others
have been told of it, under numbers that must not come a second time."""

_PLAIN = {
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("builtins", "bytearray"),
    ("collections", "deque"),
    ("datetime", "date"),
    ("datetime", "datetime"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("decimal", "Decimal"),
    ("uuid", "UUID"),
}
"""The classes of Python's own that a part may hold beside texts, numbers, lists and the like."""


class NotPlain(pickle.UnpicklingError):
    """A file asks for something that is no record of its part; nothing of it was made."""


@dataclass(frozen=True)
class Part:
    """What one system keeps.

    ``modules`` define its records (dataclasses, enumerations, named tuples): nothing else is ever
    made from a file, so a file cannot run anything.
    """

    name: str
    modules: tuple[str, ...]

    @property
    def form(self) -> str:
        """A fingerprint of how the records look: another form is another version's file."""
        lines = [f"{self.name} 1"]
        for kind in self._records():
            if dataclasses.is_dataclass(kind):
                fields = [f"{field.name}:{field.type}" for field in dataclasses.fields(kind)]
            else:
                names: Iterable[str] = getattr(kind, "__members__", ())
                fields = [*names, *getattr(kind, "_fields", ())]
            lines.append(f"{kind.__module__}.{kind.__qualname__} {' '.join(fields)}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def dump(self, records: Any) -> bytes:
        """The records as they are now; shared ones stay shared."""
        return pickle.dumps(records, protocol=5)

    def load(self, content: bytes) -> Any:
        """What `dump` gave. Raises NotPlain for content that holds anything but records."""
        return _Records(io.BytesIO(content), self._records()).load()

    def _records(self) -> list[type]:
        return sorted(_records_of(self.modules), key=lambda kind: (kind.__module__, kind.__name__))


def _records_of(modules: tuple[str, ...]) -> Iterator[type]:
    for name in modules:
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, type) and value.__module__ == name and _is_record(value):
                yield value


def _is_record(kind: type) -> bool:
    named_tuple = issubclass(kind, tuple) and hasattr(kind, "_fields")
    return dataclasses.is_dataclass(kind) or issubclass(kind, Enum) or named_tuple


class _Records(pickle.Unpickler):
    """Makes records and plain values, and refuses to look up anything else."""

    def __init__(self, file: io.BytesIO, records: list[type]) -> None:
        super().__init__(file)
        self._records = {(kind.__module__, kind.__qualname__): kind for kind in records}

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        known = self._records.get((module_name, global_name))
        if known is not None:
            return known
        if (module_name, global_name) in _PLAIN:
            return getattr(importlib.import_module(module_name), global_name)
        raise NotPlain(f"{module_name}.{global_name} is no record of a simulated system")
