"""Actions that close, bulk actions and batches: all of it or none of it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator
from tests.sandbox.dataverse.support import error

ACCOUNT = "Microsoft.Dynamics.CRM.account"
BULK = "/accounts/Microsoft.Dynamics.CRM."


def account_names(dataverse: DataverseSimulator) -> list[Any]:
    return [row.values.get("name") for row in dataverse.rows("account")]


async def test_an_opportunity_is_won_with_its_activity(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    deal = dataverse.seed("opportunity", {"name": "A", "estimatedvalue": 10})
    close = {"subject": "Signed", "opportunityid@odata.bind": f"/opportunities({deal.id})"}
    body = {"Status": 3, "OpportunityClose": close | {"actualrevenue": 12}}
    assert (await client.post("/WinOpportunity", json=body)).status_code == 204
    row = (await client.get(f"/opportunities({deal.id})")).json()
    assert (row["statecode"], row["statuscode"]) == (1, 3)
    assert (row["actualvalue"], row["actualclosedate"]) == (12.0, "2024-05-01")
    (activity,) = dataverse.rows("opportunityclose")
    assert activity.values["subject"] == "Signed"
    assert activity.values["opportunitystatecode"] == 1
    again = await client.post("/LoseOpportunity", json={**body, "Status": 4})
    assert "already been closed" in again.json()["error"]["message"]


async def test_an_opportunity_is_lost_and_a_case_resolved(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    deal = dataverse.seed("opportunity", {"name": "A"})
    bind = {"opportunityid@odata.bind": f"/opportunities({deal.id})"}
    body = {"Status": -1, "OpportunityClose": bind}
    assert (await client.post("/LoseOpportunity", json=body)).status_code == 204
    row = (await client.get(f"/opportunities({deal.id})")).json()
    assert (row["statecode"], row["statuscode"]) == (2, 4)
    case = dataverse.seed("incident", {"title": "A"})
    resolution = {"subject": "Done", "incidentid@odata.bind": f"/incidents({case.id})"}
    wrong = {"IncidentResolution": resolution, "Status": 6}
    assert error(await client.post("/CloseIncident", json=wrong)) == (400, "0x80048408")
    assert dataverse.rows("incidentresolution") == []
    right = {"IncidentResolution": resolution, "Status": 1000}
    assert (await client.post("/CloseIncident", json=right)).status_code == 204
    row = (await client.get(f"/incidents({case.id})")).json()
    assert (row["statecode"], row["statuscode"]) == (1, 1000)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"Status": 3, "OpportunityClose": {"subject": "no record"}}, 400),
        ({"Status": 3, "Nonsense": 1}, 400),
        (
            {
                "Status": 3,
                "OpportunityClose": {"opportunityid@odata.bind": f"/opportunities({uuid.uuid4()})"},
            },
            404,
        ),
    ],
)
async def test_an_action_without_its_record_is_refused(
    body: dict[str, Any], status: int, client: httpx.AsyncClient
) -> None:
    assert (await client.post("/WinOpportunity", json=body)).status_code == status
    assert (await client.get("/WinOpportunity")).status_code == 405


async def test_many_rows_are_created_updated_and_upserted(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    targets = [{"@odata.type": ACCOUNT, "name": name} for name in ("A", "B")]
    answer = await client.post(f"{BULK}CreateMultiple", json={"Targets": targets})
    ids = answer.json()["Ids"]
    assert answer.status_code == 200
    changes = [{"@odata.type": ACCOUNT, "accountid": i, "name": f"{i[:4]}"} for i in ids]
    updated = await client.post(f"{BULK}UpdateMultiple", json={"Targets": changes})
    assert updated.status_code == 204
    assert account_names(dataverse) == [i[:4] for i in ids]
    upserts = [
        {"@odata.type": ACCOUNT, "accountid": ids[0], "name": "A2"},
        {"@odata.type": ACCOUNT, "@odata.id": "accounts(accountnumber='K')", "name": "K"},
    ]
    for _ in range(2):
        upserted = await client.post(f"{BULK}UpsertMultiple", json={"Targets": upserts})
        assert upserted.status_code == 204
    assert account_names(dataverse) == ["A2", ids[1][:4], "K"]


@pytest.mark.parametrize(
    ("action", "second"),
    [
        ("CreateMultiple", {"@odata.type": ACCOUNT, "name": 5}),
        ("CreateMultiple", {"name": "no type"}),
        ("UpdateMultiple", {"@odata.type": ACCOUNT, "accountid": str(uuid.uuid4())}),
        ("UpdateMultiple", {"@odata.type": ACCOUNT, "name": "no id"}),
        ("UpdateMultiple", "the first again"),
        ("UpsertMultiple", {"@odata.type": ACCOUNT, "@odata.id": "accounts(name='no key')"}),
    ],
)
async def test_one_bad_row_undoes_the_whole_bulk(
    action: str,
    second: dict[str, Any] | str,
    client: httpx.AsyncClient,
    dataverse: DataverseSimulator,
) -> None:
    row = dataverse.seed("account", {"name": "before"})
    commits = len(dataverse.commits)
    heard: list[Any] = []
    dataverse.on_commit(heard.append)
    first: dict[str, Any] = {"@odata.type": ACCOUNT, "name": "first"}
    if action != "CreateMultiple":
        first["accountid"] = row.id
    targets = [first, first if second == "the first again" else second]
    answer = await client.post(f"{BULK}{action}", json={"Targets": targets})
    assert answer.status_code in (400, 404)
    assert dataverse.rows("account") == [row]
    assert (len(dataverse.commits), heard) == (commits, [])


async def test_deleting_in_bulk_is_not_there(client: httpx.AsyncClient) -> None:
    assert (await client.post(f"{BULK}DeleteMultiple", json={})).status_code == 501


def operation(method: str, url: str, body: object = None, content_id: str = "") -> str:
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    lines += [f"Content-ID: {content_id}"] if content_id else []
    lines += ["", f"{method} {url} HTTP/1.1", "Content-Type: application/json", ""]
    return "\r\n".join([*lines, "" if body is None else json.dumps(body)])


def change_set(*operations: str) -> str:
    head = 'Content-Type: multipart/mixed; boundary="cs"\r\n\r\n'
    return head + "".join(f"--cs\r\n{o}\r\n" for o in operations) + "--cs--\r\n"


async def send(client: httpx.AsyncClient, *items: str, prefer: str = "") -> httpx.Response:
    body = "".join(f"--b\r\n{item}\r\n" for item in items) + "--b--\r\n"
    headers = {"Content-Type": 'multipart/mixed; boundary="b"'}
    if prefer:
        headers["Prefer"] = prefer
    return await client.post("/$batch", content=body, headers=headers)


def statuses(answer: httpx.Response) -> list[int]:
    lines = answer.text.split("\r\n")
    return [int(line.split()[1]) for line in lines if line.startswith("HTTP/1.1 ")]


API = "/api/data/v9.2"


async def test_a_batch_runs_its_operations_in_order(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    answer = await send(
        client,
        operation("POST", f"{API}/accounts", {"name": "A"}),
        operation("POST", f"{dataverse.api_url}/accounts?tag=xecm", {"name": "B"}),
        operation("GET", f"{API}/accounts?$select=name&$orderby=name"),
    )
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("multipart/mixed; boundary=batchresponse_")
    assert statuses(answer) == [204, 204, 200]
    assert '"name": "B"' in answer.text
    assert dataverse.commits[-1].author.tag == "xecm"


async def test_a_change_set_refers_to_its_own_rows(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    answer = await send(
        client,
        change_set(
            operation("POST", f"{API}/accounts", {"name": "Parent"}, "1"),
            operation(
                "POST",
                f"{API}/opportunities",
                {"name": "Deal", "parentaccountid@odata.bind": "$1"},
                "2",
            ),
            operation("PATCH", "$1", {"telephone1": "$5"}, "3"),
            operation("PATCH", "/$2", {"description": "d"}, "4"),
        ),
    )
    assert answer.status_code == 200, answer.text
    assert statuses(answer) == [204] * 4
    assert "changesetresponse_" in answer.text
    assert "Content-ID: 2" in answer.text
    (parent,), (deal,) = dataverse.rows("account"), dataverse.rows("opportunity")
    assert deal.values["parentaccountid"] == ("account", parent.id)
    assert deal.values["description"] == "d"
    assert parent.values["telephone1"] == "$5", "only addresses hold references"


async def test_a_failing_change_set_leaves_nothing(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    row = dataverse.seed("account", {"name": "before", "accountnumber": "K"})
    heard: list[Any] = []
    dataverse.on_commit(heard.append)
    bad = change_set(
        operation("PATCH", f"{API}/accounts({row.id})", {"accountnumber": "L"}, "1"),
        operation("POST", f"{API}/accounts", {"name": "new", "accountnumber": "K"}, "2"),
        operation("DELETE", f"{API}/accounts({row.id})", None, "3"),
        operation("POST", f"{API}/accounts", {"nonsense": 1}, "4"),
    )
    after = operation("POST", f"{API}/accounts", {"name": "after"})
    answer = await send(client, bad, after)
    assert (answer.status_code, statuses(answer)) == (400, [400])
    assert "Could not find a property named 'nonsense'" in answer.text
    assert (dataverse.rows("account"), heard) == ([row], [])
    assert (await client.get("/accounts(accountnumber='K')")).json()["accountid"] == row.id
    assert (await client.get("/accounts(accountnumber='L')")).status_code == 404
    answer = await send(client, bad, after, prefer="odata.continue-on-error")
    assert (answer.status_code, statuses(answer)) == (200, [400, 204])
    assert account_names(dataverse) == ["before", "after"]


async def test_a_reference_forward_and_a_query_in_a_change_set_are_refused(
    client: httpx.AsyncClient,
) -> None:
    forward = await send(
        client,
        change_set(
            operation("POST", f"{API}/accounts", {"parentaccountid@odata.bind": "$2"}, "1"),
            operation("POST", f"{API}/accounts", {"name": "A"}, "2"),
        ),
    )
    assert "Content-ID Reference: '$2' does not exist in the batch context." in forward.text
    query = await send(client, change_set(operation("GET", f"{API}/accounts", None, "1")))
    assert statuses(query) == [400]


async def test_what_is_no_batch_is_a_bad_request(client: httpx.AsyncClient) -> None:
    no_boundary = {"Content-Type": "multipart/mixed"}
    assert (await client.post("/$batch", content="", headers=no_boundary)).status_code == 400
    cut_short = {"Content-Type": "multipart/mixed; boundary=b"}
    answer = await client.post("/$batch", content="--b\r\n", headers=cut_short)
    assert "does not end" in answer.json()["error"]["message"]
    many = await send(client, *[operation("GET", f"{API}/WhoAmI")] * 1001)
    assert error(many) == (400, "0x80040203")
    inner = await send(client, operation("POST", f"{API}/$batch"))
    assert inner.status_code == 400
    assert (await client.get("/$batch")).status_code == 405


@pytest.mark.parametrize("ids", [("1", ""), ("1", "1")], ids=["missing", "twice"])
async def test_operations_of_a_change_set_have_content_ids_of_their_own(
    ids: tuple[str, str], client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    operations = [operation("POST", f"{API}/accounts", {"name": "A"}, id_) for id_ in ids]
    answer = await send(client, change_set(*operations))
    assert (answer.status_code, statuses(answer)) == (400, [400])
    assert "content id" in answer.text.lower().replace("-", " ")
    assert dataverse.rows("account") == []


async def test_lines_of_a_batch_end_with_crlf(client: httpx.AsyncClient) -> None:
    good = f"--b\r\n{operation('POST', f'{API}/accounts', {'name': 'A'})}\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/mixed; boundary=b"}
    assert (await client.post("/$batch", content=good, headers=headers)).status_code == 200
    lines = good.split("\r\n")
    for number in range(len(lines) - 4):  # those of boundaries and headers
        bad = "\r\n".join(lines[:number]) + "\r\n" * bool(number)
        bad += lines[number] + "\n" + "\r\n".join(lines[number + 1 :])
        answer = await client.post("/$batch", content=bad, headers=headers)
        assert answer.status_code == 400, bad
    pretty = good.replace('{"name": "A"}', '{\n"name":\n"A"}')
    assert (await client.post("/$batch", content=pretty, headers=headers)).status_code == 200


async def test_an_operation_needs_no_headers_of_its_own(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    body = "--b\r\nContent-Type: application/http\r\n\r\n"
    body += f'POST {API}/accounts HTTP/1.1\r\n\r\n{{"name":"A"}}\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/mixed; boundary=b"}
    assert (await client.post("/$batch", content=body, headers=headers)).status_code == 200
    assert account_names(dataverse) == ["A"]
