"""Microsoft's own Dataverse client works against the simulator as it works against the service.

Records and single errors are here; queries, batches and tables in the files beside it. Where this
client and the reference disagree, the client is right.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError

from app.sandbox.faults import Fault
from tests.conformance.dataverse import Served, only_blocking


async def test_a_record_is_created_read_updated_and_deleted(dataverse: Served) -> None:
    def work(client: Any) -> None:
        created = client.records.create("account", {"Name": "Kumi Oy", "telephone1": "1"})
        read = client.records.retrieve("account", created, select=["name", "telephone1"])
        assert (read["name"], read["telephone1"]) == ("Kumi Oy", "1")
        client.records.update("account", created, {"telephone1": "2"})
        assert client.records.retrieve("account", created)["telephone1"] == "2"
        client.records.delete("account", created)
        assert client.records.retrieve("account", created) is None

    await dataverse.drive(work)
    assert dataverse.written == ["Create", "Update", "Delete"]


async def test_labels_of_choices_become_their_values(dataverse: Served) -> None:
    def work(client: Any) -> Any:
        created = client.records.create("account", {"name": "A", "customertypecode": "Vendor"})
        annotations = "OData.Community.Display.V1.FormattedValue"
        return client.records.retrieve("account", created, include_annotations=annotations)

    row = await dataverse.drive(work)
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

    account, read = await dataverse.drive(work)
    assert read["customerid_account"]["accountid"] == account
    assert read["customerid_account"]["name"] == "Kumi Oy"


async def test_an_upsert_by_alternate_key_creates_and_then_updates(dataverse: Served) -> None:
    def work(client: Any) -> None:
        for name in ("Kumi", "Kumi Oy"):
            item = {"alternate_key": {"accountnumber": "O'Hara"}, "record": {"name": name}}
            client.records.upsert("account", [item])

    await dataverse.drive(work)
    assert dataverse.written == ["Create", "Update"]
    (row,) = dataverse.simulator.rows("account")
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

    await dataverse.drive(work)
    rows = [
        (r.values["name"], r.values.get("telephone1")) for r in dataverse.simulator.rows("account")
    ]
    assert rows == [("A2", "1"), ("B2", "1"), ("K1", None), ("K2", None)]


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

    missing, unknown = await dataverse.drive(work)
    assert (missing.status_code, missing.details["service_error_code"]) == (404, "0x80040217")
    assert missing.details["service_request_id"]
    assert unknown.status_code == 400
    assert "Could not find a property named 'nonsense'" in str(unknown)


async def test_throttling_is_transient_and_tells_how_long_to_wait(dataverse: Served) -> None:
    dataverse.simulator.faults.add(Fault("status", status=429, retry_after=9))

    def work(client: Any) -> Any:
        with pytest.raises(HttpError) as throttled:
            client.records.retrieve("account", str(uuid.uuid4()))
        return throttled.value

    error = await dataverse.drive(work)
    assert (error.status_code, error.is_transient) == (429, True)
    assert error.details["retry_after"] == 9
    assert error.details["service_error_code"] == "0x80072322"


async def test_records_are_deleted_one_by_one_and_by_a_job(dataverse: Served) -> None:
    def work(client: Any) -> Any:
        ids = client.records.create("account", [{"name": name} for name in "ABCD"])
        client.records.delete("account", ids[:2], use_bulk_delete=False)
        return client.records.delete("account", ids[2:])

    job = await dataverse.drive(work)
    assert dataverse.simulator.rows("account") == []
    (row,) = dataverse.simulator.rows("asyncoperation")
    assert (row.id, row.values["statuscode"]) == (job, 30)
    assert row.values["message"] == "2 of 2 rows were deleted."


@only_blocking
async def test_the_older_way_to_read_records_still_works(dataverse: Served) -> None:
    account = dataverse.simulator.seed("account", {"name": "Kumi Oy"})

    def work(client: Any) -> Any:
        with pytest.warns(DeprecationWarning):
            one = client.records.get("account", account.id, select=["name"])
        with pytest.warns(DeprecationWarning):
            pages = list(client.records.get("account", filter="name eq 'kumi oy'"))
        return one["name"], [row["name"] for page in pages for row in page]

    assert await dataverse.drive(work) == ("Kumi Oy", ["Kumi Oy"])


@pytest.mark.parametrize("mode", ["small", "chunk"])
async def test_a_file_is_uploaded_into_a_column_that_it_makes(
    mode: str, dataverse: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sandbox.dataverse.operations.files.CHUNK", 1000)
    account = dataverse.simulator.seed("account", {"name": "Kumi Oy"})
    path = tmp_path / "frame contract ä.pdf"
    path.write_bytes(bytes(range(256)) * 10)

    def work(client: Any) -> None:
        arguments = ("account", account.id, "new_Contract", str(path))
        client.files.upload(*arguments, mode=mode, mime_type="application/pdf")
        with pytest.raises(HttpError) as taken:
            client.files.upload(*arguments, mode=mode)
        assert taken.value.status_code == 412
        client.files.upload(*arguments, mode=mode, if_none_match=False)

    if mode == "small":  # the header of the name takes ASCII only, as requests encodes it
        path = path.rename(tmp_path / "frame contract.pdf")
    await dataverse.drive(work)
    (stored,) = dataverse.simulator.state.files.values()
    assert (stored.name, stored.content) == (path.name, path.read_bytes())
    row = dataverse.simulator.row("account", account.id)
    assert row is not None
    assert row.values["new_contract"] == stored.id


async def test_labels_are_forgotten_on_demand_and_a_closed_client_stays_closed(
    dataverse: Served,
) -> None:
    def work(client: Any) -> None:
        client.records.create("account", {"name": "A", "customertypecode": "Vendor"})
        assert client.flush_cache("picklist") == 1
        (client.aclose if dataverse.aio else client.close)()
        with pytest.raises(RuntimeError, match="closed"):
            client.records.create("account", {"name": "B"})

    await dataverse.drive(work)


async def test_frames_of_data_are_written_and_read(dataverse: Served) -> None:
    pandas = pytest.importorskip("pandas")

    def work(client: Any) -> Any:
        frame = pandas.DataFrame([{"name": "A", "telephone1": "1"}, {"name": "B"}])
        ids = client.dataframe.create("account", frame)
        changes = pandas.DataFrame({"accountid": list(ids), "telephone1": ["2", "3"]})
        client.dataframe.update("account", changes, id_column="accountid")
        by_sql = client.dataframe.sql("SELECT name FROM account ORDER BY name DESC")
        read = client.dataframe.sql("SELECT name, telephone1 FROM account ORDER BY name")
        if not dataverse.aio:
            with pytest.warns(DeprecationWarning):
                older = client.dataframe.get("account", select=["name", "telephone1"])
            assert sorted(older["telephone1"]) == list(read["telephone1"])
        client.dataframe.delete("account", pandas.Series(list(ids)), use_bulk_delete=False)
        return list(zip(read["name"], read["telephone1"], strict=True)), list(by_sql["name"])

    read, by_sql = await dataverse.drive(work)
    assert (read, by_sql) == ([("A", "2"), ("B", "3")], ["B", "A"])
    assert dataverse.simulator.rows("account") == []
