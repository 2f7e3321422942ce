"""Microsoft's Dataverse client sends batches: records, change sets, tables, SQL."""

from __future__ import annotations

from typing import Any

import pytest
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.labels import Label, LocalizedLabel
from PowerPlatform.Dataverse.models.relationship import (
    LookupAttributeMetadata,
    ManyToManyRelationshipMetadata,
    OneToManyRelationshipMetadata,
)

from tests.conformance.dataverse import Served, change_set, new_batch


async def test_a_batch_with_a_change_set_is_answered_operation_by_operation(
    dataverse: Served,
) -> None:
    def work(client: Any) -> Any:
        batch = new_batch(client)
        batch.records.create("account", {"name": "alone"})
        with change_set(batch) as changes:
            account = changes.records.create("account", {"name": "Kumi Oy"})
            deal = {"name": "Deal", "parentaccountid@odata.bind": account}
            changes.records.create("opportunity", deal)
        good = batch.execute()
        batch = new_batch(client)
        with change_set(batch) as changes:
            changes.records.create("account", {"name": "undone"})
            changes.records.create("account", {"nonsense": 1})
        batch.records.create("account", {"name": "after"})
        return good, batch.execute(continue_on_error=True)

    good, bad = await dataverse.drive(work)
    assert [item.status_code for item in good.responses] == [204, 204, 204]
    assert len(list(good.entity_ids)) == 3
    assert [item.status_code for item in bad.responses] == [400, 204]
    assert bad.responses[0].error_code == "0x0"
    names = [row.values["name"] for row in dataverse.simulator.rows("account")]
    assert names == ["alone", "Kumi Oy", "after"]


async def test_records_of_a_batch_are_created_read_changed_and_deleted(
    dataverse: Served,
) -> None:
    def work(client: Any) -> Any:
        batch = new_batch(client)
        batch.records.create("account", {"name": "A"})
        batch.records.create("account", [{"name": "B"}, {"name": "C"}])
        for name in ("D", "D2"):
            item = {"alternate_key": {"accountnumber": "K1"}, "record": {"name": name}}
            batch.records.upsert("account", [item])
        made = batch.execute()
        assert not made.has_errors
        ids = [*made.entity_ids[:1], *made.responses[1].data["Ids"]]
        batch = new_batch(client)
        batch.records.update("account", ids[0], {"telephone1": "1"})
        batch.records.update("account", ids[1:], {"telephone1": "2"})
        batch.records.retrieve("account", ids[0], select=["name", "telephone1"])
        batch.records.list("account", filter="telephone1 eq '2'", orderby=["name desc"])
        with pytest.warns(DeprecationWarning):
            batch.records.get("account", ids[1], select=["name"])
        read = batch.execute()
        batch = new_batch(client)
        batch.records.delete("account", ids[0])
        batch.records.delete("account", ids[1:])
        assert not batch.execute().has_errors
        return [response.data for response in read.responses[2:]]

    one, many, older = await dataverse.drive(work)
    assert (one["name"], one["telephone1"], older["name"]) == ("A", "1", "B")
    assert [row["name"] for row in many["value"]] == ["C", "B"]
    assert [row.values["name"] for row in dataverse.simulator.rows("account")] == ["D2"]


async def test_a_change_set_changes_and_deletes_what_it_made(dataverse: Served) -> None:
    old = dataverse.simulator.seed("account", {"name": "old"})

    def work(client: Any) -> Any:
        batch = new_batch(client)
        with change_set(batch) as changes:
            made = changes.records.create("account", {"name": "new"})
            changes.records.update("account", made, {"telephone1": "1"})
            changes.records.delete("account", old.id)
        return batch.execute()

    result = await dataverse.drive(work)
    assert [item.status_code for item in result.responses] == [204, 204, 204]
    (row,) = dataverse.simulator.rows("account")
    assert (row.values["name"], row.values["telephone1"]) == ("new", "1")
    assert len({commit.transaction for commit in dataverse.simulator.commits[-3:]}) == 1


