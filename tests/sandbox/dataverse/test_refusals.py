"""Privileges, duplicate rules, and the failures of the service that are played on purpose."""

from __future__ import annotations

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator, application_user_id
from app.sandbox.faults import Fault
from tests.sandbox.dataverse.support import APP_ID, error

USER = application_user_id(APP_ID)
LOOK = {"MSCRM.SuppressDuplicateDetection": "false"}


@pytest.mark.parametrize(
    ("privilege", "method", "body"),
    [
        ("prvReadAccount", "GET", None),
        ("prvCreateAccount", "POST", {"name": "B"}),
        ("prvWriteAccount", "PATCH", {"name": "B"}),
        ("prvDeleteAccount", "DELETE", None),
    ],
)
async def test_a_privilege_that_was_taken_is_missing_until_it_is_given_back(
    privilege: str,
    method: str,
    body: dict[str, str] | None,
    dataverse: DataverseSimulator,
    client: httpx.AsyncClient,
) -> None:
    row = dataverse.seed("account", {"name": "A"})
    path = "/accounts" if method in ("GET", "POST") else f"/accounts({row.id})"
    dataverse.privileges.deny(USER, privilege)
    refused = await client.request(method, path, json=body)
    assert error(refused) == (403, "0x80040220")
    assert privilege.lower() in refused.text.lower()
    dataverse.privileges.grant(USER, privilege)
    assert (await client.request(method, path, json=body)).is_success


