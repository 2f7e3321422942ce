"""When a worker takes it that another one has its instance id."""

from __future__ import annotations

import pytest

from streams.engine.twins import Twins


def told(*given: tuple[float, int]) -> list[bool]:
    """What a patience of four says after each generation that was given."""
    twins = Twins(4)
    return [twins.are_there(generation, at) for at, generation in given]


def test_one_generation_given_again_and_again_is_a_twins_doing() -> None:
    assert told((0, 7), (5, 7), (9, 7), (15, 7), (20, 7)) == [False, False, False, True, True]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param([(0, 1), (5, 2), (10, 3), (15, 4)], id="others come and go"),
        pytest.param([(0, 7), (5, 7), (10, 7), (15, 8)], id="thrown out, and divided anew"),
        pytest.param([(0, 7), (35, 7), (70, 7), (105, 7)], id="asks for what nobody has"),
    ],
)
def test_what_groups_do_by_themselves_is_not(given: list[tuple[float, int]]) -> None:
    assert not any(told(*given))
