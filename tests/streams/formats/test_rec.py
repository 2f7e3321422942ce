"""RemoteExecutionContext: every message, encoding and mishap of dataverse.md 1.1."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.sandbox.events import Encoded, rec
from streams.formats import SourceMessage
from streams.messages.facts import Operation
from tests.streams.formats.events import AT_MS, WHOLE_ROW, row_event
from tests.streams.formats.sample import (
    ACCOUNT,
    CATALOGUE,
    ID,
    INCIDENT,
    KAFKA_MS,
    OTHER_ID,
    USER,
    VIRTUAL,
    change,
    changes,
    refusal,
    sent,
    skip_reason,
    source,
)

#: The reference's own minimal update, with whole guids; @ stands for the contracts' address.
MINIMAL = (
    r"""{"BusinessUnitId":"b0","CorrelationId":"c1","Depth":1,"InitiatingUserId":"USER",
"UserId":"USER","InputParameters":[{"key":"Target","value":{"__type":"Entity:@",
"Attributes":[{"key":"statecode","value":{"__type":"OptionSetValue:@","Value":1}},
{"key":"statuscode","value":{"__type":"OptionSetValue:@","Value":3}},
{"key":"estimatedvalue","value":{"__type":"Money:@","Value":50000}},
{"key":"modifiedon","value":"\/Date(1700000000000)\/"},
{"key":"opportunityid","value":"ROW"}],"EntityState":null,"FormattedValues":[
{"key":"statuscode","value":"Won"}],"Id":"ROW","KeyAttributes":[],
"LogicalName":"opportunity","RelatedEntities":[],"RowVersion":null}}],
"MessageName":"Update","Mode":1,"OperationCreatedOn":"\/Date(1700000000123+0000)\/",
"ParentContext":null,"PostEntityImages":[],"PreEntityImages":[],"PrimaryEntityId":"ROW",
"PrimaryEntityName":"opportunity","SharedVariables":[],"Stage":40}""".replace("USER", USER)
    .replace("ROW", ID)
    .replace("@", r"http:\/\/schemas.microsoft.com\/xrm\/2011\/Contracts")
)


def edited(message: Encoded, **fields: Any) -> SourceMessage:
    """The message with top-level fields replaced; one that is ``...`` is taken out."""
    body = json.loads(message.value or b"{}") | fields
    body = {name: value for name, value in body.items() if value is not ...}
    return source(body, headers=message.headers)


def target_of(message: Encoded, **fields: Any) -> list[Any]:
    """The message's InputParameters with fields of the target replaced."""
    (pair,) = json.loads(message.value or b"{}")["InputParameters"]
    return [{"key": "Target", "value": pair["value"] | fields}]


def test_the_references_example_is_read() -> None:
    found = change(source(MINIMAL.encode()))
    assert found.record.key == f"opportunity:{ID}"
    assert found.operation is Operation.UPDATE
    assert found.columns == {"statecode": 1, "statuscode": 3, "estimatedvalue": "50000"}
    assert (found.at_ms, found.sequence) == (1_700_000_000_000, 1_700_000_000_123)
    assert (found.version, found.actor, found.tag, found.thin) == (None, USER, None, False)
    assert found.origin.model_dump() == {
        "format": "rec",
        "topic": "crm.events",
        "partition": 3,
        "offset": 42,
    }


def test_an_update_shows_the_submitted_columns_only_and_a_null_is_a_cleared_one() -> None:
    changed = frozenset({"name", "parentaccountid"})
    (message,) = rec.encode(row_event(changed=changed))
    assert change(sent(message)).columns == {"name": "Deal", "parentaccountid": None}


def test_a_post_image_adds_what_it_shows_beneath_the_target() -> None:
    event = row_event(row={**WHOLE_ROW, "name": "New"}, changed=frozenset({"name"}))
    (message,) = rec.encode(event, rec.Habits(images=True))
    shown = {name: value for name, value in event.row.items() if value is not None}
    assert change(sent(message)).columns == shown
    body = json.loads(message.value or b"")
    for image in body["PostEntityImages"]:
        image["value"]["Attributes"] = [{"key": "name", "value": "Old"}]
    assert change(source(body)).columns == {"name": "New"}


