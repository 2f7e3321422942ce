"""``$select`` and ``$expand``: which columns of a row are wanted, and which rows around it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.filters import Binder, Predicate, Reading, parse_filter
from app.sandbox.dataverse.queries.ordering import Order, parse_order
from app.sandbox.dataverse.tables.schema import Column, Table

MAX_EXPANSIONS = 15
IN_EXPAND = {"$select", "$filter", "$orderby", "$top", "$expand"}
REFERENCE = "/$ref"


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a row is wanted; ``columns`` None for all."""

    table: Table
    columns: tuple[Column, ...] | None = None
    expand: Mapping[str, Expansion] = field(default_factory=dict)

    @property
    def context(self) -> str:
        """The parenthesis of ``@odata.context``; empty when nothing was selected."""
        names = [] if self.columns is None else [c.property_name for c in self.columns]
        names += [e.context(navigation) for navigation, e in self.expand.items()]
        return f"({','.join(names)})" if names else ""

    def of(self, table: Table) -> Selection:
        """The same of a row of another table that the same property leads to: a team, not a user.

        What only the first table has is left out.
        """
        if table is self.table or self.columns is None:
            return self if table is self.table else Selection(table)
        names = [c.name for c in self.columns if c.name in table.columns]
        return Selection(table, tuple(table.columns[name] for name in names))

    @property
    def nested(self) -> bool:
        """Whether a row that is expanded has expanded rows itself."""
        return any(expansion.selection.expand for expansion in self.expand.values())


@dataclass(frozen=True, slots=True)
class Expansion:
    """One item of ``$expand``; ``many`` for a collection, which the other options cut.

    ``reference``: the address of the row in place of the row. ``options`` are those of the item as
    they were written.
    """

    selection: Selection
    many: bool = False
    keep: Predicate | None = None
    order: tuple[Order, ...] = ()
    top: int | None = None
    reference: bool = False
    options: Mapping[str, str] = field(default_factory=dict)

    def context(self, navigation: str) -> str:
        if self.reference:
            return f"{navigation},{navigation}{REFERENCE}()"
        return f"{navigation}{self.selection.context or '()'}"


def parse_selection(query: Mapping[str, str], table: Table, reading: Reading) -> Selection:
    """Raises `Refusal` 400 for an unknown property, for syntax, and for too much."""
    selection = _selection(query, table, reading, 0)
    _check_cuts(selection, nested=selection.nested)
    return selection


def _selection(query: Mapping[str, str], table: Table, reading: Reading, depth: int) -> Selection:
    columns = None
    if names := query.get("$select"):
        columns = tuple(
            table.by_property(name.strip())
            for name in dict.fromkeys(names.split(","))
            if name.strip() != "*"
        )
        columns = columns or None
    parts = outside_parentheses(query.get("$expand", ""))
    if max(len(parts), depth) > MAX_EXPANSIONS:
        raise Refusal.bad_query(f"No more than {MAX_EXPANSIONS} properties can be expanded.")
    return Selection(
        table, columns, dict(_expanded(part, table, reading, depth + 1) for part in parts)
    )


def _check_cuts(selection: Selection, *, nested: bool) -> None:
    """Raises `Refusal` 400 for an order or a limit where the service has none."""
    for expansion in selection.expand.values():
        cut = {"$orderby", "$top"} & set(expansion.options)
        if cut and (nested or not expansion.many):
            raise Refusal.bad_query(
                "Only $select and $filter clause can be provided while doing $expand on "
                "many-to-one relationship or nested one-to-many relationship."
            )
        _check_cuts(expansion.selection, nested=nested)


def _expanded(part: str, table: Table, reading: Reading, depth: int) -> tuple[str, Expansion]:
    match = re.fullmatch(r"\s*(\w+)(/\$ref)?\s*(?:\((.*)\))?\s*", part, re.DOTALL)
    if match is None:
        raise Refusal.bad_query(f"Syntax error in $expand at '{part}'.")
    options = {
        name.strip(): value
        for name, _, value in (
            option.partition("=") for option in outside_parentheses(match[3] or "", ";")
        )
    }
    if unknown := set(options) - IN_EXPAND:
        raise Refusal.bad_query(f"{', '.join(sorted(unknown))} is not supported within $expand.")
    if match[2]:
        return match[1], _reference(match[1], table, reading)
    return match[1], _expansion(match[1], options, table, reading, depth)


def _reference(navigation: str, table: Table, reading: Reading) -> Expansion:
    found = table.navigation(navigation)
    if found is None:
        Binder(reading).collection(table, navigation)
        raise Refusal.bad_query(
            "Expand with $ref is only supported on lookup type navigation property."
        )
    return Expansion(Selection(reading.registry.table(found[1])), reference=True)


def _expansion(
    navigation: str, options: Mapping[str, str], table: Table, reading: Reading, depth: int
) -> Expansion:
    if found := table.navigation(navigation):
        if "$filter" in options:
            raise Refusal.bad_query("$filter cuts collections only.")
        # The owner's property leads to a user or a team; its columns are those of users.
        target = reading.registry.table(found[1])
        reading.check_read(target)
        return Expansion(_selection(options, target, reading, depth), options=options)
    others, _ = Binder(reading).collection(table, navigation)
    reading.check_read(others)
    selection = _selection(options, others, reading, depth)
    text = options.get("$filter")
    keep = parse_filter(text, others, reading) if text else None
    order = tuple(parse_order(options.get("$orderby", ""), others, reading))
    top = whole_number("$top", options["$top"]) if "$top" in options else None
    return Expansion(selection, True, keep, order, top, options=options)


def whole_number(option: str, text: str) -> int:
    """The value of an option that counts. Raises `Refusal` 400."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refusal.bad_query(f"Invalid value '{text}' for {option} query option found.")
    return int(text)


def outside_parentheses(text: str, separator: str = ",") -> list[str]:
    """The parts of a list whose items may have parentheses and quoted text."""
    parts, depth, quoted, current = [], 0, False, ""
    for letter in text:
        if letter == "'":
            quoted = not quoted
        elif not quoted:
            depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == separator and depth == 0 and not quoted:
            parts.append(current)
            current = ""
        else:
            current += letter
    return [part for part in (*parts, current) if part.strip()]
