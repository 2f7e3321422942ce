"""Microsoft's own Dataverse client works against the simulator as it works against the service."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError
from PowerPlatform.Dataverse.models.filters import col
from PowerPlatform.Dataverse.operations.records import RecordOperations

from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.entra import EntraClient, EntraSimulator
from app.sandbox.faults import Fault
from app.serving import LocalCa
from tests.conformance.operations import recorded, watch

APP_ID = "8a2f5c1e-0000-4000-8000-000000000001"


class Credential:
    """What the client asks of azure-identity: a token for a scope."""

    def __init__(self, entra: EntraSimulator) -> None:
        self._entra = entra

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        resource = scopes[0].removesuffix("/.default")
        return AccessToken(self._entra.issue(APP_ID, resource), 2**31)


CLIENT = "PowerPlatform-Dataverse-Client"
Records = recorded(
    RecordOperations, CLIENT, prefix="records.", at_least=6, nothing_is_failure=False
)


Served = tuple[DataverseSimulator, Credential]


@pytest.fixture
async def dataverse(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """Over TLS, which the client insists on; it finds the bundle in the environment."""
    ca = LocalCa()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca.ca_path))
    entra = EntraSimulator("contoso", [EntraClient(APP_ID)], ca=ca)
    users = {APP_ID: "Dovetail"}
    async with DataverseSimulator(entra, application_users=users, ca=ca) as dataverse:
        yield dataverse, Credential(entra)
    ca.close()


async def drive(dataverse: Served, work: Callable[[Any], Any]) -> Any:
    """The client blocks, so it works in a thread."""
    simulator, credential = dataverse

    def run() -> Any:
        with DataverseClient(simulator.url, credential) as client:
            watch(client.records, Records)
            return work(client)

    return await asyncio.to_thread(run)


def operations(dataverse: Served) -> list[str]:
    return [c.operation for c in dataverse[0].commits if c.author.app_id == APP_ID]


async def test_a_record_is_created_read_updated_and_deleted(dataverse: Served) -> None:
    def work(client: Any) -> None:
        created = client.records.create("account", {"Name": "Kumi Oy", "telephone1": "1"})
        read = client.records.retrieve("account", created, select=["name", "telephone1"])
        assert (read["name"], read["telephone1"]) == ("Kumi Oy", "1")
        client.records.update("account", created, {"telephone1": "2"})
        assert client.records.retrieve("account", created)["telephone1"] == "2"
        client.records.delete("account", created)
        assert client.records.retrieve("account", created) is None

    await drive(dataverse, work)
    assert operations(dataverse) == ["Create", "Update", "Delete"]


async def test_labels_of_choices_become_their_values(dataverse: Served) -> None:
    def work(client: Any) -> Any:
        created = client.records.create("account", {"name": "A", "customertypecode": "Vendor"})
        annotations = "OData.Community.Display.V1.FormattedValue"
        return client.records.retrieve("account", created, include_annotations=annotations)

    row = await drive(dataverse, work)
    assert row["customertypecode"] == 11
    assert row["customertypecode@OData.Community.Display.V1.FormattedValue"] == "Vendor"


async def test_a_lookup_is_bound_and_expanded(dataverse: Served) -> None:
    def work(client: Any) -> Any:
        account = client.records.create("account", {"name": "Kumi Oy"})
        values = {"name": "Deal", "customerid_account@odata.bind": f"/accounts({account})"}
        deal = client.records.create("opportunity", values)
        expand = ["customerid_account"]
        read = client.records.retrieve("opportunity", deal, select=["name"], expand=expand)
        return account, read

    account, read = await drive(dataverse, work)
    assert read["customerid_account"]["accountid"] == account
    assert read["customerid_account"]["name"] == "Kumi Oy"


async def test_a_query_turns_its_pages(dataverse: Served) -> None:
    for number in range(23):
        values = {"name": f"A{number:02d}", "telephone1": "even" if number % 2 == 0 else "odd"}
        dataverse[0].seed("account", values)

    def work(client: Any) -> Any:
        pages = client.records.list_pages(
            "account",
            select=["name"],
            filter="telephone1 eq 'even'",
            orderby=["name desc"],
            page_size=5,
        )
        return [[row["name"] for row in page] for page in pages]

    pages = await drive(dataverse, work)
    assert [len(page) for page in pages] == [5, 5, 2]
    assert [name for page in pages for name in page] == [
        f"A{number:02d}" for number in range(22, -1, -2)
    ]


async def test_the_query_builder_speaks_the_filters_of_the_simulator(dataverse: Served) -> None:
    for name, limit in (("Alpha", 10.0), ("Beta", 20.0), ("Gamma", None)):
        dataverse[0].seed("account", {"name": name, "creditlimit": limit})

    def work(client: Any) -> Any:
        def query(*conditions: Any) -> list[str]:
            builder = client.query.builder("account").select("name").order_by("name")
            for condition in conditions:
                builder = builder.where(condition)
            return [row["name"] for row in builder.execute()]

        return [
            query(col("creditlimit") > 10),
            query(col("creditlimit").is_null()),
            query(col("name").contains("a"), ~(col("name") == "Beta")),
            query((col("name") == "Alpha") | (col("creditlimit") >= 20)),
            query(col("name").in_(["alpha", "Gamma"])),
        ]

    assert await drive(dataverse, work) == [
        ["Beta"],
        ["Gamma"],
        ["Alpha", "Gamma"],
        ["Alpha", "Beta"],
        ["Alpha", "Gamma"],
    ]


async def test_an_upsert_by_alternate_key_creates_and_then_updates(dataverse: Served) -> None:
    def work(client: Any) -> None:
        for name in ("Kumi", "Kumi Oy"):
            item = {"alternate_key": {"accountnumber": "O'Hara"}, "record": {"name": name}}
            client.records.upsert("account", [item])

    await drive(dataverse, work)
    assert operations(dataverse) == ["Create", "Update"]
    (row,) = dataverse[0].rows("account")
    assert (row.values["accountnumber"], row.values["name"]) == ("O'Hara", "Kumi Oy")


async def test_many_records_are_created_updated_and_upserted_in_one_call(
    dataverse: Served,
) -> None:
    def work(client: Any) -> None:
        created = client.records.create("account", [{"name": "A"}, {"name": "B"}])
        assert len(created) == 2
        client.records.update("account", created, {"telephone1": "1"})
        client.records.update("account", created, [{"name": "A2"}, {"name": "B2"}])
        items = [
            {"alternate_key": {"accountnumber": key}, "record": {"name": key}}
            for key in ("K1", "K2")
        ]
        client.records.upsert("account", items)
        client.records.upsert("account", items)

    await drive(dataverse, work)
    rows = [(r.values["name"], r.values.get("telephone1")) for r in dataverse[0].rows("account")]
    assert rows == [("A2", "1"), ("B2", "1"), ("K1", None), ("K2", None)]


async def test_a_batch_with_a_change_set_is_answered_operation_by_operation(
    dataverse: Served,
) -> None:
    def work(client: Any) -> Any:
        batch = client.batch.new()
        batch.records.create("account", {"name": "alone"})
        with batch.changeset() as changes:
            account = changes.records.create("account", {"name": "Kumi Oy"})
            deal = {"name": "Deal", "parentaccountid@odata.bind": account}
            changes.records.create("opportunity", deal)
        good = batch.execute()
        batch = client.batch.new()
        with batch.changeset() as changes:
            changes.records.create("account", {"name": "undone"})
            changes.records.create("account", {"nonsense": 1})
        batch.records.create("account", {"name": "after"})
        return good, batch.execute(continue_on_error=True)

    good, bad = await drive(dataverse, work)
    assert [item.status_code for item in good.responses] == [204, 204, 204]
    assert len(list(good.entity_ids)) == 3
    assert [item.status_code for item in bad.responses] == [400, 204]
    assert bad.responses[0].error_code == "0x0"
    names = [row.values["name"] for row in dataverse[0].rows("account")]
    assert names == ["alone", "Kumi Oy", "after"]


async def test_an_unknown_table_and_a_missing_record_are_its_own_errors(
    dataverse: Served,
) -> None:
    def work(client: Any) -> Any:
        with pytest.raises(MetadataError, match="Unable to resolve entity set"):
            client.records.create("new_nothing", {"name": "A"})
        with pytest.raises(HttpError) as missing:
            client.records.delete("account", str(uuid.uuid4()))
        with pytest.raises(HttpError) as unknown:
            client.records.create("account", {"nonsense": 1})
        return missing.value, unknown.value

    missing, unknown = await drive(dataverse, work)
    assert (missing.status_code, missing.details["service_error_code"]) == (404, "0x80040217")
    assert missing.details["service_request_id"]
    assert unknown.status_code == 400
    assert "Could not find a property named 'nonsense'" in str(unknown)


async def test_throttling_is_transient_and_tells_how_long_to_wait(dataverse: Served) -> None:
    dataverse[0].faults.add(Fault("status", status=429, retry_after=9))

    def work(client: Any) -> Any:
        with pytest.raises(HttpError) as throttled:
            client.records.retrieve("account", str(uuid.uuid4()))
        return throttled.value

    error = await drive(dataverse, work)
    assert (error.status_code, error.is_transient) == (429, True)
    assert error.details["retry_after"] == 9
    assert error.details["service_error_code"] == "0x80072322"


async def test_columns_of_a_table_are_listed(dataverse: Served) -> None:
    def work(client: Any) -> Any:
        chosen = ["LogicalName", "AttributeType"]
        return client.tables.get("opportunity"), client.tables.list_columns(
            "opportunity", select=chosen
        )

    info, columns = await drive(dataverse, work)
    assert info["entity_set_name"] == "opportunities"
    types = {column["LogicalName"]: column["AttributeType"] for column in columns}
    assert types["new_contractapprovedon"] == "DateTime"
    assert types["customerid"] == "Customer"
    assert types["estimatedvalue"] == "Money"
