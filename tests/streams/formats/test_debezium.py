"""Debezium: with and without schema, flattened, SQL Server's habits, and every operation."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from app.sandbox.events import debezium
from streams.messages.facts import Operation
from tests.streams.formats.events import AT_MS, WHOLE_ROW, row_event
from tests.streams.formats.sample import (
    ID,
    KAFKA_MS,
    OTHER_ID,
    change,
    refusal,
    sent,
    skip_reason,
    source,
)

#: The reference's own example, for our table.
EXAMPLE: dict[str, Any] = {
    "before": None,
    "after": {"opportunityid": ID, "name": "Deal", "versionnumber": 1234567},
    "op": "c",
    "source": {
        "connector": "dataverse-relay",
        "name": "org1",
        "ts_ms": 1700000000000,
        "snapshot": "false",
        "db": "org1",
        "table": "opportunity",
    },
    "ts_ms": 1700000000500,
}


def envelope(**fields: Any) -> dict[str, Any]:
    return EXAMPLE | fields


def test_the_references_example_is_read() -> None:
    found = change(source(EXAMPLE))
    assert found.record.key == f"opportunity:{ID}"
    assert (found.operation, found.columns) == (Operation.CREATE, {"name": "Deal"})
    assert (found.at_ms, found.sequence) == (1_700_000_000_000, 1_700_000_000_000)
    assert (found.version, found.origin.format) == (1234567, "debezium")


@pytest.mark.parametrize(
    ("op", "operation"),
    [("c", Operation.CREATE), ("u", Operation.UPDATE), ("r", Operation.UPSERT)],
)
def test_each_operation_is_told(op: str, operation: Operation) -> None:
    assert change(source(envelope(op=op))).operation is operation


def test_a_delete_shows_the_row_before_and_takes_its_id_from_the_key_without_one() -> None:
    found = change(source(envelope(op="d", before=EXAMPLE["after"], after=None)))
    assert (found.operation, found.columns) == (Operation.DELETE, {"name": "Deal"})
    bare = envelope(op="d", after=None)
    for key in ({"OpportunityId": ID}, {"schema": {}, "payload": {"opportunityid": ID}}):
        message = source(bare, key=json.dumps(key).encode())
        assert change(message).record.id == ID
    for broken in (None, b"", b"x", b"[]", b'{"name":1}', b'"x"'):
        assert refusal(source(bare, key=broken)).code == "row_id_missing"


def test_a_delete_is_followed_by_a_tombstone_that_is_skipped() -> None:
    deleted, tombstone = debezium.encode(row_event("delete"))
    assert change(sent(deleted)).operation is Operation.DELETE
    assert skip_reason(sent(tombstone)) == "tombstone"


@pytest.mark.parametrize("schemas", [False, True])
def test_a_changed_key_is_a_delete_and_a_create(schemas: bool) -> None:
    habits = debezium.Habits(schemas=schemas)
    deleted, tombstone, created = debezium.key_changed(row_event(), OTHER_ID, habits)
    assert change(sent(deleted)).record.id == OTHER_ID
    assert skip_reason(sent(tombstone)) == "tombstone"
    found = change(sent(created))
    assert (found.record.id, found.operation) == (ID, Operation.CREATE)


@pytest.mark.parametrize(
    ("op", "reason"), [("t", "truncate_not_mapped"), ("m", "logical_message_not_mapped")]
)
def test_what_is_about_no_row_is_skipped_with_a_reason(op: str, reason: str) -> None:
    body = {"op": op, "source": EXAMPLE["source"], "ts_ms": 1}
    assert skip_reason(source(body)) == reason
    assert skip_reason(source({"__op": op, "__deleted": "false"})) == reason


def test_sql_servers_table_and_columns_are_read_in_any_case() -> None:
    (message,) = debezium.encode(row_event(), debezium.Habits(sql_server=True))
    body = json.loads(message.value or b"")
    assert body["source"]["table"] == "OpportunityBase"
    assert "StateCode" in body["after"] and body["after"]["VersionNumber"].endswith("=")
    found = change(sent(message))
    assert found.columns == WHOLE_ROW
    assert found.version == 1_234_567


def test_a_value_that_was_not_in_the_log_is_unknown() -> None:
    after = EXAMPLE["after"] | {"name": "__debezium_unavailable_value", "statecode": None}
    assert change(source(envelope(op="u", after=after))).columns == {"statecode": None}


def test_a_snapshots_empty_commit_time_falls_back_to_the_connectors() -> None:
    origin = EXAMPLE["source"] | {"ts_ms": 0}
    assert change(source(envelope(source=origin))).sequence == 1_700_000_000_500
    assert change(source(envelope(source=origin, ts_ms=None))).sequence == KAFKA_MS
    finer = origin | {"ts_us": 1_700_000_000_000_007}
    assert change(source(envelope(source=finer))).sequence == 1_700_000_000_000


def test_without_a_source_the_topic_names_the_table() -> None:
    message = source(envelope(source=None), topic="server1.dbo.OpportunityBase")
    assert change(message).record.table == "opportunity"


@pytest.mark.parametrize("schemas", [False, True])
@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("create", Operation.CREATE),
        ("update", Operation.UPDATE),
        ("delete", Operation.DELETE),
    ],
)
def test_a_flattened_row_is_read(operation: str, expected: Operation, schemas: bool) -> None:
    habits = debezium.Habits(flat=True, schemas=schemas)
    found = change(sent(debezium.encode(row_event(operation), habits)[0]))
    assert (found.operation, found.sequence) == (expected, AT_MS)
    assert found.columns["name"] == "Deal"


def test_a_flattened_row_may_keep_its_marks_in_headers() -> None:
    row = {"opportunityid": ID, "name": "Deal"}
    body = {"schema": {"type": "struct", "fields": []}, "payload": row}
    headers = {"__op": b"d", "__table": b"opportunity", "__source_ts_ms": b"1700000000123"}
    found = change(source(body, headers=headers))
    assert (found.operation, found.sequence) == (Operation.DELETE, 1_700_000_000_123)
    bare = change(source(body, topic="sql.opportunity"))
    assert (bare.operation, bare.sequence) == (Operation.UPSERT, KAFKA_MS)


def test_connects_schema_gives_numbers_their_scale_and_integers_their_unit() -> None:
    fields = [
        {"field": "estimatedvalue", **_decimal("4")},
        {"field": "estimatedclosedate", "name": "io.debezium.time.Date"},
        {"field": "new_signedon", "name": "io.debezium.time.NanoTimestamp"},
    ]
    schema = {"fields": [{"field": "after", "fields": fields}]}
    after = {
        "opportunityid": ID,
        "estimatedvalue": _base64(9_223_372_036_854_775_807),
        "estimatedclosedate": 19753,
        "new_signedon": 1_706_696_100_123_456_789,
    }
    body = {"schema": schema, "payload": envelope(after=after)}
    assert change(source(body)).columns == {
        "estimatedvalue": "922337203685477.5807",
        "estimatedclosedate": "2024-01-31",
        "new_signedon": "2024-01-31T10:15:00.123Z",
    }


def test_a_decimal_of_forty_digits_loses_none() -> None:
    number = 10**39 + 7
    fields = [{"field": "estimatedvalue", **_decimal("2")}]
    schema = {"fields": [{"field": "after", "fields": fields}]}
    after = {"opportunityid": ID, "estimatedvalue": _base64(number)}
    found = change(source({"schema": schema, "payload": envelope(after=after)}))
    assert found.columns == {"estimatedvalue": f"{10**37}.07"}


def test_a_decimal_of_variable_scale_carries_its_own() -> None:
    after = {"opportunityid": ID, "estimatedvalue": {"scale": 1, "value": _base64(-25)}}
    assert change(source(envelope(after=after))).columns == {"estimatedvalue": "-2.5"}


@pytest.mark.parametrize(
    "after",
    [
        {"opportunityid": ID, "estimatedvalue": "AfQ="},  # base64 without a scale
        {"opportunityid": ID, "estimatedvalue": {"scale": 900, "value": "AfQ="}},
        {"opportunityid": ID, "estimatedvalue": {"scale": "x", "value": "AfQ="}},
        {"opportunityid": ID, "estimatedvalue": {"scale": 1, "value": "%"}},
        {"opportunityid": ID, "new_signedon": 8_000_000_000_000},
        {"opportunityid": ID, "versionnumber": "AAAA"},
        {"opportunityid": 5},
        "row",
    ],
)
def test_what_cannot_be_known_is_refused_and_never_guessed(after: Any) -> None:
    assert refusal(source(envelope(after=after))).code == "wrong_type"


@pytest.mark.parametrize("op", ["c", "u", "r"])
def test_an_envelope_without_its_row_is_refused(op: str) -> None:
    assert refusal(source(envelope(op=op, after=None))).code == "body_incomplete"


def test_a_polymorphic_lookups_table_comes_from_its_type_column() -> None:
    after = {"OpportunityId": ID, "CustomerId": OTHER_ID, "CustomerIdType": 2}
    found = change(source(envelope(after=after)))
    assert (found.columns, found.thin) == ({"customerid": f"contact:{OTHER_ID}"}, False)
    found = change(source(envelope(after=after | {"CustomerIdType": 10042})))
    assert (found.columns, found.thin) == ({}, True)
    found = change(source(envelope(after=after | {"CustomerIdType": "account"})))
    assert found.columns == {"customerid": f"account:{OTHER_ID}"}


def _base64(number: int) -> str:
    size = number.bit_length() // 8 + 1
    return base64.b64encode(number.to_bytes(size, "big", signed=True)).decode()


def _decimal(scale: str) -> dict[str, Any]:
    return {"name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": scale}}