def test_a_delete_holds_the_id_and_what_a_pre_image_shows() -> None:
    (message,) = rec.encode(row_event("delete"))
    found = change(sent(message))
    assert (found.operation, found.columns, found.thin) == (Operation.DELETE, {}, False)
    (message,) = rec.encode(row_event("delete"), rec.Habits(images=True))
    assert change(sent(message)).columns["customerid"] == f"contact:{ID}"


@pytest.mark.parametrize("transport", ["event_hub", "webhook"])
@pytest.mark.parametrize("operation", ["create", "update", "delete"])
def test_a_trimmed_body_is_a_thin_change_unless_it_is_a_delete(
    transport: Any, operation: str
) -> None:
    habits = rec.Habits(transport=transport, trimmed=True)
    found = change(sent(rec.encode(row_event(operation), habits)[0]))
    assert found.thin is (operation != "delete")
    assert (found.columns, found.record.id) == ({}, ID)
    whole_second = AT_MS // 1000 * 1000
    assert found.at_ms == (AT_MS if operation == "delete" else whole_second)
    assert found.sequence == AT_MS


def test_a_trimmed_body_is_known_without_its_header_and_its_header_without_the_loss() -> None:
    (message,) = rec.encode(row_event(), rec.Habits(trimmed=True, split=False))
    assert change(source(message.value)).thin
    (whole,) = rec.encode(row_event(), rec.Habits(split=False))
    marked = sent(Encoded(None, whole.value, (("MessageMaxSizeExceeded", b"\x41"),)))
    assert change(marked).thin and change(marked).columns == WHOLE_ROW


@pytest.mark.parametrize("trimmed", [False, True])
def test_legacy_messages_show_the_columns_that_they_set(trimmed: bool) -> None:
    habits = rec.Habits(trimmed=trimmed)
    event = row_event()
    assigned = change(sent(rec.assigned(event, habits)))
    stated = change(sent(rec.state_set(event, habits)))
    assert assigned.columns == ({} if trimmed else {"ownerid": f"systemuser:{USER}"})
    assert stated.columns == ({} if trimmed else {"statecode": 0, "statuscode": 1})
    assert assigned.thin is stated.thin is trimmed
    older = change(sent(rec.state_set(event, habits, dynamic=False)))
    assert older.columns == stated.columns


@pytest.mark.parametrize(
    ("table", "message", "state"),
    [
        ("opportunity", "Win", 1),
        ("opportunity", "Lose", 2),
        ("incident", "Close", 1),
        ("quote", "Win", 2),
        ("quote", "Close", 3),
    ],
)
def test_closing_messages_show_state_and_status(table: str, message: Any, state: int) -> None:
    row = {"statecode": state, "statuscode": 3}
    event = row_event(row=row, table=CATALOGUE.tables[table])
    encoded = rec.closed(event, message=message)
    found = change(sent(encoded))
    assert (found.columns, found.thin) == (row, False)
    # The row's id is in the activity when the message names none.
    assert change(edited(encoded, PrimaryEntityId=_ZERO)).record.id == ID
    trimmed = change(sent(rec.closed(event, rec.Habits(trimmed=True), message=message)))
    assert (trimmed.columns, trimmed.thin) == ({"statecode": state}, True)


_ZERO = "00000000-0000-0000-0000-000000000000"


def test_a_closing_status_by_default_stays_unknown_and_asks_for_the_row() -> None:
    event = row_event(row={"statecode": 1, "statuscode": -1})
    found = change(sent(rec.closed(event, message="Win")))
    assert (found.columns, found.thin) == ({"statecode": 1}, True)
    # An order cannot be won: no certain state, so the row is read.
    event = row_event(row={"statecode": 1, "statuscode": 4})
    found = change(sent(rec.closed(event, message="Close")))
    assert (found.columns, found.thin) == ({"statuscode": 4}, True)


def test_a_multiple_message_is_one_change_for_each_row() -> None:
    events = [row_event("create"), row_event("create", {"name": "Two"}, row_id=OTHER_ID)]
    first, second = changes(sent(rec.several(events)))
    assert (first.record.id, second.record.id) == (ID, OTHER_ID)
    assert (first.columns, second.columns) == (WHOLE_ROW, {"name": "Two"})
    assert first.operation is Operation.CREATE
    trimmed = rec.several(events, rec.Habits(trimmed=True))
    assert refusal(sent(trimmed)).code == "body_incomplete"


