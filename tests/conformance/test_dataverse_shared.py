"""One suite for Microsoft's clients and ours: the same calls, the same effects, the same failures.

What a service application asks of Dataverse, in the words of `Driver`; each client says it in its
own. So a habit of the simulator that only suits our client, or only Microsoft's, shows here.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import pytest
from PowerPlatform.Dataverse.core.errors import HttpError

from app.clients.dynamics import DataverseGateway
from app.clients.sign_in import Pass
from app.sandbox.dataverse import Reference
from app.sandbox.faults import Fault
from app.serving import LocalCa
from streams.catalogue import Catalogue, Column, ColumnKind, Table
from streams.errors import DovetailError, Retryable
from tables.keys import RecordRef
from tests.conformance.dataverse import APP_ID, Served, serving

CATALOGUE = Catalogue(
    {
        "account": Table(
            "account",
            "accounts",
            "accountid",
            {
                "name": Column(ColumnKind.TEXT),
                "accountnumber": Column(ColumnKind.TEXT),
                "creditonhold": Column(ColumnKind.BOOLEAN),
                "customertypecode": Column(ColumnKind.CHOICE),
                "parentaccountid": Column(ColumnKind.LOOKUP, ("account",)),
            },
        )
    }
)


@dataclass(frozen=True)
class Failed(Exception):
    """How a client tells of a failure: may it pass, and how long is one to wait."""

    transient: bool
    retry_after: float | None = None


class Driver(Protocol):
    """A client of accounts; columns by logical name, a lookup by the other account's id."""

    async def read(self, row_id: str) -> Mapping[str, Any] | None: ...

    async def update(self, row_id: str, columns: Mapping[str, Any]) -> None: ...

    async def upsert(self, key: Mapping[str, str], columns: Mapping[str, Any]) -> None: ...

    async def keys(self) -> list[list[str]]: ...


class Microsofts:
    """`PowerPlatform-Dataverse-Client`, either kind."""

    def __init__(self, served: Served) -> None:
        self._served = served

    async def _drive(self, work: Any) -> Any:
        try:
            return await self._served.drive(work)
        except HttpError as error:
            raise Failed(error.is_transient, error.details.get("retry_after")) from error

    async def read(self, row_id: str) -> Mapping[str, Any] | None:
        names = [n for n in CATALOGUE.tables["account"].columns if n != "parentaccountid"]
        select = [*names, "_parentaccountid_value"]
        found = await self._drive(lambda c: c.records.retrieve("account", row_id, select=select))
        if found is None:
            return None
        return {**{n: found[n] for n in names}, "parentaccountid": found["_parentaccountid_value"]}

    async def update(self, row_id: str, columns: Mapping[str, Any]) -> None:
        given = dict(columns)
        if parent := given.pop("parentaccountid", None):
            given["parentaccountid@odata.bind"] = f"/accounts({parent})"
        await self._drive(lambda client: client.records.update("account", row_id, given))

    async def upsert(self, key: Mapping[str, str], columns: Mapping[str, Any]) -> None:
        item = {"alternate_key": dict(key), "record": dict(columns)}
        await self._drive(lambda client: client.records.upsert("account", [item]))

    async def keys(self) -> list[list[str]]:
        found = await self._drive(lambda client: client.tables.get_alternate_keys("account"))
        return [list(key.key_attributes) for key in found]


class Ours:
    """`DataverseGateway`."""

    def __init__(self, gateway: DataverseGateway) -> None:
        self._gateway = gateway

    async def read(self, row_id: str) -> Mapping[str, Any] | None:
        found = await self._asked(self._gateway.read_record(_ref(row_id)))
        if found is None:
            return None
        parent = found.columns["parentaccountid"]
        return {**found.columns, "parentaccountid": parent and str(parent).partition(":")[2]}

    async def update(self, row_id: str, columns: Mapping[str, Any]) -> None:
        given = dict(columns)
        if parent := given.pop("parentaccountid", None):
            given["parentaccountid"] = f"account:{parent}"
        await self._asked(self._gateway.write_columns(_ref(row_id), given, tag="t"))

    async def upsert(self, key: Mapping[str, str], columns: Mapping[str, Any]) -> None:
        await self._asked(self._gateway.upsert_by_key("account", key, columns, tag="t"))

    async def keys(self) -> list[list[str]]:
        found = await self._asked(self._gateway.definition_of("account"))
        return [list(key) for key in found.keys.values()]

    async def _asked(self, call: Any) -> Any:
        try:
            return await call
        except Retryable as error:
            raise Failed(transient=True, retry_after=error.retry_after) from error
        except DovetailError as error:
            raise Failed(transient=False) from error


