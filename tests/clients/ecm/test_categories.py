"""Category attributes: found by label, converted by type, written only where they differ."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.clients.ecm.attributes import Attribute, Value, form_text
from streams.errors import Conflict, Misconfigured, Refused
from streams.messages.commands import Attributes
from tests.clients.conversation import Conversation, body_of, form_of, ok
from tests.clients.ecm.talk import (
    ACCOUNT,
    categories,
    created,
    error,
    gateway,
    items,
    node,
    server,
    workspace,
)

EVERY_TYPE: dict[str, Value] = {
    "Record State": "Active",
    "Amount": "1234.50",
    "Count": 7,
    "Closing Date": "2024-01-31",
    "Strategic": True,
    "Manager": "ann",
    "Milestones:Title": "Kick-off",
}
PRESENT = {
    "a2": "Active",
    "a3": 1234.5,
    "a4": "7",
    "a5": "2024-01-31T00:00:00",
    "a6": 1,
    "a7": 1005,
    "a9_1_2": "Kick-off",
}


def people(talk: Conversation) -> Conversation:
    return talk.on("GET", "/v2/members", ok(items({"id": 1005, "name": "Ann", "type": 0})))


def holding(**values: Any) -> Conversation:
    """A server whose workspace 42 has the category with these values."""
    talk = people(server()).on("GET", r"/v2/businessworkspaces/42\?", ok(workspace(42, "x")))
    talk.on("PUT", "/v2/nodes/42/categories/900/", ok({}))
    return talk.on("GET", "/v2/nodes/42/categories", ok(categories(**values)))


async def update(talk: Conversation, attributes: Attributes) -> None:
    await gateway(talk).update_workspace(42, name="x", attributes=attributes)


async def create(talk: Conversation, attributes: Attributes) -> Any:
    """The body of the create call for these attributes."""
    talk.on("POST", "/v2/businessworkspaces", created(42))
    talk.on("GET", r"/v2/nodes/42\?", ok(node(42, "x")))
    await gateway(talk).ensure_workspace(
        ACCOUNT, workspace_type="Account", template=None, name="x", attributes=attributes
    )
    return body_of(talk.asked("POST")[0])


async def test_a_creation_nests_values_by_category_id() -> None:
    body = await create(people(server()), {"business record": EVERY_TYPE})
    assert body["roles"] == {
        "categories": {
            "900": {
                "900_2": "Active",
                "900_3": "1234.5",
                "900_4": 7,
                "900_5": "2024-01-31",
                "900_6": True,
                "900_7": 1005,
                "900_9_1_2": "Kick-off",
            }
        }
    }


async def test_an_empty_value_is_sent_at_creation_because_the_template_may_hold_another() -> None:
    body = await create(server(), {"Business Record": {"Record State": None, "Amount": ""}})
    assert body["roles"]["categories"]["900"] == {"900_2": "", "900_3": None}


async def test_the_templates_categories_are_read_once() -> None:
    talk = server()
    talk.on("POST", "/v2/businessworkspaces", created(42))
    talk.on("GET", r"/v2/nodes/42\?", ok(node(42, "x")))
    calling = gateway(talk)
    for _ in range(2):
        await calling.ensure_workspace(
            ACCOUNT,
            workspace_type="Account",
            template=None,
            name="x",
            attributes={"Business Record": {"Count": 1}},
        )
    assert len(talk.asked("GET", "/v2/nodes/500/categories")) == 1


async def test_values_that_are_right_are_not_written() -> None:
    talk = holding(**PRESENT)
    await update(talk, {"Business Record": EVERY_TYPE})
    assert talk.writes() == []


async def test_only_what_differs_is_written_as_flat_fields() -> None:
    talk = holding(**{**PRESENT, "a2": "Closed", "a6": False})
    await update(talk, {"Business Record": EVERY_TYPE})
    (request,) = talk.asked("PUT")
    assert request.url.path == "/cs/cs/api/v2/nodes/42/categories/900/"
    assert form_of(request) == {"900_2": ["Active"], "900_6": ["true"]}


async def test_texts_and_dates_are_emptied_by_an_empty_field() -> None:
    talk = holding(**PRESENT)
    await update(talk, {"Business Record": {"Record State": None, "Closing Date": None}})
    assert form_of(talk.asked("PUT")[0]) == {"900_2": [""], "900_5": [""]}


async def test_a_number_is_emptied_in_a_body_because_an_empty_field_is_refused() -> None:
    emptied = {**PRESENT, "a3": None, "a2": "Open"}
    talk = holding().on(
        "GET", "/v2/nodes/42/categories", ok(categories(**PRESENT)), ok(categories(**emptied))
    )
    await update(talk, {"Business Record": {"Amount": None, "Record State": "Open"}})
    (request,) = talk.asked("PUT")
    assert body_of(request) == {"900_3": None, "900_2": "Open"}


async def test_a_refusal_of_the_record_is_not_taken_for_one_of_the_encoding() -> None:
    talk = holding(**PRESENT).on("PUT", "/v2/nodes/42/categories/900/", error(500, "on hold"))
    with pytest.raises(Refused) as raised:
        await update(talk, {"Business Record": {"Amount": None}})
    assert raised.value.code == "record_locked"
    assert len(talk.asked("PUT")) == 1


async def test_a_category_that_the_workspace_lacks_is_applied_with_its_values() -> None:
    talk = holding().on("GET", "/v2/nodes/42/categories", ok({"results": []}))
    talk.on("POST", "/v2/nodes/42/categories", ok({}))
    await update(talk, {"Business Record": {"Record State": "Active", "Amount": None}})
    assert form_of(talk.asked("POST")[0]) == {"category_id": ["900"], "900_2": ["Active"]}


async def test_a_category_that_somebody_applied_meanwhile_is_changed() -> None:
    talk = holding().on(
        "GET", "/v2/nodes/42/categories", ok({"results": []}), ok(categories(a2="Closed"))
    )
    exists = error(500, "The attribute group 'Business Record' already exists.")
    talk.on("POST", "/v2/nodes/42/categories", exists)
    talk.on("PUT", "/v2/nodes/42/categories/900/", ok({}))
    await update(talk, {"Business Record": {"Record State": "Active"}})
    assert form_of(talk.asked("PUT")[0]) == {"900_2": ["Active"]}


@pytest.mark.parametrize("writing", [create, update])
async def test_a_category_that_is_nowhere_is_our_configuration(writing: Any) -> None:
    with pytest.raises(Misconfigured, match="Business Record") as raised:
        await writing(holding(), {"Contract": {"Status": "Draft"}})
    assert raised.value.code == "category_unknown"


@pytest.mark.parametrize("writing", [create, update])
async def test_an_attribute_that_is_not_there_is_our_configuration(writing: Any) -> None:
    with pytest.raises(Misconfigured, match="Closing Date") as raised:
        await writing(holding(), {"Business Record": {"Color": "red"}})
    assert raised.value.code == "attribute_unknown"


async def test_metadata_without_the_categorys_name_is_completed_by_its_node() -> None:
    nameless = categories(a2="Closed")
    del nameless["results"][0]["metadata"]["categories"]["900"]
    talk = holding().on("GET", "/v2/nodes/42/categories", ok(nameless))
    talk.on("GET", r"/v2/nodes/900\?", ok(node(900, "Business Record")))
    talk.on("PUT", "/v2/nodes/42/categories/900/", ok({}))
    await update(talk, {"Business Record": {"Record State": "Active"}})
    assert len(talk.asked("PUT")) == 1


async def test_a_member_that_is_unknown_is_refused_before_anything_is_written() -> None:
    talk = holding().on("GET", "/v2/members", ok(items()))
    with pytest.raises(Refused) as raised:
        await update(talk, {"Business Record": {"Manager": "nobody"}})
    assert raised.value.code == "member_unknown"
    assert talk.writes() == []


async def test_a_conflict_of_edits_is_told_as_such() -> None:
    talk = holding().on("PUT", "/categories/", error(409, "edit conflict"))
    with pytest.raises(Conflict):
        await update(talk, {"Business Record": {"Record State": "Active"}})


@pytest.mark.parametrize(
    ("kind", "value", "wire"),
    [
        ("string", "text", "text"),
        ("string", 5, "5"),
        ("string", True, "true"),
        ("string", None, ""),
        ("string", "", ""),
        ("integer", "7", 7),
        ("integer", "7.0", 7),
        ("integer", True, 1),
        ("integer", None, None),
        ("real", "1234.50", "1234.5"),
        ("real", 3, "3"),
        ("real", "1E+2", "100"),
        ("boolean", "true", True),
        ("boolean", 0, False),
        ("boolean", "No", False),
        ("date", "2024-01-31", "2024-01-31"),
        ("date", "2024-01-31T10:15:00Z", "2024-01-31T10:15:00"),
        ("date", "2024-01-31T10:15:00.250+02:00", "2024-01-31T08:15:00"),
        ("date", "", None),
        ("user", "1005", 1005),
        ("something new", "x", "x"),
    ],
)
def test_a_value_is_converted_by_the_type_of_its_attribute(
    kind: str, value: Value, wire: Value
) -> None:
    converted = Attribute("1_2", "A", kind).wire(value)
    assert converted == wire
    assert type(converted) is type(wire)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", "seven"),
        ("integer", "7.5"),
        ("real", "much"),
        ("boolean", "maybe"),
        ("date", "31.1.2024"),
        ("user", "ann"),
        ("string", "x" * 13),
    ],
)
def test_a_value_that_the_attribute_cannot_hold_is_refused(kind: str, value: Value) -> None:
    with pytest.raises(Refused, match="'A'") as raised:
        Attribute("1_2", "A", kind, max_length=12).wire(value)
    assert raised.value.code == "attribute_invalid"


@pytest.mark.parametrize(
    ("kind", "present", "wanted", "same"),
    [
        ("string", "a", "a", True),
        ("string", "a", "A", False),
        ("string", None, "", True),
        ("string", ["a"], "a", True),
        ("string", ["a", "b"], "a", False),
        ("string", [], "", True),
        ("integer", "7", 7, True),
        ("integer", 0, None, False),
        ("real", 1234.5, "1234.5", True),
        ("real", "odd", "1", False),
        ("real", 1234567890123456800.0, "1234567890123456789.25", True),
        ("real", 1234.5, "1234.51", False),
        ("boolean", None, False, False),
        ("boolean", "true", True, True),
        ("date", "2024-01-31T00:00:00Z", "2024-01-31", True),
        ("date", "2024-01-31T00:00:00", "2024-01-31T10:15:00", True),
        ("date", "2024-01-31T10:15:00Z", "2024-01-31T10:15:00", True),
        ("date", "2024-01-31T10:15:00", "2024-01-31T10:16:00", False),
        ("date", "2024-02-01T00:00:00", "2024-01-31", False),
        ("date", "garbage", "2024-01-31", False),
        ("user", 1005, 1005, True),
        ("user", 1006, 1005, False),
    ],
)
def test_two_values_are_the_same_by_the_type_of_the_attribute(
    kind: str, present: Any, wanted: Value, same: bool
) -> None:
    assert Attribute("1_2", "A", kind).same(present, wanted) is same


def test_a_form_field_is_written_as_content_server_reads_it() -> None:
    assert [form_text(v) for v in (True, False, None, 5, "x")] == ["true", "false", "", "5", "x"]


async def test_a_node_without_categories_has_none() -> None:
    talk = holding().on("GET", "/v2/nodes/42/categories", httpx.Response(200, json={"results": {}}))
    talk.on("POST", "/v2/nodes/42/categories", ok({}))
    await update(talk, {"Business Record": {"Record State": "Active"}})
    assert len(talk.asked("POST")) == 1


async def test_lists_fill_values_and_rows_at_creation() -> None:
    talk = server()
    talk.on("GET", "/v2/nodes/42/categories", ok(categories(a8=["x"], a9_1_2="a", a9_2_2="b")))
    wanted = {"Business Record": {"Tags": ("x",), "Milestones:Title": ("a", "b")}}
    body = await create(talk, wanted)
    assert body["roles"]["categories"]["900"] == {
        "900_8": ["x"],
        "900_9_1_2": "a",
        "900_9_2_2": "b",
    }
    assert talk.asked("PUT") == [], "the template had no further rows"


async def test_rows_that_the_template_has_too_many_are_removed_after_the_creation() -> None:
    talk = server()
    talk.on(
        "GET",
        "/v2/nodes/42/categories",
        ok(categories(a9_1_2="a", a9_2_2="of the template")),
        ok(categories(a9_1_2="a")),
    )
    talk.on("PUT", "/v2/nodes/42/categories/900/", ok({}))
    await create(talk, {"Business Record": {"Milestones:Title": ("a",)}})
    (request,) = talk.asked("PUT")
    assert form_of(request) == {"900_9_2": [""]}


async def test_lists_are_written_only_where_they_differ_and_rows_beyond_them_removed() -> None:
    held = {"a8": ["x", "y"], "a9_1_2": "a", "a9_2_2": "b", "a9_3_2": "c", "a9_4_2": "d"}
    talk = holding(**held)
    talk.on(
        "GET",
        "/v2/nodes/42/categories",
        ok(categories(**held)),
        ok(categories(a8=["x"], a9_1_2="a", a9_2_2="B")),
    )
    await update(talk, {"Business Record": {"Tags": ("x",), "Milestones:Title": ("a", "B")}})
    (request,) = talk.asked("PUT")
    assert form_of(request) == {
        "900_8": ["x"],
        "900_9_2_2": ["B"],
        "900_9_4": [""],
        "900_9_3": [""],
    }


async def test_an_empty_list_empties_a_multi_value_attribute() -> None:
    talk = holding(a8=["x", "y"])
    await update(talk, {"Business Record": {"Tags": ()}})
    (request,) = talk.asked("PUT")
    assert form_of(request) == {"900_8": [""]}


async def test_rows_that_stay_whatever_is_sent_are_reported() -> None:
    talk = holding(a9_1_2="a", a9_2_2="b")
    with pytest.raises(Refused, match="Rows of a set cannot be emptied") as refused:
        await update(talk, {"Business Record": {"Milestones:Title": ("a",)}})
    assert refused.value.code == "value_ignored"


async def test_people_in_a_list_become_their_member_ids() -> None:
    talk = people(holding(a7=None))
    with pytest.raises(Refused, match="'Manager' takes one value, not a list of 1"):
        await update(talk, {"Business Record": {"Manager": ("ann",)}})
    assert talk.asked("GET", "/v2/members") != []
