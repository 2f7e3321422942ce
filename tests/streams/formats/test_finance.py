"""Finance and operations: four sources, one record; enums, companies, dates and aliases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.rule_files.loading import load_rules
from app.sandbox.events import cloudevents, finance, relays
from app.sandbox.events.change import Encoded, made_guid
from app.sandbox.events.finance_entities import NO_DATE, SETS
from app.settings.fields import RULES_DIRECTORY
from streams.errors import Unreadable
from streams.formats import Skipped, decode
from streams.messages.facts import Operation, RecordChange
from tests.streams.formats.sample import KAFKA_MS, source

CATALOGUE = load_rules(RULES_DIRECTORY).catalogue
AT_MS = 1_706_696_102_789


def whole(entity_set: str, **values: Any) -> dict[str, Any]:
    """A row with all fields of its entity, as finance and operations has it."""
    fields = SETS[entity_set].fields.values()
    return {**{field.name: field.empty for field in fields}, **values}


ORDER: Mapping[str, Any] = whole("SalesOrderHeadersV2") | {
    "dataAreaId": "usmf",
    "SalesOrderNumber": "SO-1",
    "SalesOrderName": "Big one",
    "SalesOrderStatus": "Backorder",
    "OrderingCustomerAccountNumber": "US-001",
    "InvoiceCustomerAccountNumber": "US-001",
    "CurrencyCode": "USD",
    "OrderTotalAmount": 1200.5,
    "CustomersOrderReference": "",
}
VENDOR: Mapping[str, Any] = whole("VendorsV2") | {
    "dataAreaId": "usmf",
    "VendorAccountNumber": "V/1",
    "VendorOrganizationName": "Fabrikam",
    "VendorGroupId": "10",
    "CurrencyCode": "USD",
    "TaxExemptNumber": "",
    "BankAccountId": "",
    "OnHoldStatus": "All",
    "VendorHoldReleaseDate": NO_DATE,
    "VendorPartyNumber": "P-1",
    "VendorPartyType": "Organization",
}
KEY = "finance_salesorder:usmf~so-1"


def event(
    operation: Any = "update",
    row: Mapping[str, Any] = ORDER,
    entity: str = "SalesOrderHeadersV2",
    **more: Any,
) -> finance.EntityEvent:
    return finance.EntityEvent(SETS[entity], 5_637_144_577, operation, row, AT_MS, 77, **more)


def changes(message: Encoded, topic: str = "fno.events") -> list[RecordChange]:
    sent = source(message.value, topic=topic, headers=message.headers, key=message.key)
    found = decode(sent, CATALOGUE)
    assert not isinstance(found, Skipped), found
    return [one for one in found if isinstance(one, RecordChange)]


def change(message: Encoded, topic: str = "fno.events") -> RecordChange:
    (found,) = changes(message, topic)
    return found


def odata(row: Mapping[str, Any], entity_set: str = "SalesOrderHeadersV2") -> Encoded:
    body = {
        "@odata.context": f"https://erp/data/$metadata#{entity_set}/$entity",
        "@odata.etag": 'W/"JzEsNTYzNzE0NDU3Nyc="',
        **row,
    }
    return Encoded(None, json.dumps(body).encode())


def confirmed(**fields: Any) -> Encoded:
    return finance.business_event(
        "SalesOrderConfirmedBusinessEvent",
        {"SalesOrderNumber": "SO-1", **fields},
        company="usmf",
        at_ms=AT_MS,
        control_number=5_637_200_001,
    )


def test_every_source_tells_of_the_same_record() -> None:
    row = change(finance.synapse_row(event()), "lake.salestable.v1")
    data = change(finance.data_event(event("create")))
    known = {
        "dataareaid": "usmf",
        "salesordernumber": "SO-1",
        "salesordername": "Big one",
        "salesorderstatus": 1,
        "orderingcustomeraccountnumber": "finance_customer:usmf~us-001",
        "currencycode": "USD",
        "ordertotalamount": "1200.5",
        "xecmworkspaceid": None,
        "xecmworkspaceurl": None,
        "xecmdocuments": 0,
        "xecmdocumentlinks": None,
    }
    assert row.record.key == data.record.key == KEY
    assert change(odata(ORDER)).record.key == change(confirmed()).record.key == KEY
    assert data.columns == change(odata(ORDER)).columns == known
    assert row.columns == known
    assert row.alias == finance.native_id(event()) != data.alias
    assert data.alias is not None and change(odata(ORDER)).alias is None


def test_a_business_event_is_thin_and_numbered() -> None:
    found = change(confirmed())
    assert found.thin and found.origin.format == "business_event"
    assert found.columns == {"dataareaid": "usmf", "salesordernumber": "SO-1"}
    assert (found.at_ms, found.sequence) == (AT_MS // 1000 * 1000, 5_637_200_001)
    assert found.version is None
    assert found.actor == made_guid("finance user")


def test_an_older_business_event_has_its_company_and_time_all_the_same() -> None:
    old = finance.business_event(
        "SalesInvoicePostedBusinessEvent",
        {"InvoiceId": "CIV-1", "InvoiceAmountInAccountingCurrency": 1200.0},
        company="USMF",
        at_ms=AT_MS,
        control_number=7,
        newer=False,
    )
    assert change(old).record.key == "finance_salesinvoice:usmf~civ-1"
    bare = source({"BusinessEventId": "SalesInvoicePostedBusinessEvent", "EventId": "{1}",
                   "LegalEntity": "USMF", "InvoiceId": "CIV-1"})  # fmt: skip
    (found,) = decode(bare, CATALOGUE)  # type: ignore[misc]
    assert isinstance(found, RecordChange)
    assert found.sequence == KAFKA_MS


@pytest.mark.parametrize(
    "wrap",
    [
        relays.content_data,
        lambda e: relays.in_key(e, "body", as_text=True),
        lambda e: cloudevents.structured(e, cloudevents.Attributes("1", "t")),
        lambda e: Encoded(
            None,
            b'{"id":"1","subject":"s","eventType":"SalesOrderConfirmedBusinessEvent",'
            b'"eventTime":"2024-01-31T10:15:02Z","dataVersion":"","data":%s}' % (e.value or b""),
        ),
    ],
)
def test_relays_and_event_grid_may_lie_around_it(wrap: Any) -> None:
    assert change(wrap(confirmed())).record.key == KEY


def test_a_business_event_that_no_table_names_is_skipped() -> None:
    other = finance.business_event("Other", {}, company="usmf", at_ms=1, control_number=1)
    found = decode(source(other.value), CATALOGUE)
    assert isinstance(found, Skipped)
    assert (found.reason.value, found.detail) == ("business_event_not_mapped", "Other")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"SalesOrderNumber": ""}, "row_id_missing"),
        ({"SalesOrderNumber": ["SO-1"]}, "wrong_type"),
        ({"ControlNumber": "first"}, "wrong_type"),
        ({"EventTime": "soon"}, "wrong_type"),
        ({"BusinessEventId": 7}, "wrong_type"),
    ],
)
def test_a_business_event_without_a_key_is_refused(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(Unreadable) as refused:
        changes(confirmed(**fields))
    assert refused.value.code == code


def test_the_fields_of_the_contract_are_found_in_any_case() -> None:
    found = change(confirmed(SalesOrderNumber=None, salesordernumber="SO-1"))
    assert found.record.key == KEY


def test_enums_are_numbers_whatever_they_were() -> None:
    row = change(finance.synapse_row(event(row=VENDOR, entity="VendorsV2")), "lake.vendtable")
    data = change(finance.data_event(event("create", row=VENDOR, entity="VendorsV2")))
    read = change(odata(VENDOR, "VendorsV2"))
    assert row.record.key == data.record.key == read.record.key == "finance_vendor:usmf~v%2f1"
    assert row.columns["onholdstatus"] == data.columns["onholdstatus"] == 2
    assert read.columns["onholdstatus"] == 2
    assert (
        change(odata({**VENDOR, "OnHoldStatus": "purchorder"}, "VendorsV2")).columns["onholdstatus"]
        == 6
    )


def test_a_symbol_that_is_not_declared_is_refused_with_the_place_to_correct() -> None:
    with pytest.raises(Unreadable, match="onholdstatus") as refused:
        changes(odata({**VENDOR, "OnHoldStatus": "Sometimes"}, "VendorsV2"))
    assert "tables.yaml" in refused.value.advice


def test_the_first_of_january_1900_is_no_date_in_any_source() -> None:
    row = change(finance.synapse_row(event(row=VENDOR, entity="VendorsV2")), "lake.vendtable")
    assert row.columns["vendorholdreleasedate"] is None
    assert change(odata(VENDOR, "VendorsV2")).columns["vendorholdreleasedate"] is None
    data = change(finance.data_event(event("create", row=VENDOR, entity="VendorsV2")))
    assert "vendorholdreleasedate" not in data.columns


def test_companies_in_any_case_are_one_company_and_two_are_two() -> None:
    assert change(odata({**ORDER, "dataAreaId": "USMF"})).columns["dataareaid"] == "usmf"
    assert change(odata({**ORDER, "dataAreaId": "demf"})).record.key.endswith("demf~so-1")
    other = change(odata({**ORDER, "dataAreaId": "demf"})).columns["orderingcustomeraccountnumber"]
    assert other == "finance_customer:demf~us-001"


def test_a_row_of_the_lake_has_the_rowversion_and_its_own_time() -> None:
    found = change(finance.synapse_row(event()), "lake.salestable.v1")
    assert (found.at_ms, found.version, found.actor) == (AT_MS // 1000 * 1000, 77, "erp.user")


def test_a_delete_of_the_lake_knows_its_own_guid_only() -> None:
    found = change(finance.synapse_row(event("delete")), "lake.salestable.v1")
    assert found.operation is Operation.DELETE
    assert found.record.id == finance.native_id(event()) and found.alias is None
    assert CATALOGUE.is_alias(found.record)


def test_a_data_event_takes_its_key_from_the_pre_image() -> None:
    changed = frozenset({"SalesOrderStatus"})
    after = {**ORDER, "SalesOrderStatus": "Invoiced"}
    shown = change(finance.data_event(event(row=after, before=ORDER, changed=changed)))
    assert (shown.record.key, shown.columns["salesorderstatus"]) == (KEY, 3)
    assert "salesordername" not in shown.columns  # of before: not what is true now
    hidden = change(
        finance.data_event(event(row=after, before=ORDER, changed=changed), pre_image=False)
    )
    assert CATALOGUE.is_alias(hidden.record) and hidden.record.id == shown.alias
    assert hidden.columns == {"salesorderstatus": 3} and not hidden.thin
    deleted = change(finance.data_event(event("delete")))
    assert (deleted.record.key, deleted.operation) == (KEY, Operation.DELETE)


def test_a_number_of_another_row_needs_the_company_to_name_it() -> None:
    changed = frozenset({"OrderingCustomerAccountNumber"})
    found = change(finance.data_event(event(before=ORDER, changed=changed), pre_image=False))
    assert found.thin and "orderingcustomeraccountnumber" not in found.columns


def test_a_renamed_key_is_another_record() -> None:
    changed = frozenset({"SalesOrderNumber"})
    found = change(
        finance.data_event(
            event(row={**ORDER, "SalesOrderNumber": "SO-2"}, before=ORDER, changed=changed)
        )
    )
    assert found.record.key == "finance_salesorder:usmf~so-2"


def test_a_row_without_any_name_is_refused() -> None:
    with pytest.raises(Unreadable) as refused:
        changes(odata({"dataAreaId": "usmf"}))
    assert refused.value.code == "row_id_missing"


_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=10).filter(
    lambda text: text.strip() == text
)
_ORDERS = st.fixed_dictionaries(
    {
        "dataAreaId": st.sampled_from(["usmf", "demf"]),
        "SalesOrderNumber": _TEXT,
        "SalesOrderName": st.just("") | _TEXT,
        "SalesOrderStatus": st.sampled_from(["None", "Backorder", "Delivered", "Canceled"]),
        "OrderingCustomerAccountNumber": _TEXT,
        "OrderTotalAmount": st.integers(-(10**9), 10**9),
    }
)


@settings(max_examples=100, deadline=None)
@given(_ORDERS)
def test_any_row_is_the_same_from_the_lake_from_a_data_event_and_from_odata(
    values: dict[str, Any],
) -> None:
    row = {**ORDER, **values}
    lake = change(finance.synapse_row(event(row=row), typed=True), "lake.salestable.v1")
    text = change(finance.synapse_row(event(row=row)), "lake.salestable.v1")
    data = change(finance.data_event(event("create", row=row)))
    read = change(odata(row))
    assert lake.record == text.record == data.record == read.record
    assert lake.columns == text.columns == read.columns == data.columns


def test_a_number_of_another_row_may_be_part_of_the_key() -> None:
    row = {
        "dataAreaId": "usmf",
        "HeaderReference": "H-1",
        "InvoiceNumber": "I-7",
        "InvoiceDate": "2024-01-31T12:00:00Z",
        "InvoiceAccount": "V-1",
        "PurchaseOrderNumber": "PO-1",
        "CurrencyCode": "USD",
        "TotalInvoiceAmount": 10,
    }
    found = change(odata(row, "VendorInvoiceHeaders"))
    assert found.record.key == "finance_vendorinvoice:usmf~v-1~i-7"
    assert found.columns["invoiceaccount"] == "finance_vendor:usmf~v-1"
    told = finance.business_event(
        "VendorInvoicePostedBusinessEvent",
        {"InvoiceNumber": "I-7", "VendorAccount": "V-1"},
        company="usmf",
        at_ms=AT_MS,
        control_number=1,
    )
    assert change(told).record == found.record
