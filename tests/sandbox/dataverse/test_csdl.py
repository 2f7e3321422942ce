"""The model that generic OData clients read says what the rows then hold."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, fromstring

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator
from tests.sandbox.dataverse.support import error

EDM = {"": "http://docs.oasis-open.org/odata/ns/edm"}
CHECKS: dict[str, Any] = {
    "Edm.String": str,
    "Edm.Guid": str,
    "Edm.DateTimeOffset": str,
    "Edm.Date": str,
    "Edm.Stream": str,
    "Edm.Int32": int,
    "Edm.Int64": int,
    "Edm.Decimal": (int, float),
    "Edm.Double": (int, float),
    "Edm.Boolean": bool,
}


@pytest.fixture
async def model(client: httpx.AsyncClient) -> Element:
    answer = await client.get("/$metadata")
    assert answer.headers["Content-Type"] == "application/xml"
    return fromstring(answer.content)


def entity_type(model: Element, name: str) -> Element:
    found = model.find(f".//EntityType[@Name='{name}']", EDM)
    assert found is not None, name
    return found


async def test_each_property_of_a_row_is_declared_with_its_type(
    model: Element, client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    seeded: dict[str, dict[str, Any]] = {
        "account": {"name": "A", "creditlimit": 5},
        "opportunity": {"name": "D"},
    }
    for table, values in seeded.items():
        row = dataverse.seed(table, values)
        entity_set = dataverse.registry.table(table).entity_set
        body = (await client.get(f"/{entity_set}({row.id})")).json()
        declared = entity_type(model, table).findall("Property", EDM)
        properties = {p.get("Name"): p.get("Type") for p in declared}
        shown = {name: value for name, value in body.items() if "@" not in name}
        assert set(shown) == set(properties)
        for name, value in shown.items():
            assert value is None or isinstance(value, CHECKS[str(properties[name])]), name


async def test_each_table_has_its_set_key_and_relationships(
    model: Element, dataverse: DataverseSimulator
) -> None:
    for table in dataverse.registry:
        found = entity_type(model, table.name)
        wanted = table.primary_id
        if table.name in ("systemuser", "team"):  # by the key that both have in common
            assert found.get("BaseType") == "mscrm.principal"
            found, wanted = entity_type(model, "principal"), "ownerid"
        key = found.find("Key/PropertyRef", EDM)
        assert key is not None
        assert key.get("Name") == wanted
        entity_set = model.find(f".//EntitySet[@Name='{table.entity_set}']", EDM)
        assert entity_set is not None
        assert entity_set.get("EntityType") == f"Microsoft.Dynamics.CRM.{table.name}"
    navigation = entity_type(model, "opportunity").find(
        "NavigationProperty[@Name='customerid_contact']", EDM
    )
    assert navigation is not None
    assert navigation.get("Type") == "mscrm.contact"
    constraint = navigation.find("ReferentialConstraint", EDM)
    assert constraint is not None
    assert constraint.attrib == {
        "Property": "_customerid_value",
        "ReferencedProperty": "contactid",
    }
    collection = entity_type(model, "account").find(
        "NavigationProperty[@Name='contact_customer_accounts']", EDM
    )
    assert collection is not None
    assert collection.get("Type") == "Collection(mscrm.contact)"


async def test_names_within_a_type_are_unique_and_types_exist(model: Element) -> None:
    kinds = {f"mscrm.{kind.get('Name')}" for kind in model.findall(".//EntityType", EDM)}
    for kind in model.findall(".//EntityType", EDM):
        members = [m.get("Name") for m in kind if m.tag.endswith("Property")]
        assert len(members) == len(set(members)), kind.get("Name")
        for navigation in kind.findall("NavigationProperty", EDM):
            inner = str(navigation.get("Type")).removeprefix("Collection(").removesuffix(")")
            assert inner in kinds


async def test_the_root_lists_the_entity_sets(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    for path in ("", "/"):
        answer = await client.get(f"{dataverse.api_url}{path}")
        sets = {entry["name"] for entry in answer.json()["value"]}
        assert sets == {table.entity_set for table in dataverse.registry}
    assert error(await client.post("/$metadata")) == (405, "0x0")
    assert error(await client.get(f"{dataverse.url}/api/data/v9.1/")) == (404, "")
