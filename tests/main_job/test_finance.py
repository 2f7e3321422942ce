"""Finance and operations beside Dataverse: every source told to a worker, and written back."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.sandbox.content_server.views import WorkspaceView
from app.sandbox.events.change import Encoded, Named
from app.sandbox.events.finance import synapse_row
from app.sandbox.finance import BusinessEvents, Change, DataEvents
from app.sandbox.finance.emitters import event_of
from app.settings.fields import RULES_DIRECTORY
from tests.main_job.scene import Scene

pytestmark = pytest.mark.broker

CUSTOMER = {"CustomerAccount": "US-001", "OrganizationName": "Kumi Oy"}
ORDER = {
    "SalesOrderNumber": "SO/1",
    "SalesOrderName": "Pumps",
    "SalesOrderStatus": "Backorder",
    "OrderingCustomerAccountNumber": "us-001",
    "OrderTotalAmount": 1200.5,
}
INVOICE = {
    "InvoiceNumber": "CIV-1",
    "InvoiceDate": "2024-01-31T12:00:00Z",
    "LedgerVoucher": "L-1",
    "InvoiceCustomerAccountNumber": "US-001",
    "SalesOrderNumber": "SO/1",
    "TotalInvoiceAmount": 1200.5,
}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Flow 1 as it is shipped, and the rules for finance and operations beside it."""
    folder = tmp_path / "rules"
    folder.mkdir()
    shipped = (RULES_DIRECTORY / name for name in ("tables.yaml", "record_workspace.yaml"))
    for file in (*shipped, *(RULES_DIRECTORY / "finance").glob("*.yaml")):
        shutil.copy(file, folder)
    return folder


def workspace(scene: Scene, kind: str, row_id: str) -> WorkspaceView | None:
    return scene.content_server.find_by_business_object("D365", kind, row_id)


def shown(scene: Scene, entity_set: str, kind: str, row_id: str, **key: Any) -> bool:
    """Whether the row shows its workspace in finance and operations."""
    found = workspace(scene, kind, row_id)
    row = scene.here.finance.row(entity_set, **key)
    return bool(found and row and row.values["XecmWorkspaceId"] == str(found.id))


def lake(change: Change) -> Encoded:
    return synapse_row(event_of(change), named=Named("body"), lag_ms=0)


async def test_each_source_alone_is_enough_and_all_of_them_are_one_record(
    scene: Scene, rules: Path
) -> None:
    scene.set(RULES_DIRECTORY=rules)
    finance = scene.here.finance
    finance.seed("CustomersV3", CUSTOMER)  # nothing tells of it: it is read when it is named
    sent: list[Encoded] = []
    finance.on_change(DataEvents(sent.append, frozenset({"SalesOrderHeadersV2"})))
    finance.on_change(BusinessEvents(sent.append, finance.state))
    await scene.ready()

    order = finance.seed("SalesOrderHeadersV2", ORDER)
    finance.seed("SalesInvoiceHeadersV2", INVOICE)
    created = finance.changes[-2]
    await scene.send(*sent, lake(created), *sent)

    is_shown = partial(shown, scene)
    order_key = ("SalesOrderHeadersV2", "fno_salesorder", "usmf~so%2f1")
    invoice_key = ("SalesInvoiceHeadersV2", "fno_invoice", "usmf~civ-1")
    customer_key = ("CustomersV3", "fno_customer", "usmf~us-001")
    await scene.until(lambda: is_shown(*order_key, SalesOrderNumber="SO/1"), "the order's link")
    await scene.until(lambda: is_shown(*invoice_key, InvoiceNumber="CIV-1"), "the invoice's link")
    await scene.until(lambda: is_shown(*customer_key, CustomerAccount="US-001"), "the customer's")

    found = workspace(scene, *order_key[1:])
    assert found is not None and found.name.startswith("Order SO")
    customer = workspace(scene, *customer_key[1:])
    invoice = workspace(scene, *invoice_key[1:])
    assert customer is not None and invoice is not None
    await scene.until(
        lambda: _parents(scene, *invoice_key[1:]) == {customer.id, found.id}, "related"
    )
    await scene.until(lambda: _parents(scene, *order_key[1:]) == {customer.id}, "the order, too")

    finance.remove("SalesOrderHeadersV2", order)
    await scene.send(lake(finance.changes[-1]))  # names its own guid alone
    await scene.until(
        lambda: _state(scene, *order_key[1:]) == "Deleted", "the deleted order's workspace says so"
    )
    await scene.until_quiet()
    scene.assert_no_second_workspace()
    assert await scene.errors() == {}
    ours = [change for change in finance.changes if change.user == "dovetail"]
    touched = {name for change in ours for name in change.changed}
    assert touched == {"XecmWorkspaceId", "XecmWorkspaceUrl"}
    assert len(ours) == 3, "each row was written once"


