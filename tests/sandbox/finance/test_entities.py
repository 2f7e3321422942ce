"""Entities of the simulated finance and operations: keys, companies, enums, dates, lists."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.sandbox.events.finance_entities import NO_DATE
from app.sandbox.finance import FinanceSimulator, Row
from tests.sandbox.finance.conftest import APP_ID, STRANGER, Scene

VENDOR = "/data/VendorsV2(dataAreaId='usmf',VendorAccountNumber='V-1')"
HELD = "Microsoft.Dynamics.DataEntities.CustVendorBlocked'All'"


def vendor(scene: Scene, number: str = "V-1", **values: Any) -> Row:
    return scene.finance.seed("VendorsV2", {"VendorAccountNumber": number, **values})


def filtered(expression: str, entity_set: str = "VendorsV2", more: str = "") -> str:
    return f"/data/{entity_set}?$filter={quote(expression)}{more}"


async def test_a_row_is_read_by_its_whole_key_in_any_case_and_order(scene: Scene) -> None:
    vendor(scene, VendorOrganizationName="Fabrikam")
    for key in (
        "dataAreaId='usmf',VendorAccountNumber='V-1'",
        "VendorAccountNumber='v-1', dataAreaId='USMF'",
    ):
        answer = await scene.get(f"/data/VendorsV2({key})")
        assert answer.status_code == 200
        body = answer.json()
        assert body["VendorOrganizationName"] == "Fabrikam"
        assert body["@odata.context"].endswith("/data/$metadata#VendorsV2/$entity")
        assert body["@odata.etag"] == answer.headers["ETag"]
    assert (await scene.get("/data/VendorsV2('V-1')")).status_code == 400
    assert (await scene.get("/data/VendorsV2(VendorAccountNumber='V-1')")).status_code == 400
    assert (await scene.get(VENDOR.replace("V-1", "V-2"))).status_code == 404
    assert (await scene.get("/data/Vendors")).status_code == 404


async def test_empty_values_are_texts_zeros_first_symbols_and_the_year_1900(scene: Scene) -> None:
    vendor(scene)
    body = (await scene.get(VENDOR)).json()
    assert (body["VendorOrganizationName"], body["OnHoldStatus"]) == ("", "No")
    assert body["VendorHoldReleaseDate"] == NO_DATE == "1900-01-01T12:00:00Z"
    assert None not in body.values()


async def test_versions_of_an_entity_show_the_same_rows(scene: Scene) -> None:
    vendor(scene)
    answer = await scene.client.patch(VENDOR.replace("V2", "V3"), json={"OnHoldStatus": "All"})
    assert answer.status_code == 204
    assert (await scene.get(VENDOR)).json()["OnHoldStatus"] == "All"


async def test_other_companies_are_seen_and_written_with_cross_company_only(scene: Scene) -> None:
    vendor(scene, dataAreaId="demf")
    path = VENDOR.replace("usmf", "demf")
    assert (await scene.get(path)).status_code == 404
    assert (await scene.client.patch(path, json={"OnHoldStatus": "All"})).status_code == 404
    assert await scene.values("/data/VendorsV2") == []
    assert (await scene.get(f"{path}?cross-company=true")).status_code == 200
    assert len(await scene.values("/data/VendorsV2?cross-company=true")) == 1
    body = {"dataAreaId": "demf", "VendorAccountNumber": "V-9"}
    assert (await scene.client.post("/data/VendorsV2", json=body)).status_code == 400
    answer = await scene.client.post("/data/VendorsV2?cross-company=true", json=body)
    assert answer.status_code == 201


async def test_enums_are_ordered_by_their_number(scene: Scene) -> None:
    for number, held in (("V-1", "All"), ("V-2", "No"), ("V-3", "Invoice")):
        vendor(scene, number, OnHoldStatus=held)
    found = await scene.values("/data/VendorsV2?$orderby=OnHoldStatus desc")
    assert [one["OnHoldStatus"] for one in found] == ["All", "Invoice", "No"]


async def test_enums_are_filtered_by_their_typed_literal_with_eq_and_ne_only(scene: Scene) -> None:
    vendor(scene, "V-1", OnHoldStatus="All")
    vendor(scene, "V-2")
    assert [v["VendorAccountNumber"] for v in await scene.values(
        filtered(f"OnHoldStatus eq {HELD}"))] == ["V-1"]  # fmt: skip
    assert len(await scene.values(filtered(f"OnHoldStatus ne {HELD}"))) == 1
    for wrong in (
        "OnHoldStatus eq 'All'",
        f"OnHoldStatus gt {HELD}",
        "OnHoldStatus eq Microsoft.Dynamics.DataEntities.NoYes'Yes'",
        "OnHoldStatus eq Microsoft.Dynamics.DataEntities.CustVendorBlocked'Sometimes'",
    ):
        assert (await scene.get(filtered(wrong))).status_code == 400, wrong


@pytest.mark.parametrize(
    ("expression", "numbers"),
    [
        ("VendorAccountNumber eq 'v-1'", ["V-1"]),
        ("VendorAccountNumber eq 'V-*'", ["V-1", "V-2"]),
        ("VendorAccountNumber ne 'V-*'", ["W'3"]),
        ("VendorAccountNumber eq '?-*'", []),
        ("VendorAccountNumber eq '[V]*'", []),
        ("VendorAccountNumber eq '*-*'", ["V-1", "V-2"]),
        ("VendorAccountNumber eq 'W''3'", ["W'3"]),
        ("VendorGroupId eq '10' and not (VendorAccountNumber eq 'V-1')", ["V-2"]),
        ("VendorAccountNumber eq 'V-1' or VendorGroupId eq '20'", ["V-1", "W'3"]),
        ("VendorAccountNumber gt 'V-1'", ["V-2", "W'3"]),
        ("VendorHoldReleaseDate gt 1900-01-01T12:00:00Z", ["V-2"]),
    ],
)
async def test_filters(scene: Scene, expression: str, numbers: list[str]) -> None:
    vendor(scene, "V-1", VendorGroupId="10")
    vendor(scene, "V-2", VendorGroupId="10", VendorHoldReleaseDate="2024-05-01T00:00:00Z")
    vendor(scene, "W'3", VendorGroupId="20")
    found = await scene.values(filtered(expression))
    assert [one["VendorAccountNumber"] for one in found] == numbers


@pytest.mark.parametrize(
    "path",
    [
        filtered("VendorAccountNumber in ('V-1')"),
        filtered("contains(VendorAccountNumber,'V')"),
        filtered("Nothing eq 'x'"),
        filtered("VendorAccountNumber eq"),
        filtered("VendorAccountNumber eq 5"),
        filtered("VendorHoldReleaseDate gt soon"),
        "/data/VendorsV2?$select=Nothing",
        "/data/VendorsV2?$orderby=VendorAccountNumber up",
        "/data/VendorsV2?$top=all",
        "/data/VendorsV2?$expand=Party",
        "/data/VendorsV2?$apply=x",
    ],
)
async def test_what_is_not_supported_is_refused_in_the_services_shape(
    scene: Scene, path: str
) -> None:
    answer = await scene.get(path)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["message"] == "An error has occurred." and error["innererror"]["message"]
    assert error["innererror"]["type"] and error["innererror"]["stacktrace"]


async def test_lists_select_order_count_and_come_in_pages(scene: Scene) -> None:
    for number in range(12):
        vendor(scene, f"V-{number:02d}", VendorGroupId=str(number % 2))
    order = "$orderby=VendorGroupId desc,VendorAccountNumber"
    path = f"/data/VendorsV2?$select=VendorAccountNumber&{order}&$count=true"
    first = (await scene.get(path)).json()
    assert first["@odata.count"] == 12 and len(first["value"]) == 5
    assert first["value"][0].keys() == {"@odata.etag", "VendorAccountNumber"}
    numbers = [one["VendorAccountNumber"] for one in first["value"]]
    following = first.get("@odata.nextLink")
    while following:
        page = (await scene.get(following)).json()
        numbers += [one["VendorAccountNumber"] for one in page["value"]]
        following = page.get("@odata.nextLink")
    odd, even = [f"V-{n:02d}" for n in range(1, 12, 2)], [f"V-{n:02d}" for n in range(0, 12, 2)]
    assert numbers == odd + even
    part = await scene.values("/data/VendorsV2?$orderby=VendorAccountNumber&$skip=3&$top=2")
    assert [one["VendorAccountNumber"] for one in part] == ["V-03", "V-04"]
    small = await scene.get("/data/VendorsV2?$top=4", Prefer="odata.maxpagesize=3")
    assert len(small.json()["value"]) == 3 and "@odata.nextLink" in small.json()
    assert (await scene.get("/data/VendorsV2/$count")).text == "12"


async def test_a_row_is_created_once_and_has_all_its_fields(scene: Scene) -> None:
    body = {"VendorAccountNumber": "V-1", "OnHoldStatus": "all", "CurrencyCode": "USD"}
    answer = await scene.client.post("/data/VendorsV2", json=body)
    assert answer.status_code == 201
    assert (answer.json()["dataAreaId"], answer.json()["OnHoldStatus"]) == ("usmf", "All")
    assert (await scene.client.get(answer.headers["Location"])).status_code == 200
    again = await scene.client.post("/data/VendorsV2", json=body)
    assert again.status_code == 400
    assert "already exists" in again.json()["error"]["innererror"]["message"]
    assert len(scene.finance.rows("VendorsV2")) == 1
    assert [change.user for change in scene.finance.changes] == ["dovetail"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"OnHoldStatus": "Sometimes"}, "CustVendorBlocked"),
        ({"OnHoldStatus": 2}, "CustVendorBlocked"),
        ({"Nothing": "x"}, "Could not find a property named 'Nothing'"),
        ({"VendorOrganizationName": 7}, "Edm.String"),
        ({"VendorHoldReleaseDate": "2024-05-01"}, "Edm.DateTimeOffset"),
        ({"VendorAccountNumber": "V-2"}, "is part of the key"),
        ([], "is no object"),
    ],
)
async def test_a_write_that_does_not_fit_is_refused_and_changes_nothing(
    scene: Scene, body: Any, text: str
) -> None:
    row = vendor(scene)
    answer = await scene.client.patch(VENDOR, json=body)
    assert answer.status_code == 400
    assert text in answer.json()["error"]["innererror"]["message"]
    assert scene.finance.row("VendorsV2", VendorAccountNumber="V-1") == row


async def test_null_empties_a_field(scene: Scene) -> None:
    vendor(scene, TaxExemptNumber="123", VendorHoldReleaseDate="2024-05-01T00:00:00Z")
    body = {"TaxExemptNumber": None, "VendorHoldReleaseDate": None}
    assert (await scene.client.patch(VENDOR, json=body)).status_code == 204
    after = (await scene.get(VENDOR)).json()
    assert (after["TaxExemptNumber"], after["VendorHoldReleaseDate"]) == ("", NO_DATE)


async def test_what_workflows_decide_is_not_written_by_a_client(scene: Scene) -> None:
    scene.finance.seed("PurchaseOrderHeadersV2", {"PurchaseOrderNumber": "PO-1"})
    path = "/data/PurchaseOrderHeadersV2(dataAreaId='usmf',PurchaseOrderNumber='PO-1')"
    answer = await scene.client.patch(path, json={"DocumentApprovalStatus": "Approved"})
    assert answer.status_code == 400 and "not editable" in answer.text
    assert (await scene.client.patch(path, json={"ProjectId": "P"})).status_code == 204


async def test_a_key_may_have_a_date(scene: Scene) -> None:
    values = {"InvoiceNumber": "CIV-1", "InvoiceDate": "2024-01-31T12:00:00Z", "LedgerVoucher": "L"}
    scene.finance.seed("SalesInvoiceHeadersV2", values)
    key = (
        "dataAreaId='usmf',InvoiceNumber='CIV-1',InvoiceDate=2024-01-31T12:00:00Z,LedgerVoucher='L'"
    )
    answer = await scene.get(f"/data/SalesInvoiceHeadersV2({key})")
    assert answer.status_code == 200


async def test_etags_guard_a_write(scene: Scene) -> None:
    row = vendor(scene)
    body = {"CurrencyCode": "EUR"}
    fresh = {"If-Match": row.etag}
    assert (await scene.client.patch(VENDOR, json=body, headers=fresh)).status_code == 204
    assert (await scene.client.patch(VENDOR, json=body, headers=fresh)).status_code == 412
    assert (await scene.client.delete(VENDOR, headers=fresh)).status_code == 412
    assert (await scene.client.delete(VENDOR, headers={"If-Match": "*"})).status_code == 204
    assert (await scene.get(VENDOR)).status_code == 404
    assert [change.operation for change in scene.finance.changes] == ["create", "update", "delete"]


async def test_a_write_that_changes_nothing_is_no_change(scene: Scene) -> None:
    row = vendor(scene, CurrencyCode="EUR")
    answer = await scene.client.patch(VENDOR, json={"CurrencyCode": "EUR"})
    assert (answer.status_code, answer.headers["ETag"]) == (204, row.etag)
    assert len(scene.finance.changes) == 1


async def test_only_registered_applications_with_a_good_token_come_in(scene: Scene) -> None:
    for headers in (
        {"Authorization": ""},
        {"Authorization": "Bearer nonsense"},
        scene.signed_in(STRANGER),
        {"Authorization": f"Bearer {scene.entra.issue(STRANGER, 'https://elsewhere')}"},
    ):
        answer = await scene.client.get("/data/VendorsV2", headers=headers)
        assert answer.status_code == 401
        assert "authorization_uri" in answer.headers["WWW-Authenticate"]


async def test_methods_that_a_resource_does_not_have_are_refused(scene: Scene) -> None:
    vendor(scene)
    assert (await scene.client.put("/data/VendorsV2", json={})).status_code == 405
    assert (await scene.client.post(VENDOR, json={})).status_code == 405
    assert (await scene.client.get("/data/$batch")).status_code == 405
    for path in ("/data/", "/data/$metadata", "/metadata/PublicEntities"):
        assert (await scene.client.patch(path, json={})).status_code == 405


async def test_a_page_has_ten_thousand_rows_unless_told_otherwise(scene: Scene) -> None:
    whole = FinanceSimulator(scene.entra, application_users={APP_ID: "dovetail"})
    for number in range(10_001):
        whole.seed("CustomersV3", {"CustomerAccount": f"C-{number:05d}"})
    async with whole, httpx.AsyncClient(base_url=whole.url, timeout=60) as client:
        token = scene.entra.issue(APP_ID, whole.url)
        client.headers["Authorization"] = f"Bearer {token}"
        first = (await client.get("/data/CustomersV3?$select=CustomerAccount")).json()
        last = (await client.get(first["@odata.nextLink"])).json()
    assert len(first["value"]) == 10_000
    assert [row["CustomerAccount"] for row in last["value"]] == ["C-10000"]
    assert "@odata.nextLink" not in last


async def test_a_key_that_was_deleted_changed_or_undone_is_free_again(scene: Scene) -> None:
    row = vendor(scene)
    scene.finance.change("VendorsV2", row, {"VendorAccountNumber": "V-9"})
    assert (await scene.get(VENDOR)).status_code == 404
    assert (await scene.get(VENDOR.replace("V-1", "V-9"))).status_code == 200
    again = vendor(scene)
    scene.finance.remove("VendorsV2", again)
    assert (await scene.get(VENDOR)).status_code == 404
    body = {"VendorAccountNumber": "V-1"}
    assert (await scene.client.post("/data/VendorsV3", json=body)).status_code == 201
