"""Values in the one canonical form that ``streams.catalogue.ColumnKind`` gives them.

The encodings of all formats are read alike, because relays mix them: bare JSON, text of a CSV
file, ``{"Value": 3}`` wrappers. An empty text is an empty column: Dataverse keeps no empty strings,
and a CSV row cannot tell the two apart. A value that does not fit the column's kind raises
``WrongType``; nothing is guessed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from streams.catalogue import Column, ColumnKind, ColumnValue
from streams.formats.times import date_text, instant_ms, instant_text
from tables.keys import RecordRef, normal_guid

ZERO_GUID = "00000000-0000-0000-0000-000000000000"
_NUMERAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_CHOICES_SEPARATOR = re.compile(r"[;,|]")
_MAX_INTEGER = 2**63
_VIRTUAL_OPTIONS = 200_000_000
#: Dataverse's widest number has 22 digits, finance and operations' 32.
_MAX_DIGITS = 64
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class WrongType(ValueError):
    """The value does not fit the column's kind."""


class Unknown(Enum):
    """The value says that there is one, but not which: the column stays unknown."""

    VALUE = "unknown"


def canonical(column: Column, raw: Any, table: str | None = None) -> ColumnValue | Unknown:
    """Return the canonical form of a column's raw value, None when it is empty.

    ``table`` is where a lookup points to, if the producer said so. Without it the column's single
    target counts; a lookup with several possible targets and no name is ``Unknown.VALUE``: to guess
    would tie a record to the wrong one. Raises WrongType.
    """
    if raw is None or raw == "":
        return None
    try:
        if column.kind is ColumnKind.LOOKUP:
            return _lookup(column, raw, table)
        if column.symbols:
            return _enum(column, _bare(raw))
        return _READERS[column.kind](_bare(raw))
    except WrongType:
        raise
    except (ValueError, ArithmeticError) as fault:
        raise WrongType(str(fault)) from None


def version_number(raw: Any) -> int | None:
    """Return ``versionnumber``: a number, its text, or SQL Server's eight bytes in base64."""
    if raw is None or raw == "":
        return None
    if isinstance(raw, str) and len(raw) == 12 and raw.endswith("="):
        try:
            return _sized(int.from_bytes(base64.b64decode(raw, validate=True), "big"))
        except binascii.Error:
            raise WrongType("neither a number nor a rowversion") from None
    number = _integer(_bare(raw))
    if number < 0:
        raise WrongType("a negative version")
    return number


def plain_number(raw: Any) -> Decimal:
    """Return a number exactly as it was written; raises WrongType when it is none."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str | Decimal):
        raise WrongType("no number")
    if isinstance(raw, int):
        return Decimal(_sized(raw))
    text = repr(raw) if isinstance(raw, float) else str(raw).strip()
    if not _NUMERAL.fullmatch(text):
        raise WrongType("no number")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise WrongType("no number") from None
    if len(number.as_tuple().digits) > _MAX_DIGITS or abs(number.adjusted()) > _MAX_DIGITS:
        raise WrongType("a number of too many digits")
    return number


def number_text(raw: Any) -> str:
    """Return a plain decimal without trailing zeros: ``50000``, ``1234.5``, ``-0.25``."""
    number = plain_number(raw)
    if not number:
        return "0"
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _bare(raw: Any) -> Any:
    """Take a value out of OptionSetValue, Money and their like."""
    if isinstance(raw, dict):
        if "Value" not in raw or isinstance(raw["Value"], dict):
            raise WrongType("an object without a value")
        raw = raw["Value"]
    if raw is None:
        raise WrongType("an object with an empty value")
    return raw


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise WrongType("no text")
    return raw


def _integer(raw: Any) -> int:
    if type(raw) is int:
        return _sized(raw)
    number = plain_number(raw)
    if number != number.to_integral_value():
        raise WrongType("no integer")
    return _sized(int(number))


def _sized(number: int) -> int:
    if not -_MAX_INTEGER <= number < _MAX_INTEGER:
        raise WrongType("an integer of more than 64 bits")
    return number


def _enum(column: Column, raw: Any) -> int:
    """The number of an enum of finance and operations, from its number or its symbol.

    Virtual entities in Dataverse count their options from 200,000,000.
    """
    if isinstance(raw, str) and not _NUMERAL.fullmatch(raw.strip()):
        named = {symbol.lower(): number for symbol, number in column.symbols}
        if raw.strip().lower() not in named:
            raise WrongType("none of the symbols that tables.yaml declares")
        return named[raw.strip().lower()]
    number = _integer(raw)
    known = {number for _, number in column.symbols}
    virtual = number - _VIRTUAL_OPTIONS
    return virtual if number not in known and virtual in known else number


def _choices(raw: Any) -> str | None:
    parts = _CHOICES_SEPARATOR.split(raw.strip("[] ")) if isinstance(raw, str) else raw
    if not isinstance(parts, list):
        parts = [parts]
    options = sorted({_integer(_bare(part)) for part in parts if part != ""})
    return ",".join(map(str, options)) or None


def _boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, int | str):
        known = _BOOLEANS.get(str(raw).strip().lower())
        if known is not None:
            return known
    raise WrongType("neither true nor false")


def _guid(raw: Any) -> str:
    return normal_guid(_text(raw))


def _lookup(column: Column, raw: Any, table: str | None) -> ColumnValue | Unknown:
    if isinstance(raw, dict):
        row_id, table = raw.get("Id"), raw.get("LogicalName") or table
        if row_id is None:
            raise WrongType("a reference without an id")
        if normal_guid(_text(row_id)) == ZERO_GUID:
            return Unknown.VALUE  # a reference by alternate key
    else:
        row_id = raw
    guid = _guid(row_id)
    if guid == ZERO_GUID:
        return None
    if table is None and len(column.targets) == 1:
        table = column.targets[0]
    if table is None:
        return Unknown.VALUE
    return RecordRef.of(_text(table), guid).key


_READERS: Mapping[ColumnKind, Callable[[Any], ColumnValue]] = {
    ColumnKind.TEXT: _text,
    ColumnKind.INTEGER: _integer,
    ColumnKind.CHOICE: _integer,
    ColumnKind.CHOICES: _choices,
    ColumnKind.NUMBER: number_text,
    ColumnKind.BOOLEAN: _boolean,
    ColumnKind.DATETIME: lambda raw: instant_text(instant_ms(raw)),
    ColumnKind.DATE: date_text,
    ColumnKind.GUID: _guid,
}
