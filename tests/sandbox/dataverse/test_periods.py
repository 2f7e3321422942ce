"""Query functions about weeks, months, years, hours and minutes, in filters and in FetchXML."""

from __future__ import annotations

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator
from tests.sandbox.dataverse.support import error, names

CRM = "Microsoft.Dynamics.CRM."
# Now is Wednesday, 2024-05-01, ten o'clock.
TIMES = {
    "last year": "2023-12-31T23:59:59Z",
    "march": "2024-03-31T12:00:00Z",
    "april": "2024-04-01T10:00:00Z",
    "saturday": "2024-04-27T23:59:59Z",
    "sunday": "2024-04-28T00:00:00Z",
    "nine": "2024-05-01T09:00:00Z",
    "now": "2024-05-01T10:00:00Z",
    "noon": "2024-05-01T12:00:00Z",
    "next sunday": "2024-05-05T00:00:00Z",
    "june": "2024-06-30T00:00:00Z",
    "next year": "2025-01-01T00:00:00Z",
}
CASES = [
    ("LastYear", None, {"last year"}),
    ("ThisYear", None, {*TIMES} - {"last year", "next year"}),
    ("NextYear", None, {"next year"}),
    ("LastMonth", None, {"april", "saturday", "sunday"}),
    ("ThisMonth", None, {"nine", "now", "noon", "next sunday"}),
    ("NextMonth", None, {"june"}),
    ("LastWeek", None, {"saturday"}),
    ("ThisWeek", None, {"sunday", "nine", "now", "noon"}),
    ("NextWeek", None, {"next sunday"}),
    ("LastXHours", 1, {"nine", "now"}),
    ("NextXHours", 2, {"now", "noon"}),
    ("LastXWeeks", 1, {"saturday", "sunday", "nine", "now", "noon"}),
    ("NextXWeeks", 1, {"nine", "now", "noon", "next sunday"}),
    ("LastXMonths", 1, {"april", "saturday", "sunday", "nine", "now", "noon"}),
    ("NextXMonths", 2, {"nine", "now", "noon", "next sunday", "june"}),
    ("LastXYears", 1, {*TIMES} - {"next sunday", "june", "next year"}),
    ("NextXYears", 1, {"nine", "now", "noon", "next sunday", "june", "next year"}),
    ("OlderThanXMinutes", 60, {"last year", "march", "april", "saturday", "sunday"}),
    ("OlderThanXHours", 0, {"last year", "march", "april", "saturday", "sunday", "nine"}),
    ("OlderThanXWeeks", 1, {"last year", "march", "april"}),
    ("OlderThanXMonths", 1, {"last year", "march"}),
    ("OlderThanXYears", 1, set[str]()),
]


@pytest.fixture(autouse=True)
def rows(dataverse: DataverseSimulator) -> None:
    for name, moment in TIMES.items():
        dataverse.seed("opportunity", {"name": name, "new_contractsignedon": moment})
    dataverse.seed("opportunity", {"name": "never"})


def operator(function: str) -> str:
    """``OlderThanXMonths`` as FetchXML calls it."""
    parts = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in function)
    return parts[1:].replace("older-than", "olderthan")


@pytest.mark.parametrize(("function", "count", "found"), CASES, ids=[case[0] for case in CASES])
async def test_a_period_has_its_ends(
    function: str, count: int | None, found: set[str], client: httpx.AsyncClient
) -> None:
    value = "" if count is None else f",PropertyValue={count}"
    text = f"{CRM}{function}(PropertyName='new_contractsignedon'{value})"
    answer = await client.get("/opportunities", params={"$select": "name", "$filter": text})
    assert answer.status_code == 200, answer.text
    assert set(names(answer)) == found
    given = "" if count is None else f" value='{count}'"
    xml = (
        "<fetch><entity name='opportunity'><attribute name='name'/><filter><condition"
        f" attribute='new_contractsignedon' operator='{operator(function)}'{given}/></filter>"
        "</entity></fetch>"
    )
    fetched = await client.get("/opportunities", params={"fetchXml": xml})
    assert fetched.status_code == 200, fetched.text
    assert set(names(fetched)) == found


@pytest.mark.parametrize("value", ["", ",PropertyValue=-1", ",PropertyValue='x'"])
async def test_a_number_of_units_is_needed_and_must_lead_to_a_date(
    value: str, client: httpx.AsyncClient
) -> None:
    text = f"{CRM}LastXMonths(PropertyName='new_contractsignedon'{value})"
    assert error(await client.get("/opportunities", params={"$filter": text}))[0] == 400
    far = f"{CRM}NextXYears(PropertyName='new_contractsignedon',PropertyValue=99999)"
    assert error(await client.get("/opportunities", params={"$filter": far}))[0] == 400
    text = f"{CRM}ThisYear(PropertyName='name')"
    assert error(await client.get("/opportunities", params={"$filter": text}))[0] == 400
