"""EntityDefinitions, by key and by filter."""

from __future__ import annotations

import httpx

from tests.sandbox.dataverse.support import error

ACCOUNT = "/EntityDefinitions(LogicalName='account')"


async def test_a_table_is_described_by_its_key(client: httpx.AsyncClient) -> None:
    select = "EntitySetName,PrimaryIdAttribute,ObjectTypeCode,ChangeTrackingEnabled"
    query = {"$select": select, "$expand": "Keys"}
    body = (await client.get(ACCOUNT, params=query)).json()
    assert body["EntitySetName"] == "accounts"
    assert body["PrimaryIdAttribute"] == "accountid"
    assert body["ObjectTypeCode"] == 1
    assert body["ChangeTrackingEnabled"] is True
    assert "PrimaryNameAttribute" not in body
    (key,) = body["Keys"]
    assert key["KeyAttributes"] == ["accountnumber"]
    assert key["EntityKeyIndexStatus"] == "Active"


async def test_tables_are_found_by_a_filter(client: httpx.AsyncClient) -> None:
    async def found(text: str) -> list[str]:
        query = {"$select": "LogicalName", "$filter": text}
        rows = (await client.get("/EntityDefinitions", params=query)).json()["value"]
        return [row["LogicalName"] for row in rows]

    assert await found("LogicalName eq 'opportunitysalesprocess'") == ["opportunitysalesprocess"]
    assert "processstage" in await found("ChangeTrackingEnabled eq false")
    owned = await found("OwnershipType eq 'UserOwned' and ObjectTypeCode ne 1")
    assert {"contact", "opportunity", "incident", "annotation"} <= set(owned)
    assert not {"account", "systemuser", "processstage"} & set(owned)
    assert await found("(startswith(LogicalName,'oppo') and not (ObjectTypeCode gt 3))") == [
        "opportunity"
    ]
    assert await found("LogicalName eq 'nothing'") == []
    bad = await client.get("/EntityDefinitions", params={"$filter": "LogicalName like 'a'"})
    assert bad.status_code == 400


async def test_columns_are_expanded_with_their_types(client: httpx.AsyncClient) -> None:
    query = {
        "$select": "LogicalName",
        "$expand": "Keys($select=KeyAttributes),Attributes($select=LogicalName,AttributeType)",
    }
    path = "/EntityDefinitions(LogicalName='opportunity')"
    body = (await client.get(path, params=query)).json()
    assert body["Keys"] == []
    types = {a["LogicalName"]: a["AttributeType"] for a in body["Attributes"]}
    expected = {
        "opportunityid": "Uniqueidentifier",
        "name": "String",
        "description": "Memo",
        "estimatedvalue": "Money",
        "estimatedvalue_base": "Money",
        "estimatedclosedate": "DateTime",
        "closeprobability": "Integer",
        "discountpercentage": "Decimal",
        "salesstage": "Picklist",
        "statecode": "State",
        "statuscode": "Status",
        "customerid": "Customer",
        "parentaccountid": "Lookup",
        "ownerid": "Owner",
        "versionnumber": "BigInt",
        "new_contractstatus": "String",
        "new_contractdocumentversion": "Integer",
        "new_contractexpireson": "DateTime",
    }
    assert expected.items() <= types.items()


async def test_columns_and_keys_have_paths_of_their_own(client: httpx.AsyncClient) -> None:
    query = {"$select": "MaxLength", "$filter": "LogicalName eq 'new_xecmworkspaceurl'"}
    text = f"{ACCOUNT}/Attributes/Microsoft.Dynamics.CRM.StringAttributeMetadata"
    (column,) = (await client.get(text, params=query)).json()["value"]
    assert column["MaxLength"] == 500
    uncast = await client.get(f"{ACCOUNT}/Attributes", params=query)
    assert error(uncast) == (400, "0x0"), "derived properties need the cast to their type"
    one = (await client.get(f"{ACCOUNT}/Attributes(LogicalName='name')")).json()
    assert one["IsPrimaryName"] is True
    keys = (await client.get(f"{ACCOUNT}/Keys")).json()["value"]
    assert [key["LogicalName"] for key in keys] == ["account_number"]


async def test_choices_have_their_options(client: httpx.AsyncClient) -> None:
    path = f"{ACCOUNT}/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata"
    query = {"$select": "LogicalName", "$expand": "OptionSet($select=Options)"}
    columns = (await client.get(path, params=query)).json()["value"]
    options = {c["LogicalName"]: c["OptionSet"]["Options"] for c in columns}
    vendor = next(o for o in options["customertypecode"] if o["Value"] == 11)
    assert vendor["Label"]["UserLocalizedLabel"]["Label"] == "Vendor"
    assert "statecode" not in options


async def test_what_is_unknown_or_of_the_system_is_refused(
    client: httpx.AsyncClient,
) -> None:
    missing = await client.get("/EntityDefinitions(LogicalName='nothing')")
    assert error(missing) == (404, "0x80060888")
    assert (await client.get(f"{ACCOUNT}/Attributes(LogicalName='nothing')")).status_code == 404
    assert (await client.get(f"{ACCOUNT}/Nonsense")).status_code == 404
    assert (await client.post("/EntityDefinitions", json={})).status_code == 400
    assert (await client.delete(ACCOUNT)).status_code == 400
