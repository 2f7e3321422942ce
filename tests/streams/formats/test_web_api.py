"""Web API rows, delta deletes, whole pages; and the same rows in Airbyte's envelope."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.sandbox.events import web_api as web
from streams.messages.facts import Operation
from tests.streams.formats.events import row_event
from tests.streams.formats.sample import (
    ID,
    KAFKA_MS,
    OTHER_ID,
    change,
    changes,
    refusal,
    sent,
    skip_reason,
    source,
)

BASE = "https://org1.crm.dynamics.com/api/data/v9.2/$metadata"
#: The reference's own row, with whole guids.
EXAMPLE: dict[str, Any] = {
    "@odata.context": f"{BASE}#opportunities(name,estimatedvalue)/$entity",
    "@odata.etag": 'W/"1234567"',
    "opportunityid": ID,
    "name": "Deal",
    "estimatedvalue": 100.0,
    "statecode": 0,
    "statecode@OData.Community.Display.V1.FormattedValue": "Open",
    "_parentaccountid_value": OTHER_ID,
    "_parentaccountid_value@OData.Community.Display.V1.FormattedValue": "Acme",
    "_parentaccountid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "account",
    "_parentaccountid_value@Microsoft.Dynamics.CRM.associatednavigationproperty": "x",
    "_transactioncurrencyid_value": OTHER_ID,
}
REMOVED = {"@odata.context": f"{BASE}#accounts/$deletedEntity", "id": ID, "reason": "deleted"}


def row(**columns: Any) -> dict[str, Any]:
    merged = EXAMPLE | columns
    return {name: value for name, value in merged.items() if value is not ...}


def test_the_references_example_is_read() -> None:
    found = change(source(EXAMPLE))
    assert found.record.key == f"opportunity:{ID}"
    assert found.operation is Operation.UPSERT
    assert found.columns == {
        "name": "Deal",
        "estimatedvalue": "100",
        "statecode": 0,
        "parentaccountid": f"account:{OTHER_ID}",
    }
    assert (found.version, found.origin.format) == (1234567, "web_api")
    assert (found.at_ms, found.sequence) == (KAFKA_MS // 1000 * 1000, KAFKA_MS)


def test_versionnumber_counts_before_the_etag_and_an_odd_etag_is_no_version() -> None:
    assert change(source(row(versionnumber=9))).version == 9
    for etag in ('W/"JzEsNTYzNyc="', "", None, 7):
        assert change(source(row(**{"@odata.etag": etag}))).version is None


def test_every_digit_of_a_number_counts() -> None:
    number = "922337203685477.5807"
    (message,) = web.encode(row_event(row={"estimatedvalue": number}))
    assert number.encode() in (message.value or b"")
    assert change(sent(message, "crm.opportunity")).columns == {"estimatedvalue": number}


def test_the_annotation_names_a_polymorphic_lookups_table() -> None:
    annotation = "_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"
    named = row(_customerid_value=OTHER_ID, **{annotation: "contact"})
    assert change(source(named)).columns["customerid"] == f"contact:{OTHER_ID}"


def test_without_annotations_a_polymorphic_lookup_is_unknown_and_the_row_is_read_again() -> None:
    event = row_event(row={"customerid": f"contact:{ID}", "parentaccountid": f"account:{ID}"})
    (message,) = web.encode(event, web.Habits(annotated=False))
    found = change(sent(message, "crm.opportunity"))
    assert (found.columns, found.thin) == ({"parentaccountid": f"account:{ID}"}, True)
    (message,) = web.encode(row_event(row={"customerid": None}), web.Habits(annotated=False))
    found = change(sent(message, "crm.opportunity"))
    assert (found.columns, found.thin) == ({"customerid": None}, False)


def test_the_table_is_named_by_body_context_or_topic() -> None:
    assert skip_reason(source(row(_table="lead"))) == "table_not_mapped"
    bare = row(**{"@odata.context": ...})
    assert change(source(bare, topic="crm.opportunity")).record.table == "opportunity"
    assert refusal(source(bare)).code == "table_unknown"
    other = row(**{"@odata.context": f"{BASE}#leads/$entity"})
    assert skip_reason(source(other)) == "table_not_mapped"


@pytest.mark.parametrize(
    "body",
    [
        REMOVED,
        {"@odata.context": f"{BASE}#accounts/$deletedEntity", "id": ID},
        {"@removed": {"reason": "deleted"}, "id": f"accounts({ID})"},
        {"@removed": {"reason": "deleted"}, "@id": f"https://org1/api/data/v9.2/accounts({ID})"},
    ],
)
def test_a_removed_row_is_a_delete(body: dict[str, Any]) -> None:
    found = change(source(body))
    assert (found.record.key, found.operation) == (f"account:{ID}", Operation.DELETE)
    assert (found.columns, found.at_ms, found.thin) == ({}, KAFKA_MS, False)


def test_a_row_that_is_merely_out_of_sight_is_read_again() -> None:
    found = change(source(REMOVED | {"reason": "changed"}))
    assert (found.operation, found.thin) == (Operation.UPSERT, True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (REMOVED | {"id": "seven"}, "wrong_type"),
        (REMOVED | {"id": None}, "row_id_missing"),
        (row(opportunityid=...), "row_id_missing"),
        (row(opportunityid=5), "wrong_type"),
        (row(statecode="Open"), "wrong_type"),
        (row(versionnumber=-5), "wrong_type"),
        (row(name=5), "wrong_type"),
        ({"@odata.context": f"{BASE}#accounts/$delta", "value": [5]}, "not_an_object"),
    ],
)
def test_what_cannot_be_read_is_refused(body: dict[str, Any], code: str) -> None:
    assert refusal(source(body)).code == code


def test_a_page_of_a_delta_is_read_row_by_row() -> None:
    body = {
        "@odata.context": f"{BASE}#accounts(name,versionnumber)/$delta",
        "@odata.deltaLink": "https://org1.crm.dynamics.com/api/data/v9.2/accounts?$deltatoken=1",
        "value": [
            {"@odata.etag": 'W/"1234590"', "accountid": ID, "name": "Acme 2"},
            REMOVED | {"id": OTHER_ID},
        ],
    }
    first, second = changes(source(body))
    assert (first.columns, first.version) == ({"name": "Acme 2"}, 1234590)
    assert (second.record.key, second.operation) == (f"account:{OTHER_ID}", Operation.DELETE)
    assert skip_reason(source(body | {"value": []})) == "empty_page"
    others = body | {"@odata.context": f"{BASE}#leads/$delta"}
    others["value"] = [{"@odata.etag": 'W/"1"', "leadid": ID}]
    assert skip_reason(source(others)) == "table_not_mapped"


def airbyte(data: Any, **fields: Any) -> dict[str, Any]:
    return {
        "_airbyte_ab_id": OTHER_ID,
        "_airbyte_stream": "opportunity",
        "_airbyte_emitted_at": 1_700_000_000_123,
        "_airbyte_data": data,
    } | fields


def test_airbytes_envelope_holds_a_web_api_row() -> None:
    data = {"opportunityid": ID, "name": "Deal", "_parentaccountid_value": OTHER_ID}
    found = change(source(airbyte(data)))
    assert found.columns == {"name": "Deal", "parentaccountid": f"account:{OTHER_ID}"}
    assert (found.operation, found.sequence) == (Operation.UPSERT, 1_700_000_000_123)
    assert found.origin.format == "airbyte"


def test_airbytes_deleted_row_holds_its_id_and_the_time_of_the_poll() -> None:
    data = {"opportunityid": ID, "_ab_cdc_deleted_at": "2024-01-31T10:15:00Z"}
    for body in (airbyte(data), airbyte(json.dumps(data))):
        found = change(source(body))
        assert (found.operation, found.columns) == (Operation.DELETE, {})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (airbyte([]), "not_an_object"),
        (airbyte("x"), "malformed_json"),
        (airbyte({}), "row_id_missing"),
        (airbyte({"opportunityid": ID}, _airbyte_emitted_at="soon"), "wrong_type"),
        (airbyte({"opportunityid": ID}, _airbyte_stream=None), "table_unknown"),
    ],
)
def test_a_broken_airbyte_envelope_is_refused(body: dict[str, Any], code: str) -> None:
    assert refusal(source(body)).code == code
