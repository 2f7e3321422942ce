"""The recorder counts what tests really exercised, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.conformance import operations
from tests.conformance.operations import Client, Notes, recorded, watch


class Vendor:
    """A client as vendors write them."""

    def read(self) -> dict[str, int]:
        return {"id": 1}

    def read_twice(self) -> list[dict[str, int]]:
        return [self.read(), self.read()]

    def fail(self) -> None:
        return None

    def raise_error(self) -> None:
        raise LookupError("nothing here")

    def each(self, count: int) -> Iterator[int]:
        yield from range(count)

    async def read_later(self) -> str:
        return "done"

    async def read_twice_later(self) -> list[str]:
        return [await self.read_later(), await self.read_later()]

    async def each_later(self, count: int) -> AsyncIterator[int]:
        for number in range(count):
            yield number

    def never_called(self) -> None:
        raise AssertionError


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Notes:
    """Notes of this test alone."""
    fresh = Notes()
    monkeypatch.setattr(operations, "NOTES", fresh)
    return fresh


def exercised(notes: Notes, *, passed: bool = True) -> list[str]:
    notes.settle(passed=passed)
    return notes.client("vendor").exercised


def test_a_call_of_a_test_counts_and_a_call_within_the_library_does_not(notes: Notes) -> None:
    assert len(recorded(Vendor, "vendor")().read_twice()) == 2
    assert exercised(notes) == ["read_twice"]


def test_failures_count_for_nothing(notes: Notes) -> None:
    vendor: Any = recorded(Vendor, "vendor")()
    vendor.fail()
    with pytest.raises(LookupError):
        vendor.raise_error()
    assert list(vendor.each(0)) == []
    assert exercised(notes) == []


def test_nothing_is_an_answer_where_the_client_raises_its_failures(notes: Notes) -> None:
    recorded(Vendor, "vendor", nothing_is_failure=False)().fail()
    assert exercised(notes) == ["fail"]


async def test_iterators_count_by_their_first_item_and_coroutines_by_their_result(
    notes: Notes,
) -> None:
    vendor = recorded(Vendor, "vendor")()
    assert list(vendor.each(2)) == [0, 1]
    assert await vendor.read_later() == "done"
    assert exercised(notes) == ["each", "read_later"]


async def test_what_is_awaited_within_the_library_does_not_count_either(notes: Notes) -> None:
    vendor = recorded(Vendor, "vendor")()
    assert await vendor.read_twice_later() == ["done", "done"]
    assert [number async for number in vendor.each_later(2)] == [0, 1]
    assert [number async for number in vendor.each_later(0)] == []
    assert exercised(notes) == ["read_twice_later", "each_later"]


def test_what_a_failed_test_called_does_not_count(notes: Notes) -> None:
    recorded(Vendor, "vendor")().read()
    assert exercised(notes, passed=False) == []
    assert exercised(notes) == []


def test_an_object_that_the_client_made_is_watched_too(notes: Notes) -> None:
    made = watch(Vendor(), recorded(Vendor, "vendor", prefix="inner."))
    assert made.read() == {"id": 1}
    assert exercised(notes) == ["inner.read"]


def test_what_is_left_out_needs_a_method_and_settles_the_account(notes: Notes) -> None:
    with pytest.raises(ValueError, match="no method wrong"):
        recorded(Vendor, "vendor", left_out={"wrong": "a slip"})
    only = ["read", "never_called"]
    vendor = recorded(Vendor, "vendor", only=only, left_out={"never_called": "needs a person"})()
    assert notes.client("vendor").shortfall == "missing read"
    vendor.read()
    assert exercised(notes) == ["read"]
    assert notes.client("vendor").shortfall == ""


def test_a_floor_is_met_by_number() -> None:
    client = Client(public=["a", "b", "c"], exercised=["a"], at_least=2)
    assert client.shortfall == "at least 2 are wanted"
    client.merge(Client(public=["b"], exercised=["b"]))
    assert (client.exercised, client.shortfall) == (["a", "b"], "")


def test_workers_notes_add_up_in_the_controller(notes: Notes) -> None:
    recorded(Vendor, "vendor", at_least=2)().read()
    notes.settle(passed=True)
    controller = Notes()
    controller.receive(notes.sent())
    controller.receive({"vendor": {"public": ["read"], "exercised": ["each"]}})
    client = controller.client("vendor")
    assert client.exercised == ["each", "read"]
    assert client.shortfall == ""
    assert "never_called" in client.missing