def test_a_deleted_multiple_names_its_rows() -> None:
    body = json.loads(rec.several([row_event("update")]).value or b"")
    references = [{"Id": ID, "LogicalName": "opportunity"}, {"Id": OTHER_ID}]
    body |= {"MessageName": "DeleteMultiple", "PrimaryEntityName": "none"}
    body["InputParameters"] = [
        {"key": "Targets", "value": {"Entities": references, "EntityName": "opportunity"}}
    ]
    found = changes(source(body))
    assert [(one.operation, one.record.id) for one in found] == [
        (Operation.DELETE, ID),
        (Operation.DELETE, OTHER_ID),
    ]


def test_a_merge_closes_the_subordinate_and_shows_what_the_target_took_over() -> None:
    event = row_event(row={"name": "Acme"}, table=ACCOUNT)
    left, kept = changes(sent(rec.merged(event, OTHER_ID)))
    assert left.record.key == f"account:{OTHER_ID}"
    assert left.columns == {
        "merged": True,
        "masterid": f"account:{ID}",
        "statecode": 1,
        "statuscode": 2,
    }
    assert (kept.record.key, kept.columns) == (f"account:{ID}", {"name": "Acme"})


def test_a_merge_that_takes_nothing_over_is_the_subordinates_change_alone() -> None:
    event = row_event(row={}, table=INCIDENT)
    (left,) = changes(sent(rec.merged(event, OTHER_ID)))
    assert (left.columns["statecode"], left.columns["statuscode"]) == (2, 2000)
    trimmed = change(sent(rec.merged(event, OTHER_ID, rec.Habits(trimmed=True))))
    assert (trimmed.record.id, trimmed.thin) == (ID, True)


def test_an_upsert_does_not_tell_a_create_from_an_update() -> None:
    (message,) = rec.encode(row_event(), rec.Habits(split=False))
    assert change(edited(message, MessageName="Upsert")).operation is Operation.UPSERT


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Associate", "association_not_mapped"),
        ("Disassociate", "association_not_mapped"),
        ("new_SubmitForApproval", "message_not_mapped"),
        ("RetrieveMultiple", "message_not_mapped"),
    ],
)
def test_messages_that_change_no_column_are_skipped_with_a_reason(
    message: str, reason: str
) -> None:
    encoded = rec.associated(row_event(), [f"account:{ID}"])
    assert skip_reason(edited(encoded, MessageName=message, PrimaryEntityName="none")) == reason


def test_a_table_that_no_rule_knows_is_skipped() -> None:
    (message,) = rec.encode(row_event(), rec.Habits(split=False))
    assert skip_reason(edited(message, PrimaryEntityName="lead")) == "table_not_mapped"


def test_a_finance_and_operations_data_event_is_read_alike() -> None:
    event = row_event(row={"mserp_vendorname": "Contoso"}, table=VIRTUAL)
    found = change(sent(rec.encode(event)[0]))
    assert found.record.key == f"mserp_vendvendorv2entity:{ID}"
    assert found.columns == {"mserp_vendorname": "Contoso"}


def test_a_target_by_alternate_key_is_named_by_the_primary_entity_id() -> None:
    (message,) = rec.encode(row_event(), rec.Habits(split=False))
    keys = [{"key": "new_number", "value": "7"}]
    targets = target_of(message, Id=_ZERO, KeyAttributes=keys)
    assert change(edited(message, InputParameters=targets)).record.id == ID


def test_a_row_without_an_id_is_refused_and_a_new_one_is_found_in_the_output() -> None:
    (message,) = rec.encode(row_event("create"))
    targets = target_of(message, Id=_ZERO, Attributes=[])
    found = edited(message, PrimaryEntityId=_ZERO, InputParameters=targets)
    assert change(found).record.id == ID
    found = edited(message, PrimaryEntityId=_ZERO, InputParameters=targets, OutputParameters=[])
    assert refusal(found).code == "row_id_missing"
    assert refusal(edited(message, PrimaryEntityId="seven")).code == "wrong_type"


def test_the_table_is_found_in_the_target_or_in_a_header_when_the_body_says_none() -> None:
    (message,) = rec.encode(row_event("delete"))
    assert change(edited(message, PrimaryEntityName="none")).record.table == "opportunity"
    nameless = edited(message, PrimaryEntityName="none", InputParameters=[])
    assert change(nameless).record.table == "opportunity"
    bare = source(nameless.value)
    assert refusal(bare).code == "table_unknown"


