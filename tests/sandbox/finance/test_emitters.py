"""What the simulated finance and operations tell: numbers with gaps, late copies, every change."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from typing import Any

from app.sandbox.events import Encoded
from app.sandbox.finance import BusinessEvents, DataEvents, LakeRows
from tests.sandbox.finance.conftest import Scene

INVOICE = {"InvoiceDate": "2024-01-31T12:00:00Z", "LedgerVoucher": "L-1"}


def body(message: Encoded) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message.value or b"")
    return found


async def test_business_events_are_numbered_upwards_with_gaps(scene: Scene) -> None:
    sent: list[Encoded] = []
    scene.finance.on_change(BusinessEvents(sent.append, scene.finance.state, gaps=5))
    for number in range(8):
        scene.finance.seed("SalesInvoiceHeadersV2", {"InvoiceNumber": f"CIV-{number}", **INVOICE})
    numbers = [body(message)["ControlNumber"] for message in sent]
    steps = [after - before for before, after in pairwise(numbers)]
    assert min(steps) >= 1 and max(steps) > 1
    first = body(sent[0])
    assert (first["BusinessEventId"], first["InvoiceId"]) == (
        "SalesInvoicePostedBusinessEvent",
        "CIV-0",
    )
    assert first["InvoiceDate"] == "/Date(1706659200000)/", "midnight of 2024-01-31"
    assert first["InvoiceDueDate"] == "/Date(-2208988800000)/", "1900: nothing is set"
    assert first["InvoiceTaxAmount"] == 0
    assert first["LegalEntity"] == "USMF" and "EventTime" in first
    assert "RecId" not in json.dumps(first)


async def test_a_write_that_fails_tells_nothing_and_takes_no_number(scene: Scene) -> None:
    sent: list[Encoded] = []
    state = scene.finance.state
    scene.finance.on_change(BusinessEvents(sent.append, state, gaps=1))
    before = state.control_number
    path = "/data/SalesInvoiceHeadersV2"
    good = {"InvoiceNumber": "CIV-1", **INVOICE}
    assert (await scene.client.post(path, json={"InvoiceNumber": "CIV-1"})).status_code == 400
    assert (await scene.client.post(path, json={**good, "Nothing": 1})).status_code == 400
    part = "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
    for number, body_ in (("1", good), ("2", good)):
        part += f"--c\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n"
        part += f"POST SalesInvoiceHeadersV2 HTTP/1.1\r\n\r\n{json.dumps(body_)}\r\n"
    kind = {"Content-Type": "multipart/mixed; boundary=b"}
    text = f"{part}--c--\r\n--b--\r\n"
    refused = await scene.client.post("/data/$batch", content=text, headers=kind)
    assert "The record already exists" in refused.text
    assert (sent, state.control_number) == ([], before)
    assert (await scene.client.post(path, json=good)).status_code == 201
    assert [body(message)["ControlNumber"] for message in sent] == [before + 1]


async def test_late_copies_are_the_same_message_after_newer_ones(scene: Scene) -> None:
    sent: list[Encoded] = []
    events = BusinessEvents(
        sent.append, scene.finance.state, chance=random.Random(3), late=0.5, behind=2
    )
    scene.finance.on_change(events)
    for number in range(30):
        scene.finance.seed("SalesInvoiceHeadersV2", {"InvoiceNumber": f"CIV-{number}", **INVOICE})
    events.resend()
    copies = [message for message in sent if sent.count(message) == 2]
    assert copies and len({body(message)["ControlNumber"] for message in sent}) == 30
    numbers = [body(message)["ControlNumber"] for message in sent]
    assert numbers != sorted(numbers)


async def test_an_order_tells_when_it_is_confirmed_and_received(scene: Scene) -> None:
    sent: list[Encoded] = []
    row = scene.finance.seed("PurchaseOrderHeadersV2", {"PurchaseOrderNumber": "PO-1"})
    scene.finance.on_change(BusinessEvents(sent.append, scene.finance.state))
    changes = ({"ProjectId": "P"}, {"DocumentApprovalStatus": "Confirmed"},
               {"PurchaseOrderStatus": "Received"}, {"ProjectId": "Q"})  # fmt: skip
    for values in changes:
        scene.finance.change("PurchaseOrderHeadersV2", row, values)
    scene.finance.remove("PurchaseOrderHeadersV2", row)
    assert [body(message)["BusinessEventId"] for message in sent] == [
        "PurchaseOrderConfirmedBusinessEvent",
        "PurchaseOrderReceivedBusinessEvent",
    ]


async def test_data_events_and_lake_rows_follow_every_change(scene: Scene) -> None:
    events: list[Encoded] = []
    rows: list[Encoded] = []
    scene.finance.on_change(DataEvents(events.append, frozenset({"VendorsV2"})))
    scene.finance.on_change(LakeRows(rows.append))
    vendor = scene.finance.seed("VendorsV2", {"VendorAccountNumber": "V-1"})
    scene.finance.seed("CustomersV3", {"CustomerAccount": "C-1"})
    scene.finance.change("VendorsV2", vendor, {"OnHoldStatus": "All"}, user="alicia")
    scene.finance.remove("VendorsV2", vendor)
    assert [body(event)["MessageName"] for event in events] == ["Create", "Update", "Delete"]
    assert {body(event)["PrimaryEntityName"] for event in events} == {"mserp_vendvendorv2entity"}
    update = body(events[1])
    target = {p["key"]: p["value"] for p in update["InputParameters"][0]["value"]["Attributes"]}
    assert target["mserp_onholdstatus"]["Value"] == 200_000_002
    assert "mserp_currencycode" not in target and update["PreEntityImages"]
    lake = [body(row) for row in rows]
    assert [row.get("blocked") for row in lake] == ["0", None, "2", None]
    assert lake[3].keys() == {"Id", "SinkModifiedOn", "IsDelete"} and lake[3]["IsDelete"] == "True"
    assert lake[2]["modifiedby"] == "alicia" and lake[2]["Id"] == lake[0]["Id"] == lake[3]["Id"]
    assert int(lake[2]["sysrowversion"]) > int(lake[0]["sysrowversion"])
