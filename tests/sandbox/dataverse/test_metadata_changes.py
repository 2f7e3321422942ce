"""Metadata that is made at run time: what it needs, what it brings, how it goes again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator
from tests.sandbox.dataverse.support import error

CRM = "Microsoft.Dynamics.CRM."
ACCOUNT = "/EntityDefinitions(LogicalName='account')"


def column(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"@odata.type": f"{CRM}{kind}AttributeMetadata", "SchemaName": name, **more}


def table(name: str, *columns: dict[str, Any]) -> dict[str, Any]:
    primary = column("String", f"{name}_Name", MaxLength=50, IsPrimaryName=True)
    return {"SchemaName": name, "Attributes": [primary, *columns]}


async def test_a_table_is_posted_with_its_money_and_tracked(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    body = table("new_Delivery", column("Money", "new_Price", MaxValue=100))
    made = await client.post("/EntityDefinitions", json=body)
    assert made.status_code == 204
    read = (await client.get(made.headers["OData-EntityId"])).json()
    assert (read["LogicalName"], read["EntitySetName"]) == ("new_delivery", "new_deliveries")
    created = await client.post("/new_deliveries", json={"new_delivery_name": "D", "new_price": 9})
    row = (await client.get(created.headers["OData-EntityId"])).json()
    assert (row["new_price"], row["new_price_base"], row["statuscode"]) == (9, 9, 1)
    track = {"Prefer": "odata.track-changes"}
    link = (await client.get("/new_deliveries", headers=track)).json()["@odata.deltaLink"]
    assert (await client.delete(created.headers["OData-EntityId"])).status_code == 204
    assert len((await client.get(link)).json()["value"]) == 1
    assert (await client.delete(made.headers["OData-EntityId"])).status_code == 204
    assert error(await client.get("/new_deliveries")) == (404, "0x8006088a")
    assert "new_delivery" not in dataverse.state.rows


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"SchemaName": "Delivery", "Attributes": []},
        {"SchemaName": "new_Delivery"},
        {"SchemaName": "new_Delivery", "Attributes": [column("String", "new_Other")]},
        {"SchemaName": "new delivery", "Attributes": []},
        table("new_Delivery", column("Nonsense", "new_X")),
        table("new_Delivery", column("Lookup", "new_X")),
        table("new_Delivery", column("Picklist", "new_X", OptionSet={})),
        table("new_Delivery", column("String", "new_X", MaxLength=0)),
        table("new_Delivery", column("Integer", "new_X", MinValue=9, MaxValue=1)),
        table("new_Delivery", column("String", "new_Delivery_Name", MaxLength=5)),
        table("account"),
    ],
)
async def test_a_table_that_cannot_be_is_refused_and_leaves_nothing(
    body: dict[str, Any], dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    before = list(dataverse.state.tables)
    assert (await client.post("/EntityDefinitions", json=body)).status_code == 400
    entities = {"Entities": [table("new_First"), body]}
    assert (await client.post("/CreateEntities", json=entities)).status_code == 400
    assert list(dataverse.state.tables) == before


async def test_a_key_over_rows_that_clash_is_refused(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    for _ in range(2):
        dataverse.seed("account", {"name": "A", "telephone1": "1"})
    body = {"SchemaName": "new_Phone", "KeyAttributes": ["telephone1"]}
    assert error(await client.post(f"{ACCOUNT}/Keys", json=body)) == (412, "0x80040237")
    assert "new_phone" not in dataverse.registry.table("account").keys
    for columns in (["nonsense"], ["creditonhold"], [], ["name"] * 17):
        wrong = {"SchemaName": "new_Phone", "KeyAttributes": columns}
        assert (await client.post(f"{ACCOUNT}/Keys", json=wrong)).status_code == 400


async def test_what_belongs_to_the_system_stays(client: httpx.AsyncClient) -> None:
    assert error(await client.delete(ACCOUNT)) == (400, "0x8004f01f")
    name = f"{ACCOUNT}/Attributes(LogicalName='name')"
    assert error(await client.delete(name)) == (400, "0x8004f01f")
    relationship = "/RelationshipDefinitions(SchemaName='account_parent_account')"
    assert error(await client.delete(relationship)) == (400, "0x8004f01f")
    again = column("String", "name", MaxLength=5)
    assert error(await client.post(f"{ACCOUNT}/Attributes", json=again)) == (400, "0x80044363")


async def test_a_deleted_column_takes_its_values_with_it(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    made = await client.post(f"{ACCOUNT}/Attributes", json=column("String", "new_X", MaxLength=9))
    row = dataverse.seed("account", {"name": "A", "new_x": "text"})
    assert (await client.delete(made.headers["OData-EntityId"])).status_code == 204
    await client.post(f"{ACCOUNT}/Attributes", json=column("Integer", "new_X"))
    assert (await client.get(f"/accounts({row.id})")).json()["new_x"] is None


async def test_relationships_are_listed_by_kind_and_side(client: httpx.AsyncClient) -> None:
    many = f"/RelationshipDefinitions/{CRM}ManyToManyRelationshipMetadata"
    names = [r["SchemaName"] for r in (await client.get(many)).json()["value"]]
    assert "teammembership_association" in names
    one = (await client.get(f"{ACCOUNT}/OneToManyRelationships")).json()["value"]
    assert "contact_customer_accounts" in {r["SchemaName"] for r in one}
    query = {"$filter": "ReferencingAttribute eq 'primarycontactid'"}
    (found,) = (await client.get(f"{ACCOUNT}/ManyToOneRelationships", params=query)).json()["value"]
    assert found["ReferencedEntity"] == "contact"
    assert found["ReferencingEntityNavigationPropertyName"] == "primarycontactid"
    key = "/RelationshipDefinitions(SchemaName='account_primary_contact')"
    assert (await client.get(key)).json()["MetadataId"] == found["MetadataId"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"@odata.type": f"{CRM}OneToManyRelationshipMetadata", "SchemaName": "new_a"},
        {
            "@odata.type": f"{CRM}OneToManyRelationshipMetadata",
            "SchemaName": "new_a",
            "Lookup": {"SchemaName": "new_NothingId"},
            "ReferencedEntity": "nothing",
            "ReferencingEntity": "account",
        },
        {
            "@odata.type": f"{CRM}ManyToManyRelationshipMetadata",
            "SchemaName": "teammembership_association",
            "Entity1LogicalName": "team",
            "Entity2LogicalName": "systemuser",
        },
    ],
)
async def test_a_relationship_that_cannot_be_is_refused(
    body: dict[str, Any], client: httpx.AsyncClient
) -> None:
    assert (await client.post("/RelationshipDefinitions", json=body)).status_code == 400
