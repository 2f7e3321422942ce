"""What a body may set: types, lengths, choices, lookups, states."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator, Reference
from app.sandbox.entra import EntraSimulator
from tests.sandbox.dataverse.support import ANNOTATIONS, APP_ID, REPRESENTATION, error, signed_in

FORMATTED = "OData.Community.Display.V1.FormattedValue"


@pytest.mark.parametrize(
    ("table", "given", "stored"),
    [
        ("accounts", {"name": "Ä" * 160}, "Ä" * 160),
        ("accounts", {"creditonhold": True}, True),
        ("accounts", {"customertypecode": 11}, 11),
        ("opportunities", {"closeprobability": 50}, 50),
        ("opportunities", {"estimatedvalue": 100}, 100.0),
        ("opportunities", {"estimatedvalue": 10.555}, 10.56),
        ("opportunities", {"estimatedvalue": -0.125}, -0.13),
        ("opportunities", {"estimatedclosedate": "2024-02-29"}, "2024-02-29"),
        ("opportunities", {"estimatedclosedate": "1753-01-01"}, "1753-01-01"),
        (
            "opportunities",
            {"new_contractsignedon": "2024-05-01T12:00:00.7+02:00"},
            "2024-05-01T10:00:00Z",
        ),
        (
            "opportunities",
            {"stageid": "{0A000000-0000-4000-8000-00000000000B}"},
            "0a000000-0000-4000-8000-00000000000b",
        ),
        ("opportunities", {"new_contractdocumentversion": -3}, -3),
    ],
)
async def test_a_value_of_the_right_type_is_stored(
    table: str, given: dict[str, Any], stored: object, client: httpx.AsyncClient
) -> None:
    answer = await client.post(f"/{table}", json=given, headers=REPRESENTATION)
    assert answer.status_code == 201
    assert answer.json()[next(iter(given))] == stored


@pytest.mark.parametrize(
    ("table", "given", "code"),
    [
        ("accounts", {"nonsense": 1}, "0x0"),
        ("accounts", {"Name": "case matters"}, "0x0"),
        ("accounts", {"name": 5}, "0x80048d19"),
        ("accounts", {"name": "x" * 161}, "0x80044331"),
        ("accounts", {"creditonhold": "true"}, "0x80048d19"),
        ("accounts", {"creditonhold": 1}, "0x80048d19"),
        ("accounts", {"customertypecode": "11"}, "0x80048d19"),
        ("accounts", {"customertypecode": 99}, "0x80044331"),
        ("opportunities", {"estimatedclosedate": "1752-12-31"}, "0x80048d19"),
        ("opportunities", {"new_contractsignedon": "0009-01-01T00:00:00Z"}, "0x80048d19"),
        ("opportunities", {"new_contractsignedon": "9999-12-31T23:59:59-14:00"}, "0x80048d19"),
        ("accounts", {"_parentaccountid_value": None}, "0x80048d19"),
        ("accounts", {"parentaccountid": str(uuid.uuid4())}, "0x80048d19"),
        ("opportunities", {"closeprobability": 1.5}, "0x80048d19"),
        ("opportunities", {"closeprobability": 2**31}, "0x80048d19"),
        ("opportunities", {"closeprobability": True}, "0x80048d19"),
        ("opportunities", {"estimatedvalue": "100"}, "0x80048d19"),
        ("opportunities", {"estimatedvalue": 1e18}, "0x80044331"),
        ("opportunities", {"estimatedclosedate": "2024-05-01T00:00:00Z"}, "0x80048d19"),
        ("opportunities", {"estimatedclosedate": "2023-02-29"}, "0x80048d19"),
        ("opportunities", {"new_contractsignedon": "yesterday"}, "0x80048d19"),
        ("opportunities", {"new_contractsignedon": "2024-05-01T12:00:00"}, "0x80048d19"),
        ("opportunities", {"stageid": "first"}, "0x80048d19"),
        ("accounts", {"statecode": None}, "0x80040203"),
        ("accounts", {"statuscode": None}, "0x80040203"),
        ("accounts", {"ownerid@odata.bind": None}, "0x80040203"),
    ],
)
async def test_a_value_that_does_not_fit_is_a_bad_request(
    table: str,
    given: dict[str, Any],
    code: str,
    client: httpx.AsyncClient,
    dataverse: DataverseSimulator,
) -> None:
    before = dataverse.version
    assert error(await client.post(f"/{table}", json=given)) == (400, code)
    assert dataverse.version == before


async def test_what_follows_from_the_owner_is_the_users_or_the_teams(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    """And names the business unit, which is a row as well."""
    team = dataverse.seed("team", {"name": "Sales"})
    created = await client.post("/accounts", json={"name": "A"})
    path = created.headers["OData-EntityId"]
    whole = {"$expand": "owninguser($select=fullname),owningteam,owningbusinessunit($select=name)"}
    row = (await client.get(path, params=whole)).json()
    assert row["owninguser"]["fullname"] == "Dovetail" and row["owningteam"] is None
    assert row["_owninguser_value"] == row["_ownerid_value"]
    assert row["owningbusinessunit"]["name"] == "org1"
    moved = await client.patch(path, json={"ownerid@odata.bind": f"/teams({team.id})"})
    assert moved.status_code == 204
    row = (await client.get(path, params=whole)).json()
    assert (row["owninguser"], row["owningteam"]["name"]) == (None, "Sales")
    who = (await client.get("/WhoAmI")).json()
    assert row["_owningbusinessunit_value"] == who["BusinessUnitId"]


async def test_state_and_owner_cannot_be_cleared(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    row = dataverse.seed("account", {"name": "A"})
    path = f"/accounts({row.id})"
    for answer in (
        await client.patch(path, json={"statecode": None}),
        await client.put(f"{path}/statuscode", json={"value": None}),
        await client.delete(f"{path}/ownerid/$ref"),
    ):
        assert error(answer) == (400, "0x80040203")
    assert dataverse.row("account", row.id) == row


async def test_what_only_the_platform_sets_is_passed_over(client: httpx.AsyncClient) -> None:
    body = {"name": "A", "createdon": "2001-01-01T00:00:00Z", "versionnumber": 1}
    row = (await client.post("/accounts", json=body, headers=REPRESENTATION)).json()
    assert row["createdon"] == "2024-05-01T10:00:00Z"
    assert row["versionnumber"] > 1


async def test_an_imported_row_keeps_the_date_of_its_origin(client: httpx.AsyncClient) -> None:
    body = {"name": "A", "overriddencreatedon": "2001-01-01T00:00:00Z"}
    row = (await client.post("/accounts", json=body, headers=REPRESENTATION)).json()
    assert row["createdon"] == "2001-01-01T00:00:00Z"
    assert row["overriddencreatedon"] == row["modifiedon"] == "2024-05-01T10:00:00Z"


async def test_a_lookup_is_bound_read_and_cleared(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    parent = dataverse.seed("account", {"name": "Parent", "accountnumber": "P"})
    for address in (
        f"/accounts({parent.id})",
        f"accounts({parent.id})",
        "/accounts(accountnumber='P')",
        f"{dataverse.api_url}/accounts({parent.id})",
    ):
        body = {"name": "Child", "parentaccountid@odata.bind": address}
        child = (await client.post("/accounts", json=body, headers=REPRESENTATION)).json()
        assert child["_parentaccountid_value"] == parent.id
    path = f"/accounts({child['accountid']})"
    for clearing in ({"parentaccountid@odata.bind": None}, {"parentaccountid": None}):
        await client.patch(path, json={"parentaccountid@odata.bind": f"/accounts({parent.id})"})
        assert (await client.patch(path, json=clearing)).status_code == 204
        assert (await client.get(path)).json()["_parentaccountid_value"] is None


async def test_a_lookups_reference_is_set_and_removed(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    parent = dataverse.seed("account", {"name": "Parent"})
    child = dataverse.seed("account", {"name": "Child"})
    path = f"/accounts({child.id})/parentaccountid"
    body = {"@odata.id": f"{dataverse.api_url}/accounts({parent.id})"}
    assert (await client.put(f"{path}/$ref", json=body)).status_code == 204
    assert (await client.get(path)).json()["name"] == "Parent"
    assert (await client.delete(f"{path}/$ref")).status_code == 204
    assert (await client.get(path)).status_code == 204


async def test_a_polymorphic_lookup_has_one_property_per_target(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    account = dataverse.seed("account", {"name": "A"})
    contact = dataverse.seed("contact", {"firstname": "Ada", "lastname": "Korhonen"})
    to_account = {"customerid_account@odata.bind": f"/accounts({account.id})"}
    answer = await client.post("/incidents", json=to_account, headers=REPRESENTATION)
    case = answer.json()
    assert case["_customerid_value"] == account.id
    to_contact = {"customerid_contact@odata.bind": f"/contacts({contact.id})"}
    path = f"/incidents({case['incidentid']})"
    await client.patch(path, json=to_contact)
    row = (await client.get(path, headers=ANNOTATIONS)).json()
    assert row["_customerid_value"] == contact.id
    prefix = "_customerid_value@"
    assert row[f"{prefix}Microsoft.Dynamics.CRM.lookuplogicalname"] == "contact"
    assert row[f"{prefix}Microsoft.Dynamics.CRM.associatednavigationproperty"] == (
        "customerid_contact"
    )
    assert row[f"{prefix}{FORMATTED}"] == "Ada Korhonen"
    crossed = {"customerid_contact@odata.bind": f"/accounts({account.id})"}
    assert error(await client.patch(path, json=crossed)) == (400, "0x80048d19")
    undeclared = {"customerid@odata.bind": f"/accounts({account.id})"}
    assert error(await client.patch(path, json=undeclared)) == (400, "0x80048d19")


async def test_navigation_properties_are_case_sensitive(entra: EntraSimulator) -> None:
    columns = {"account": {"new_workspace": "lookup annotation as new_Workspace"}}
    async with (
        DataverseSimulator(entra, application_users={APP_ID: "D"}, columns=columns) as dataverse,
        signed_in(entra, dataverse) as client,
    ):
        note = dataverse.seed("annotation", {"subject": "N"})
        right = {"new_Workspace@odata.bind": f"/annotations({note.id})"}
        wrong = {"new_workspace@odata.bind": f"/annotations({note.id})"}
        assert (await client.post("/accounts", json=right)).status_code == 204
        refused = await client.post("/accounts", json=wrong)
        assert error(refused) == (400, "0x80048d19")
        assert "undeclared property 'new_workspace'" in refused.json()["error"]["message"]


async def test_a_lookup_to_a_missing_row_is_not_found(client: httpx.AsyncClient) -> None:
    missing = {"parentaccountid@odata.bind": f"/accounts({uuid.uuid4()})"}
    assert error(await client.post("/accounts", json=missing)) == (404, "0x80040217")
    by_key = {"parentaccountid@odata.bind": "/accounts(accountnumber='none')"}
    assert error(await client.post("/accounts", json=by_key)) == (404, "0x80060891")
    no_row = {"parentaccountid@odata.bind": "/accounts"}
    assert error(await client.post("/accounts", json=no_row)) == (400, "0x80048d19")


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"statuscode": 2}, (0, 2)),
        ({"statecode": 2}, (2, 6)),
        ({"statecode": 2, "statuscode": 2000}, (2, 2000)),
        ({"statuscode": 6}, "0x80048408"),
        ({"statecode": 0, "statuscode": 6}, "0x80048408"),
        ({"statecode": 7}, "0x80044331"),
        ({"statuscode": 7}, "0x80044331"),
        ({"statecode": 1, "statuscode": 5}, "0x80048408"),
    ],
)
async def test_state_and_status_must_fit_together(
    change: dict[str, int],
    outcome: tuple[int, int] | str,
    client: httpx.AsyncClient,
    dataverse: DataverseSimulator,
) -> None:
    case = dataverse.seed("incident", {"title": "A"})
    answer = await client.patch(f"/incidents({case.id})", json=change, headers=REPRESENTATION)
    if isinstance(outcome, str):
        assert error(answer) == (400, outcome)
    else:
        assert (answer.json()["statecode"], answer.json()["statuscode"]) == outcome


async def test_won_lost_and_resolved_need_their_action_unless_switched_off(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    deal = dataverse.seed("opportunity", {"name": "A"})
    path, won = f"/opportunities({deal.id})", {"statecode": 1, "statuscode": 3}
    refused = await client.patch(path, json=won)
    assert error(refused) == (400, "0x80048408")
    assert "WinOpportunity" in refused.json()["error"]["message"]
    dataverse.writer.refuse_direct_close = False
    assert (await client.patch(path, json=won)).status_code == 204
    dataverse.writer.refuse_direct_close = True
    still_won = {"statecode": 1, "statuscode": 3, "name": "B"}
    assert (await client.patch(path, json=still_won)).status_code == 204


async def test_annotations_carry_labels(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    account = dataverse.seed(
        "account",
        {"name": "A", "customertypecode": 11, "creditlimit": 1234.5, "creditonhold": True},
    )
    only = {"Prefer": f'odata.include-annotations="{FORMATTED}"'}
    row = (await client.get(f"/accounts({account.id})", headers=only)).json()
    assert row[f"customertypecode@{FORMATTED}"] == "Vendor"
    assert row[f"statecode@{FORMATTED}"] == "Active"
    assert row[f"creditlimit@{FORMATTED}"] == "1,234.50"
    assert row[f"creditonhold@{FORMATTED}"] == "Yes"
    assert row[f"_transactioncurrencyid_value@{FORMATTED}"] == "Euro"
    assert not any("lookuplogicalname" in name for name in row)


async def test_cases_are_numbered_and_people_have_their_full_name(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    first = (await client.post("/incidents", json={}, headers=REPRESENTATION)).json()
    second = (await client.post("/incidents", json={}, headers=REPRESENTATION)).json()
    assert (first["ticketnumber"], second["ticketnumber"]) == ("CAS-00001", "CAS-00002")
    contact = dataverse.seed("contact", {"firstname": "Ada", "lastname": "K"})
    dataverse.change("contact", contact.id, {"lastname": "Lovelace"})
    row = dataverse.row("contact", contact.id)
    assert row is not None
    assert row.values["fullname"] == "Ada Lovelace"


def test_seeding_checks_what_a_lookup_may_point_to(dataverse: DataverseSimulator) -> None:
    with pytest.raises(Exception, match=r"account, contact: give Reference"):
        dataverse.seed("opportunity", {"customerid": str(uuid.uuid4())})
    with pytest.raises(Exception, match="nothing that 'parentaccountid' can point to"):
        dataverse.seed("opportunity", {"parentaccountid": Reference("team", str(uuid.uuid4()))})
