"""What changelog records and commit metadata say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine import ForeignRecord, changelog


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True), st.integers(0, 2**63)))
def test_positions_come_back_as_they_were(positions: dict[str, int]) -> None:
    assert changelog.decode_positions(changelog.encode_positions(positions)) == positions


@pytest.mark.parametrize("metadata", ["", "x", "{}", '{"v":2,"changelogs":{}}', "[]", '{"v":1}'])
def test_metadata_of_somebody_else_is_recognised(metadata: str) -> None:
    assert changelog.decode_positions(metadata) is None


def test_forty_tables_fit_into_the_brokers_limit() -> None:
    positions = {f"a_table_with_a_long_name_{number}": 10**12 for number in range(40)}
    assert len(changelog.encode_positions(positions)) < 4096


@pytest.mark.parametrize(
    ("key", "headers", "complaint"),
    [
        (b"k", (), "has no 'cause' header"),
        (b"k", (("other", b""),), "has no 'cause' header"),
        (None, (("cause", b""),), "has no key"),
        (b"\xff", (("cause", b""),), "is not UTF-8"),
    ],
)
def test_a_foreign_record_is_named_with_its_offset(
    key: bytes | None, headers: tuple[tuple[str, bytes], ...], complaint: str
) -> None:
    with pytest.raises(ForeignRecord, match=complaint) as raised:
        changelog.row_key("app-counts-changelog", 3, 42, key, headers)
    assert "app-counts-changelog-3 at offset 42" in str(raised.value)


def test_our_own_record_gives_its_key() -> None:
    (record,) = changelog.to_records(
        [(("counts", "k"), b"1")],
        {"counts": "app-counts-changelog"},
        3,
        changelog.cause("in", 3, 7),
    )
    assert (record.topic, record.partition) == ("app-counts-changelog", 3)
    assert changelog.row_key(record.topic, 3, 0, record.key, record.headers) == "k"
    assert record.headers == (("cause", b"in-3@7"),)
