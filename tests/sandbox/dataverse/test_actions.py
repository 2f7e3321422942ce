"""Actions on quotes and orders, conversions, merges; functions of the organisation; files."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator, Reference
from tests.sandbox.dataverse.support import account_names, error

QUOTE = "0" * 8 + "-0000-4000-8000-000000000001"


def quote(dataverse: DataverseSimulator, state: int = 1) -> str:
    values = {"name": "Offer", "totalamount": 900, "statecode": state}
    return dataverse.seed("quote", values, row_id=QUOTE).id


def closing(parameter: str, lookup: str, entity_set: str, row_id: str) -> dict[str, Any]:
    return {parameter: {"subject": "Done", f"{lookup}@odata.bind": f"/{entity_set}({row_id})"}}


@pytest.mark.parametrize(
    ("action", "status", "state", "message"),
    [("WinQuote", 4, 2, "Win"), ("CloseQuote", 5, 3, "Close"), ("CloseQuote", -1, 3, "Close")],
)
async def test_a_quote_is_closed_by_its_action_only(
    action: str,
    status: int,
    state: int,
    message: str,
    dataverse: DataverseSimulator,
    client: httpx.AsyncClient,
) -> None:
    id_ = quote(dataverse)
    direct = await client.patch(f"/quotes({id_})", json={"statecode": state})
    assert error(direct) == (400, "0x80048408")
    body = closing("QuoteClose", "quoteid", "quotes", id_)
    assert (await client.post(f"/{action}", json={**body, "Status": status})).status_code == 204
    row = dataverse.row("quote", id_)
    assert row is not None
    assert row.values["statecode"] == state
    created, updated, told = dataverse.commits[-3:]
    assert (created.table, updated.message, told.message) == ("quoteclose", "Update", message)
    assert told.parameters["QuoteClose"] == Reference("quoteclose", created.id)
    assert error(await client.post(f"/{action}", json={**body, "Status": status}))[0] == 400


async def test_a_draft_quote_cannot_be_won(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    body = closing("QuoteClose", "quoteid", "quotes", quote(dataverse, state=0))
    answer = await client.post("/WinQuote", json={**body, "Status": 4})
    assert error(answer) == (400, "0x80040203")
    assert "not Active yet" in answer.text


async def test_a_quote_becomes_an_order_and_the_order_an_invoice(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    made = await client.post("/ConvertQuoteToSalesOrder", json={"QuoteId": quote(dataverse)})
    order = made.json()
    assert (order["name"], order["totalamount"], order["_quoteid_value"]) == ("Offer", 900, QUOTE)
    assert order["ordernumber"].startswith("ORD-")
    ask = {"SalesOrderId": order["salesorderid"]}
    invoice = (await client.post("/ConvertSalesOrderToInvoice", json=ask)).json()
    assert invoice["_salesorderid_value"] == order["salesorderid"]
    body = closing("OrderClose", "salesorderid", "salesorders", order["salesorderid"])
    fulfilled = await client.post("/FulfillSalesOrder", json={**body, "Status": 100001})
    assert fulfilled.status_code == 204
    row = dataverse.row("salesorder", order["salesorderid"])
    assert row is not None
    assert (row.values["statecode"], row.values["datefulfilled"]) == (3, "2024-05-01")
    again = await client.post("/CancelSalesOrder", json={**body, "Status": 4})
    assert error(again) == (400, "0x80040203")
    nothing = await client.post(
        "/ConvertQuoteToSalesOrder", json={"QuoteId": order["salesorderid"]}
    )
    assert error(nothing) == (404, "0x80040217")


async def test_two_accounts_become_one(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    one, two = (dataverse.seed("account", {"name": name}) for name in ("One", "Two"))
    belongs = Reference("account", two.id)
    person = dataverse.seed("contact", {"lastname": "Lee", "parentcustomerid": belongs})
    kind = {"@odata.type": "Microsoft.Dynamics.CRM.account"}
    body = {
        "Target": {**kind, "accountid": one.id},
        "Subordinate": {**kind, "accountid": two.id},
        "UpdateContent": {**kind, "accountid": one.id, "telephone1": "7"},
        "PerformParentingChecks": False,
    }
    assert (await client.post("/Merge", json=body)).status_code == 204
    rows = [dataverse.row(*key) for key in (("account", one.id), ("account", two.id))]
    kept, closed = [row.values for row in rows if row is not None]
    assert (kept["telephone1"], closed["statecode"], closed["merged"]) == ("7", 1, True)
    assert closed["masterid"] == Reference("account", one.id)
    moved = dataverse.row("contact", person.id)
    assert moved is not None
    assert moved.values["parentcustomerid"] == Reference("account", one.id)
    told = dataverse.commits[-1]
    assert (told.message, told.parameters["SubordinateId"]) == ("Merge", two.id)
    body["Subordinate"] = body["Target"]
    assert error(await client.post("/Merge", json=body)) == (400, "0x80040203")


async def test_functions_tell_of_the_organisation(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    dataverse.seed("account", {"name": "A"})
    assert (await client.get("/RetrieveVersion()")).json()["Version"].startswith("9.2.")
    access = "AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default'"
    current = (await client.get(f"/RetrieveCurrentOrganization({access})")).json()["Detail"]
    assert current["UniqueName"] == "org1"
    counted = await client.get("/RetrieveTotalRecordCount(EntityNames=['account','contact'])")
    assert counted.json()["EntityRecordCountCollection"]["Values"] == [1, 0]
    assert (await client.post("/PublishAllXml")).status_code == 204
    assert (await client.post("/WhoAmI")).status_code == 405


async def test_a_file_is_downloaded_and_deleted(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    kind = {"@odata.type": "Microsoft.Dynamics.CRM.FileAttributeMetadata"}
    column = {**kind, "SchemaName": "new_Paper"}
    made = await client.post("/EntityDefinitions(LogicalName='account')/Attributes", json=column)
    assert made.status_code == 204
    path = f"/accounts({dataverse.seed('account', {'name': 'A'}).id})/new_paper"
    assert error(await client.get(f"{path}/$value")) == (404, "0x80040217")
    name = {"x-ms-file-name": "a.txt", "Content-Type": "text/plain"}
    assert (await client.patch(path, content=b"paper", headers=name)).status_code == 204
    read = await client.get(f"{path}/$value")
    assert (read.content, read.headers["x-ms-file-name"]) == (b"paper", "a.txt")
    assert (await client.get(path)).json()["value"] == "cGFwZXI="
    for wanted, part, given in (("0-1", b"pa", "0-1"), ("3-", b"er", "3-4"), ("4-9", b"r", "4-4")):
        some = await client.get(f"{path}/$value", headers={"Range": f"bytes={wanted}"})
        assert (some.status_code, some.content) == (206, part)
        assert some.headers["Content-Range"] == f"bytes {given}/5"
    beyond = await client.get(f"{path}/$value", headers={"Range": "bytes=5-9"})
    assert beyond.status_code == 416
    stale = {"If-Match": 'W/"1"'}
    assert error(await client.delete(path, headers=stale)) == (412, "0x80060882")
    late = await client.patch(path, content=b"late", headers={**name, **stale})
    assert error(late) == (412, "0x80060882")
    assert error(await client.patch(path, content=b"x")) == (400, "0x80048d19")
    assert (await client.delete(path)).status_code == 204
    assert dataverse.state.files == {}
    chunked = {"x-ms-transfer-mode": "chunked", "x-ms-file-name": "b.txt"}
    begun = await client.patch(path, headers=chunked)
    skipped = {"Content-Range": "bytes 2-3/4"}
    refused = await client.patch(begun.headers["Location"], content=b"er", headers=skipped)
    assert error(refused) == (400, "0x80040203")


async def test_a_bulk_delete_finds_its_rows_and_reports_on_its_job(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    for name in ("A", "B", "C"):
        dataverse.seed("account", {"name": name})
    condition = {"AttributeName": "name", "Operator": "NotEqual", "Values": [{"Value": "b"}]}
    query = {"EntityName": "account", "Criteria": {"Conditions": [condition]}}
    body = {"JobName": "Tidy up", "QuerySet": [query]}
    job = (await client.post("/BulkDelete", json=body)).json()["JobId"]
    assert [row.values["name"] for row in dataverse.rows("account")] == ["B"]
    read = (await client.get(f"/asyncoperations({job})")).json()
    assert (read["name"], read["statuscode"]) == ("Tidy up", 30)
    condition["Operator"] = "Sounds"
    assert error(await client.post("/BulkDelete", json=body)) == (400, "0x80040203")


def equals(name: str) -> dict[str, object]:
    value = {"Type": "System.String", "Value": name}
    return {"AttributeName": "name", "Operator": "Equal", "Values": [value]}


def criteria(operator: str, *conditions: object, filters: object = ()) -> dict[str, object]:
    return {"FilterOperator": operator, "Conditions": conditions, "Filters": filters}


NOT_C = {**equals("C"), "Operator": "NotEqual"}


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (criteria("And", equals("A"), equals("B")), ["A", "B", "C"]),
        (criteria("Or", equals("A"), equals("B")), ["C"]),
        (criteria("And", filters=[criteria("Or", equals("A"), equals("B"))]), ["C"]),
        (criteria("And", NOT_C, filters=[criteria("Or", equals("A"), equals("C"))]), ["B", "C"]),
        (criteria("Or", equals("A"), filters=[criteria("And", equals("B"), NOT_C)]), ["C"]),
    ],
)
async def test_a_bulk_delete_takes_no_more_than_its_criteria_say(
    given: dict[str, object],
    left: list[str],
    dataverse: DataverseSimulator,
    client: httpx.AsyncClient,
) -> None:
    for name in ("A", "B", "C"):
        dataverse.seed("account", {"name": name})
    body = {"JobName": "Tidy up", "QuerySet": [{"EntityName": "account", "Criteria": given}]}
    assert (await client.post("/BulkDelete", json=body)).status_code == 200
    assert account_names(dataverse) == left


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"Criteria": criteria("Xor", equals("A"))}, 400),
        ({"Criteria": criteria("And", filters="all")}, 400),
        ({"Criteria": criteria("And", filters=["all"])}, 400),
        ({"Criteria": criteria("And", {**equals("A"), "Operator": "Sounds"})}, 400),
        ({"LinkEntities": [{"LinkToEntityName": "contact"}]}, 501),
    ],
)
async def test_a_bulk_delete_that_is_not_understood_deletes_nothing(
    query: dict[str, object],
    status: int,
    dataverse: DataverseSimulator,
    client: httpx.AsyncClient,
) -> None:
    dataverse.seed("account", {"name": "A"})
    body = {"QuerySet": [{"EntityName": "account", **query}]}
    assert (await client.post("/BulkDelete", json=body)).status_code == status
    assert account_names(dataverse) == ["A"]


async def test_a_view_is_not_there_and_not_taken_for_all_rows(client: httpx.AsyncClient) -> None:
    for view in ("savedQuery", "userQuery"):
        answer = await client.get(f"/accounts?{view}=0a000000-0000-4000-8000-00000000000a")
        assert answer.status_code == 501
