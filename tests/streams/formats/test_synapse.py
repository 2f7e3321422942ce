"""Synapse Link rows: text or typed, any case, every spelling of a delete."""

from __future__ import annotations

from typing import Any

import pytest

from app.sandbox.events import synapse
from streams.messages.facts import Operation
from tests.streams.formats.events import row_event
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

#: The reference's own row, with whole guids.
EXAMPLE = {
    "Id": ID,
    "SinkCreatedOn": "1/31/2024 10:15:02 AM",
    "SinkModifiedOn": "1/31/2024 10:15:02 AM",
    "createdon": "2024-01-30T08:00:00.0000000+00:00",
    "name": "Deal",
    "statecode": "0",
    "statuscode": "1",
    "parentaccountid": OTHER_ID,
    "parentaccountid_entitytype": "account",
    "parentaccountidname": "",
    "estimatedvalue": "",
    "versionnumber": "1234567",
    "IsDelete": "",
}
TOPIC = "lake.opportunity.v1"
SINK_MS = 1_706_696_102_000


def row(**columns: Any) -> dict[str, Any]:
    merged = EXAMPLE | columns
    return {name: value for name, value in merged.items() if value is not ...}


def test_the_references_example_is_read() -> None:
    found = change(source(EXAMPLE, topic=TOPIC))
    assert found.record.key == f"opportunity:{ID}"
    assert found.operation is Operation.UPSERT
    assert found.columns == {
        "name": "Deal",
        "statecode": 0,
        "statuscode": 1,
        "parentaccountid": f"account:{OTHER_ID}",
        "estimatedvalue": None,
    }
    assert (found.at_ms, found.sequence, found.version) == (SINK_MS, SINK_MS, 1234567)
    assert found.origin.format == "synapse"


def test_the_rows_own_modifiedon_counts_before_the_lakes_time() -> None:
    found = change(source(row(modifiedon="2024-01-31T10:14:00Z"), topic=TOPIC))
    assert (found.at_ms, found.sequence) == (SINK_MS - 62_000, SINK_MS)


@pytest.mark.parametrize("mark", ["True", "true", "TRUE", "1", True, 1])
@pytest.mark.parametrize("name", ["IsDelete", "isdelete", "isDeleted"])
def test_every_spelling_of_a_delete_is_one(name: str, mark: Any) -> None:
    found = change(source(row(**{"IsDelete": ..., name: mark}), topic=TOPIC))
    assert found.operation is Operation.DELETE
    assert "estimatedvalue" not in found.columns  # empty in a deleted row: unknown, not cleared


@pytest.mark.parametrize("mark", ["", None, False, "False", "false", "0", 0, ...])
def test_every_spelling_of_no_delete_is_none(mark: Any) -> None:
    found = change(source(row(IsDelete=mark), topic=TOPIC))
    assert found.operation is Operation.UPSERT


@pytest.mark.parametrize("mark", ["yes", 2, [], {}])
def test_another_mark_is_refused(mark: Any) -> None:
    assert refusal(source(row(IsDelete=mark), topic=TOPIC)).code == "wrong_type"


def test_a_delete_comes_after_every_change_of_its_second() -> None:
    found = change(source(row(IsDelete="True"), topic=TOPIC))
    assert found.at_ms == found.sequence == SINK_MS + 999


def test_a_column_that_the_row_lacks_is_unknown() -> None:
    assert "name" not in change(source(row(name=...), topic=TOPIC)).columns


def test_a_lookup_without_its_type_is_unknown_and_the_row_is_read_again() -> None:
    found = change(source(row(customerid=OTHER_ID), topic=TOPIC))
    assert "customerid" not in found.columns
    assert found.thin
    empty = change(source(row(customerid=""), topic=TOPIC))
    assert (empty.columns["customerid"], empty.thin) == (None, False)


@pytest.mark.parametrize("name", ["_table", "EntityName", "entity", "ENTITY"])
def test_the_body_may_name_the_table(name: str) -> None:
    assert change(source(row(**{name: "Opportunity"}))).record.table == "opportunity"


@pytest.mark.parametrize("header", ["table", "Entity", "EntityName", "__table"])
def test_a_header_may_name_the_table(header: str) -> None:
    found = change(source(row(), headers={header: b"opportunity"}))
    assert found.record.table == "opportunity"


