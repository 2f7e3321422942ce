"""Stage 1: each message ends as facts, as a counted skip, or as a dead letter byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

import streams.decode
from streams.decode import DecodeStage
from streams.engine.records import Outgoing, Record
from streams.errors import Misconfigured
from streams.formats.json_text import MAX_BYTES
from streams.guard import DeadLetterLimit, Guard
from streams.messages.dead_letters import Failure, original_headers
from streams.messages.facts import FACTS, EcmEvent, RecordChange
from streams.metrics import Metrics
from streams.topics import CHANGES, DEAD_LETTERS
from tests.streams.rulebook import BOOK
from tests.streams.samples import ref
from tests.streams.world import DictRows

ACCOUNT = ref("account", 1)
ROW = {
    "_table": "account",
    "Id": ACCOUNT.id,
    "IsDelete": "",
    "SinkModifiedOn": "2023-11-14T22:13:20Z",
    "modifiedon": "2023-11-14T22:13:20Z",
    "versionnumber": "7",
    "name": "Contoso",
}
EVENT = {
    "event_id": "e1",
    "event": "contract.signed",
    "occurred_at": "2023-11-14T22:13:20Z",
    "workspace_id": 7,
}
HEADERS = (("traceparent", b"\x00\xff"), ("same", b"1"), ("same", b"2"))


class Lab:
    """The stage, its metrics, and messages in."""

    def __init__(self, consecutive: int = 100) -> None:
        self.metrics = Metrics(CollectorRegistry())
        guard = Guard("decode-changes", self.metrics, DeadLetterLimit(consecutive))
        self.stage = DecodeStage(BOOK, self.metrics, guard)

    def send(self, *values: object) -> list[Outgoing]:
        """Decode these as one batch; what is no bytes becomes JSON."""
        batch = [
            Record("producers.topic", 1, offset, 1_700_000_000_000, b"\xfekey", raw(v), HEADERS)
            for offset, v in enumerate(values)
        ]
        rows = DictRows()
        sent = list(self.stage.handle(batch, rows))
        assert rows.tables == {}
        return sent

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


def raw(value: object) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else json.dumps(value).encode()


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_a_change_goes_on_under_our_own_key(lab: Lab) -> None:
    (sent,) = lab.send(ROW)
    assert (sent.topic, sent.key) == (CHANGES.name, ACCOUNT.key.encode())
    fact = FACTS.validate_json(sent.value or b"")
    assert isinstance(fact, RecordChange)
    assert fact.record == ACCOUNT
    assert fact.columns["name"] == "Contoso"
    assert (fact.origin.topic, fact.origin.partition, fact.origin.offset) == (
        "producers.topic",
        1,
        0,
    )
    assert lab.count("dovetail_last_event_timestamp_seconds", stage="decode-changes") > 0


def test_an_event_of_a_workspace_goes_on_under_the_workspaces_key(lab: Lab) -> None:
    (sent,) = lab.send(EVENT)
    assert sent.key == b"workspace:7"
    assert isinstance(FACTS.validate_json(sent.value or b""), EcmEvent)


BAD: dict[str, tuple[object, str]] = {
    "malformed": (b'{"a":', "malformed_json"),
    "truncated": (json.dumps(ROW).encode()[:-9], "malformed_json"),
    "not utf-8": (b'{"_table":"\xff\xfe"}', "not_utf8"),
    "binary": (b"\x00\x01\x02", "malformed_json"),
    "xml": (b"<Entity/>", "text_xml"),
    "no object": (b"[1,2]", "not_an_object"),
    "an unknown format": ({"hello": "world"}, "unknown_format"),
    "no guid": ({**ROW, "Id": "17"}, "wrong_type"),
    "a number as text": ({**ROW, "statecode": "open"}, "wrong_type"),
    "an object as a value": ({**ROW, "name": {"deep": [1]}}, "wrong_type"),
    "oversized": (b'{"a":"' + b"x" * MAX_BYTES + b'"}', "too_large"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_kept_byte_for_byte(lab: Lab, name: str) -> None:
    value, code = BAD[name]
    (letter,) = lab.send(value)
    assert letter.topic == DEAD_LETTERS.name
    assert (letter.key, letter.value) == (b"\xfekey", raw(value))
    assert original_headers(letter.headers) == HEADERS
    failure = Failure.of(letter.headers)
    assert failure is not None
    assert (failure.topic, failure.partition, failure.offset) == ("producers.topic", 1, 0)
    assert failure.code == code, failure.message
    assert lab.count("dovetail_dead_letters_total", stage="decode-changes", error=code) == 1


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "tombstone"),
        (b"", "tombstone"),
        (b"null", "tombstone"),
        ({**ROW, "_table": "contact"}, "table_not_mapped"),
    ],
)
def test_what_is_left_aside_is_counted_by_its_reason(lab: Lab, value: object, reason: str) -> None:
    assert lab.send(value) == []
    counted = {"stage": "decode-changes", "reason": reason}
    assert lab.count("dovetail_messages_skipped_total", **counted) == 1


def test_one_bad_message_holds_up_nothing(lab: Lab) -> None:
    sent = lab.send(ROW, b"{", None, ROW)
    assert [m.topic for m in sent] == [CHANGES.name, DEAD_LETTERS.name, CHANGES.name]
    labels = {"stage": "decode-changes"}
    received = lab.count("dovetail_messages_received_total", **labels, topic="producers.topic")
    assert received == 4
    assert lab.count("dovetail_messages_emitted_total", **labels, topic=CHANGES.name) == 2
    assert lab.count("dovetail_messages_emitted_total", **labels, topic=DEAD_LETTERS.name) == 1


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.sampled_from([raw(ROW), raw(EVENT), b"{", None, b"[]"]), max_size=6))
def test_a_batch_is_the_same_as_its_messages_one_by_one(values: list[bytes | None]) -> None:
    batch = Lab()
    at_once = batch.send(*values)
    alone = Lab()
    one_by_one = [
        message
        for offset, value in enumerate(values)
        for message in alone.stage.handle(
            [Record("producers.topic", 1, offset, 1_700_000_000_000, b"\xfekey", value, HEADERS)],
            DictRows(),
        )
    ]
    assert at_once == one_by_one


@settings(max_examples=60, deadline=None)
@given(value=st.binary(max_size=60))
def test_no_bytes_end_in_an_exception_or_in_nothing(value: bytes) -> None:
    lab = Lab()
    sent = lab.send(value)
    skipped = sum(
        s.value
        for metric in lab.metrics.skipped.collect()
        for s in metric.samples
        if s.name.endswith("_total")
    )
    assert len(sent) + skipped >= 1


def test_a_fault_of_a_decoder_is_a_dead_letter_too(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(streams.decode, "decode", broken)
    (letter,) = lab.send(ROW)
    failure = Failure.of(letter.headers)
    assert failure is not None
    assert failure.code == "unexpected_error"


def test_a_fact_that_cannot_be_written_is_a_dead_letter_and_none_of_its_message_goes_on(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = FACTS.validate_json(lab.send(ROW)[0].value or b"")
    assert isinstance(good, RecordChange)
    bad = good.model_copy(update={"columns": {"name": "\ud800"}})
    monkeypatch.setattr(streams.decode, "decode", lambda *_: (good, bad))
    assert [m.topic for m in lab.send(ROW)] == [DEAD_LETTERS.name]


def test_a_stream_of_rubbish_stops_the_stage() -> None:
    lab = Lab(consecutive=5)
    with pytest.raises(Misconfigured, match="5 messages in a row"):
        lab.send(*[b"{"] * 5)
