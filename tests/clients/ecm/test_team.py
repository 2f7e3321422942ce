"""Role members and relations: brought to what they should be, by what differs."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from streams.errors import Refused
from tests.clients.conversation import Conversation, form_of, ok
from tests.clients.ecm.talk import error, gateway, items, server

ANN = {"id": 1005, "name": "ann", "business_email": "ann@contoso.example", "type": 0}
BOB = {"id": 1006, "name": "bob", "business_email": "bob@contoso.example", "type": 0}
ANNA = {"id": 1007, "name": "anna", "business_email": "ann@contoso.example", "type": 0}
LEGAL = {"id": 2001, "name": "Legal", "type": 1}
ROLES = "/v2/businessworkspaces/42/roles"
MEMBERS = f"{ROLES}/77/members"


def directory(*users: dict[str, Any]) -> Any:
    """Answers ``query`` as Content Server does: login or e-mail, by beginning."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        wanted = asked["query"].casefold()
        kind = int(asked["where_type"])
        found = [
            user
            for user in users
            if user["type"] == kind
            and any(
                str(user.get(name, "")).casefold().startswith(wanted)
                for name in ("name", "business_email")
            )
        ]
        return ok({"collection": {"paging": {"page_total": 1}}, **items(*found)})

    return answer


def team(*present: dict[str, Any]) -> Conversation:
    """Workspace 42 with the role Owner (77), which has these members."""
    talk = server().on("GET", "/v2/members", directory(ANN, BOB, LEGAL))
    talk.on(
        "GET", rf"{ROLES}\?", ok(items({"id": 76, "name": "Team"}, {"id": 77, "name": "Owner"}))
    )
    talk.on("GET", rf"{MEMBERS}\?", ok(items(*present)))
    return talk.on("POST", MEMBERS, ok({})).on("DELETE", MEMBERS, ok({}))


async def set_members(talk: Conversation, *members: str) -> None:
    await gateway(talk).set_role_members(42, role="owner", members=members)


async def test_missing_members_are_added_and_others_taken_out() -> None:
    talk = team(BOB)
    await set_members(talk, "Ann@Contoso.example", "Legal")
    assert talk.writes() == [
        f"POST /cs/cs/api{MEMBERS}",
        f"POST /cs/cs/api{MEMBERS}",
        f"DELETE /cs/cs/api{MEMBERS}/1006",
    ]
    assert [form_of(r)["id"] for r in talk.asked("POST")] == [["1005"], ["2001"]]


async def test_a_role_that_is_right_is_left_alone() -> None:
    talk = team(ANN, LEGAL)
    await set_members(talk, "ann", "legal", "ANN")
    assert talk.writes() == []


async def test_a_role_is_emptied_when_nobody_is_named() -> None:
    talk = team(ANN)
    await set_members(talk)
    assert talk.writes() == [f"DELETE /cs/cs/api{MEMBERS}/1005"]


async def test_unknown_members_are_all_named_and_keep_nobody_else_from_the_role() -> None:
    talk = team(BOB)
    with pytest.raises(Refused, match=r"carl, dora") as raised:
        await set_members(talk, "ann", "carl", "dora")
    assert raised.value.code == "member_unknown"
    assert talk.writes() == [f"POST /cs/cs/api{MEMBERS}", f"DELETE /cs/cs/api{MEMBERS}/1006"]


async def test_the_beginning_of_a_login_is_not_the_login() -> None:
    with pytest.raises(Refused):
        await set_members(team(), "an")


async def test_an_e_mail_of_several_members_is_refused() -> None:
    talk = team().on("GET", "/v2/members", directory(ANN, ANNA))
    with pytest.raises(Refused, match="ann, anna") as raised:
        await set_members(talk, "ann@contoso.example")
    assert raised.value.code == "member_not_unique"


async def test_a_login_wins_over_an_e_mail() -> None:
    other = {"id": 9, "name": "x", "business_email": "ann", "type": 0}
    talk = team(ANN).on("GET", "/v2/members", directory(other, ANN))
    await set_members(talk, "ann")
    assert talk.writes() == []


async def test_deleted_members_are_not_found() -> None:
    talk = team().on("GET", "/v2/members", directory({**ANN, "deleted": True}))
    with pytest.raises(Refused):
        await set_members(talk, "ann")


async def test_a_member_who_was_found_is_kept() -> None:
    talk = team(ANN)
    calling = gateway(talk)
    for _ in range(2):
        await calling.set_role_members(42, role="Owner", members=["ann"])
    assert len(talk.asked("GET", "/v2/members")) == 1


async def test_a_role_that_the_workspace_lacks_is_refused() -> None:
    with pytest.raises(Refused, match="Owner, Team") as raised:
        await gateway(team()).set_role_members(42, role="Boss", members=[])
    assert raised.value.code == "role_unknown"


async def test_a_workspace_that_is_gone_is_said_to_be() -> None:
    talk = team().on("GET", rf"{ROLES}\?", error(404, "does not exist"))
    with pytest.raises(Refused) as raised:
        await set_members(talk, "ann")
    assert raised.value.code == "workspace_missing"


