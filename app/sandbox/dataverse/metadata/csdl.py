"""``$metadata``, the model as CSDL, and the service document: where generic OData clients begin.

Types are those of OData 4.0; names those of the Web API: a lookup is the property
``_<column>_value`` and one navigation property for each table that it points to.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.rendering import PRINCIPALS
from app.sandbox.dataverse.tables.schema import Column, ColumnType, Registry, Table
from app.sandbox.dataverse.web.urls import Answer, ApiRequest

NAMESPACE, ALIAS = "Microsoft.Dynamics.CRM", "mscrm"
BASE, PRINCIPAL, OWNER = "crmbaseentity", "principal", "ownerid"
CONTAINER = "System"
_EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
_EDM = "http://docs.oasis-open.org/odata/ns/edm"
_TYPES = {
    ColumnType.INTEGER: "Edm.Int32",
    ColumnType.BIGINT: "Edm.Int64",
    ColumnType.DECIMAL: "Edm.Decimal",
    ColumnType.DOUBLE: "Edm.Double",
    ColumnType.MONEY: "Edm.Decimal",
    ColumnType.BOOLEAN: "Edm.Boolean",
    ColumnType.DATETIME: "Edm.DateTimeOffset",
    ColumnType.DATE: "Edm.Date",
    ColumnType.GUID: "Edm.Guid",
    ColumnType.LOOKUP: "Edm.Guid",
    ColumnType.CHOICE: "Edm.Int32",
    ColumnType.STATE: "Edm.Int32",
    ColumnType.STATUS: "Edm.Int32",
    ColumnType.FILE: "Edm.Stream",
}


class Csdl:
    """Answers ``GET`` on ``$metadata`` and on the root of the API."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def model(self, request: ApiRequest) -> Answer:
        """The model of all tables as XML."""
        if request.method != "GET":
            raise Refusal.method(request.method)
        root = Element("edmx:Edmx", {"Version": "4.0", "xmlns:edmx": _EDMX})
        services = SubElement(root, "edmx:DataServices")
        names = {"Namespace": NAMESPACE, "Alias": ALIAS, "xmlns": _EDM}
        schema = SubElement(services, "Schema", names)
        SubElement(schema, "EntityType", {"Name": BASE, "Abstract": "true"})
        principal = _typed(schema, PRINCIPAL, BASE, OWNER)
        SubElement(principal, "Property", {"Name": OWNER, "Type": "Edm.Guid", "Nullable": "false"})
        for table in self._registry:
            self._type(schema, table)
        container = SubElement(schema, "EntityContainer", {"Name": CONTAINER})
        for table in self._registry:
            self._set(container, table)
        body = tostring(root, encoding="utf-8", xml_declaration=True)
        return Answer(200, body, {"Content-Type": "application/xml"})

    def document(self, request: ApiRequest) -> Answer:
        """All entity sets, as the root of the API lists them."""
        if request.method != "GET":
            raise Refusal.method(request.method)
        sets = [
            {"name": table.entity_set, "kind": "EntitySet", "url": table.entity_set}
            for table in self._registry
        ]
        return Answer(200, {"@odata.context": f"{request.base_url}/$metadata", "value": sets})

    def _type(self, schema: Element, table: Table) -> None:
        if table.name in PRINCIPALS:
            kind = _typed(schema, table.name, PRINCIPAL, None)
        else:
            kind = _typed(schema, table.name, BASE, table.primary_id)
        for column in table.columns.values():
            _property(kind, column, table)
        for navigation, (column, target) in self._lookups(table).items():
            key = OWNER if target == PRINCIPAL else self._registry.table(target).primary_id
            names = {"Name": navigation, "Type": f"{ALIAS}.{target}", "Nullable": "true"}
            pair = {"Property": column.property_name, "ReferencedProperty": key}
            found = SubElement(kind, "NavigationProperty", names)
            SubElement(found, "ReferentialConstraint", pair)
        for name, other in self._collections(table):
            kinds = {"Name": name, "Type": f"Collection({ALIAS}.{other.name})"}
            SubElement(kind, "NavigationProperty", kinds)

    def _lookups(self, table: Table) -> dict[str, tuple[Column, str]]:
        """Column and type by navigation property; one for users and teams leads to both."""
        found: dict[str, tuple[Column, str]] = {}
        for column in table.columns.values():
            for target, navigation in column.targets.items():
                if target in self._registry:
                    both = navigation in found
                    found[navigation] = (column, PRINCIPAL if both else target)
        return found

    def _collections(self, table: Table) -> list[tuple[str, Table]]:
        """Collection-valued properties: rows that point here, and rows that are linked."""
        registry = self._registry
        found = [
            (one.collection, registry.table(one.referencing))
            for one in registry.pointing_to(table.name)
        ]
        for many in registry.many_to_many.values():
            found += [
                (many.navigations[side], registry.table(many.tables[1 - side]))
                for side in (0, 1)
                if many.tables[side] == table.name
            ]
        return list(dict(found).items())

    def _set(self, container: Element, table: Table) -> None:
        names = {"Name": table.entity_set, "EntityType": f"{NAMESPACE}.{table.name}"}
        entity_set = SubElement(container, "EntitySet", names)
        paths = {
            path: target
            for path, (_, target) in self._lookups(table).items()
            if target != PRINCIPAL  # its rows are in two sets
        }
        paths |= {path: other.name for path, other in self._collections(table)}
        for path, target in paths.items():
            bound = {"Path": path, "Target": self._registry.table(target).entity_set}
            SubElement(entity_set, "NavigationPropertyBinding", bound)


def _typed(schema: Element, name: str, base: str, key: str | None) -> Element:
    kind = SubElement(schema, "EntityType", {"Name": name, "BaseType": f"{ALIAS}.{base}"})
    if key is not None:
        SubElement(SubElement(kind, "Key"), "PropertyRef", {"Name": key})
    return kind


def _property(kind: Element, column: Column, table: Table) -> None:
    names = {"Name": column.property_name, "Type": _TYPES.get(column.type, "Edm.String")}
    if column.name == table.primary_id:
        names["Nullable"] = "false"
    if column.max_length:
        names["MaxLength"] = str(column.max_length)
    if names["Type"] == "Edm.Decimal":
        names["Scale"] = "Variable"
    SubElement(kind, "Property", names)
