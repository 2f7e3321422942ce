"""Category values: reading them from a request, checking them, writing them as answer keys.

Keys are ``{category}_{attribute}`` or ``{category}_{set}_{row}_{attribute}`` with rows from 1;
``{category}_{set}_{row}`` with an empty value removes the row and ``{category}_1`` stands for the
category itself. ``{key}_multilingual`` takes an object of values by language
(reference/extended-ecm.md 4).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.model import (
    Attribute,
    AttributeSet,
    AttributeValue,
    Category,
    CategoryValues,
    Scalar,
)

_MULTILINGUAL = "_multilingual"
LANGUAGE = "en"
"""The one metadata language of this server (``/v1/serverinfo``)."""

MemberExists = Callable[[int], bool]


def update_values(
    category: Category,
    current: CategoryValues,
    changes: Mapping[str, Any],
    member_exists: MemberExists,
) -> CategoryValues:
    """The values after ``changes`` (full keys to raw values); ``current`` is left as it was.

    Raises ApiError 400 for a key that is not of this category or a value of the wrong type.
    """
    updated = current.copy()
    removed_rows: list[tuple[int, int]] = []
    for given, raw in changes.items():
        key = given.removesuffix(_MULTILINGUAL)
        if key != given:
            raw = _of_one_language(raw, given)
        path = _path(category, key)
        match path:
            case (1,):
                continue
            case (attribute_id,):
                attribute = _attribute(category.attributes(), attribute_id, key)
                updated.values[attribute_id] = _value(attribute, raw, key, member_exists)
            case (set_id, row):
                _set(category, set_id, key)
                if raw not in ("", None):
                    raise _unknown_key(key)
                removed_rows.append((set_id, row))
            case (set_id, row, attribute_id):
                group = _set(category, set_id, key)
                attribute = _attribute(group.attributes, attribute_id, key)
                cells = _row(updated, group, row, key)
                cells[attribute_id] = _value(attribute, raw, key, member_exists)
            case _:
                raise _unknown_key(key)
    _remove_rows(updated, removed_rows)
    updated.revision = current.revision + 1
    return updated


def initial_values(category: Category) -> CategoryValues:
    """An applied category without values: every attribute empty, one empty row per set."""
    values: dict[int, AttributeValue] = {a.id: _empty(a) for a in category.attributes()}
    rows = {group.id: [_empty_row(group)] for group in category.sets()}
    return CategoryValues(values, rows)


def check_required(category: Category, values: CategoryValues) -> None:
    """Refuse (400) when a required attribute outside sets has no value."""
    for attribute in category.attributes():
        if attribute.required and values.values.get(attribute.id) in (None, "", []):
            raise errors.ApiError(
                400, f"The required attribute '{attribute.label}' of '{category.name}' is missing."
            )


def flat_values(category: Category, values: CategoryValues) -> dict[str, AttributeValue]:
    """All values under their full keys, in the order of the definition."""
    flat: dict[str, AttributeValue] = {}
    for item in category.items:
        if isinstance(item, Attribute):
            flat[f"{category.id}_{item.id}"] = values.values.get(item.id, _empty(item))
            continue
        for number, row in enumerate(values.rows.get(item.id, []), start=1):
            for attribute in item.attributes:
                key = f"{category.id}_{item.id}_{number}_{attribute.id}"
                flat[key] = row.get(attribute.id, _empty(attribute))
    return flat


def labelled_values(category: Category, values: CategoryValues) -> dict[str, Any]:
    """Values by label, sets as lists of rows: the view of the in-process API."""
    labelled: dict[str, Any] = {}
    for item in category.items:
        if isinstance(item, Attribute):
            labelled[item.label] = values.values.get(item.id)
        else:
            labelled[item.label] = [
                {attribute.label: row.get(attribute.id) for attribute in item.attributes}
                for row in values.rows.get(item.id, [])
            ]
    return labelled


def keys_by_label(category: Category, labelled: Mapping[str, Any]) -> dict[str, Any]:
    """The reverse of `labelled_values`: full keys for values given by label (KeyError: unknown)."""
    by_label = {item.label: item for item in category.items}
    keys: dict[str, Any] = {}
    for label, value in labelled.items():
        item = by_label[label]
        if isinstance(item, Attribute):
            keys[f"{category.id}_{item.id}"] = value
            continue
        columns = {attribute.label: attribute.id for attribute in item.attributes}
        for number, row in enumerate(value, start=1):
            for name, cell in row.items():
                keys[f"{category.id}_{item.id}_{number}_{columns[name]}"] = cell
    return keys


def _path(category: Category, key: str) -> tuple[int, ...]:
    """The numbers after the category id; 400 when the key is of another category or not one."""
    parts = key.split("_")
    if parts[0] != str(category.id) or not all(part.isdigit() for part in parts[1:]):
        raise _unknown_key(key)
    return tuple(int(part) for part in parts[1:])


def _of_one_language(raw: Any, key: str) -> Any:
    """The value of ``{key}_multilingual`` in the server's language: an object, in a form as JSON.

    Raises ApiError 400 for anything else, or for an object without that language.
    """
    try:
        named = json.loads(raw) if isinstance(raw, str) else raw
    except ValueError as wrong:
        raise errors.invalid_datatype(key) from wrong
    if not isinstance(named, dict) or LANGUAGE not in named:
        raise errors.invalid_datatype(key)
    return named[LANGUAGE]


def _unknown_key(key: str) -> errors.ApiError:
    return errors.ApiError(400, f"The attribute '{key}' is not a valid attribute.")


def _attribute(among: list[Attribute] | tuple[Attribute, ...], wanted: int, key: str) -> Attribute:
    for attribute in among:
        if attribute.id == wanted:
            return attribute
    raise _unknown_key(key)


def _set(category: Category, wanted: int, key: str) -> AttributeSet:
    for group in category.sets():
        if group.id == wanted:
            return group
    raise _unknown_key(key)


def _row(
    values: CategoryValues, group: AttributeSet, row: int, key: str
) -> dict[int, AttributeValue]:
    rows = values.rows.setdefault(group.id, [])
    if not 1 <= row <= group.max_rows:
        raise errors.ApiError(
            400, f"The row of '{key}' is outside 1 to {group.max_rows}: rows count from 1."
        )
    while len(rows) < row:
        rows.append(_empty_row(group))
    return rows[row - 1]


def _remove_rows(values: CategoryValues, removed: list[tuple[int, int]]) -> None:
    for set_id, row in sorted(removed, reverse=True):
        rows = values.rows.get(set_id, [])
        if 1 <= row <= len(rows):
            del rows[row - 1]


def _empty_row(group: AttributeSet) -> dict[int, AttributeValue]:
    return {attribute.id: _empty(attribute) for attribute in group.attributes}


def _empty(attribute: Attribute) -> AttributeValue:
    if attribute.multi_value:
        return []
    return "" if attribute.type == "String" else None


def _value(attribute: Attribute, raw: Any, key: str, member_exists: MemberExists) -> AttributeValue:
    if attribute.multi_value:
        items = raw if isinstance(raw, list) else [] if raw in ("", None) else [raw]
        return [_scalar(attribute, item, key, member_exists) for item in items]
    if isinstance(raw, list):
        raise errors.invalid_datatype(key)
    return _scalar(attribute, raw, key, member_exists)


def _scalar(attribute: Attribute, raw: Any, key: str, member_exists: MemberExists) -> Scalar:
    if raw is None:
        return "" if attribute.type == "String" else None
    try:
        value = _PARSERS[attribute.type](raw)
    except (ValueError, TypeError) as wrong:
        raise errors.invalid_datatype(key) from wrong
    if attribute.type == "String":
        _check_text(attribute, str(value))
    if attribute.type == "User" and not member_exists(int(str(value))):
        raise errors.ApiError(400, f"The user of the attribute '{attribute.label}' does not exist.")
    return value


def _check_text(attribute: Attribute, value: str) -> None:
    if len(value) > attribute.max_length:
        raise errors.ApiError(
            400,
            f"The value of the attribute '{attribute.label}' is longer than "
            f"{attribute.max_length} characters.",
        )
    if attribute.choices and value and value not in attribute.choices:
        raise errors.ApiError(
            400, f"'{value}' is not a valid value of the attribute '{attribute.label}'."
        )


def _text(raw: Any) -> str:
    if isinstance(raw, bool | dict | list):
        raise TypeError(raw)
    return str(raw)


def _integer(raw: Any) -> int:
    # "" is refused, not read as empty (reference/extended-ecm.md 4).
    if isinstance(raw, bool | float):
        raise TypeError(raw)
    return int(raw)


def _real(raw: Any) -> float:
    if isinstance(raw, bool):
        raise TypeError(raw)
    value = float(raw)
    if not isfinite(value):
        raise ValueError(raw)
    return value


def _date(raw: Any) -> str | None:
    """A date as ``YYYY-MM-DDT00:00:00``; a time of day is kept, a zone is converted to UTC."""
    if raw == "":
        return None
    if not isinstance(raw, str):
        raise TypeError(raw)
    if len(raw) == 10:
        return f"{date.fromisoformat(raw).isoformat()}T00:00:00"
    moment = datetime.fromisoformat(raw)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    return moment.replace(tzinfo=None, microsecond=0).isoformat()


def _boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    known = {"true": True, "1": True, "false": False, "0": False}
    lowered = str(raw).lower()
    if lowered not in known:
        raise ValueError(raw)
    return known[lowered]


_PARSERS: Mapping[str, Callable[[Any], Scalar]] = {
    "String": _text,
    "Integer": _integer,
    "Real": _real,
    "Date": _date,
    "Boolean": _boolean,
    "User": _integer,
}