async def test_frames_of_data_go_into_a_batch(dataverse: Served) -> None:
    pandas = pytest.importorskip("pandas")

    def work(client: Any) -> Any:
        batch = new_batch(client)
        batch.dataframe.create("account", pandas.DataFrame([{"name": "A"}, {"name": "B"}]))
        ids = batch.execute().responses[0].data["Ids"]
        batch = new_batch(client)
        changes = pandas.DataFrame({"accountid": ids, "telephone1": ["1", "2"]})
        batch.dataframe.update("account", changes, id_column="accountid")
        assert not batch.execute().has_errors
        phones = [client.records.retrieve("account", id_)["telephone1"] for id_ in ids]
        batch = new_batch(client)
        batch.dataframe.delete("account", pandas.Series(ids), use_bulk_delete=False)
        assert not batch.execute().has_errors
        return phones

    assert await dataverse.drive(work) == ["1", "2"]
    assert dataverse.simulator.rows("account") == []


async def test_tables_are_made_and_taken_away_in_batches(dataverse: Served) -> None:
    def work(client: Any) -> Any:
        batch = new_batch(client)
        batch.tables.create("new_Machine", {"new_Serial": "string", "new_Built": "datetime"})
        batch.tables.get("account")
        batch.tables.list(filter="LogicalName eq 'new_machine'", select=["EntitySetName"])
        made = batch.execute()
        assert not made.has_errors, [item.error_message for item in made.failed]
        batch = new_batch(client)
        batch.tables.add_columns("new_Machine", {"new_Power": "decimal", "new_Noise": "int"})
        batch.tables.create_lookup_field("new_machine", "new_OwnerId", "account")
        batch.tables.create_one_to_many_relationship(
            LookupAttributeMetadata("new_SellerId", Label([LocalizedLabel("Seller", 1033)])),
            OneToManyRelationshipMetadata(
                "new_contact_machine", "contact", "new_machine", "contactid"
            ),
        )
        batch.tables.create_many_to_many_relationship(
            ManyToManyRelationshipMetadata("new_machine_team", "new_machine", "team")
        )
        related = batch.execute()
        assert not related.has_errors, [item.error_message for item in related.failed]
        batch = new_batch(client)
        batch.tables.remove_columns("new_Machine", ["new_Noise"])
        batch.tables.get_relationship("new_machine_team")
        batch.tables.delete_relationship(related.responses[-1].entity_id)
        gone = batch.execute()
        assert not gone.has_errors, [item.error_message for item in gone.failed]
        columns = {c["LogicalName"] for c in client.tables.list_columns("new_machine")}
        batch = new_batch(client)
        batch.tables.delete("new_machine")
        assert not batch.execute().has_errors
        return made, gone, columns, client.tables.get("new_machine")

    made, gone, columns, left = await dataverse.drive(work)
    assert made.responses[1].data["value"][0]["EntitySetName"] == "accounts"
    assert made.responses[2].data["value"][0]["EntitySetName"] == "new_machines"
    assert gone.responses[1].data["value"][0]["Entity2LogicalName"] == "team"
    assert {"new_serial", "new_power", "new_ownerid", "new_sellerid"} <= columns
    assert "new_noise" not in columns
    assert left is None


async def test_sql_runs_in_a_batch(dataverse: Served) -> None:
    dataverse.simulator.seed("account", {"name": "Kumi Oy"})

    def work(client: Any) -> Any:
        batch = new_batch(client)
        batch.query.sql("SELECT name FROM account")
        return batch.execute().responses[0].data["value"]

    assert await dataverse.drive(work) == [{"name": "Kumi Oy"}]


async def test_a_batch_stops_at_its_first_failure_unless_told_to_go_on(
    dataverse: Served,
) -> None:
    def work(client: Any) -> Any:
        results = []
        for goes_on in (False, True):
            batch = new_batch(client)
            batch.records.create("account", {"nonsense": 1})
            batch.records.create("account", {"name": "after"})
            results.append(batch.execute(continue_on_error=goes_on))
        return results

    stopped, went_on = await dataverse.drive(work)
    assert [item.status_code for item in stopped.responses] == [400]
    assert [item.status_code for item in went_on.responses] == [400, 204]
    assert len(dataverse.simulator.rows("account")) == 1


async def test_a_batch_of_too_many_operations_is_refused_whole(
    dataverse: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sandbox.dataverse.operations.batch.MAX_OPERATIONS", 1)

    def work(client: Any) -> Any:
        batch = new_batch(client)
        for name in ("A", "B"):
            batch.records.create("account", {"name": name})
        with pytest.raises(HttpError, match="more than 1") as refused:
            batch.execute()
        return refused.value

    assert (await dataverse.drive(work)).status_code == 400
    assert dataverse.simulator.rows("account") == []
