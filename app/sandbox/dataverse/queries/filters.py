"""``$filter`` asked of rows: columns of the row, of rows it looks up, and of rows that point to it.

Supported (reference/dataverse.md 6): eq ne gt ge lt le, and or not, parentheses, contains,
startswith, endswith, null, guids, dates, numbers, booleans; paths through lookups, any and all over
collections, and the functions of `crm_functions`. Comparison with null is SQL's: only ``eq null``
and ``ne null`` see an empty column, except that ``ne`` a value also takes empty ones, as the
service does.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries import syntax
from app.sandbox.dataverse.queries.crm_functions import FUNCTIONS
from app.sandbox.dataverse.queries.patterns import like
from app.sandbox.dataverse.queries.syntax import (
    Both,
    Comparison,
    CrmTest,
    Either,
    Lambda,
    Node,
    Not,
    TextTest,
)
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.store.store import Store, references_to
from app.sandbox.dataverse.tables.schema import Column, ColumnType, Registry, Table
from app.sandbox.dataverse.tables.values import Reference, Value, as_guid, comparable, parse
from app.sandbox.dataverse.web.urls import literal

Predicate = Callable[[Row], bool]
Getter = Callable[[Row], Value]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TEXT = {"contains": "%{}%", "startswith": "{}%", "endswith": "%{}"}
_NUMBERS = {
    ColumnType.INTEGER,
    ColumnType.BIGINT,
    ColumnType.DECIMAL,
    ColumnType.DOUBLE,
    ColumnType.MONEY,
    ColumnType.CHOICE,
    ColumnType.STATE,
    ColumnType.STATUS,
}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_DATES = (ColumnType.DATETIME, ColumnType.DATE)
_TEXTS = (ColumnType.STRING, ColumnType.MEMO)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a query is read against: the rows and tables, and who asks when.

    ``aliases`` are the parameters of the request, ``@p1=..``, that filters and orders may name.
    ``check_read`` raises `Refusal` 403 for a table that the caller may not read.
    """

    store: Store
    registry: Registry
    now: dt.datetime
    user_id: str
    aliases: Mapping[str, str]
    check_read: Callable[[Table], None]


def value_of(row: Row, column: Column, table: Table) -> Value:
    """A column of a row, with the two that the platform derives."""
    if column.name == "versionnumber":
        return row.version
    if column.name == table.primary_id:
        return row.id
    return row.values.get(column.name)


def parse_filter(text: str, table: Table, reading: Reading) -> Predicate:
    """Raises `Refusal` 400 for bad syntax, an unknown property or a literal of the wrong type."""
    return Binder(reading).bind(syntax.parse(text, reading.aliases), table)


