"""Dead letters: the message as it came, counted, and never without a limit."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from streams.engine.records import Record
from streams.errors import Misconfigured, Unreadable
from streams.guard import DeadLetterLimit, Guard
from streams.messages.dead_letters import Failure, original_headers
from streams.metrics import Metrics
from streams.topics import DEAD_LETTERS

FAULT = Unreadable("the body is XML", code="text_xml", advice="send JSON")
HEADERS = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=4).map(tuple)


def guard(consecutive: int = 100, ratio: float = 0.5, window: int = 1000) -> Guard:
    limit = DeadLetterLimit(consecutive, ratio, window)
    return Guard("decode-changes", Metrics(CollectorRegistry()), limit)


def record(**fields: object) -> Record:
    plain = {"topic": "source", "partition": 3, "offset": 42, "timestamp_ms": 1_700_000_000_000}
    return Record(**{**plain, "key": b"k", "value": b"v", **fields})  # type: ignore[arg-type]


class TestTheLetter:
    @given(key=st.none() | st.binary(), value=st.none() | st.binary(), headers=HEADERS)
    def test_key_value_and_headers_are_as_they_came(
        self, key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes], ...]
    ) -> None:
        letter = guard().dead_letter(record(key=key, value=value, headers=headers), FAULT)
        assert letter.topic == DEAD_LETTERS.name
        assert (letter.key, letter.value) == (key, value)
        assert letter.headers[: len(headers)] == headers
        assert original_headers(letter.headers) == headers

    def test_where_it_came_from_and_why_are_in_headers_of_our_own(self) -> None:
        assert Failure.of(guard().dead_letter(record(), FAULT).headers) == Failure(
            topic="source",
            partition=3,
            offset=42,
            timestamp_ms=1_700_000_000_000,
            stage="decode-changes",
            code="text_xml",
            message="the body is XML (send JSON)",
        )

    def test_a_letter_of_a_letter_tells_of_the_newest_failure(self) -> None:
        first = guard().dead_letter(record(), FAULT)
        again = record(topic=first.topic, headers=first.headers)
        second = guard().dead_letter(again, Unreadable("still not", code="unknown_format"))
        failure = Failure.of(second.headers)
        assert failure is not None
        assert (failure.topic, failure.code) == (DEAD_LETTERS.name, "unknown_format")

    @pytest.mark.parametrize(
        ("error", "message"), [(KeyError("x"), "'x'"), (ValueError(), "ValueError")]
    )
    def test_a_fault_of_ours_has_one_code_and_is_logged_with_its_trace(
        self, error: Exception, message: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            failure = Failure.of(guard().dead_letter(record(), error).headers)
        assert failure is not None
        assert (failure.code, failure.message) == ("unexpected_error", message)
        assert caplog.records[0].levelname == "ERROR"
        assert caplog.records[0].exc_info is not None

    def test_a_message_of_any_text_fits_a_header(self) -> None:
        error = Unreadable("\ud800" + "ä" * 10_000)
        letter = guard().dead_letter(record(), error)
        assert sum(len(name) + len(value) for name, value in letter.headers) < 3000
        failure = Failure.of(letter.headers)
        assert failure is not None
        assert failure.message.startswith("\\ud800ä")

    @pytest.mark.parametrize("header", [None, "dovetail-dlq-offset", "dovetail-dlq-stage"])
    def test_a_message_without_all_our_headers_is_no_letter(self, header: str | None) -> None:
        headers = guard().dead_letter(record(), FAULT).headers if header else ()
        assert Failure.of(tuple(pair for pair in headers if pair[0] != header)) is None

    def test_headers_that_somebody_spoilt_are_no_letter(self) -> None:
        headers = dict(guard().dead_letter(record(), FAULT).headers)
        headers["dovetail-dlq-offset"] = b"\xff"
        assert Failure.of(tuple(headers.items())) is None


class TestTheLimit:
    def test_so_many_in_a_row_stop_the_stage(self) -> None:
        watch = guard(consecutive=3)
        for _ in range(2):
            watch.dead_letter(record(), FAULT)
        with pytest.raises(Misconfigured) as stopped:
            watch.dead_letter(record(), FAULT)
        assert stopped.value.code == "dead_letter_limit"
        assert "stopped at source/3/42: 3 messages in a row" in str(stopped.value)
        assert "dovetail dlq list" in stopped.value.advice
        assert "DOVETAIL_DEAD_LETTER_LIMIT_CONSECUTIVE" in stopped.value.advice

    def test_one_that_is_understood_starts_the_row_anew(self) -> None:
        watch = guard(consecutive=3)
        for _ in range(20):
            watch.dead_letter(record(), FAULT)
            watch.dead_letter(record(), FAULT)
            watch.passed()

    def test_too_large_a_share_of_the_last_ones_stops_the_stage(self) -> None:
        watch = guard(ratio=0.5, window=10)
        for _ in range(5):
            watch.passed()
            watch.dead_letter(record(), FAULT)
        with pytest.raises(Misconfigured, match="60% of the last 10"):
            # The oldest that was understood falls out of the window.
            watch.dead_letter(record(), FAULT)

    def test_a_share_says_nothing_before_the_window_is_full(self) -> None:
        watch = guard(ratio=0.5, window=10)
        for _ in range(9):
            watch.dead_letter(record(), FAULT)

    def test_just_the_share_is_allowed(self) -> None:
        watch = guard(ratio=0.5, window=10)
        for _ in range(100):
            watch.passed()
            watch.dead_letter(record(), FAULT)

    def test_letters_and_the_limit_are_counted(self) -> None:
        watch = guard(consecutive=2)
        watch.dead_letter(record(), FAULT)
        with pytest.raises(Misconfigured):
            watch.dead_letter(record(), FAULT)
        value = watch.metrics.registry.get_sample_value
        letters = {"stage": "decode-changes", "error": "text_xml"}
        # The one that stopped the stage is still in its topic, and comes again.
        assert value("dovetail_dead_letters_total", letters) == 1
        assert value("dovetail_dead_letter_limit_tripped", {"stage": "decode-changes"}) == 1
