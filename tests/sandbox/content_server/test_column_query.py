"""The language of ``where_column_query``."""

from __future__ import annotations

import pytest

from app.sandbox.content_server.column_query import matches, parse_query
from app.sandbox.content_server.errors import ApiError

COLUMNS = ("name", "modify_date", "size")
ROW = {
    "name": "Fabrikam GmbH",
    "modify_date": "2026-03-02T09:30:00",
    "size": 7,
    "wnf_flag": True,
    "wnf_none": None,
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name = 'fabrikam gmbh'", True),
        ('name = "Fabrikam"', False),
        ("name LIKE '*GmbH'", True),
        ("name LIKE 'F?brikam*'", True),
        (r"name LIKE 'Fabrikam\*'", False),
        ("size > 6 AND size <= 7", True),
        ("size > 7 OR name LIKE 'f*'", True),
        ("NOT size = 7", False),
        ("NOT (size = 8 OR size = 9)", True),
        ("modify_date >= 2026-03-02", True),
        ("modify_date > 2026-03-02T09:30:00", False),
        ("wnf_flag = TRUE", True),
        ("wnf_flag <> true", False),
        ("wnf_none <> 'x'", True),
        ("wnf_none = 'x'", False),
    ],
)
def test_a_condition_holds_or_not(query: str, expected: bool) -> None:
    assert matches(parse_query(query, COLUMNS).condition, ROW) is expected


def test_an_order_follows_the_condition() -> None:
    parsed = parse_query("size > 1 modify_date ASC, name DESC", COLUMNS)
    assert parsed.order == (("modify_date", False), ("name", True))


@pytest.mark.parametrize(
    "query",
    [
        "",
        "size",
        "size >",
        "size > > 1",
        "owner = 'x'",
        "(size = 1",
        "size = 1 name",
        "name LIKE 5",
        "name > 'a'",
        "size = yesterday",
        "name = 'open",
    ],
)
def test_a_query_that_cannot_be_read_is_a_400(query: str) -> None:
    with pytest.raises(ApiError) as refusal:
        parse_query(query, COLUMNS)
    assert refusal.value.status == 400