async def test_impersonation_and_bypassing_need_their_privileges(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    person = dataverse.seed("systemuser", {"fullname": "Ann"})
    dataverse.privileges.deny(USER, "prvActOnBehalfOfAnotherUser", "prvBypassCustomBusinessLogic")
    as_other = {"MSCRMCallerID": person.id}
    assert error(await client.get("/WhoAmI", headers=as_other)) == (403, "0x80040220")
    past = {"MSCRM.BypassBusinessLogicExecution": "CustomAsync"}
    answer = await client.post("/accounts", json={"name": "A"}, headers=past)
    assert error(answer) == (403, "0x80040220")
    older = {"MSCRM.BypassCustomPluginExecution": "true"}
    assert (await client.post("/accounts", json={"name": "A"}, headers=older)).status_code == 204
    dataverse.privileges.deny(USER, "prvBypassCustomPlugins")
    answer = await client.post("/accounts", json={"name": "A"}, headers=older)
    assert error(answer) == (403, "0x80040220")
    off = {"MSCRM.BypassCustomPluginExecution": "false"}
    assert (await client.post("/accounts", json={"name": "A"}, headers=off)).status_code == 204


@pytest.mark.parametrize("lacking", ["caller", "impersonated"])
async def test_who_acts_for_another_needs_the_privilege_as_much_as_the_other(
    dataverse: DataverseSimulator, client: httpx.AsyncClient, lacking: str
) -> None:
    ann = dataverse.seed("systemuser", {"fullname": "Ann"})
    users = {"caller": USER, "impersonated": ann.id}
    dataverse.privileges.deny(users[lacking], "prvCreateAccount")
    answer = await client.post("/accounts", json={"name": "A"}, headers={"MSCRMCallerID": ann.id})
    assert error(answer) == (403, "0x80040220")
    assert users[lacking] in answer.json()["error"]["message"]


async def test_who_may_not_read_a_table_reads_none_of_its_columns(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    row = dataverse.seed("account", {"name": "A"})
    dataverse.privileges.deny(USER, "prvReadAccount")
    for path in ("", "/name", "/name/$value", "/primarycontactid", "/contact_customer_accounts"):
        answer = await client.get(f"/accounts({row.id}){path}")
        assert error(answer) == (403, "0x80040220"), path
    person = dataverse.seed("contact", {"lastname": "Lee"})
    expanded = await client.get(f"/contacts({person.id})?$expand=parentcustomerid_account")
    assert error(expanded) == (403, "0x80040220")


async def test_a_secured_column_cannot_be_written(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    dataverse.privileges.deny(USER, "account.creditlimit")
    answer = await client.post("/accounts", json={"name": "A", "creditlimit": 5})
    assert error(answer) == (403, "0x8004f507")
    assert (await client.post("/accounts", json={"name": "A"})).status_code == 204


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (
            "*",
            {
                "ErrorDetails.OperationStatus",
                "ErrorDetails.SubErrorCode",
                "HelpLink",
                "TraceText",
                "InnerError.Message",
            },
        ),
        (
            "OData.Community.Display.V1.FormattedValue,Microsoft.PowerApps.CDS.ErrorDetails*",
            {"ErrorDetails.OperationStatus", "ErrorDetails.SubErrorCode"},
        ),
        ("OData.Community.Display.V1.FormattedValue", set()),
        ("", set()),
    ],
)
async def test_an_error_tells_the_details_that_were_asked_for(
    wanted: str, told: set[str], client: httpx.AsyncClient
) -> None:
    prefer = {"Prefer": f'odata.include-annotations="{wanted}"'} if wanted else {}
    answer = await client.get("/accounts(0a000000-0000-4000-8000-00000000000a)", headers=prefer)
    assert error(answer) == (404, "0x80040217")
    annotations = {f"@Microsoft.PowerApps.CDS.{name}" for name in told}
    assert answer.json()["error"].keys() == {"code", "message", *annotations}


async def test_duplicates_are_found_only_by_requests_that_ask_for_it(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    row = dataverse.seed("account", {"name": "Kumi Oy"})
    body = {"name": "KUMI oy"}
    assert error(await client.post("/accounts", json=body, headers=LOOK)) == (412, "0x80040333")
    assert (await client.post("/accounts", json=body)).status_code == 204
    other = dataverse.seed("account", {"name": "Zeta"})
    path = f"/accounts({other.id})"
    assert error(await client.patch(path, json=body, headers=LOOK)) == (412, "0x80040333")
    same = await client.patch(f"/accounts({other.id})", json={"name": "Zeta"}, headers=LOOK)
    assert same.status_code == 204, "a row is no duplicate of itself"
    assert dataverse.row("account", row.id) is not None


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("plugin_error", 400, "0x80040265"),
        ("sql_error", 500, "0x80044150"),
        ("sql_timeout", 500, "0x80044151"),
    ],
)
async def test_the_service_fails_on_purpose_before_it_writes(
    kind: str, status: int, code: str, dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    dataverse.faults.add(Fault(kind))
    assert error(await client.post("/accounts", json={"name": "A"})) == (status, code)
    assert dataverse.rows("account") == []
    assert (await client.post("/accounts", json={"name": "A"})).status_code == 204


async def test_an_error_may_have_the_older_shape(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    dataverse.faults.add(Fault("older_error"))
    answer = await client.get("/accounts")
    assert answer.status_code == 500
    assert set(answer.json()) == {"Message", "ExceptionMessage", "ExceptionType", "StackTrace"}


async def test_a_planned_status_has_the_code_of_the_service(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    codes = {403: "0x80040220", 412: "0x80060882", 429: "0x80072322", 500: "0x80044150"}
    for status, code in codes.items():
        dataverse.faults.add(Fault("status", status=status))
        assert error(await client.get("/accounts")) == (status, code)


async def test_a_body_beyond_the_limit_is_too_large(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sandbox.dataverse.front.MAX_BODY", 100)
    assert (await client.post("/accounts", json={"name": "A" * 200})).status_code == 413


async def test_marks_of_a_request_within_a_batch_are_its_own(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    head = "--b\r\nContent-Type: application/http\r\n\r\nPOST /api/data/v9.2/accounts"
    body = 'Content-Type: application/json\r\n\r\n{"name":"A"}\r\n'
    mark = "MSCRM.BypassBusinessLogicExecution: CustomAsync\r\n"
    parts = [f"{head}?tag=mine HTTP/1.1\r\n{mark}{body}", f"{head} HTTP/1.1\r\n{body}"]
    sent = {"Content-Type": "multipart/mixed; boundary=b"}
    answer = await client.post("/$batch", content="".join(parts) + "--b--\r\n", headers=sent)
    assert answer.status_code == 200
    marked, plain = (commit.author for commit in dataverse.commits[-2:])
    assert (marked.tag, set(marked.bypass)) == ("mine", {"CustomAsync"})
    assert (plain.tag, plain.bypass) == (None, frozenset())
    dataverse.privileges.deny(USER, "prvBypassCustomBusinessLogic")
    answer = await client.post("/$batch", content="".join(parts) + "--b--\r\n", headers=sent)
    assert answer.status_code == 400
    assert "0x80040220" in answer.text
