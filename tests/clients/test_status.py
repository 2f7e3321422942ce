"""Every row of the status-code tables, by an answer that leads to it."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from app.clients.dynamics.status import DATAVERSE
from app.clients.ecm.status import CONTENT_SERVER, OTDS
from app.clients.finance.status import FINANCE
from app.clients.redaction import secrets_seen
from app.clients.status import StatusRow, StatusTable, failure_of, retry_after
from streams.errors import (
    Conflict,
    DovetailError,
    Misconfigured,
    Refused,
    Retryable,
    Throttled,
    TokenExpired,
    Unavailable,
)

Case = tuple[int, Any, type[DovetailError], str]


def dataverse(code: str, message: str = "no") -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


NO_PROPERTY = "Could not find a property named 'x' on type 'Microsoft.Dynamics.CRM.account'"
DATAVERSE_CASES: list[Case] = [
    (400, dataverse("0x0", NO_PROPERTY), Misconfigured, "column_unknown"),
    (400, dataverse("0x80060888", NO_PROPERTY), Misconfigured, "column_unknown"),
    (
        400,
        dataverse("0x80048d19", "An undeclared property 'x' was found"),
        Misconfigured,
        "column_unknown",
    ),
    (400, dataverse("0x80060888", "Syntax error"), Refused, "request_invalid"),
    (400, dataverse("0x80048d19"), Refused, "value_invalid"),
    (400, dataverse("0x80044331"), Refused, "text_too_long"),
    (400, dataverse("0x80040203"), Refused, "argument_invalid"),
    (400, dataverse("0x80040265"), Retryable, "plugin_failed"),
    (400, dataverse("0x80040220"), Misconfigured, "privilege_missing"),
    (400, dataverse("0x80047019"), Misconfigured, "column_unknown"),
    (400, dataverse(""), Refused, "request_invalid"),
    (401, None, TokenExpired, "token_expired"),
    (403, dataverse("0x80040220"), Misconfigured, "privilege_missing"),
    (403, dataverse("0x8004F507"), Misconfigured, "column_secured"),
    (403, dataverse("0x80072560"), Misconfigured, "not_a_member"),
    (403, dataverse("0x1"), Misconfigured, "access_denied"),
    (404, dataverse("0x80040217"), Refused, "record_missing"),
    (404, dataverse("0x80060891"), Refused, "key_not_found"),
    (
        404,
        dataverse("0x8006088a", "Resource not found for the segment 'x'."),
        Misconfigured,
        "table_unknown",
    ),
    (
        404,
        dataverse("", "No HTTP resource was found that matches the request URI"),
        Misconfigured,
        "table_unknown",
    ),
    (404, dataverse("0x9"), Refused, "not_found"),
    (404, "<html>gone</html>", Unavailable, "not_json"),
    (405, dataverse("0x80040227"), Refused, "delete_blocked"),
    (409, dataverse("0x0"), Conflict, "version_changed"),
    (412, dataverse("0x80060882"), Conflict, "version_changed"),
    (412, dataverse("0x80040237"), Refused, "duplicate_key"),
    (412, dataverse("0x80060892"), Refused, "duplicate_key"),
    (
        412,
        dataverse("", "A record with matching key values already exists."),
        Refused,
        "duplicate_key",
    ),
    (412, dataverse("0x80040333"), Refused, "duplicate_detected"),
    (412, dataverse(""), Conflict, "version_changed"),
    (413, "<html>too large</html>", Refused, "payload_too_large"),
    (429, dataverse("0x80072322"), Throttled, "requests_exceeded"),
    (429, dataverse("0x80072321"), Throttled, "time_exceeded"),
    (429, dataverse("0x80072326"), Throttled, "concurrency_exceeded"),
    (429, "<html>slow down</html>", Throttled, "throttled"),
    (500, dataverse("0x80044150"), Unavailable, "sql_error"),
    (500, dataverse("0x80044151"), Unavailable, "sql_error"),
    (500, {"Message": "An error", "ExceptionMessage": "boom"}, Retryable, "server_error"),
    (500, "<html>oops</html>", Unavailable, "not_json"),
    (501, dataverse("0x0"), Refused, "not_implemented"),
    (502, "<html>bad gateway</html>", Unavailable, "gateway_error"),
    (503, dataverse("0x0"), Unavailable, "gateway_error"),
    (504, "", Unavailable, "gateway_error"),
    (408, dataverse("0x0"), Unavailable, "no_answer"),
    (302, "", Unavailable, "not_json"),
    (418, dataverse("0x0"), Refused, "unexpected_answer"),
]


def finance(message: str) -> dict[str, Any]:
    inner = {"message": message, "type": "System.Exception", "stacktrace": "at ..."}
    return {"error": {"code": "", "message": "An error has occurred.", "innererror": inner}}


NO_ROW = "No resources were found when selecting for update."
INFOLOG = "Write failed for table row of type 'VendVendorV2Entity'. Infolog: Error: no."
FINANCE_CASES: list[Case] = [
    (400, finance("Could not find a property named 'x' on type"), Misconfigured, "column_unknown"),
    (400, finance(INFOLOG), Refused, "write_failed"),
    (500, finance(INFOLOG), Refused, "write_failed"),
    (400, finance(f"{INFOLOG} The change has to be proposed."), Refused, "change_proposal_needed"),
    (400, finance("Syntax error in '$filter'"), Refused, "request_invalid"),
    (401, None, TokenExpired, "token_expired"),
    (403, finance("Access denied"), Misconfigured, "access_denied"),
    (404, finance(NO_ROW), Refused, "record_missing"),
    (404, finance("Resource not found for the segment 'x'."), Misconfigured, "table_unknown"),
    (404, finance("gone"), Refused, "not_found"),
    (404, "<html>gone</html>", Unavailable, "not_json"),
    (405, finance("no"), Refused, "not_implemented"),
    (408, finance("no"), Unavailable, "no_answer"),
    (409, finance("no"), Conflict, "version_changed"),
    (412, finance("changed"), Conflict, "version_changed"),
    (413, "<html>too large</html>", Refused, "payload_too_large"),
    (418, finance("no"), Refused, "unexpected_answer"),
    (429, finance("Too many requests"), Throttled, "throttled"),
    (429, "<html>slow down</html>", Throttled, "throttled"),
    (500, finance("Rerun the transaction."), Retryable, "sql_error"),
    (500, finance("was deadlocked on lock resources: deadlock victim"), Retryable, "sql_error"),
    (500, finance("boom"), Retryable, "server_error"),
    (500, "<html>oops</html>", Unavailable, "not_json"),
    (501, finance("no"), Refused, "not_implemented"),
    (503, "", Unavailable, "gateway_error"),
]

NOT_ACCESSIBLE = (
    "Sorry, the item you requested could not be accessed. "
    "Either it does not exist or you do not have permission to access it."
)
CONTENT_SERVER_CASES: list[Case] = [
    (400, {"error": "Invalid datatype specified for argument 'id'."}, Refused, "value_invalid"),
    (
        400,
        {"error": "The REST API URL could not be found in the mappings registry."},
        Misconfigured,
        "endpoint_missing",
    ),
    (400, {"error": NOT_ACCESSIBLE}, Refused, "not_found"),
    (
        400,
        {"error": "Insufficient permissions to perform that action"},
        Refused,
        "permission_denied",
    ),
    (
        400,
        {"error": "Accessibility error. Not enough permissions"},
        Refused,
        "permission_denied",
    ),
    (
        400,
        {"error": "Could not update metadata (edit conflict)."},
        Conflict,
        "edit_conflict",
    ),
    (400, {"error": "An item with the name 'X' already exists."}, Refused, "name_taken"),
    (400, {"error": "Something is wrong"}, Refused, "request_invalid"),
    (401, {"error": "Authentication Required"}, TokenExpired, "ticket_expired"),
    (403, {"error": "No"}, Refused, "permission_denied"),
    (404, {"error": "No"}, Refused, "not_found"),
    (
        409,
        {"error": "Could not update metadata (edit conflict)."},
        Conflict,
        "edit_conflict",
    ),
    (413, {"error": "too large"}, Refused, "payload_too_large"),
    (429, "<html>slow</html>", Throttled, "throttled"),
    (500, {"error": "An item with the name 'X' already exists."}, Refused, "name_taken"),
    (500, {"error": "The attribute group 'N' already exists."}, Refused, "already_there"),
    (
        500,
        {"error": "The business object is already linked to another business workspace."},
        Refused,
        "already_there",
    ),
    (500, {"error": "Could not get a node for 12"}, Refused, "not_found"),
    (400, {"error": "Could not access task status"}, Refused, "not_found"),
    (
        500,
        {"error": "The item 'Case' cannot be deleted because it is on hold."},
        Refused,
        "record_locked",
    ),
    (500, {"error": "The item 'Case' is a final record."}, Refused, "record_locked"),
    (
        500,
        {"error": "Insufficient permissions to perform that action"},
        Refused,
        "permission_denied",
    ),
    (
        500,
        {"error": "The role 'categories' of the parameter 'roles' cannot be parsed."},
        Refused,
        "categories_unreadable",
    ),
    (500, {"error": "Anything", "errorDetail": "else"}, Refused, "application_error"),
    (500, "<html>Error Processing Request</html>", Unavailable, "not_json"),
    (200, "<html>starting</html>", Unavailable, "not_json"),
    (404, "<html>default backend</html>", Unavailable, "not_json"),
    (502, "", Unavailable, "gateway_error"),
    (503, {"error": "restart"}, Unavailable, "gateway_error"),
    (504, "", Unavailable, "gateway_error"),
    (408, {"error": "slow"}, Unavailable, "no_answer"),
]
OTDS_CASES: list[Case] = [
    (
        400,
        {"status": 1034, "error": "Expired OTDS SSO ticket", "errorDetails": None},
        Refused,
        "credentials_refused",
    ),
    (401, {"error": "invalid_client"}, Refused, "credentials_refused"),
    (401, "<html>no</html>", Refused, "credentials_refused"),
    (429, {"error": "slow"}, Throttled, "throttled"),
    (400, "<html>bad gateway</html>", Unavailable, "otds_unavailable"),
    (500, {"error": "down"}, Unavailable, "otds_unavailable"),
    (503, "<html>down</html>", Unavailable, "otds_unavailable"),
]
ALL_CASES = [
    (table, *case)
    for table, cases in (
        (DATAVERSE, DATAVERSE_CASES),
        (FINANCE, FINANCE_CASES),
        (CONTENT_SERVER, CONTENT_SERVER_CASES),
        (OTDS, OTDS_CASES),
    )
    for case in cases
]


def answer(status: int, body: Any, **headers: str) -> httpx.Response:
    if isinstance(body, str):
        return httpx.Response(status, html=body, headers=headers)
    return httpx.Response(status, json=body, headers=headers)


@pytest.mark.parametrize(
    ("table", "status", "body", "error", "code"),
    ALL_CASES,
    ids=[f"{c[0].title}-{c[1]}-{c[4]}-{n}" for n, c in enumerate(ALL_CASES)],
)
def test_an_answer_becomes_the_error_of_its_row(
    table: StatusTable, status: int, body: Any, error: type[DovetailError], code: str
) -> None:
    raised = table.error_for(failure_of(answer(status, body)), "read")
    assert type(raised) is error
    assert raised.code == code
    assert str(status) in raised.message


@pytest.mark.parametrize("table", [DATAVERSE, FINANCE, CONTENT_SERVER, OTDS], ids=lambda t: t.title)
def test_every_code_of_a_table_is_reached_by_a_case(table: StatusTable) -> None:
    reached = {case[4] for case in ALL_CASES if case[0] is table}
    assert reached == table.codes


def test_not_found_is_looked_for_before_denied_because_one_text_says_both() -> None:
    raised = CONTENT_SERVER.error_for(failure_of(answer(400, {"error": NOT_ACCESSIBLE})), "read")
    assert raised.code == "not_found"


def test_retry_after_is_read_in_seconds_and_as_a_date() -> None:
    later = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
    now = later.timestamp() - 30
    assert retry_after({"retry-after": "17"}, now) == 17
    assert retry_after({"retry-after": "1.5"}, now) == 1.5
    assert retry_after({"retry-after": format_datetime(later, usegmt=True)}, now) == 30
    assert retry_after({"retry-after": format_datetime(later, usegmt=True)}, now + 99) == 0
    assert retry_after({"retry-after": "soon"}, now) is None
    assert retry_after({}, now) is None


@pytest.mark.parametrize("table", [DATAVERSE, FINANCE, CONTENT_SERVER, OTDS], ids=lambda t: t.title)
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_was_asked_for_is_surfaced(table: StatusTable, status: int) -> None:
    response = httpx.Response(status, json={}, headers={"Retry-After": "42"})
    raised = table.error_for(failure_of(response), "write")
    assert isinstance(raised, Retryable)
    assert raised.retry_after == 42


def test_a_secret_in_an_error_text_is_blotted_out() -> None:
    secrets_seen.learn("canary-secret-77")
    body = {"error": "client_secret=canary-secret-77 and Bearer abcdefghijklmnop were refused"}
    shown = str(CONTENT_SERVER.error_for(failure_of(answer(500, body)), "read"))
    assert "canary" not in shown
    assert "abcdefghijkl" not in shown


def test_a_page_is_shown_by_its_words_and_cut() -> None:
    body = f"<html><h1>Please   try again</h1>{'x' * 2000}</html>"
    shown = CONTENT_SERVER.error_for(failure_of(answer(500, body)), "read").message
    assert "Please try again" in shown
    assert "<h1>" not in shown
    assert len(shown) < 600


def test_a_table_without_a_last_resort_is_refused() -> None:
    with pytest.raises(ValueError, match="last row"):
        StatusTable("X", (StatusRow(Refused, "no", status=(400,)),))
