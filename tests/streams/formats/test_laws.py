"""What holds for every format: the same row, however it is written and wrapped, is the same change.

And no bytes whatever make a decoder do anything but answer, skip or refuse with a known code.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.sandbox.events import Encoded, damage, ecm, rec
from app.sandbox.events import web_api as web
from streams.catalogue import ColumnValue
from streams.errors import Unreadable
from streams.formats import Skipped, SourceMessage, UnreadableReason, decode
from streams.messages.facts import FACTS, EcmEvent, Operation, RecordChange
from tests.streams.formats.events import AT_MS, LAYERS, ROW_ENCODERS, WHOLE_ROW, row_event, rows
from tests.streams.formats.sample import (
    BUSINESS_OBJECTS,
    CATALOGUE,
    ID,
    USER,
    change,
    changes,
    refusal,
    sent,
    source,
)

_CODES = {reason.value for reason in UnreadableReason}


def outcome(message: SourceMessage) -> tuple[RecordChange | EcmEvent, ...] | Skipped | None:
    """Decode anything: an answer, a skip, or None for a refusal with a known code."""
    try:
        found = decode(message, CATALOGUE, BUSINESS_OBJECTS)
    except Unreadable as fault:
        assert fault.code in _CODES
        assert fault.message and len(str(fault)) < 1000
        return None
    if not isinstance(found, Skipped):
        assert found, "an empty answer"
        for one in found:
            assert FACTS.validate_json(one.to_json()) == one
            assert one.key
    return found


@pytest.mark.parametrize("name", ROW_ENCODERS)
@settings(max_examples=25, deadline=None)
@given(row=rows(), operation=st.sampled_from(["create", "update"]))
def test_the_same_row_has_the_same_columns_in_every_format(
    name: str, row: dict[str, ColumnValue], operation: str
) -> None:
    (message,) = ROW_ENCODERS[name](row_event(operation, row))
    found = change(sent(message))
    assert found.columns == row
    assert found.record.key == f"opportunity:{ID}"
    assert found.at_ms == AT_MS // 1000 * 1000
    assert found.actor == USER
    assert found.version == (None if name.startswith("rec") else 1_234_567)
    assert not found.thin


@pytest.mark.parametrize("name", sorted(set(ROW_ENCODERS) - {"rec of several"}))
def test_every_format_tells_a_delete_and_its_row(name: str) -> None:
    (message,) = ROW_ENCODERS[name](row_event("delete"))
    found = change(sent(message))
    assert found.operation is Operation.DELETE
    assert found.record.key == f"opportunity:{ID}"
    assert found.at_ms >= AT_MS and found.at_ms == found.sequence
    last = {column: value for column, value in WHOLE_ROW.items() if value is not None}
    assert dict(found.columns) in (last, {})


#: A relay's own header does not survive a CloudEvent around its message.
_SELF_CONTAINED = sorted(set(ROW_ENCODERS) - {"synapse by header"})


@pytest.mark.parametrize("encoder", _SELF_CONTAINED)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_wrapper_changes_nothing_but_the_name_of_the_format(encoder: str, layer: str) -> None:
    (bare,) = ROW_ENCODERS[encoder](row_event())
    expected, found = change(sent(bare)), change(sent(LAYERS[layer](bare)))
    if "web api" in encoder and found.origin.format.startswith("cloudevents+"):
        # A row has no time of the operation: the event's, then Kafka's, stands in for it.
        assert found.sequence == AT_MS
        found = found.model_copy(update={"sequence": expected.sequence})
    wrapped = "structured" in layer or "binary" in layer
    assert found.origin.format == ("cloudevents+" if wrapped else "") + expected.origin.format
    assert found.model_copy(update={"origin": expected.origin}) == expected


@given(st.lists(st.sampled_from(sorted(set(LAYERS) - {"byte order mark"})), max_size=2))
def test_layers_may_lie_around_layers(names: list[str]) -> None:
    (message,) = ROW_ENCODERS["rec"](row_event())
    expected = change(sent(message))
    for name in names:
        message = LAYERS[name](message)
    assert change(sent(message)).columns == expected.columns


def test_a_split_update_orders_its_two_messages_by_the_columns_they_carry() -> None:
    event = row_event(changed=frozenset({"name", "statecode", "statuscode"}))
    first, second = (change(sent(one)) for one in rec.encode(event))
    assert first.columns == {"name": "Deal"}
    assert second.columns == {"statecode": 0, "statuscode": 1}
    assert (first.at_ms, first.sequence) == (second.at_ms, second.sequence)


@settings(max_examples=250, deadline=None)
@given(
    value=st.binary(max_size=200),
    key=st.none() | st.binary(max_size=40),
    headers=st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=20)), max_size=4),
)
def test_any_bytes_are_answered_skipped_or_refused(
    value: bytes, key: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    outcome(SourceMessage("crm.account", 0, 0, 0, key, value, tuple(headers)))


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
    | st.sampled_from([ID, "/Date(1706696100000)/", "2024-01-31T10:15:00Z", "account", "", "True"])
)
_KEYS = """
    MessageName PrimaryEntityName PrimaryEntityId InputParameters Target Targets Attributes key
    value Id LogicalName op before after source table ts_ms payload schema fields field name
    @odata.etag @odata.context @removed id reason IsDelete SinkModifiedOn _table recid event
    event_id workspace_id business_object document attributes specversion type data data_base64
    ContentData body _airbyte_data _airbyte_stream __op __deleted __source_ts_ms versionnumber
    modifiedon modifiedby opportunityid customerid estimatedvalue statecode Value Entities
    SharedVariables ParentContext PostEntityImages OperationCreatedOn SubordinateId Status
    BusinessEventId EventId scale parameters accountid occurred_at external_system