@pytest.mark.parametrize("raw", [..., None, "", "/Date(-62135596800000)/", "0001-01-01T00:00:00Z"])
def test_a_missing_time_falls_back_to_kafkas(raw: Any) -> None:
    (message,) = rec.encode(row_event("delete"))
    found = change(edited(message, OperationCreatedOn=raw))
    assert (found.at_ms, found.sequence) == (KAFKA_MS, KAFKA_MS)


def test_a_time_in_iso_text_is_read() -> None:
    (message,) = rec.encode(row_event("delete"))
    found = change(edited(message, OperationCreatedOn="2024-01-31T10:15:00.789Z"))
    assert found.at_ms == AT_MS


def test_the_caller_counts_before_the_user_that_the_step_runs_as() -> None:
    (message,) = rec.encode(row_event("delete"))
    assert change(edited(message, UserId=OTHER_ID)).actor == USER
    found = edited(message, InitiatingUserId=_ZERO, UserId=OTHER_ID.upper())
    assert change(found).actor == OTHER_ID
    nobody = edited(message, InitiatingUserId=..., UserId=...)
    assert change(nobody).actor == USER  # from the endpoint's header
    assert change(source(nobody.value)).actor is None


def test_the_tag_is_found_in_this_context_or_in_one_around_it() -> None:
    (message,) = rec.encode(row_event("delete", tag="dovetail"))
    assert change(sent(message)).tag == "dovetail"
    (message,) = rec.encode(row_event("delete"))
    parent = {"SharedVariables": [{"key": "tag", "value": "dovetail"}], "ParentContext": None}
    assert change(edited(message, ParentContext=parent)).tag == "dovetail"
    outer = {"SharedVariables": None, "ParentContext": parent}
    assert change(edited(message, ParentContext=outer)).tag == "dovetail"
    assert change(edited(message, ParentContext={"ParentContext": 5})).tag is None


def test_the_version_that_a_writer_expected_is_not_taken_for_the_rows() -> None:
    (message,) = rec.encode(row_event(), rec.Habits(split=False))
    targets = target_of(message, RowVersion="1")
    assert change(edited(message, InputParameters=targets)).version is None


def test_a_reference_by_alternate_key_asks_for_the_row() -> None:
    (message,) = rec.encode(row_event(row={"name": "Deal"}), rec.Habits(split=False))
    customer = {"Id": _ZERO, "LogicalName": "account", "KeyAttributes": [{"key": "n", "value": 1}]}
    attributes = [{"key": "name", "value": "Deal"}, {"key": "customerid", "value": customer}]
    found = change(edited(message, InputParameters=target_of(message, Attributes=attributes)))
    assert (found.columns, found.thin) == ({"name": "Deal"}, True)


@pytest.mark.parametrize(
    "fields",
    [
        {"MessageName": 5},
        {"MessageName": ""},
        {"InputParameters": "x"},
        {"InputParameters": [5]},
        {"InputParameters": [{"key": 5, "value": 1}]},
        {"InputParameters": [{"key": "Target", "value": "x"}]},
        {"InputParameters": [{"key": "Target", "value": {"Attributes": 5}}]},
        {"PostEntityImages": [{"key": "a", "value": 5}]},
        {"OperationCreatedOn": "yesterday"},
        {"OperationCreatedOn": 1.5},
        {"SharedVariables": 5},
        {"PrimaryEntityId": {"a": 1}},
    ],
)
def test_a_misshapen_context_is_refused(fields: dict[str, Any]) -> None:
    (message,) = rec.encode(row_event(), rec.Habits(split=False))
    assert refusal(edited(message, **fields)).code == "wrong_type"


def test_a_wrong_value_names_table_column_and_remedy() -> None:
    (message,) = rec.encode(row_event(), rec.Habits(split=False))
    attributes = [{"key": "statecode", "value": "Open"}]
    found = refusal(edited(message, InputParameters=target_of(message, Attributes=attributes)))
    assert found.code == "wrong_type"
    assert str(found) == (
        "opportunity.statecode holds 'Open': no number"
        " (correct the producer, or the column's kind in the rules' tables.yaml)"
    )
