"""One category attribute: its definition, its values on the wire, and when two are the same.

reference/extended-ecm.md 4. Keys are ``{category}_{attribute}``, or with set and row between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from streams.errors import Misconfigured, Refused

Value = str | int | bool | None


def form_text(value: Value) -> str:
    """A wire value as a form field (F)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _text(value: Any) -> str:
    return form_text(value) if isinstance(value, bool) else str(value)


def _integer(value: Any) -> int:
    whole = Decimal(str(int(value) if isinstance(value, bool) else value))
    if whole != int(whole):
        raise ValueError("not an integer")
    return int(whole)


def _boolean(value: Any) -> bool:
    text = str(value).lower()
    if text not in _BOOLEANS:
        raise ValueError("not a boolean")
    return _BOOLEANS[text]


def _real(value: Any) -> str:
    number = Decimal(str(value))
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _date(value: Any) -> str:
    """A date, or a date and time in UTC without its zone."""
    text = str(value)
    if len(text) == 10:
        return date.fromisoformat(text).isoformat()
    moment = datetime.fromisoformat(text)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    return moment.replace(tzinfo=None, microsecond=0).isoformat()


def _same_number(present: Any, wanted: Any) -> bool:
    """Equal as the doubles that Content Server keeps: more digits than those cannot come back."""
    return float(present) == float(wanted)


def _same_moment(present: str, wanted: str) -> bool:
    """Equal to the second; a server that keeps dates only is compared by its date."""
    try:
        held, asked = _date(present), _date(wanted)
    except ValueError:
        return False
    if len(asked) == 10 or held.endswith("T00:00:00"):
        return held[:10] == asked[:10]
    return held == asked


_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
#: Types whose values are texts: "" empties them, the others want null.
_TEXTS = frozenset({"string", "text", "textfield", "textmultiline", "popup"})
_CONVERTERS: Mapping[str, Callable[[Any], Value]] = {
    "integer": _integer,
    "real": _real,
    "boolean": _boolean,
    "date": _date,
    "user": _integer,
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute; ``type`` is Content Server's name for it in lower case."""

    key: str
    label: str
    type: str
    multi_value: bool = False
    max_length: int | None = None

    @property
    def group(self) -> str | None:
        """``{category}_{set}`` of an attribute in a set, None outside."""
        category, _, rest = self.key.partition("_")
        return f"{category}_{rest.partition('_')[0]}" if rest.count("_") == 2 else None

    def in_row(self, row: int) -> str:
        """The key of an attribute in a set in this row of it, from 1."""
        return f"{self.group}_{row}_{self.key.rpartition('_')[2]}"

    def wire(self, value: Value) -> Value:
        """The value as Content Server takes it; Refused (``attribute_invalid``) when it cannot."""
        if value is None or value == "":
            return "" if self.type in _TEXTS else None
        try:
            converted: Value = _CONVERTERS.get(self.type, _text)(value)
        except (ValueError, TypeError, InvalidOperation) as error:
            raise self.refused(f"cannot hold {value!r}: it is of type {self.type}") from error
        if self.max_length and isinstance(converted, str) and len(converted) > self.max_length:
            raise self.refused(f"takes {self.max_length} characters, not {len(converted)}")
        return converted

    def same(self, present: Any, wanted: Value) -> bool:
        """Whether the value on the node already is ``wanted`` (a wire value)."""
        if isinstance(present, list):
            if len(present) > 1:
                return False
            present = present[0] if present else None
        if present in (None, "") or wanted in (None, ""):
            return present in (None, "") and wanted in (None, "")
        if self.type == "date":
            return _same_moment(str(present), str(wanted))
        try:
            if self.type == "real":
                return _same_number(present, wanted)
            return bool(_CONVERTERS.get(self.type, _text)(present) == wanted)
        except (ValueError, TypeError, InvalidOperation):
            return False

    def refused(self, reason: str) -> Refused:
        """Why the attribute cannot hold what the rule gives."""
        return Refused(
            f"The attribute {self.label!r} {reason}.",
            code="attribute_invalid",
            advice="Correct the expression in the rule, or the attribute in Content Server.",
        )


def attribute_named(
    label: str, attributes: Mapping[str, Attribute], *, of: str, advice: str
) -> Attribute:
    """The attribute of a category or workflow map (``of``), by its label in any case.

    Raises Misconfigured (``attribute_unknown``), which names those that there are.
    """
    found = attributes.get(label.casefold())
    if found is None:
        known = ", ".join(sorted(a.label for a in attributes.values())) or "none"
        raise Misconfigured(
            f"{of} has no attribute {label!r}; it has {known}.",
            code="attribute_unknown",
            advice=advice,
        )
    return found
