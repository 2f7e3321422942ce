"""``$batch``: operations in order, change sets all or nothing, and everything odd but legal."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator, Reference, application_user_id
from tests.sandbox.dataverse.support import APP_ID, account_names, error, names


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


ME = application_user_id(APP_ID)
KUMI = {"name": "Kumi"}


async def test_what_stands_around_the_parts_is_passed_over(client: httpx.AsyncClient) -> None:
    """A preamble, an epilogue, and a boundary with signs that mean something elsewhere."""
    boundary = "a+b=(c)?:'"
    text = f"hello\r\n--{boundary}\r\n{operation('GET', 'WhoAmI')}\r\n--{boundary}--\r\nbye"
    headers = {"Content-Type": f'Multipart/Mixed; boundary="{boundary}"'}
    answer = await client.post("/$batch", content=text, headers=headers)
    assert (answer.status_code, statuses(answer)) == (200, [200])


@pytest.mark.parametrize("content_id", ["1", "a1", "make-account.1"])
@pytest.mark.parametrize("prefer", ["", "Prefer: return=representation\r\n"])
async def test_any_content_id_can_be_referred_to(
    client: httpx.AsyncClient, dataverse: DataverseSimulator, content_id: str, prefer: str
) -> None:
    """In an address, in a binding and in a list of bindings; also of a row that was answered."""
    first = operation("POST", f"{API}/contacts", {"lastname": "Lee"}, content_id)
    first = first.replace("HTTP/1.1\r\n", f"HTTP/1.1\r\n{prefer}")
    bound = {"name": "A", "contact_customer_accounts@odata.bind": [f"${content_id}"]}
    answer = await send(
        client,
        change_set(
            first,
            operation("PUT", f"${content_id}/firstname", {"value": "Ann"}, "put"),
            operation("POST", f"{API}/accounts", bound, "bind"),
            operation("PATCH", "$bind", {"primarycontactid@odata.bind": f"/${content_id}"}, "last"),
        ),
    )
    assert answer.status_code == 200, answer.text
    (person,), (account,) = dataverse.rows("contact"), dataverse.rows("account")
    assert person.values["fullname"] == "Ann Lee"
    assert person.values["parentcustomerid"] == Reference("account", account.id)
    assert account.values["primarycontactid"] == Reference("contact", person.id)


async def test_a_reference_to_a_later_operation_is_a_bad_request(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    answer = await send(
        client,
        change_set(
            operation("PATCH", "$later", KUMI, "now"),
            operation("POST", f"{API}/accounts", KUMI, "later"),
        ),
    )
    assert (answer.status_code, statuses(answer)) == (400, [400])
    assert "Content-ID Reference: '$later' does not exist" in answer.text
    assert dataverse.rows("account") == []


async def test_a_change_set_that_fails_in_the_middle_leaves_what_stands_around_it(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    heard: list[str] = []
    dataverse.on_commit(lambda commit: heard.append(str(commit.row.values["name"])))
    answer = await send(
        client,
        operation("POST", f"{API}/accounts", {"name": "before"}),
        change_set(
            operation("POST", f"{API}/accounts", {"name": "1"}, "1"),
            operation("POST", f"{API}/accounts", {"name": "x" * 161}, "2"),
            operation("POST", f"{API}/accounts", {"name": "3"}, "3"),
        ),
        operation("POST", f"{API}/accounts", {"name": "after"}),
        prefer="odata.continue-on-error",
    )
    assert (answer.status_code, statuses(answer)) == (200, [204, 400, 204])
    assert "Content-ID: 2" in answer.text and "changesetresponse" not in answer.text
    assert heard == ["before", "after"]


async def test_an_inner_request_says_itself_for_whom_it_acts(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    ann = dataverse.seed("systemuser", {"fullname": "Ann"})

    def made(name: str, caller: str) -> str:
        plain = operation("POST", f"{API}/accounts", {"name": name})
        return plain.replace("HTTP/1.1\r\n", f"HTTP/1.1\r\nMSCRMCallerID: {caller}\r\n")

    stranger = "11111111-1111-4111-8111-111111111111"
    answer = await send(client, made("for Ann", ann.id), made("for nobody", stranger))
    assert (answer.status_code, statuses(answer)) == (400, [204, 403])
    assert "0x80072560" in answer.text
    (row,) = dataverse.rows("account")
    assert row.values["modifiedby"] == Reference("systemuser", ann.id)
    assert row.values["modifiedonbehalfby"] == Reference("systemuser", ME)


async def test_bytes_pass_through_a_batch_as_they_are(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    """The content of a file column is no text."""
    account = dataverse.seed("account", KUMI)
    kind = {"@odata.type": "Microsoft.Dynamics.CRM.FileAttributeMetadata"}
    column = {**kind, "SchemaName": "new_contract", "AttributeType": "Virtual"}
    made = await client.post("/EntityDefinitions(LogicalName='account')/Attributes", json=column)
    assert made.status_code == 204, made.text
    content = bytes(range(256))
    path = f"{API}/accounts({account.id})/new_contract"
    head = (
        f"--b\r\nContent-Type: application/http\r\n\r\nPATCH {path} HTTP/1.1\r\n"
        "Content-Type: application/octet-stream\r\nx-ms-file-name: a.bin\r\n\r\n"
    )
    read = operation("GET", f"{path}/$value")
    body = head.encode() + content + f"\r\n--b\r\n{read}\r\n--b--\r\n".encode()
    headers = {"Content-Type": "multipart/mixed; boundary=b"}
    answer = await client.post("/$batch", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert content in answer.content


async def test_an_address_in_a_batch_may_hold_blanks_and_letters_of_any_script(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    dataverse.seed("account", {"name": "Käärö Oy"})
    query = f"{API}/accounts?$select=name&$filter=name eq 'Käärö Oy'"
    answer = await send(client, operation("GET", query))
    assert '"name": "Käärö Oy"' in answer.content.decode()
    assert names(await client.get("/accounts?$select=name")) == ["Käärö Oy"]