async def test_a_new_vendor_is_held_in_the_erp_and_echoes_of_that_change_nothing(
    scene: Scene, rules: Path
) -> None:
    scene.set(RULES_DIRECTORY=rules)
    finance = scene.here.finance
    sent: list[Encoded] = []
    finance.on_change(DataEvents(sent.append, frozenset({"VendorsV2"})))
    await scene.ready()
    vendor = {"VendorAccountNumber": "V-1", "VendorOrganizationName": "Fabrikam"}
    finance.seed("VendorsV2", {**vendor, "BankAccountId": "DE02"})
    await scene.send(*sent)

    def held() -> bool:
        row = finance.row("VendorsV2", VendorAccountNumber="V-1")
        assert row is not None
        done = row.values["OnHoldStatus"], row.values["XecmStatus"]
        return done == ("All", "Collecting Evidence")

    await scene.until(held, "the vendor is on hold")
    await scene.until(
        lambda: shown(scene, "VendorsV2", "fno_vendor", "usmf~v-1", VendorAccountNumber="V-1"),
        "the link",
    )
    await scene.until_quiet()
    written = len(finance.changes)
    await scene.send(*sent[1:], *map(lake, finance.changes))  # our own writes come back, twice
    await scene.until_quiet()
    assert len(finance.changes) == written
    assert await scene.metric("dovetail_messages_skipped_total", stage="decide-records") > 0
    assert await scene.errors() == {}
    touched = {name for c in finance.changes if c.user == "dovetail" for name in c.changed}
    assert touched == {"OnHoldStatus", "XecmStatus", "XecmWorkspaceId", "XecmWorkspaceUrl"}


def _parents(scene: Scene, kind: str, row_id: str) -> set[int]:
    found = workspace(scene, kind, row_id)
    return (
        {other for relation, other in found.relations if relation == "parent"} if found else set()
    )


def _state(scene: Scene, kind: str, row_id: str) -> Any:
    found = workspace(scene, kind, row_id)
    return found.categories["Business Record"]["Record State"] if found else None


async def test_without_an_environment_rules_about_its_tables_are_refused_with_the_setting(
    scene: Scene, rules: Path
) -> None:
    scene.set(RULES_DIRECTORY=rules, FINANCE_URL=None)
    await scene.worker.start()
    assert await scene.ended() != 0
    assert "DOVETAIL_FINANCE_URL is not set" in scene.log
    assert "finance-sales-order (finance_salesorder)" in scene.log


async def test_an_outage_of_the_erp_keeps_nothing_else_from_its_links(
    scene: Scene, rules: Path
) -> None:
    scene.set(RULES_DIRECTORY=rules)
    finance = scene.here.finance
    await scene.ready()
    sent: list[Encoded] = []
    finance.on_change(DataEvents(sent.append))
    finance.seed("CustomersV3", CUSTOMER)
    await finance.stop(abort=True)
    await scene.send(*sent)
    account = scene.account()
    await scene.tell(account)
    await scene.until_linked(account)
    assert workspace(scene, "fno_customer", "usmf~us-001") is not None
    assert finance.changes[-1].operation == "create", "nothing was written yet"
    await finance.start()
    key = ("CustomersV3", "fno_customer", "usmf~us-001")
    await scene.until(
        lambda: shown(scene, *key, CustomerAccount="US-001"), "the link, once it is back"
    )