@pytest.mark.parametrize("text", ["The member is already assigned to the role.", "Unknown text"])
async def test_a_member_whom_somebody_added_meanwhile_is_fine(text: str) -> None:
    talk = team().on("POST", MEMBERS, error(500, text))
    talk.on("GET", rf"{MEMBERS}\?", ok(items()), ok(items(ANN)))
    await set_members(talk, "ann")


async def test_a_member_who_cannot_be_added_is_refused() -> None:
    talk = team().on("POST", MEMBERS, error(500, "Unknown text"))
    with pytest.raises(Refused, match="Unknown text"):
        await set_members(talk, "ann")


async def test_a_member_whom_somebody_took_out_meanwhile_is_fine() -> None:
    talk = team().on("DELETE", MEMBERS, error(404, "not there"))
    talk.on("GET", rf"{MEMBERS}\?", ok(items(ANN)), ok(items()))
    await set_members(talk)


async def test_long_lists_are_read_page_by_page() -> None:
    first = [{"id": n, "name": f"u{n}"} for n in range(100)]
    second = [{"id": n, "name": f"u{n}"} for n in range(100, 130)]
    talk = team().on(
        "GET",
        rf"{MEMBERS}\?",
        ok(items(*first, page_total=2)),
        ok(items(*second, page_total=2)),
    )
    await set_members(talk)
    assert len(talk.asked("DELETE")) == 130
    assert [r.url.params["page"] for r in talk.asked("GET", rf"{MEMBERS}\?")] == ["1", "2"]


async def test_a_server_that_repeats_its_last_page_does_not_hold_us() -> None:
    talk = team().on("GET", rf"{MEMBERS}\?", ok(items(ANN, page_total=99)))
    await set_members(talk, "ann")
    assert len(talk.asked("GET", rf"{MEMBERS}\?")) == 2


def related(child: int, *parents: int) -> Conversation:
    """The workspace ``child`` has these parents."""
    talk = server()
    shown = [{"id": parent, "name": "p", "rel_type": "parent"} for parent in parents]
    return talk.on("GET", rf"/v2/businessworkspaces/{child}/relateditems\?", ok(items(*shown)))


async def test_a_relation_is_made_by_form_fields() -> None:
    talk = related(42).on("POST", "/v2/businessworkspaces/42/relateditems", ok({"results": {}}))
    await gateway(talk).relate(42, related_id=7, relation="parent")
    assert form_of(talk.asked("POST")[0]) == {"rel_bw_id": ["7"], "rel_type": ["parent"]}
    assert talk.asked("GET")[0].url.params["where_rel_types"] == "{'parent'}"


async def test_a_child_is_looked_for_from_its_side_because_parents_have_many() -> None:
    talk = related(7).on("POST", "/v2/businessworkspaces/42/relateditems", ok({"results": {}}))
    await gateway(talk).relate(42, related_id=7, relation="child")
    assert form_of(talk.asked("POST")[0]) == {"rel_bw_id": ["7"], "rel_type": ["child"]}


@pytest.mark.parametrize(
    ("child", "parent", "workspace", "other", "relation"),
    [(42, 7, 42, 7, "parent"), (42, 7, 7, 42, "child")],
)
async def test_a_relation_that_is_there_is_left_alone(
    child: int, parent: int, workspace: int, other: int, relation: Any
) -> None:
    talk = related(child, 3, parent)
    await gateway(talk).relate(workspace, related_id=other, relation=relation)
    assert talk.writes() == []


async def test_a_relation_that_somebody_made_meanwhile_is_fine() -> None:
    talk = related(42).on("POST", "/relateditems", error(500, "Unknown text"))
    there = {"id": 7, "name": "p", "rel_type": "parent"}
    talk.on("GET", "/relateditems", ok(items()), ok(items(there)))
    await gateway(talk).relate(42, related_id=7, relation="parent")


async def test_a_relation_that_cannot_be_made_is_refused() -> None:
    talk = related(42).on("POST", "/relateditems", error(500, "Unknown text"))
    with pytest.raises(Refused, match="Unknown text"):
        await gateway(talk).relate(42, related_id=7, relation="parent")


async def test_a_workspace_that_is_not_there_cannot_be_related() -> None:
    talk = related(42).on("POST", "/relateditems", error(404, "no such workspace"))
    with pytest.raises(Refused) as raised:
        await gateway(talk).relate(42, related_id=7, relation="parent")
    assert raised.value.code == "workspace_missing"


async def test_a_relation_is_taken_away_when_it_is_there() -> None:
    talk = related(42, 7).on("DELETE", "/relateditems", ok({}))
    await gateway(talk).unrelate(42, related_id=7, relation="parent")
    (request,) = talk.asked("DELETE")
    assert request.url.path.endswith("/v2/businessworkspaces/42/relateditems/7")
    assert request.url.params["rel_type"] == "parent"


@pytest.mark.parametrize(
    "talk", [related(42), related(42).on("GET", "/relateditems", error(404, "gone"))]
)
async def test_a_relation_that_is_not_there_needs_no_taking_away(talk: Conversation) -> None:
    await gateway(talk).unrelate(42, related_id=7, relation="parent")
    assert talk.writes() == []
