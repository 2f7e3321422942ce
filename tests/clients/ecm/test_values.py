"""Attribute values of every type through the gateway, over real sockets: written, kept, emptied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import pytest

from app.sandbox.content_server.behaviour import Behaviour
from app.sandbox.content_server.default_definition import default_definition
from app.sandbox.content_server.definition import (
    AttributeSpec,
    CategorySpec,
    Definition,
    TemplateSpec,
    WorkspaceTypeSpec,
)
from streams.errors import Refused
from tests.clients.test_against_simulators import Ecm, account, content_server

EVERY_TYPE = CategorySpec(
    "Everything",
    (
        AttributeSpec("Text"),
        AttributeSpec("Count", type="Integer"),
        AttributeSpec("Amount", type="Real"),
        AttributeSpec("Strategic", type="Boolean"),
        AttributeSpec("Due", type="Date"),
        AttributeSpec("Manager", type="User"),
    ),
)
VALUES: Mapping[str, Any] = {
    "Text": "Ünïcode: 100 %",
    "Count": 7,
    "Amount": "1234.50",
    "Strategic": True,
    "Due": "2026-01-31",
    "Manager": "ann.seller",
}
EMPTY: Mapping[str, Any] = dict.fromkeys(VALUES)
MONEY = "1234567890123456789.25"
Bodies = Literal["taken", "refused", "ignored"]


def with_every_type() -> Definition:
    data = default_definition()
    template = TemplateSpec("Account", categories=("Everything",))
    account = WorkspaceTypeSpec("Account", (template,), location=("Accounts",))
    others = tuple(kind for kind in data.workspace_types if kind.name != "Account")
    return replace(
        data,
        categories=(*data.categories, EVERY_TYPE),
        workspace_types=(account, *others),
    )


async def made(ecm: Ecm, values: Mapping[str, Any]) -> int:
    workspace = await ecm.gateway.ensure_workspace(
        account(1),
        workspace_type="Account",
        template=None,
        name="A",
        attributes={"Everything": values},
    )
    return workspace.id


async def update(ecm: Ecm, workspace_id: int, values: Mapping[str, Any]) -> None:
    await ecm.gateway.update_workspace(workspace_id, name="A", attributes={"Everything": values})


def held(ecm: Ecm, workspace_id: int) -> dict[str, Any]:
    return dict(ecm.simulator.workspace(workspace_id).categories["Everything"])


def puts(ecm: Ecm) -> list[int]:
    return [r.status for r in ecm.simulator.requests if r.method == "PUT"]


async def test_values_of_every_type_are_written_once_at_creation_and_later() -> None:
    async with content_server(data=with_every_type()) as ecm:
        first = await made(ecm, VALUES)
        shown = held(ecm, first)
        ann = ecm.simulator.member("ann.seller").id
        assert shown == {
            "Text": "Ünïcode: 100 %",
            "Count": 7,
            "Amount": 1234.5,
            "Strategic": True,
            "Due": "2026-01-31T00:00:00",
            "Manager": ann,
        }
        await update(ecm, first, VALUES)
        assert puts(ecm) == []
        await update(ecm, first, {**VALUES, "Count": 8})
        assert (held(ecm, first)["Count"], puts(ecm)) == (8, [200])


@pytest.mark.parametrize(
    ("bodies", "fields", "calls"),
    [
        ("taken", False, [200]),
        ("refused", True, [400, 200]),
        ("ignored", True, [200, 200]),
    ],
)
async def test_values_of_every_type_are_emptied_as_the_server_takes_it(
    bodies: Bodies, fields: bool, calls: list[int]
) -> None:
    behaviour = Behaviour(category_bodies=bodies, empty_numbers=fields)
    async with content_server(data=with_every_type(), behaviour=behaviour) as ecm:
        workspace = await made(ecm, VALUES)
        await update(ecm, workspace, EMPTY)
        assert held(ecm, workspace) == {**EMPTY, "Text": ""}
        assert puts(ecm) == calls
        await update(ecm, workspace, EMPTY)
        assert puts(ecm) == calls


async def test_a_server_that_empties_no_number_is_found_out_and_said() -> None:
    behaviour = Behaviour(category_bodies="ignored", empty_numbers=False)
    async with content_server(data=with_every_type(), behaviour=behaviour) as ecm:
        workspace = await made(ecm, VALUES)
        with pytest.raises(Refused, match="'Count' cannot be emptied") as raised:
            await update(ecm, workspace, {"Count": None})
        assert raised.value.code == "value_ignored"
        assert "by hand" in str(raised.value.advice)
        assert held(ecm, workspace)["Count"] == 7


async def test_more_digits_than_the_server_keeps_are_written_once() -> None:
    """A Real is a double over there; an attribute of text keeps every digit."""
    async with content_server(data=with_every_type()) as ecm:
        workspace = await made(ecm, {"Amount": MONEY, "Text": MONEY})
        assert held(ecm, workspace)["Text"] == MONEY
        await update(ecm, workspace, {"Amount": MONEY, "Text": MONEY})
        assert puts(ecm) == []
        await update(ecm, workspace, {"Amount": "1234567890123999999.25"})
        assert puts(ecm) == [200]