def test_the_bodys_name_counts_before_the_headers_and_the_topics() -> None:
    message = source(row(_table="lead"), topic=TOPIC, headers={"table": b"opportunity"})
    assert skip_reason(message) == "table_not_mapped"
    assert skip_reason(source(row(), topic=TOPIC, headers={"table": b"lead"})) == "table_not_mapped"


@pytest.mark.parametrize(
    ("topic", "table"),
    [
        ("d365.opportunity.changes.v1", "opportunity"),
        ("dataverse.org1.Opportunities", "opportunity"),
        ("org1-account-rows", "account"),
        ("lake/OpportunityBase", "opportunity"),
    ],
)
def test_the_topic_may_name_the_table(topic: str, table: str) -> None:
    assert change(source(row(), topic=topic)).record.table == table


@pytest.mark.parametrize("topic", ["crm.events", "crm.account.opportunity", "crm.opportunity_x"])
def test_a_table_that_nothing_names_alone_is_refused(topic: str) -> None:
    fault = refusal(source(row(), topic=topic))
    assert fault.code == "table_unknown"
    assert topic in fault.message and "header" in fault.advice


def test_a_deleted_row_of_finance_and_operations_has_three_columns() -> None:
    body = {"Id": ID, "SinkModifiedOn": "1/31/2024 10:15:02 AM", "IsDelete": "True"}
    found = change(source(body, topic="fno.vendtable"))
    assert (found.record.key, found.operation) == (f"vendtable:{ID}", Operation.DELETE)
    (encoded,) = synapse.encode(row_event("delete"), synapse.Habits(finance=True))
    assert change(sent(encoded, TOPIC)).columns == {}


def test_a_row_of_finance_and_operations_has_its_own_stamp_and_no_date() -> None:
    body = {
        "Id": ID,
        "SinkModifiedOn": "1/31/2024 10:15:02 AM",
        "AccountNum": "V-1",
        "Blocked": "2",
        "Since": "1900-01-01T00:00:00Z",
        "recid": "5637144576",
        "sysrowversion": "77",
        "modifieddatetime": "2024-01-31T10:14:00Z",
        "modifiedby": "jdoe",
        "IsDelete": None,
    }
    found = change(source(body, topic="fno.vendtable"))
    assert found.columns == {"accountnum": "V-1", "blocked": 2, "since": None}
    assert (found.at_ms, found.version, found.actor) == (SINK_MS - 62_000, 77, "jdoe")


def test_a_text_that_looks_like_no_date_stays_a_text() -> None:
    body = {"Id": ID, "AccountNum": "1900-01-01", "recid": "1", "IsDelete": None}
    found = change(source(body, topic="fno.vendtable"))
    assert found.columns == {"accountnum": "1900-01-01"}


def test_the_first_of_january_1900_is_a_date_in_dataverse() -> None:
    found = change(source(row(estimatedclosedate="1900-01-01"), topic=TOPIC))
    assert found.columns["estimatedclosedate"] == "1900-01-01"


def test_without_the_lakes_time_kafkas_counts() -> None:
    found = change(source({"Id": ID, "IsDelete": True}, topic=TOPIC))
    assert (found.at_ms, found.sequence) == (KAFKA_MS, KAFKA_MS)


@pytest.mark.parametrize(
    "columns",
    [
        {"statecode": "open"},
        {"versionnumber": "x"},
        {"SinkModifiedOn": "31.1.2024"},
        {"modifiedon": "soon"},
        {"Id": "seven"},
    ],
)
def test_wrong_values_are_refused(columns: dict[str, Any]) -> None:
    assert refusal(source(row(**columns), topic=TOPIC)).code == "wrong_type"


def test_a_row_without_an_id_is_refused() -> None:
    body = {"SinkModifiedOn": "1/31/2024 10:15:02 AM", "name": "Deal"}
    assert refusal(source(body, topic=TOPIC)).code == "row_id_missing"


def test_the_last_writer_of_a_deleted_row_is_not_taken_for_who_deleted_it() -> None:
    user = {"modifiedby": OTHER_ID, "modifiedby_entitytype": "systemuser"}
    assert change(source(row(**user), topic=TOPIC)).actor == OTHER_ID
    assert change(source(row(IsDelete="True", **user), topic=TOPIC)).actor is None
