"""FetchXML as a tree: what a document says, with its tables and columns found."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.selection import whole_number
from app.sandbox.dataverse.tables.schema import Column, Registry, Table

MAX_LINKS = 15
LINK_TYPES = ("inner", "outer", "exists", "in", "any", "not any")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column that is wanted; ``aggregate`` or ``groupby`` in an aggregate query."""

    column: Column
    alias: str
    aggregate: str = ""
    distinct: bool = False
    groupby: bool = False
    date_grouping: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """``entity`` is the alias of the table that it is about."""

    entity: str
    column: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions and inner filters: all must hold, or any."""

    any: bool
    parts: tuple[Condition | Filter, ...]


@dataclass(frozen=True, slots=True)
class Ordering:
    """By a column of the table called ``entity``, or by the alias of an attribute."""

    entity: str
    name: str
    descending: bool
    by_alias: bool


@dataclass(slots=True)
class Entity:
    """The table that is asked for, or one that is linked to the one around it."""

    table: Table
    alias: str
    attributes: list[Attribute] = field(default_factory=list)
    all_attributes: bool = False
    filters: list[Filter] = field(default_factory=list)
    orders: list[Ordering] = field(default_factory=list)
    links: list[Entity] = field(default_factory=list)
    from_column: str = ""
    to_column: str = ""
    link_type: str = ""

    def walk(self) -> Iterator[Entity]:
        """This and all that is linked below it."""
        yield self
        for link in self.links:
            yield from link.walk()


@dataclass(frozen=True, slots=True)
class Fetch:
    """The whole document."""

    root: Entity
    aggregate: bool
    distinct: bool
    top: int | None
    count: int | None
    page: int
    total: bool


def read_fetch(xml: str, registry: Registry) -> Fetch:
    """Raises `Refusal` 400 for what is no FetchXML or names what is not there."""
    try:
        document = ET.fromstring(xml)
    except (ET.ParseError, ValueError) as error:
        raise _bad(f"Invalid XML: {error}") from error
    entities = document.findall("entity")
    if document.tag != "fetch" or len(entities) != 1:
        raise _bad("A fetch element with one entity is needed.")
    reader = _Reader(registry, aggregate=_flag(document, "aggregate"))
    root = reader.entity(entities[0], None)
    return Fetch(
        root,
        reader.aggregate,
        _flag(document, "distinct"),
        _number(document, "top"),
        _number(document, "count"),
        _number(document, "page") or 1,
        _flag(document, "returntotalrecordcount"),
    )


class _Reader:
    def __init__(self, registry: Registry, *, aggregate: bool) -> None:
        self.aggregate = aggregate
        self._registry = registry
        self._aliases: set[str] = set()

    def entity(self, element: ET.Element, outer: Entity | None) -> Entity:
        name = element.get("name", "").lower()
        if name not in self._registry:
            raise _bad(f"The entity with a name = '{name}' was not found in the MetadataCache.")
        alias = element.get("alias") or self._fresh(name, outer)
        if alias in self._aliases or len(self._aliases) > MAX_LINKS:
            raise _bad(f"'{alias}' is used twice, or more than {MAX_LINKS} tables are linked.")
        self._aliases.add(alias)
        made = Entity(self._registry.table(name), alias)
        if outer is not None:
            self._join(element, made, outer)
        for child in element:
            self._child(child, made)
        return made

    def _fresh(self, name: str, outer: Entity | None) -> str:
        return name if outer is None else f"{name}{len(self._aliases)}"

    def _join(self, element: ET.Element, made: Entity, outer: Entity) -> None:
        made.link_type = element.get("link-type", "inner")
        if made.link_type not in LINK_TYPES:
            raise _bad(f"link-type '{made.link_type}' is not supported.")
        made.from_column = _column(made.table, element.get("from", made.table.primary_id)).name
        to = element.get("to", made.table.primary_id)
        made.to_column = _column(outer.table, to).name

    def _child(self, child: ET.Element, into: Entity) -> None:
        if child.tag == "attribute":
            into.attributes.append(self._attribute(child, into.table))
        elif child.tag == "all-attributes":
            into.all_attributes = True
        elif child.tag == "filter":
            into.filters.append(self._filter(child, into, depth=0))
        elif child.tag == "order":
            by_alias = child.get("attribute") is None
            name = child.get("alias" if by_alias else "attribute", "")
            entity = child.get("entityname") or into.alias
            into.orders.append(Ordering(entity, name, _flag(child, "descending"), by_alias))
        elif child.tag == "link-entity":
            into.links.append(self.entity(child, into))
        else:
            raise _bad(f"The element '{child.tag}' is not known here.")

    def _attribute(self, element: ET.Element, table: Table) -> Attribute:
        column = _column(table, element.get("name", ""))
        alias, aggregate = element.get("alias", ""), element.get("aggregate", "")
        groupby = _flag(element, "groupby")
        if self.aggregate and not (alias and (aggregate or groupby)):
            raise _bad("In an aggregate query each attribute needs an alias, and what it is for.")
        if alias and not re.fullmatch(r"\w+", alias):
            raise _bad(f"'{alias}' is no alias: letters, digits and underscores only.")
        return Attribute(
            column,
            alias,
            aggregate,
            _flag(element, "distinct"),
            groupby,
            element.get("dategrouping", ""),
        )

    def _filter(self, element: ET.Element, entity: Entity, depth: int) -> Filter:
        parts: list[Condition | Filter] = []
        if depth > MAX_LINKS:
            raise _bad("Filters are nested too deep.")
        for child in element:
            if child.tag == "filter":
                parts.append(self._filter(child, entity, depth + 1))
            elif child.tag == "condition":
                parts.append(_condition(child, entity))
            else:
                raise _bad(f"The element '{child.tag}' is not known in a filter.")
        return Filter(element.get("type", "and") == "or", tuple(parts))


def _condition(element: ET.Element, entity: Entity) -> Condition:
    values = [value.text or "" for value in element.findall("value")]
    if (value := element.get("value")) is not None:
        values.insert(0, value)
    alias = element.get("entityname") or entity.alias
    name, operator = element.get("attribute", ""), element.get("operator", "")
    if not name or not operator:
        raise _bad("A condition needs an attribute and an operator.")
    return Condition(alias, name, operator, tuple(values))


def _column(table: Table, name: str) -> Column:
    found = table.columns.get(name.lower())
    if found is None:
        raise Refusal(
            400,
            "0x80041103",
            f"'{table.name}' entity doesn't contain attribute with Name = '{name}'.",
        )
    return found


def _flag(element: ET.Element, name: str) -> bool:
    return element.get(name, "").lower() in ("true", "1")


def _number(element: ET.Element, name: str) -> int | None:
    text = element.get(name)
    return None if text is None else whole_number(name, text)


def _bad(message: str) -> Refusal:
    return Refusal(400, "0x80040203", f"Invalid FetchXML: {message}")
