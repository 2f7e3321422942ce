"""Telling formats apart, taking layers off, and naming what cannot be read."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from app.sandbox.events import cloudevents, rec
from streams.formats import UnreadableReason
from streams.formats.json_text import MAX_BYTES
from tests.streams.formats.events import row_event
from tests.streams.formats.sample import ID, KAFKA_MS, change, refusal, sent, skip_reason, source

BUSINESS_EVENT = {
    "BusinessEventId": "SalesInvoicePostedBusinessEvent",
    "BusinessEventLegalEntity": "USMF",
    "ControlNumber": 5637200001,
    "EventId": ID,
    "EventTime": "/Date(1700000000000)/",
    "InvoiceId": "CIV-1",
}
EVENT = b'{"specversion":"1.0","type":"t","source":"s","id":"1","data_base64":%s}'
STRUCTURED = (("content-type", b"Application/CloudEvents+json"),)
ROW = {"_table": "account", "IsDelete": "", "Id": ID, "name": "Acme"}


@pytest.mark.parametrize("value", [None, b"", b"null", b" null "])
def test_no_value_is_a_tombstone(value: bytes | None) -> None:
    assert skip_reason(source(value)) == "tombstone"


def test_a_cloudevent_without_data_is_a_tombstone() -> None:
    attributes = {"specversion": "1.0", "type": "t", "source": "s", "id": "1"}
    assert skip_reason(source(attributes)) == "tombstone"
    assert skip_reason(source(attributes | {"data": None})) == "tombstone"
    assert skip_reason(source(attributes | {"data_base64": ""})) == "tombstone"
    headers = {f"ce_{name}": text.encode() for name, text in attributes.items()}
    assert skip_reason(source(None, headers=headers)) == "tombstone"


def test_a_business_event_is_known_and_skipped() -> None:
    assert skip_reason(source(BUSINESS_EVENT)) == "business_event_not_mapped"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"{", "malformed_json"),
        (b'{"a":1', "malformed_json"),
        (b"   ", "malformed_json"),
        (b"\x00\x01", "malformed_json"),
        (b'{"a":NaN}', "malformed_json"),
        (b'{"a":1e999}', "malformed_json"),
        (b'{"a":"\\ud800"}', "malformed_json"),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, "malformed_json"),
        (b'{"a":"\xff"}', "not_utf8"),
        ('{"a":1}'.encode("utf-16"), "not_utf8"),
        (b"<root/>", "text_xml"),
        (b"  <root/>", "text_xml"),
        (b"@\x06string\x08", "binary_xml"),
        (b"42", "not_an_object"),
        (b"[]", "not_an_object"),
        (b"true", "not_an_object"),
        (b"[{}]", "not_an_object"),
        (b'"plain text"', "malformed_json"),
        (b'""', "malformed_json"),
        (b"{}", "unknown_format"),
        (b'{"hello":"world"}', "unknown_format"),
        (b'{"op":"x","after":{}}', "unknown_format"),
        (b'{"op":"t"}', "unknown_format"),
        (b'{"ContentData":"%"}', "malformed_base64"),
        (EVENT % b'"%"', "malformed_base64"),
        (EVENT % b"5", "malformed_base64"),
    ],
)
def test_what_nobody_can_read_is_refused_with_its_code(value: bytes, code: str) -> None:
    fault = refusal(source(value))
    assert fault.code == code
    assert code in {reason.value for reason in UnreadableReason}


def test_a_number_of_ten_thousand_digits_is_refused() -> None:
    assert refusal(source(b'{"a":%s}' % (b"1" * 10_000))).code == "malformed_json"
    long_fraction = b'{"_table":"opportunity","Id":"%s","IsDelete":"","estimatedvalue":0.%s}'
    message = source(long_fraction % (ID.encode(), b"1" * 10_000))
    assert refusal(message).code == "wrong_type"


def test_a_body_beyond_any_senders_limit_is_refused_unread() -> None:
    assert refusal(source(b'"' + b"a" * MAX_BYTES + b'"')).code == "too_large"


def test_binary_xml_is_named_by_its_content_type() -> None:
    headers = {"content-type": b"application/msbin1"}
    fault = refusal(source(b"V\x0bEnvelope", headers=headers))
    assert fault.code == "binary_xml" and "JSON" in fault.advice


def test_layers_without_end_are_refused() -> None:
    body: Any = ROW
    for _ in range(20):
        body = {"value": body}
    assert refusal(source(body)).code == "wrapped_too_deep"
    text = json.dumps(ROW)
    for _ in range(7):
        text = json.dumps(text)
    assert change(source(text.encode())).columns == {"name": "Acme"}


@pytest.mark.parametrize(
    "value",
    [
        {"value": ROW},
        {"value": json.dumps(ROW)},
        {"body": ROW, "headers": {}},
        {"ContentData": base64.b64encode(json.dumps(ROW).encode()).decode()},
        {"schema": {"type": "string"}, "payload": json.dumps(ROW)},
        {"schema": None, "payload": ROW},
        {"schema": {}, "payload": {"value": ROW}},
        json.dumps(ROW),
    ],
)
def test_every_wrapper_of_a_relay_is_taken_off(value: Any) -> None:
    assert change(source(value)).columns == {"name": "Acme"}


def test_a_known_format_is_not_taken_for_a_wrapper() -> None:
    assert change(source(ROW | {"body": {"a": 1}, "value": {"b": 2}})).columns == {"name": "Acme"}


def test_the_content_type_makes_a_structured_event_of_a_body_that_lacks_attributes() -> None:
    found = change(source({"type": "t", "data": ROW}, headers=STRUCTURED))
    assert found.origin.format == "cloudevents+synapse"
    assert change(source(ROW, headers=STRUCTURED)).origin.format == "synapse"


@pytest.mark.parametrize("prefix", ["ce_", "ce-", "CE_", "cloudEvents:", "cloudEvents_"])
def test_a_binary_events_headers_are_known_by_every_prefix(prefix: str) -> None:
    (message,) = rec.encode(row_event(), rec.Habits(split=False))
    attributes = cloudevents.Attributes(id="1", type="t")
    found = change(sent(cloudevents.binary(message, attributes, prefix=prefix)))
    assert found.origin.format == "cloudevents+rec"


def test_a_binary_event_that_lacks_an_attribute_is_none() -> None:
    headers = {"ce_specversion": b"1.0", "ce_type": b"t", "ce_source": b"s"}
    assert change(source(ROW, headers=headers)).origin.format == "synapse"


def test_an_events_subject_type_and_time_help_a_row_that_says_nothing() -> None:
    row = {"@odata.etag": 'W/"1"', "accountid": ID}
    event = {"specversion": "1.0", "source": "s", "id": "1", "time": "2024-01-31T10:15:00.5Z"}
    by_subject = source(event | {"type": "changed", "subject": f"accounts({ID})", "data": row})
    by_type = source(event | {"type": "com.contoso.account.changed", "data": row})
    for message in (by_subject, by_type):
        found = change(message)
        assert found.record.table == "account"
        assert (found.at_ms, found.sequence) == (1_706_696_100_000, 1_706_696_100_500)


@pytest.mark.parametrize("fields", [{"subject": 5}, {"time": "soon"}, {"time": 1.5}])
def test_an_event_with_wrong_attributes_is_refused(fields: dict[str, Any]) -> None:
    event = {"specversion": "1.0", "type": "t", "source": "s", "id": "1", "data": ROW}
    assert refusal(source(event | fields)).code == "wrong_type"


def test_a_row_that_says_no_more_than_its_table_is_a_row() -> None:
    found = change(source({"_table": "account", "accountid": ID, "name": "Contoso"}))
    assert (found.record.key, found.columns) == (f"account:{ID}", {"name": "Contoso"})
    assert found.at_ms == KAFKA_MS // 1000 * 1000
