"""Commands that came against those that a case expects, and the difference in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def holds(wanted: Any, found: Any) -> bool:
    """Whether what was found has at least what is wanted."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return all(key in found and holds(value, found[key]) for key, value in wanted.items())
    if isinstance(wanted, list | tuple) and isinstance(found, list | tuple):
        return len(wanted) == len(found) and all(map(holds, wanted, found))
    return bool(wanted == found) or (isinstance(found, str) and str(wanted) == found)


def nearest(wanted: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> str:
    """In what the most alike of these commands differs; empty when there is none."""
    if not found:
        return ""
    best = max(found, key=lambda command: _likeness(wanted, command))
    return f"the nearest is that of {best['record']}, where {', '.join(_differences(wanted, best))}"


def told(command: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """A command as far as the expectation asks for it."""
    keys = [*wanted] or ["record", "rule"]
    return text({key: command.get(key) for key in dict.fromkeys(("record", *keys))})


def text(fields: Mapping[str, Any]) -> str:
    """Fields as a case writes them."""
    return f"{{{', '.join(f'{name}: {_value(value)}' for name, value in fields.items())}}}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return text(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return value if isinstance(value, str) and value else json.dumps(value, default=str)


def _likeness(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[int, int]:
    """How many fields hold, and then how few values within them do not."""
    right = sum(key in found and holds(value, found[key]) for key, value in wanted.items())
    return right, -sum(1 for _ in _differences(wanted, found))


def _differences(
    wanted: Mapping[str, Any], found: Mapping[str, Any], at: str = ""
) -> Iterator[str]:
    """Each value that is otherwise, by its place: ``attributes.Contract.Status is X, not Y``."""
    for name, value in wanted.items():
        place, there = f"{at}{name}", found.get(name)
        if name in found and holds(value, there):
            continue
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            yield from _differences(value, there, f"{place}.")
        else:
            yield f"{place} is {_value(there) if name in found else 'absent'}, not {_value(value)}"
