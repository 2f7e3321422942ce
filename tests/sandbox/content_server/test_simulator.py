"""The in-process API that tests and the demo's oracle use."""

from __future__ import annotations

import pytest

from app.sandbox.content_server import ApiError, Behaviour, ContentServerSimulator
from app.sandbox.content_server.default_definition import default_definition
from tests.sandbox.content_server.conftest import Api


def _seeded(seed: int) -> list[int]:
    server = ContentServerSimulator(seed=seed)
    return [server.create_workspace("Account", f"A{n}").id for n in range(5)]


def test_the_same_seed_gives_the_same_ids_and_another_seed_others() -> None:
    assert _seeded(1) == _seeded(1)
    assert _seeded(1) != _seeded(2)
    assert sorted(_seeded(1)) == _seeded(1)


def test_a_workspace_made_beforehand_is_seen_with_everything_in_it() -> None:
    server = ContentServerSimulator()
    made = server.create_workspace(
        "Contract",
        "Frame",
        business_object=("D365", "contract", "7"),
        categories={
            "Contract": {"Status": "Executed", "Value": 5},
            "Business Record": {"Milestones": [{"Milestone": "Signed"}]},
        },
        roles={"Legal": ["eve.counsel", "Legal"]},
        user="ann.seller",
    )
    assert server.find_by_business_object("D365", "contract", "7") == made
    assert server.workspaces() == [made]
    assert made.categories["Contract"]["Value"] == 5.0
    assert made.roles["Legal"] == ("eve.counsel", "Legal")
    assert server.audit[-5].user_id == server.member("ann.seller").id
    assert server.node(made.id).created_by == server.member("ann.seller").id


def test_what_the_server_would_refuse_is_refused_here_too() -> None:
    server = ContentServerSimulator()
    server.create_workspace("Account", "A", business_object=("D365", "account", "1"))
    for name, bo_id in (("A", "2"), ("B", "1")):
        with pytest.raises(ApiError):
            server.create_workspace("Account", name, business_object=("D365", "account", bo_id))
    with pytest.raises(ApiError, match="The user 'nobody' does not exist"):
        server.create_workspace("Account", "C", roles={"Owner": ["nobody"]})
    with pytest.raises(KeyError):
        server.create_workspace("Warehouse", "W")
    assert [made.name for made in server.workspaces()] == ["A"]


async def test_the_request_log_keeps_the_newest_requests_and_no_large_text(
    server: ContentServerSimulator, api: Api
) -> None:
    server.behaviour.request_log_length = 3
    for number in range(5):
        await api.get("/v2/nodes/2000", number=number)
    assert [record.query for record in server.requests] == ["number=2", "number=3", "number=4"]
    assert [record.number for record in server.requests] == [4, 5, 6]
    folder = {"type": 0, "parent_id": 2000, "name": "A", "description": "x" * 5000}
    await api.body("POST", "/v2/nodes", folder)
    assert len(server.requests[-1].fields["description"]) == 2000
    assert len(server.requests) == 3


def test_expired_tokens_are_forgotten() -> None:
    server = ContentServerSimulator(behaviour=Behaviour(token_lifetime_seconds=-1.0))
    for _ in range(3000):
        server.sessions.issue_ticket(server.member("ann.seller"))
    assert server.sessions.remembered() < 1100


def test_every_record_type_of_the_default_server_has_a_workspace_type_of_its_kind() -> None:
    """Business object types are unique, and every template carries the record's state."""
    definition = default_definition()
    names = [kind.name for kind in definition.business_object_types]
    assert len(names) == len(set(names))
    types = {kind.name: kind for kind in definition.workspace_types}
    assert {kind.workspace_type for kind in definition.business_object_types} == set(types)
    for kind in types.values():
        assert "Business Record" in kind.templates[0].categories
        assert kind.templates[0].folders
