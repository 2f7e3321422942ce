"""Values of expressions: numbers as CEL counts them, and as they came where nothing counts."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.flows.conditions import context, holds, value_of, values_of
from streams.rules import Expression
from tests.streams.flows.views import DEAL, view
from tests.streams.rulebook import BOOK

RULE = next(rule for rule in BOOK.rules if rule.table == "opportunity")
MONEY = "123456789012345678.9012"


def shown(expression: str, amount: str | None) -> object:
    variables = context(view(DEAL, {"estimatedvalue": amount}), RULE)
    return value_of(Expression(expression), variables)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("record.estimatedvalue", MONEY),
        (" record.estimatedvalue ", MONEY),
        ("record.estimatedvalue > 5.0", True),
        ("record.estimatedvalue == null", False),
        ("record.unknown", None),
        ("stage.name", None),
    ],
)
def test_a_column_taken_as_it_is_keeps_its_digits(expression: str, value: object) -> None:
    assert shown(expression, MONEY) == value


def test_a_number_that_is_counted_with_is_a_double() -> None:
    assert shown("record.estimatedvalue * 2.0", "6.25") == "12.5"
    assert shown("record.estimatedvalue", None) is None
    variables = context(view(DEAL, {"estimatedvalue": "6.25"}), RULE)
    assert holds(Expression("record.estimatedvalue in [6.25]"), variables) is True


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_whatever_amount_comes_is_written(amount: Decimal) -> None:
    text = format(amount, "f")
    assert shown("record.estimatedvalue", text) == text


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("record.estimatedvalue", MONEY),
        ("[record.estimatedvalue * 0.0, 'a', true, null]", ("0", "a", True, None)),
        ("[1, [2]]", (1, None)),
        ("record.name == null ? [] : [record.name]", ()),
        ("record.unknown", None),
        ("{'a': 1}", None),
    ],
)
def test_a_list_is_several_values(expression: str, value: object) -> None:
    variables = context(view(DEAL, {"estimatedvalue": MONEY, "name": None}), RULE)
    assert values_of(Expression(expression), variables) == value