"""
_NAMES = st.sampled_from(_KEYS.split()) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=5
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=8),
    max_leaves=25,
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_JSON)
def test_any_json_is_answered_skipped_or_refused(value: Any) -> None:
    outcome(source(value, topic="crm.opportunity"))


def _valid() -> list[Encoded]:
    event = row_event()
    found = [encoded for encode in ROW_ENCODERS.values() for encoded in encode(event)]
    found += [
        encoded for encode in ROW_ENCODERS.values() for encoded in encode(row_event("delete"))
    ]
    found += [rec.closed(event, message="Win"), rec.merged(event, USER), rec.assigned(event)]
    found += [rec.state_set(event), rec.associated(event, [f"account:{ID}"])]
    happening = ecm.EcmHappening("e1", "contract.signed", AT_MS, 5, ("D365", "opportunity", ID))
    found += [ecm.encode(happening), ecm.encode_cloudevent(happening, binary=True)]
    return found


_VALID = _valid()


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += _places(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += _places(inner, (*path, number))
    return found


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = _replaced(value[path[0]], path[1:], new)
    return changed


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_a_valid_message_with_one_value_replaced_is_answered_skipped_or_refused(
    data: st.DataObject,
) -> None:
    message = data.draw(st.sampled_from(_VALID))
    body = json.loads(message.value or b"{}")
    place = data.draw(st.sampled_from(_places(body)))
    changed = _replaced(body, place, data.draw(_JSON))
    outcome(source(changed, headers=message.headers, key=message.key))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_valid_message_with_damaged_bytes_is_answered_skipped_or_refused(
    data: st.DataObject,
) -> None:
    message = data.draw(st.sampled_from(_VALID))
    value = bytearray(message.value or b"{}")
    start = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(start, min(start + 20, len(value))))
    value[start:end] = data.draw(st.binary(max_size=8))
    outcome(source(bytes(value), headers=message.headers, key=message.key))


@pytest.mark.parametrize("kind", damage.CODES)
def test_each_kind_of_damage_is_refused_with_its_code(kind: str) -> None:
    (message,) = ROW_ENCODERS["rec"](row_event())
    assert refusal(sent(damage.damaged(message, kind))).code == damage.CODES[kind]


def test_a_message_decodes_alike_every_time() -> None:
    for message in _VALID:
        assert outcome(sent(message)) == outcome(sent(message))


def test_a_page_is_as_many_changes_as_it_has_rows() -> None:
    events = [row_event(), row_event("delete", row_id=USER)]
    found = changes(sent(web.page(events)))
    assert [one.operation for one in found] == [Operation.UPSERT, Operation.DELETE]
    assert [one.record.id for one in found] == [ID, USER]
