"""The options of a global choice or of a column: out of JSON, and changed one by one.

All of it is pure; what is not possible raises `Refusal` 400.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.tables.schema import Choice, Column

Owner = TypeVar("Owner", Choice, Column)

FIRST_VALUE = 100_000_000
"""Where the values of the default publisher begin (reference/dataverse.md 3.3)."""


def read(given: Any, name: str) -> tuple[dict[int, str], dict[str, Any]]:
    """Text and label by value, from ``Options``; an option without a value is given the next."""
    if not isinstance(given, list) or not given:
        raise Refusal.payload(f"The choice '{name}' needs Options.")
    texts: dict[int, str] = {}
    labels: dict[str, Any] = {}
    for option in given:
        if not isinstance(option, dict):
            raise Refusal.payload("An option is an object.")
        value = _value(option.get("Value"), texts)
        texts[value], labels[str(value)] = _text(option.get("Label"), value), option["Label"]
    return texts, labels


def inserted(owner: Owner, given: Any, label: Any) -> tuple[Owner, int]:
    """With one option more at the end, and its value: the next where none was given."""
    value = _value(given, owner.options)
    return _with(owner, {**owner.options, value: _text(label, value)}, {str(value): label}), value


def relabelled(owner: Owner, value: Any, label: Any) -> Owner:
    _check_known(owner, value)
    return _with(owner, {**owner.options, value: _text(label, value)}, {str(value): label})


def removed(owner: Owner, value: Any) -> Owner:
    _check_known(owner, value)
    return _with(owner, {v: text for v, text in owner.options.items() if v != value}, {})


def ordered(owner: Owner, values: Any) -> Owner:
    """In another order; ``values`` are all there are."""
    if not isinstance(values, list) or not _same(values, list(owner.options)):
        raise Refusal.invalid_argument("Values must name every option of the choice once.")
    return _with(owner, {value: owner.options[value] for value in values}, {})


def shared(column: Column, choice: Choice) -> Column:
    """A column with the options of a global choice."""
    labels = choice.metadata.get("labels", {})
    metadata = {**column.metadata, "labels": labels}
    return replace(column, options=choice.options, choice=choice.name, metadata=metadata)


def _with(owner: Owner, options: Mapping[int, str], labels: Mapping[str, Any]) -> Owner:
    known = {**owner.metadata.get("labels", {}), **labels}
    kept = {value: label for value, label in known.items() if int(value) in options}
    return replace(owner, options=options, metadata={**owner.metadata, "labels": kept})


def _value(given: Any, taken: Mapping[int, str]) -> int:
    if given is None:
        return max([FIRST_VALUE - 1, *taken]) + 1
    if isinstance(given, bool) or not isinstance(given, int) or not -(2**31) <= given < 2**31:
        raise Refusal.payload("An option needs a whole number as its Value.")
    if given in taken:
        raise Refusal.invalid_argument(f"The choice has an option {given} already.")
    return given


def _text(label: Any, value: int) -> str:
    found = label.get("LocalizedLabels") if isinstance(label, dict) else None
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        raise Refusal.payload(f"The option {value} needs a Label.")
    return str(found[0].get("Label", ""))


def _check_known(owner: Choice | Column, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value not in owner.options:
        raise Refusal.invalid_argument(f"'{owner.name}' has no option {value}.")


def _same(given: Sequence[Any], known: Sequence[int]) -> bool:
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in given)
    return whole and sorted(given) == sorted(known)
