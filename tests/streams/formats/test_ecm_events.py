"""Extended ECM's events: whom they are about, and what must not be guessed."""

from __future__ import annotations

from typing import Any

import pytest

from app.sandbox.events import ecm
from streams.formats.ecm_events import EVENTS
from streams.messages.facts import BusinessObject, Document
from tables.keys import RecordRef
from tests.streams.formats.events import AT_MS
from tests.streams.formats.sample import (
    ID,
    KAFKA_MS,
    ecm_event,
    refusal,
    sent,
    skip_reason,
    source,
)

HAPPENING = ecm.EcmHappening(
    event_id="e1",
    event="contract.signed",
    at_ms=AT_MS,
    workspace_id=12345,
    business_object=("D365", "opportunity", ID),
    document=(6789, 2, "Agreement.pdf", "https://ecm.example/6789"),
    actor="jdoe",
    attributes={"effective_on": "2024-02-01", "pages": 3, "final": True, "note": None},
)
BODY: dict[str, Any] = {
    "event_id": "e1",
    "event": "contract.signed",
    "occurred_at": "2024-01-31T10:15:00Z",
    "workspace_id": 12345,
}


def body(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in (BODY | fields).items() if value is not ...}


def test_every_part_of_an_event_is_read() -> None:
    found = ecm_event(sent(ecm.encode(HAPPENING)))
    assert found.event_id == "e1"
    assert (found.event, found.at_ms, found.workspace_id) == ("contract.signed", AT_MS, 12345)
    assert found.business_object == BusinessObject(
        external_system="D365", type="opportunity", id=ID
    )
    assert found.record == RecordRef("opportunity", ID)
    assert found.document == Document(
        id=6789, version=2, name="Agreement.pdf", url="https://ecm.example/6789"
    )
    assert (found.actor, found.attributes) == ("jdoe", HAPPENING.attributes)
    assert (found.key, found.origin.format) == ("workspace:12345", "ecm_event")


@pytest.mark.parametrize("binary", [False, True])
def test_a_cloudevent_says_the_same(binary: bool) -> None:
    plain = ecm_event(sent(ecm.encode(HAPPENING, time_as_ms=True)))
    found = ecm_event(sent(ecm.encode_cloudevent(HAPPENING, binary=binary)))
    assert found.origin.format == "cloudevents+ecm_event"
    assert found.model_copy(update={"origin": plain.origin}) == plain


def test_a_cloudevents_type_may_be_the_plain_name() -> None:
    headers = {
        "ce_specversion": b"1.0",
        "ce_type": b"Contract.Signed",
        "ce_source": b"/otcs",
        "ce_id": b"e7",
    }
    found = ecm_event(source({"workspace_id": 5}, headers=headers))
    assert (found.event, found.event_id, found.at_ms) == ("contract.signed", "e7", KAFKA_MS)


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_every_event_of_the_list_is_understood(event: str) -> None:
    assert ecm_event(source(body(event=event))).event == event


def test_the_list_holds_the_contracts_whole_life() -> None:
    contract = {event.removeprefix("contract.") for event in EVENTS if event[:9] == "contract."}
    undecided = {"draft", "in_negotiation", "in_approval"}
    decided = {"approved", "rejected", "signed", "executed", "expired", "terminated"}
    assert contract == undecided | decided


def test_an_event_of_another_name_is_skipped() -> None:
    assert skip_reason(source(body(event="contract.shredded"))) == "ecm_event_not_mapped"


def test_a_business_object_alone_is_keyed_by_its_record() -> None:
    triple = {"external_system": "D365", "type": "opportunity", "id": ID.upper()}
    found = ecm_event(source(body(workspace_id=None, business_object=triple)))
    assert (found.key, found.workspace_id) == (f"opportunity:{ID}", None)


@pytest.mark.parametrize(
    "triple",
    [
        None,
        {"external_system": "D365", "type": "lead", "id": ID},
        {"external_system": "SAP", "type": "opportunity", "id": ID},
        {"external_system": "D365", "type": "opportunity", "id": "OPP-7"},
    ],
)
def test_an_event_that_belongs_nowhere_is_refused_and_a_workspace_makes_it_whole(
    triple: Any,
) -> None:
    fault = refusal(source(body(workspace_id=None, business_object=triple)))
    assert fault.code == "workspace_unknown" and fault.advice
    found = ecm_event(source(body(business_object=triple)))
    assert (found.record, found.key) == (None, "workspace:12345")


def test_a_missing_time_is_kafkas() -> None:
    assert ecm_event(source(body(occurred_at=...))).at_ms == KAFKA_MS


def test_numbers_with_decimals_become_text_and_ids_may_be_text() -> None:
    found = ecm_event(source(body(workspace_id="12345", attributes={"value": 1200.50})))
    assert (found.workspace_id, found.attributes) == (12345, {"value": "1200.5"})


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"event_id": ...}, "body_incomplete"),
        ({"event_id": ""}, "body_incomplete"),
        ({"event_id": 5}, "wrong_type"),
        ({"workspace_id": "x"}, "wrong_type"),
        ({"workspace_id": True}, "wrong_type"),
        ({"workspace_id": -1}, "wrong_type"),
        ({"workspace_id": 2**70}, "wrong_type"),
        ({"occurred_at": "soon"}, "wrong_type"),
        ({"business_object": "x"}, "wrong_type"),
        ({"business_object": {"external_system": "D365", "type": "opportunity"}}, "wrong_type"),
        ({"document": []}, "wrong_type"),
        ({"document": {"id": 5}}, "wrong_type"),
        ({"document": {"id": 5, "version": 1, "name": 5}}, "wrong_type"),
        ({"actor": 5}, "wrong_type"),
        ({"attributes": []}, "wrong_type"),
        ({"attributes": {"a": []}}, "wrong_type"),
        ({"attributes": {"a": 10**70}}, "wrong_type"),
    ],
)
def test_a_misshapen_event_is_refused(fields: dict[str, Any], code: str) -> None:
    assert refusal(source(body(**fields))).code == code
