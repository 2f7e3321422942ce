"""Global choices: made, used by columns, changed option by option, and gone again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator
from tests.sandbox.dataverse.support import ANNOTATIONS, error

CRM = "Microsoft.Dynamics.CRM."
SET = "/GlobalOptionSetDefinitions"
COLORS = f"{SET}(Name='new_colors')"
ATTRIBUTES = "/EntityDefinitions(LogicalName='account')/Attributes"
COLUMN = f"{ATTRIBUTES}(LogicalName='new_color')/{CRM}PicklistAttributeMetadata"
FORMATTED = "new_color@OData.Community.Display.V1.FormattedValue"


def label(text: str) -> dict[str, Any]:
    one = {"@odata.type": f"{CRM}LocalizedLabel", "Label": text, "LanguageCode": 1033}
    return {"@odata.type": f"{CRM}Label", "LocalizedLabels": [one]}


def option(value: int | None, text: str) -> dict[str, Any]:
    return {"Value": value, "Label": label(text)}


def definition(name: str = "new_colors", **more: Any) -> dict[str, Any]:
    choices = [option(727_000_000, "Red"), option(727_000_001, "Yellow")]
    kind = {"@odata.type": f"{CRM}OptionSetMetadata", "OptionSetType": "Picklist"}
    return {**kind, "Name": name, "DisplayName": label("Colors"), "Options": choices, **more}


def column(**more: Any) -> dict[str, Any]:
    kind = {"@odata.type": f"{CRM}PicklistAttributeMetadata", "SchemaName": "new_Color"}
    return {**kind, "DisplayName": label("Color"), **more}


async def options(client: httpx.AsyncClient) -> dict[int, str]:
    found = (await client.get(COLORS)).json()["Options"]
    return {one["Value"]: one["Label"]["UserLocalizedLabel"]["Label"] for one in found}


async def do(client: httpx.AsyncClient, action: str, **body: Any) -> httpx.Response:
    return await client.post(f"/{action}", json=body)


@pytest.fixture
async def made(client: httpx.AsyncClient) -> str:
    """The address of a choice that a column of accounts uses."""
    answer = await client.post(SET, json=definition())
    assert answer.status_code == 204, answer.text
    address = answer.headers["OData-EntityId"]
    bound = column(**{"GlobalOptionSet@odata.bind": f"/{address.rpartition('/')[2]}"})
    used = await client.post(ATTRIBUTES, json=bound)
    assert used.status_code == 204, used.text
    return str(address)


async def test_a_choice_is_read_by_its_name_its_id_and_in_the_list(
    client: httpx.AsyncClient, made: str
) -> None:
    by_name = (await client.get(COLORS)).json()
    assert (await client.get(made)).json() == by_name
    assert by_name["@odata.type"] == f"#{CRM}OptionSetMetadata"
    assert (by_name["IsGlobal"], by_name["OptionSetType"]) == (True, "Picklist")
    assert by_name["DisplayName"]["UserLocalizedLabel"]["Label"] == "Colors"
    (listed,) = (await client.get(f"{SET}/{CRM}OptionSetMetadata?$select=Name")).json()["value"]
    assert listed.keys() == {"@odata.type", "MetadataId", "Name"}
    assert error(await client.get(f"{SET}(Name='new_sizes')")) == (404, "0x80048403")
    assert error(await client.get(f"{SET}?$filter=Name eq 'x'")) == (400, "0x80060888")


@pytest.mark.usefixtures("made")
async def test_a_column_has_the_options_of_its_choice(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    expand = {"$expand": "OptionSet($select=Options),GlobalOptionSet($select=Name,Options)"}
    read = (await client.get(COLUMN, params=expand)).json()
    assert read["OptionSet"] is None
    assert read["GlobalOptionSet"]["Name"] == "new_colors"
    assert read["@odata.context"].endswith(f"/Attributes/{CRM}PicklistAttributeMetadata/$entity")
    only = await client.get(f"{COLUMN}/GlobalOptionSet?$select=Options")
    assert only.json()["Options"] == read["GlobalOptionSet"]["Options"]
    assert only.json()["@odata.context"].endswith("/GlobalOptionSet(Options)/$entity")
    assert (await client.get(f"{COLUMN}/OptionSet")).status_code == 204
    row = dataverse.seed("account", {"name": "A"})
    path = f"/accounts({row.id})"
    wrong = await client.patch(path, json={"new_color": 727_000_009})
    assert error(wrong) == (400, "0x80044331")
    assert (await client.patch(path, json={"new_color": 727_000_001})).status_code == 204
    assert (await client.get(path, headers=ANNOTATIONS)).json()[FORMATTED] == "Yellow"


@pytest.mark.usefixtures("made")
async def test_options_are_changed_for_all_who_use_them(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    name = {"OptionSetName": "new_colors"}
    new = await do(client, "InsertOptionValue", **name, Label=label("Green"))
    assert new.status_code == 200
    assert new.json()["@odata.context"].endswith(f"#{CRM}InsertOptionValueResponse")
    assert new.json()["NewOptionValue"] == 727_000_002
    row = dataverse.seed("account", {"name": "A", "new_color": 727_000_002})
    renamed = {"Value": 727_000_002, "Label": label("Lime"), "MergeLabels": True}
    assert (await do(client, "UpdateOptionValue", **name, **renamed)).status_code == 204
    shown = (await client.get(f"/accounts({row.id})", headers=ANNOTATIONS)).json()
    assert shown[FORMATTED] == "Lime"
    order = [727_000_002, 727_000_000, 727_000_001]
    assert (await do(client, "OrderOption", **name, Values=order)).status_code == 204
    assert list((await options(client)).values()) == ["Lime", "Red", "Yellow"]
    gone = await do(client, "DeleteOptionValue", **name, Value=727_000_000)
    assert gone.status_code == 204
    assert await options(client) == {727_000_002: "Lime", 727_000_001: "Yellow"}
    refused = await client.patch(f"/accounts({row.id})", json={"new_color": 727_000_000})
    assert error(refused) == (400, "0x80044331")


async def test_options_of_a_column_of_its_own_are_changed_as_well(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    assert (await client.post(ATTRIBUTES, json=column(OptionSet=definition()))).status_code == 204
    here = {"EntityLogicalName": "account", "AttributeLogicalName": "new_color"}
    new = await do(client, "InsertOptionValue", **here, Value=5, Label=label("Green"))
    assert new.json()["NewOptionValue"] == 5
    read = (await client.get(COLUMN, params={"$expand": "OptionSet,GlobalOptionSet"})).json()
    assert [one["Value"] for one in read["OptionSet"]["Options"]] == [727_000_000, 727_000_001, 5]
    assert read["GlobalOptionSet"] is None
    held = {"EntityLogicalName": "account", "AttributeLogicalName": "creditonhold"}
    word = await do(client, "UpdateOptionValue", **held, Value=1, Label=label("Stopped"))
    assert word.status_code == 204
    held_type = f"{ATTRIBUTES}(LogicalName='creditonhold')/{CRM}BooleanAttributeMetadata"
    read = (await client.get(held_type, params={"$expand": "OptionSet"})).json()["OptionSet"]
    assert read["TrueOption"]["Label"]["UserLocalizedLabel"]["Label"] == "Stopped"
    state = {"EntityLogicalName": "account", "AttributeLogicalName": "statecode"}
    word = await do(client, "UpdateStateValue", **state, Value=1, Label=label("Resting"))
    assert word.status_code == 204
    row = dataverse.seed("account", {"name": "A", "statecode": 1})
    shown = (await client.get(f"/accounts({row.id})", headers=ANNOTATIONS)).json()
    assert shown["statecode@OData.Community.Display.V1.FormattedValue"] == "Resting"


async def test_a_table_is_given_a_status_of_one_of_its_states(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    here = {"EntityLogicalName": "account", "AttributeLogicalName": "statuscode"}
    new = await do(client, "InsertStatusValue", **here, StateCode=1, Label=label("Merged away"))
    assert new.json()["@odata.context"].endswith(f"#{CRM}InsertStatusValueResponse")
    status = new.json()["NewOptionValue"]
    path = f"/accounts({dataverse.seed('account', {'name': 'A'}).id})"
    wrong = await client.patch(path, json={"statecode": 0, "statuscode": status})
    assert error(wrong) == (400, "0x80048408")
    right = await client.patch(path, json={"statecode": 1, "statuscode": status})
    assert right.status_code == 204
    row = (await client.get(path, headers=ANNOTATIONS)).json()
    assert row["statuscode@OData.Community.Display.V1.FormattedValue"] == "Merged away"
    for state in (7, True, None):
        refused = await do(client, "InsertStatusValue", **here, StateCode=state, Label=label("B"))
        assert error(refused) == (400, "0x80040203")


async def test_a_choice_is_renamed_and_goes_when_nothing_needs_it(
    client: httpx.AsyncClient, made: str
) -> None:
    body = {**definition(), "DisplayName": label("Paint"), "Options": []}
    assert (await client.put(made, json=body)).status_code == 204
    read = (await client.get(made)).json()
    assert read["DisplayName"]["UserLocalizedLabel"]["Label"] == "Paint"
    assert len(read["Options"]) == 2, "options have actions of their own"
    assert error(await client.delete(COLORS)) == (400, "0x8004f01f")
    column_of_it = f"{ATTRIBUTES}(LogicalName='new_color')"
    assert (await client.delete(column_of_it)).status_code == 204
    assert (await client.delete(COLORS)).status_code == 204
    assert (await client.get(SET)).json()["value"] == []


async def test_values_that_are_left_open_are_given(client: httpx.AsyncClient) -> None:
    body = definition(Options=[option(None, "A"), option(None, "B")])
    assert (await client.post(SET, json=body)).status_code == 204
    assert await options(client) == {100_000_000: "A", 100_000_001: "B"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        definition("colors"),
        definition("new colors"),
        definition(Options=[]),
        definition(Options=[{"Value": 1}]),
        definition(Options=["Red"]),
        definition(Options=[option(1, "A"), option(1, "B")]),
        definition(Options=[option(2**31, "A")]),
        definition(OptionSetType="Status"),
        {**definition(), "@odata.type": f"{CRM}BooleanOptionSetMetadata"},
    ],
)
async def test_what_is_no_choice_is_refused(
    body: dict[str, Any], client: httpx.AsyncClient
) -> None:
    assert (await client.post(SET, json=body)).status_code == 400
    assert (await client.get(SET)).json()["value"] == []


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("InsertOptionValue", {"OptionSetName": "new_sizes", "Label": label("A")}, 404),
        ("InsertOptionValue", {"OptionSetName": "new_colors"}, 400),
        ("InsertOptionValue", {}, 400),
        ("InsertStatusValue", {"OptionSetName": "new_colors", "Label": label("A")}, 400),
        ("UpdateOptionValue", {"OptionSetName": "new_colors", "Value": 9}, 400),
        ("DeleteOptionValue", {"OptionSetName": "new_colors", "Value": True}, 400),
        ("OrderOption", {"OptionSetName": "new_colors", "Values": [727_000_000]}, 400),
        ("OrderOption", {"OptionSetName": "new_colors", "Values": ["a", "b"]}, 400),
        (
            "DeleteOptionValue",
            {"EntityLogicalName": "account", "AttributeLogicalName": "statecode", "Value": 1},
            400,
        ),
        (
            "DeleteOptionValue",
            {"EntityLogicalName": "account", "AttributeLogicalName": "new_color", "Value": 1},
            400,
        ),
        (
            "InsertOptionValue",
            {"EntityLogicalName": "account", "AttributeLogicalName": "name", "Label": label("A")},
            400,
        ),
    ],
)
async def test_an_action_that_cannot_be_done_changes_nothing(
    action: str, body: dict[str, Any], status: int, client: httpx.AsyncClient
) -> None:
    before = await options(client)
    assert (await do(client, action, **body)).status_code == status
    assert (await client.get(f"/{action}")).status_code == 405
    assert await options(client) == before


async def test_a_name_is_taken_once_and_a_bad_binding_is_not_found(
    client: httpx.AsyncClient, made: str
) -> None:
    assert error(await client.post(SET, json=definition())) == (400, "0x80044363")
    lost = column(**{"GlobalOptionSet@odata.bind": "/GlobalOptionSetDefinitions(Name='x')"})
    assert error(await client.post(ATTRIBUTES, json={**lost, "SchemaName": "new_Other"})) == (
        404,
        "0x80048403",
    )
    named = column(SchemaName="new_Third", OptionSet={"IsGlobal": True, "Name": "new_colors"})
    assert (await client.post(ATTRIBUTES, json=named)).status_code == 204
    assert (await client.post(made)).status_code == 405
