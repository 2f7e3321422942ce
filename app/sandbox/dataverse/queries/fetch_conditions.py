"""The conditions of FetchXML as tests of a value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.crm_functions import FUNCTIONS
from app.sandbox.dataverse.queries.crm_periods import Test
from app.sandbox.dataverse.queries.fetch_model import Condition
from app.sandbox.dataverse.queries.patterns import like
from app.sandbox.dataverse.tables.schema import Column, ColumnType
from app.sandbox.dataverse.tables.values import as_guid

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda value, wanted: value > wanted,
    "ge": lambda value, wanted: value >= wanted,
    "lt": lambda value, wanted: value < wanted,
    "le": lambda value, wanted: value <= wanted,
}
_FUNCTION_OF = {
    "in": "In",
    "not-in": "NotIn",
    "between": "Between",
    "not-between": "NotBetween",
    "contain-values": "ContainValues",
    "not-contain-values": "DoesNotContainValues",
    "today": "Today",
    "yesterday": "Yesterday",
    "tomorrow": "Tomorrow",
    "last-seven-days": "Last7Days",
    "next-seven-days": "Next7Days",
    "last-x-days": "LastXDays",
    "next-x-days": "NextXDays",
    "olderthan-x-days": "OlderThanXDays",
    "on": "On",
    "on-or-after": "OnOrAfter",
    "on-or-before": "OnOrBefore",
    "eq-userid": "EqualUserId",
    "ne-userid": "NotEqualUserId",
    **{
        f"{word}-{unit}": f"{word.capitalize()}{unit.capitalize()}"
        for word in ("last", "this", "next")
        for unit in ("week", "month", "year")
    },
    **{
        f"{word}-x-{unit}s": f"{word.capitalize()}X{unit.capitalize()}s"
        for word in ("last", "next")
        for unit in ("hour", "week", "month", "year")
    },
    **{
        f"olderthan-x-{unit}s": f"OlderThanX{unit.capitalize()}s"
        for unit in ("minute", "hour", "week", "month", "year")
    },
}
_LIKE = {
    "like": ("{}", True),
    "not-like": ("{}", False),
    "begins-with": ("{}%", True),
    "not-begin-with": ("{}%", False),
    "ends-with": ("%{}", True),
    "not-end-with": ("%{}", False),
}
_WHOLE = (
    ColumnType.INTEGER,
    ColumnType.BIGINT,
    ColumnType.CHOICE,
    ColumnType.STATE,
    ColumnType.STATUS,
)
_BROKEN = (ColumnType.DECIMAL, ColumnType.DOUBLE, ColumnType.MONEY)
_DATES = (ColumnType.DATETIME, ColumnType.DATE)


def test_of(condition: Condition, column: Column, now: dt.datetime, user_id: str) -> Test:
    """A test of a column's comparable value. Raises `Refusal` 400 for what is not understood."""
    name, texts = condition.operator, condition.values
    if name in ("null", "not-null"):
        return lambda value: (value is None) is (name == "null")
    if name in _LIKE:
        pattern, positive = _LIKE[name]
        return _like(pattern.format(_only(texts, name)), positive=positive)
    if name in ("eq", "ne", "neq"):
        wanted = _typed(column, _only(texts, name))
        return lambda value: (value == wanted) is (name == "eq")
    if name in _ORDER:
        limit, compare = _typed(column, _only(texts, name)), _ORDER[name]
        return lambda value: value is not None and compare(value, limit)
    return _by_function(name, texts, column, now, user_id)


def _by_function(
    name: str, texts: Sequence[str], column: Column, now: dt.datetime, user_id: str
) -> Test:
    if name not in _FUNCTION_OF:
        raise Refusal(400, "0x80040203", f"The condition operator '{name}' is not supported.")
    function = FUNCTIONS[_FUNCTION_OF[name]]
    if function.of_dates and column.type not in _DATES:
        raise Refusal(400, "0x80040203", f"'{name}' needs a date; '{column.name}' is none.")
    values = [_typed(column, text) if function.typed else text for text in texts]
    return function.test(values, now, user_id)


def _only(texts: Sequence[str], operator: str) -> str:
    if len(texts) != 1:
        raise Refusal(400, "0x80040203", f"The operator '{operator}' needs exactly one value.")
    return texts[0]


def _typed(column: Column, text: str) -> Any:
    """A value of a document, which is always text, as rows compare."""
    bad = Refusal(400, "0x80040203", f"'{text}' is no value of '{column.name}'.")
    if column.type in (ColumnType.LOOKUP, ColumnType.GUID):
        guid = as_guid(text.strip())
        if guid is None:
            raise bad
        return guid
    if column.type is ColumnType.BOOLEAN:
        if text.lower() not in ("0", "1", "true", "false"):
            raise bad
        return text.lower() in ("1", "true")
    try:
        if column.type in _WHOLE:
            return int(text)
        if column.type in _BROKEN:
            return float(text)
    except ValueError:
        raise bad from None
    if column.type is ColumnType.DATETIME and "T" not in text:
        return f"{text}T00:00:00Z".casefold()
    return text.casefold()


def _like(pattern: str, *, positive: bool) -> Test:
    matches = like(pattern.casefold())

    def test(value: Any) -> bool:
        return value is not None and matches(str(value)) is positive

    return test