class Binder:
    """Makes predicates on the rows of a table from a filter's tree."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def bind(self, node: Node, table: Table) -> Predicate:
        match node:
            case Either(parts):
                options = [self.bind(part, table) for part in parts]
                return lambda row: any(option(row) for option in options)
            case Both(parts):
                needs = [self.bind(part, table) for part in parts]
                return lambda row: all(need(row) for need in needs)
            case Not(inner):
                holds = self.bind(inner, table)
                return lambda row: not holds(row)
            case Lambda():
                return self._lambda(node, table)
            case TextTest():
                return self._text(node, table)
            case CrmTest():
                return self._crm(node, table)
            case Comparison():
                return self._comparison(node, table)

    def _comparison(self, node: Comparison, table: Table) -> Predicate:
        column, get = self.getter(node.path, table)
        if (other := table.columns.get(node.operand)) and other.type is not ColumnType.LOOKUP:
            if _family(other) != _family(column):
                raise _incompatible(column, node.operand)
            return _between_columns(node.operator, get, lambda row: value_of(row, other, table))
        wanted = _literal(column, node.operand, table.name)
        if node.operator in ("eq", "ne"):
            negate = node.operator == "ne"
            return lambda row: (comparable(get(row)) == wanted) is not negate
        if wanted is None:
            raise Refusal.bad_query(f"'{node.operator}' cannot compare with null.")
        compare = _ORDER[node.operator]

        def holds(row: Row) -> bool:
            value = comparable(get(row))
            return value is not None and compare(value, wanted)

        return holds

    def _text(self, node: TextTest, table: Table) -> Predicate:
        column, get = self.getter(node.path, table)
        if column.type not in _TEXTS:
            raise Refusal.bad_query(f"'{column.name}' is not text; text functions need text.")
        matches = like(_TEXT[node.function].format(str(literal(node.operand)).casefold()))
        return lambda row: matches(str(get(row) or "").casefold())

    def _crm(self, node: CrmTest, table: Table) -> Predicate:
        function = FUNCTIONS.get(node.function)
        if function is None:
            raise Refusal.not_implemented(f"The query function {node.function}")
        names = node.arguments.get("PropertyName")
        if not names:
            raise Refusal.bad_query(f"{node.function} needs a PropertyName.")
        column, get = self.getter(_property_name(str(literal(names[0])), table), table)
        if function.of_dates and column.type not in _DATES:
            raise Refusal.bad_query(f"{node.function} needs a date; '{column.name}' is none.")
        given = [
            _literal(column, _unquoted(item), table.name) if function.typed else literal(item)
            for name in ("PropertyValue", "PropertyValues")
            for item in node.arguments.get(name, ())
        ]
        test = function.test(given, self._reading.now, self._reading.user_id)
        return lambda row: test(comparable(get(row)))

    def _lambda(self, node: Lambda, table: Table) -> Predicate:
        others, reach = self.collection(table, node.path)
        holds = self.bind(node.inner, others) if node.inner else _always
        if node.every:
            return lambda row: all(holds(other) for other in reach(row))
        return lambda row: any(holds(other) for other in reach(row))

    def collection(
        self, table: Table, navigation: str
    ) -> tuple[Table, Callable[[Row], Iterable[Row]]]:
        """The table behind a collection-valued property, and the rows that a row reaches by it.

        Raises `Refusal` 400 for an unknown property.
        """
        store, registry = self._reading.store, self._reading.registry
        if one := registry.collection(table, navigation):
            others = registry.table(one.referencing)
            return others, lambda row: references_to(
                store, others.name, one.column, Reference(table.name, row.id)
            )
        if found := registry.association(table, navigation):
            relationship, side = found
            others = registry.table(relationship.tables[1 - side])
            name = relationship.schema_name
            return others, lambda row: filter(
                None, (store.get(others.name, id_) for id_ in store.linked(name, side, row.id))
            )
        raise Refusal.unknown_property(navigation, table.name)

    def getter(self, path: str, table: Table) -> tuple[Column, Getter]:
        """The column at the end of a path through lookups, and how to read it from a row."""
        first, slash, rest = path.partition("/")
        if not slash:
            column = table.by_property(path)
            return column, lambda row: value_of(row, column, table)
        found = table.navigation(first)
        if found is None:
            raise Refusal.unknown_property(first, table.name)
        lookup, target = found
        column, inner = self.getter(rest, self._reading.registry.table(target))
        store = self._reading.store

        def get(row: Row) -> Value:
            reference = row.values.get(lookup.name)
            if not isinstance(reference, Reference) or reference.table != target:
                return None
            other = store.get(target, reference.id)
            return None if other is None else inner(other)

        return column, get


def _always(_: Row) -> bool:
    return True


def _between_columns(name: str, one: Getter, other: Getter) -> Predicate:
    compare = {"eq": operator.eq, "ne": operator.ne, **_ORDER}[name]

    def holds(row: Row) -> bool:
        mine, theirs = comparable(one(row)), comparable(other(row))
        return mine is not None and theirs is not None and bool(compare(mine, theirs))

    return holds


def _family(column: Column) -> str:
    """Columns of one family can be compared with each other."""
    if column.type in _NUMBERS:
        return "number"
    return "text" if column.type in _TEXTS else column.type.value


def _property_name(name: str, table: Table) -> str:
    """The functions of the platform take the logical name of a lookup as well."""
    column = table.columns.get(name)
    return name if column is None else column.property_name


def _unquoted(token: str) -> str:
    """An item of a list, which quotes like JSON, as filters write it."""
    return "'" + token.strip('"').replace("'", "''") + "'" if token.startswith('"') else token


def _literal(column: Column, token: str, table: str) -> Any:
    """The literal as rows store it, so that both sides of a comparison are alike."""
    value = literal(token)
    if value is None:
        return None
    if column.type in (ColumnType.LOOKUP, ColumnType.GUID):
        guid = as_guid(str(value))
        if guid is None:
            raise Refusal.bad_query(f"'{token}' is not a guid, as '{column.name}' needs.")
        return guid
    if column.type in _NUMBERS:
        number = literal(value) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise _incompatible(column, token)
        return number
    if column.type in _TEXTS and not token.startswith("'"):
        raise _incompatible(column, token)
    if column.type is ColumnType.DATETIME and _DAY.fullmatch(token):
        value = f"{token}T00:00:00Z"  # as OData promotes Edm.Date
    try:
        return comparable(parse(column, value, table))
    except Refusal as refusal:
        if refusal.code == "0x80044331":  # longer than the column: matches nothing
            return comparable(str(value))
        raise _incompatible(column, token) from refusal


def _incompatible(column: Column, token: str) -> Refusal:
    return Refusal.bad_query(
        f"A binary operator with incompatible types was detected: '{column.name}' is "
        f"{column.attribute_type}, and {token} is not."
    )
