"""``$batch``, what the service says of itself, and its bad days."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from app.sandbox.events.finance_entities import ENTITIES, SETS
from app.sandbox.faults import ADMIN_PATH, Fault
from app.sandbox.finance.front import SERVICE_ERRORS
from tests.patience import PATIENCE_SECONDS
from tests.sandbox.finance.conftest import Scene

VENDOR = "/data/VendorsV2(dataAreaId='usmf',VendorAccountNumber='V-1')"


def request(method: str, url: str, body: Any = None) -> str:
    text = "" if body is None else json.dumps(body)
    return (
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
        "Content-ID: 1\r\n\r\n"
        f"{method} {url} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{text}\r\n"
    )


def change_set(*parts: str) -> str:
    inner = "".join(f"--c\r\n{part}" for part in parts)
    return f"Content-Type: multipart/mixed; boundary=c\r\n\r\n{inner}--c--\r\n"


async def batch(scene: Scene, *parts: str, **headers: str) -> httpx.Response:
    body = "".join(f"--b\r\n{part}" for part in parts) + "--b--\r\n"
    kind = {"Content-Type": "multipart/mixed; boundary=b", **headers}
    return await scene.client.post("/data/$batch", content=body, headers=kind)


def statuses(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [line.split()[1] for line in answer.text.splitlines() if line.startswith("HTTP/1.1 ")]


async def test_a_batch_answers_each_part(scene: Scene) -> None:
    answer = await batch(
        scene,
        change_set(request("POST", "VendorsV2", {"VendorAccountNumber": "V-1"})),
        request("GET", f"{scene.finance.url}{VENDOR}"),
    )
    assert statuses(answer) == ["201", "200"]
    assert '"VendorAccountNumber":"V-1"' in answer.text


async def test_a_change_set_is_all_or_nothing_and_told_once(scene: Scene) -> None:
    told: list[str] = []
    scene.finance.on_change(lambda change: told.append(change.operation))
    good = request("POST", "VendorsV2", {"VendorAccountNumber": "V-1"})
    bad = request("POST", "VendorsV2", {"VendorAccountNumber": "V-2", "OnHoldStatus": "x"})
    assert statuses(await batch(scene, change_set(good, bad))) == ["400"]
    assert scene.finance.rows("VendorsV2") == [] and told == []
    assert statuses(await batch(scene, change_set(good))) == ["201"]
    assert told == ["create"]


async def test_a_batch_stops_at_the_first_failure_unless_told_to_go_on(scene: Scene) -> None:
    parts = (request("GET", VENDOR), request("GET", "VendorsV2"))
    assert statuses(await batch(scene, *parts)) == ["404"]
    prefer = {"Prefer": "odata.continue-on-error"}
    assert statuses(await batch(scene, *parts, **prefer)) == ["404", "200"]


async def test_a_change_set_refers_to_its_own_rows(scene: Scene) -> None:
    made = request("POST", "VendorsV2", {"VendorAccountNumber": "V/1 'x'"})
    named = request("PATCH", "$1", {"VendorOrganizationName": "Kumi"})
    answer = await batch(scene, change_set(made, named.replace("Content-ID: 1", "Content-ID: 2")))
    assert statuses(answer) == ["201", "204"]
    (row,) = scene.finance.rows("VendorsV2")
    assert row.values["VendorOrganizationName"] == "Kumi"


async def test_addresses_with_blanks_bare_line_feeds_and_an_epilogue_are_read(scene: Scene) -> None:
    scene.finance.seed("VendorsV2", {"VendorAccountNumber": "V 1"})
    asked = request("GET", "VendorsV2?$filter=VendorAccountNumber eq 'V 1'")
    text = f"preamble\n--b\n{asked}\n--b--\nepilogue".replace("\r\n", "\n")
    kind = {"Content-Type": "multipart/mixed; boundary=b"}
    answer = await scene.client.post("/data/$batch", content=text, headers=kind)
    assert statuses(answer) == ["200"] and '"V 1"' in answer.text


@pytest.mark.parametrize(
    "body", ["", "--b\r\nnonsense", "--b\r\nContent-Type: application/http\r\n\r\nGET\r\n--b--\r\n"]
)
async def test_what_is_no_batch_is_refused(scene: Scene, body: str) -> None:
    kind = {"Content-Type": "multipart/mixed; boundary=b"}
    answer = await scene.client.post("/data/$batch", content=body, headers=kind)
    assert answer.status_code == 400


async def test_the_service_describes_its_entities_and_enums(scene: Scene) -> None:
    (found,) = await scene.values(
        "/metadata/PublicEntities?$filter=EntitySetName eq 'SalesInvoiceHeadersV2'"
    )
    assert found["Name"] == "SalesInvoiceHeaderV2"
    keys = {p["Name"] for p in found["Properties"] if p["IsKey"]}
    assert keys == set(SETS["SalesInvoiceHeadersV2"].key)
    vendor = (await scene.get("/metadata/PublicEntities('VendorV2')")).json()
    hold = next(p for p in vendor["Properties"] if p["Name"] == "OnHoldStatus")
    assert hold["TypeName"] == "Microsoft.Dynamics.DataEntities.CustVendorBlocked"
    enum = (await scene.get("/Metadata/PublicEnumerations('CustVendorBlocked')")).json()
    assert {m["Name"]: m["Value"] for m in enum["Members"]}["PurchOrder"] == 6
    assert len(await scene.values("/metadata/DataEntities")) == len(ENTITIES)
    assert len(await scene.values("/data/")) == len(ENTITIES)
    for path in ("/metadata/Nothing", "/metadata/PublicEntities('Nothing')"):
        assert (await scene.get(path)).status_code == 404


async def test_the_metadata_document_is_xml_with_all_entity_sets(scene: Scene) -> None:
    answer = await scene.get("/data/$metadata")
    root = ElementTree.fromstring(answer.content)
    sets = {node.get("Name") for node in root.iter() if node.tag.endswith("}EntitySet")}
    assert sets == set(SETS)


async def test_throttling_says_how_long_to_wait(scene: Scene) -> None:
    scene.finance.faults.add(Fault("status", status=429, retry_after=7))
    answer = await scene.get("/data/VendorsV2")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json()["error"]["innererror"]["message"].startswith("Too many requests")
    assert (await scene.get("/data/VendorsV2")).status_code == 200


@pytest.mark.parametrize("kind", SERVICE_ERRORS)
async def test_failures_of_the_service_come_before_anything_is_written(
    scene: Scene, kind: str
) -> None:
    row = scene.finance.seed("VendorsV2", {"VendorAccountNumber": "V-1"})
    scene.finance.faults.add(Fault(kind, method="PATCH"))
    answer = await scene.client.patch(VENDOR, json={"CurrencyCode": "EUR"})
    status, text, _ = SERVICE_ERRORS[kind]
    assert (answer.status_code, answer.json()["error"]["innererror"]["message"]) == (status, text)
    assert scene.finance.row("VendorsV2", VendorAccountNumber="V-1") == row


async def test_faults_are_switched_from_outside_without_signing_in(scene: Scene) -> None:
    async with httpx.AsyncClient(base_url=scene.finance.url) as outside:
        told = (await outside.post(ADMIN_PATH, json={"kind": "token_expired"})).json()
        assert told["waiting"][0]["kind"] == "token_expired"
    assert (await scene.get("/data/VendorsV2")).status_code == 401
    assert (await scene.get("/data/VendorsV2")).status_code == 200


async def test_an_answer_may_be_lost_after_the_write_and_a_row_changed_before_it(
    scene: Scene,
) -> None:
    row = scene.finance.seed("VendorsV2", {"VendorAccountNumber": "V-1"})
    scene.finance.faults.add(Fault("lose_answer", method="PATCH"))
    with pytest.raises(httpx.TransportError):
        await scene.client.patch(VENDOR, json={"CurrencyCode": "EUR"})
    after = scene.finance.row("VendorsV2", VendorAccountNumber="V-1")
    assert after is not None and after.values["CurrencyCode"] == "EUR" and after.etag != row.etag
    scene.finance.faults.add(Fault("etag_race"))
    headers = {"If-Match": after.etag}
    answer = await scene.client.patch(VENDOR, json={"CurrencyCode": "USD"}, headers=headers)
    assert answer.status_code == 412
    scene.finance.faults.add(Fault("etag_race"))
    answer = await scene.client.patch(VENDOR, json={"CurrencyCode": "USD"})
    assert answer.status_code == 204, "whoever names no version writes over the other's"
    assert scene.finance.faults.struck["etag_race"] == 2


async def test_rows_stay_when_it_stops_and_starts_again(scene: Scene) -> None:
    scene.finance.seed("VendorsV2", {"VendorAccountNumber": "V-1"})
    await scene.finance.stop(abort=True)
    with pytest.raises(httpx.TransportError):
        await scene.get(VENDOR)
    await scene.finance.start()
    assert (await scene.get(VENDOR)).status_code == 200
    assert scene.finance.held()["VendorsV2"] == 1


async def test_it_runs_as_a_process_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.sandbox.finance", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        told = json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE_SECONDS))
        assert told["data_url"] == f"{told['url']}/data"
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{told['data_url']}/VendorsV2")).status_code == 401
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0
