"""Microsoft's Dataverse client describes and makes tables, columns, keys and relationships."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError
from PowerPlatform.Dataverse.models.labels import Label, LocalizedLabel
from PowerPlatform.Dataverse.models.relationship import (
    CascadeConfiguration,
    LookupAttributeMetadata,
    ManyToManyRelationshipMetadata,
    OneToManyRelationshipMetadata,
)

from tests.conformance.dataverse import Served


class Colour(IntEnum):
    """A choice of its own."""

    RED = 100000000
    GREEN = 100000001


COLUMNS: dict[str, Any] = {
    "new_Serial": {"type": "string", "max_length": 20},
    "new_Notes": "memo",
    "new_Hours": {"type": "int", "min_value": 0, "max_value": 1000},
    "new_Price": "decimal",
    "new_Noise": "float",
    "new_Built": "datetime",
    "new_Rented": "bool",
    "new_Colour": Colour,
}


def make_machines(client: Any) -> Any:
    return client.tables.create(
        "new_Machine", COLUMNS, primary_column="new_Title", display_name="Machine"
    )


async def test_a_table_is_made_used_and_deleted(dataverse: Served) -> None:
    def work(client: Any) -> Any:
        made = make_machines(client)
        with pytest.raises(MetadataError, match="already exists"):
            make_machines(client)
        values = {
            "new_Title": "Digger",
            "new_Serial": "S-1",
            "new_Hours": 12,
            "new_Price": 12.5,
            "new_Noise": 80.25,
            "new_Built": "2024-05-01",
            "new_Rented": True,
            "new_Colour": "green",
        }
        created = client.records.create("new_machine", values)
        row = client.records.retrieve("new_machine", created, include_annotations="*")
        with pytest.raises(HttpError):
            client.records.create("new_machine", {"new_hours": 1001})
        with pytest.raises(HttpError):
            client.records.create("new_machine", {"new_serial": "S" * 21})
        client.tables.delete("new_machine")
        assert client.tables.get("new_machine") is None
        with pytest.raises(MetadataError):
            client.tables.delete("new_machine")
        return made, row

    made, row = await dataverse.drive(work)
    assert made["entity_set_name"] == "new_machines"
    assert made["primary_id_attribute"] == "new_machineid"
    assert made["primary_name_attribute"] == "new_title"
    assert (row["new_title"], row["new_hours"], row["new_price"]) == ("Digger", 12, 12.5)
    assert (row["new_noise"], row["new_built"], row["new_rented"]) == (80.25, "2024-05-01", True)
    assert row["new_colour"] == Colour.GREEN
    assert row["new_colour@OData.Community.Display.V1.FormattedValue"] == "GREEN"
    assert (row["statecode"], row["statuscode"]) == (0, 1)


async def test_tables_are_listed_and_found(dataverse: Served) -> None:
    def work(client: Any) -> Any:
        names = [table["LogicalName"] for table in client.tables.list()]
        chosen = client.tables.list(filter="SchemaName eq 'Account'", select=["EntitySetName"])
        return names, chosen, client.tables.get("Opportunity")

    names, chosen, info = await dataverse.drive(work)
    assert {"account", "contact", "opportunity", "incident"} <= set(names)
    assert [table["EntitySetName"] for table in chosen] == ["accounts"]
    assert info["entity_set_name"] == "opportunities"


async def test_columns_are_added_changed_listed_and_removed(dataverse: Served) -> None:
    def work(client: Any) -> Any:
        make_machines(client)
        client.tables.add_columns("new_Machine", {"new_Weight": "decimal", "new_Colour2": Colour})
        client.tables.update_column("new_machine", "new_serial", {"max_length": 50})
        changes = {
            "new_hours": {"max_value": 5000},
            "new_notes": {"display_name": "Remarks", "required": "ApplicationRequired"},
        }
        client.tables.update_columns("new_machine", changes)
        with pytest.raises(MetadataError):
            client.tables.update_column("new_machine", "new_nothing", {"max_length": 50})
        client.records.create("new_machine", {"new_serial": "S" * 50, "new_hours": 4000})
        client.tables.remove_columns("new_machine", ["new_Weight", "new_Colour2"])
        typed = {c["LogicalName"]: c for c in client.tables.list_columns("new_machine", typed=True)}
        notes = client.tables.get_column("new_machine", "new_Notes")
        hours = client.tables.get_column("new_machine", "new_hours", typed=True)
        missing = client.tables.get_column("new_machine", "new_weight")
        chosen = client.tables.list_columns(
            "new_machine", select=["LogicalName"], filter="AttributeType eq 'Picklist'"
        )
        return typed, notes, hours, missing, chosen

    typed, notes, hours, missing, chosen = await dataverse.drive(work)
    assert typed["new_serial"]["MaxLength"] == 50
    assert (hours["MinValue"], hours["MaxValue"]) == (0, 5000)
    assert notes["DisplayName"]["UserLocalizedLabel"]["Label"] == "Remarks"
    assert notes["RequiredLevel"]["Value"] == "ApplicationRequired"
    assert notes["@odata.type"] == "#Microsoft.Dynamics.CRM.MemoAttributeMetadata"
    assert missing is None
    assert [column["LogicalName"] for column in chosen] == ["new_colour"]


async def test_an_alternate_key_is_made_used_and_deleted(dataverse: Served) -> None:
    def work(client: Any) -> Any:
        make_machines(client)
        made = client.tables.create_alternate_key(
            "new_machine", "new_SerialKey", ["new_serial"], display_name="Serial number"
        )
        for title in ("Digger", "Big digger"):
            item = {"alternate_key": {"new_serial": "S-1"}, "record": {"new_title": title}}
            client.records.upsert("new_machine", [item])
        keys = client.tables.get_alternate_keys("new_machine")
        client.tables.delete_alternate_key("new_machine", made.metadata_id)
        return made, keys, client.tables.get_alternate_keys("new_machine")

    made, keys, left = await dataverse.drive(work)
    (key,) = keys
    assert (key.metadata_id, key.schema_name) == (made.metadata_id, "new_SerialKey")
    assert (key.key_attributes, key.status) == (["new_serial"], "Active")
    assert left == []
    (row,) = dataverse.simulator.rows("new_machine")
    assert row.values["new_title"] == "Big digger"


async def test_lookups_and_relationships_are_made_used_and_deleted(dataverse: Served) -> None:
    def work(client: Any) -> Any:
        make_machines(client)
        field = client.tables.create_lookup_field(
            "new_machine", "new_OwnerId", "account", display_name="Owner", required=True
        )
        one = client.tables.create_one_to_many_relationship(
            LookupAttributeMetadata("new_SellerId", Label([LocalizedLabel("Seller", 1033)])),
            OneToManyRelationshipMetadata(
                "new_contact_machine",
                "contact",
                "new_machine",
                "contactid",
                cascade_configuration=CascadeConfiguration(delete="Restrict"),
            ),
        )
        many = client.tables.create_many_to_many_relationship(
            ManyToManyRelationshipMetadata("new_machine_team", "new_machine", "team")
        )
        account = client.records.create("account", {"name": "Kumi Oy"})
        seller = client.records.create("contact", {"lastname": "Lee"})
        values = {
            "new_title": "Digger",
            "new_OwnerId@odata.bind": f"/accounts({account})",
            "new_SellerId@odata.bind": f"/contacts({seller})",
        }
        machine = client.records.create("new_machine", values)
        with pytest.raises(HttpError) as held:
            client.records.delete("contact", seller)
        assert held.value.details["service_error_code"] == "0x80040227"
        client.records.delete("account", account)
        row = client.records.retrieve("new_machine", machine)
        found = client.tables.get_relationship("new_contact_machine")
        of_table = client.tables.list_table_relationships("new_machine", select=["SchemaName"])
        text = "RelationshipType eq Microsoft.Dynamics.CRM.RelationshipType'ManyToManyRelationship'"
        links = client.tables.list_relationships(filter=text, select=["SchemaName"])
        for relationship in (field, one, many):
            client.tables.delete_relationship(relationship.relationship_id)
        gone = client.tables.get_relationship("new_machine_team")
        columns = {c["LogicalName"] for c in client.tables.list_columns("new_machine")}
        return row, found, of_table, links, gone, columns

    row, found, of_table, links, gone, columns = await dataverse.drive(work)
    assert row["_new_ownerid_value"] is None, "the link went with the account"
    assert row["_new_sellerid_value"]
    assert found.referenced_entity == "contact"
    names = {relationship["SchemaName"] for relationship in of_table}
    assert {"account_new_machine_new_OwnerId", "new_contact_machine", "new_machine_team"} <= names
    assert "new_machine_team" in {link["SchemaName"] for link in links}
    assert "new_contact_machine" not in {link["SchemaName"] for link in links}
    assert gone is None
    assert not {"new_ownerid", "new_sellerid"} & columns