class SignedIn:
    """A sign-in of our client with a token that needs no renewing."""

    def __init__(self, token: str) -> None:
        self._pass = Pass(token, 1)

    async def present(self) -> Pass:
        return self._pass

    async def renewed(self, used: Pass) -> Pass:
        raise AssertionError("nothing expires here")

    def headers(self, held: Pass) -> dict[str, str]:
        return {"Authorization": f"Bearer {held.text}"}

    def adopt(self, used: Pass, headers: Mapping[str, str]) -> None:
        return None


def _ref(row_id: str) -> RecordRef:
    return RecordRef("account", row_id)


@pytest.fixture(params=["requests", "aiohttp", "ours"])
async def dataverse(
    request: pytest.FixtureRequest, local_ca: LocalCa, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    """An organisation for each client."""
    async with serving(local_ca, monkeypatch, aio=request.param == "aiohttp") as served:
        yield served


@pytest.fixture
async def driver(
    request: pytest.FixtureRequest, dataverse: Served, local_ca: LocalCa
) -> AsyncIterator[Driver]:
    if request.node.callspec.params["dataverse"] != "ours":
        yield Microsofts(dataverse)
        return
    url = dataverse.simulator.url
    token = dataverse.entra.issue(APP_ID, url)
    async with httpx.AsyncClient(verify=local_ca.client_context()) as http:
        yield Ours(DataverseGateway(url, SignedIn(token), CATALOGUE, client=http))


def written(served: Served) -> list[tuple[str, dict[str, Any]]]:
    """What the client committed: message and submitted columns."""
    commits = [c for c in served.simulator.commits if c.author.app_id == APP_ID]
    return [(commit.message, dict(commit.submitted)) for commit in commits]


async def test_a_row_is_read_alike(driver: Driver, dataverse: Served) -> None:
    parent = dataverse.simulator.seed("account", {"name": "Parent"})
    values = {"name": "Ä'B", "creditonhold": True, "customertypecode": 11}
    point = {"parentaccountid": Reference("account", parent.id)}
    row = dataverse.simulator.seed("account", {**values, **point})
    assert await driver.read(row.id) == {
        **values,
        "accountnumber": None,
        "parentaccountid": parent.id,
    }
    assert await driver.read(str(uuid.uuid4())) is None


async def test_an_update_sends_its_columns_alone(driver: Driver, dataverse: Served) -> None:
    parent = dataverse.simulator.seed("account", {"name": "Parent"})
    row = dataverse.simulator.seed("account", {"name": "A", "accountnumber": "A-1"})
    changes = {"name": "B", "creditonhold": False, "customertypecode": 3, "accountnumber": None}
    await driver.update(row.id, {**changes, "parentaccountid": parent.id})
    point = {"parentaccountid": Reference("account", parent.id)}
    assert written(dataverse) == [("Update", {**changes, **point})]


async def test_an_upsert_by_key_creates_once(driver: Driver, dataverse: Served) -> None:
    for name in ("A", "B"):
        await driver.upsert({"accountnumber": "O'1"}, {"name": name})
    (row,) = dataverse.simulator.rows("account")
    assert (row.values["accountnumber"], row.values["name"]) == ("O'1", "B")
    assert [message for message, _ in written(dataverse)] == ["Create", "Update"]


async def test_the_alternate_keys_are_told(driver: Driver, dataverse: Served) -> None:
    assert await driver.keys() == [["accountnumber"]]


@pytest.mark.parametrize(
    ("fault", "transient", "retry_after"),
    [
        (Fault("status", status=429, retry_after=7), True, 7),
        (Fault("status", status=503, html=True), True, None),
        (Fault("plugin_error"), None, None),
        (Fault("invalid_argument"), False, None),
        (Fault("duplicate_found"), False, None),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else None,
)
async def test_failures_that_pass_are_told_from_those_that_do_not(
    fault: Fault,
    transient: bool | None,
    retry_after: float | None,
    driver: Driver,
    dataverse: Served,
) -> None:
    row = dataverse.simulator.seed("account", {"name": "A"})
    fault = Fault(**{n: getattr(fault, n) for n in fault.__slots__})  # its own for each client
    fault.method = "PATCH"
    dataverse.simulator.faults.add(fault)
    with pytest.raises(Failed) as failed:
        await driver.update(row.id, {"name": "B"})
    # A plug-in that threw is worth another try to us and not to Microsoft's client.
    expected = isinstance(driver, Ours) if transient is None else transient
    assert (failed.value.transient, failed.value.retry_after) == (expected, retry_after)
    assert written(dataverse) == []


async def test_a_row_that_is_not_there_is_no_failure_that_passes(
    driver: Driver, dataverse: Served
) -> None:
    with pytest.raises(Failed) as failed:
        await driver.update(str(uuid.uuid4()), {"name": "B"})
    assert not failed.value.transient
    assert dataverse.simulator.rows("account") == []
