"""Header values: plain UTF-8, or AMQP-encoded by Event Hubs' Kafka endpoint."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.formats.headers import Headers, header_text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"\xa1\x07account", "account"),
        (b"\xb1\x00\x00\x00\x07account", "account"),
        (b"\xa3\x07account", "account"),
        (b"\x41", "true"),
        (b"\x42", "false"),
        (b"\x56\x00", "false"),
        (b"\x98" + bytes(range(16)), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        (b"\x71\x00\x00\x00\x05", "5"),
        (b"\x81" + bytes(7) + b"\x05", "5"),
        (b"\x83\x00\x00\x01\x8b\xcf\xe5\x68\x00", "1700000000000"),
        (b"account", "account"),
        (b"queue", "queue"),  # also 0x71 and four bytes, which is text all the same
        (b"D", "D"),
        (b"V1", "V1"),
        (b"", ""),
        (b"\xa1\x08account", None),  # a length that lies is no AMQP and no UTF-8
        (b"\xb1\x00\x00", None),
        (b"\xa1\x01\xff", None),
    ],
)
def test_a_header_value_is_read(raw: bytes, expected: str | None) -> None:
    assert header_text(raw) == expected


@given(st.binary(max_size=64))
def test_any_bytes_are_text_or_nothing(raw: bytes) -> None:
    assert header_text(raw) is None or isinstance(header_text(raw), str)


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=2, max_size=300))
@example("qéé")  # as long as an int32
@example("Pé")
def test_text_reads_alike_plain_and_encoded(text: str) -> None:
    raw = text.encode()
    encoded = b"\xb1" + len(raw).to_bytes(4, "big") + raw
    assert header_text(raw) == header_text(encoded) == text.strip()


def test_names_are_found_in_any_case_and_claims_by_their_last_part() -> None:
    headers = Headers(
        [
            ("Content-Type", b"application/json"),
            ("http://schemas.microsoft.com/xrm/2011/Claims/EntityLogicalName", b"\xa1\x04lead"),
        ]
    )
    assert headers.text("content-type") == "application/json"
    assert headers.claim("EntityLogicalName") == "lead"
    assert headers.text("table") is None


@pytest.mark.parametrize(("raw", "expected"), [(b"\x41", True), (b"", True), (b"\x42", False)])
def test_a_flag_counts_unless_it_says_false(raw: bytes, expected: bool) -> None:
    assert Headers([("MessageMaxSizeExceeded", raw)]).flag("messagemaxsizeexceeded") is expected
    assert not Headers([]).flag("messagemaxsizeexceeded")
