"""Workspaces: found, made, adopted, never made twice; names, types and templates."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from app.clients.ecm.names import LONGEST_NAME, clean_name, names_to_try
from streams.errors import Misconfigured, Refused, Throttled, Unavailable
from streams.ports import EcmGateway, Workspace
from tests.clients.conversation import Conversation, CountingSignIn, Observed, body_of, ok, page
from tests.clients.ecm.talk import (
    ACCOUNT,
    CS,
    GUID,
    NOTHING,
    created,
    error,
    gateway,
    items,
    node,
    server,
    workspace,
    workspace_type,
)

TAKEN = "An item with the name 'Contoso' already exists."
LINKED = "The business object is in use by another one."  # its text is not documented
FOUND = items({"id": 42, "name": "Contoso"})


async def ensure(talk: Conversation, name: str = "Contoso", **options: Any) -> Workspace:
    """Ensure the account's workspace on this server."""
    return await gateway(talk, **options).ensure_workspace(
        ACCOUNT, workspace_type="Account", template=None, name=name, attributes={}
    )


def test_the_gateway_is_what_the_writers_ask_for() -> None:
    port: EcmGateway = gateway(Conversation())
    assert port


async def test_a_workspace_that_is_found_is_adopted_without_a_write() -> None:
    talk = server().on("GET", "/boids/", ok(FOUND))
    found = await ensure(talk)
    assert found == Workspace(42, "Contoso", f"{CS}/app/nodes/42", created=False)
    assert talk.writes() == []
    assert talk.requests[0].url.raw_path.decode() == (
        f"/cs/cs/api/v2/externalsystems/D365%2FEU/botypes/account/boids/{GUID}"
    )


@pytest.mark.parametrize(
    "none",
    [
        error(404, "none"),
        error(400, "The business object does not exist"),
        error(500, "Error"),
        error(400, "The REST API URL could not be found in the mappings registry."),
        ok({"results": {}}),
        ok(NOTHING),
    ],
)
async def test_every_form_of_none_leads_to_the_second_way(none: httpx.Response) -> None:
    talk = server().on("GET", "/boids/", none)
    talk.on("GET", r"/v2/businessworkspaces\?", ok(FOUND))
    talk.on("GET", r"/v2/businessworkspaces/42\?", ok(workspace(42, "Contoso")))
    assert (await ensure(talk)).id == 42
    asked = talk.asked("GET", r"/v2/businessworkspaces\?")[0].url.params
    assert asked["where_ext_system_id"] == "D365/EU"
    assert asked["where_bo_type"] == "account"
    assert asked["where_bo_id"] == GUID
    assert asked["expanded_view"] == "true"
    assert talk.writes() == []


@pytest.mark.parametrize(
    "down", [page(500), page(503), httpx.ReadTimeout("slow"), page(200, "Restarting")]
)
async def test_a_look_up_that_gets_no_answer_is_not_taken_for_none(down: Any) -> None:
    talk = server().on("GET", "/boids/", down)
    with pytest.raises(Unavailable):
        await ensure(talk)
    assert talk.writes() == []


async def test_a_look_up_that_is_not_allowed_is_not_taken_for_none() -> None:
    talk = server().on("GET", "/boids/", error(403, "No"))
    with pytest.raises(Refused) as raised:
        await ensure(talk)
    assert raised.value.code == "permission_denied"
    assert talk.writes() == []


async def test_a_server_that_ignores_the_filter_does_not_make_us_adopt_a_stranger() -> None:
    other = workspace(7, "Other", workspace_references=[], business_properties={})
    talk = server().on("GET", r"/v2/businessworkspaces\?", ok(items({"id": 7, "name": "Other"})))
    talk.on("GET", r"/v2/businessworkspaces/7\?", ok(other))
    talk.on("POST", "/v2/businessworkspaces", created(42))
    talk.on("GET", r"/v2/nodes/42\?", ok(node(42, "Contoso")))
    assert (await ensure(talk)).id == 42


async def test_a_server_with_neither_way_creates_nothing() -> None:
    other = workspace(7, "Other", workspace_references=[], business_properties={})
    talk = server().on("GET", "/boids/", error(400, "not found in the mappings registry"))
    talk.on("GET", r"/v2/businessworkspaces\?", ok(items({"id": 7, "name": "Other"})))
    talk.on("GET", r"/v2/businessworkspaces/7\?", ok(other))
    with pytest.raises(Misconfigured, match="ignores the filter") as raised:
        await ensure(talk)
    assert raised.value.code == "lookup_unsupported"
    assert talk.writes() == []


@pytest.mark.parametrize(("first_way", "made"), [(ok(NOTHING), True), (error(404, "no"), False)])
async def test_a_filter_that_is_refused_counts_only_without_the_first_way(
    first_way: httpx.Response, made: bool
) -> None:
    talk = server().on("GET", "/boids/", first_way)
    talk.on("GET", r"/v2/businessworkspaces\?", error(400, "Unknown argument"))
    talk.on("POST", "/v2/businessworkspaces", created(42))
    talk.on("GET", r"/v2/nodes/42\?", ok(node(42, "Contoso")))
    if made:
        assert (await ensure(talk)).created
        return
    with pytest.raises(Refused, match="Unknown argument"):
        await ensure(talk)
    assert talk.writes() == []


async def test_several_workspaces_of_one_business_object_are_refused() -> None:
    talk = server().on("GET", "/boids/", ok(items({"id": 42, "name": "A"}, {"id": 43})))
    with pytest.raises(Refused, match="42, 43") as raised:
        await ensure(talk)
    assert raised.value.code == "workspace_not_unique"


async def test_a_new_workspace_is_sent_as_one_body_field_and_read_back() -> None:
    talk = server().on("POST", "/v2/businessworkspaces", created(42))
    talk.on("GET", r"/v2/nodes/42\?", ok(node(42, "Contoso- Ltd")))
    made = await ensure(talk, "Contoso: Ltd")
    assert made == Workspace(42, "Contoso- Ltd", f"{CS}/app/nodes/42", created=True)
    assert body_of(talk.asked("POST")[0]) == {
        "template_id": 500,
        "wksp_type_id": 16,
        "type": 848,
        "ext_system_id": "D365/EU",
        "bo_type": "account",
        "bo_id": GUID,
        "name": "Contoso- Ltd",
    }


async def test_a_place_is_named_when_it_is_configured() -> None:
    talk = server().on("POST", "/v2/businessworkspaces", created(42))
    talk.on("GET", r"/v2/nodes/42\?", ok(node(42, "Contoso")))
    made = await ensure(talk, parent_id=2000, url_pattern="{cs}/link/{id}")
    assert body_of(talk.asked("POST")[0])["parent_id"] == 2000
    assert made.url == f"{CS}/link/42"


@pytest.mark.parametrize(
    "lost",
    [
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("hung up"),
        page(502),
        page(200, "Restarting"),
        ok({"results": {}}),
        error(500, LINKED),
        error(500, TAKEN),
        error(409, "conflict"),
    ],
)
async def test_after_an_unclear_answer_the_workspace_is_looked_up_and_adopted(lost: Any) -> None:
    talk = server().on("GET", "/boids/", ok(NOTHING), ok(FOUND))
    talk.on("POST", "/v2/businessworkspaces", lost)
    found = await ensure(talk)
    assert (found.id, found.created) == (42, False)
    assert len(talk.asked("POST")) == 1


async def test_an_answer_lost_before_the_commit_is_told_and_the_repetition_finds_it() -> None:
    """The server finishes only after we have looked: the next attempt looks before it writes."""
    talk = server().on("GET", "/boids/", ok(NOTHING), ok(NOTHING), ok(FOUND))
    talk.on("POST", "/v2/businessworkspaces", httpx.ReadTimeout("slow"))
    calling = gateway(talk)
    arguments: dict[str, Any] = {
        "workspace_type": "Account",
        "template": None,
        "name": "Contoso",
        "attributes": {},
    }
    with pytest.raises(Unavailable):
        await calling.ensure_workspace(ACCOUNT, **arguments)
    assert (await calling.ensure_workspace(ACCOUNT, **arguments)).id == 42
    assert len(talk.asked("POST")) == 1


async def test_a_refusal_stays_when_there_is_no_workspace() -> None:
    talk = server().on("POST", "/v2/businessworkspaces", error(500, "Required attribute"))
    with pytest.raises(Refused, match="Required attribute") as raised:
        await ensure(talk)
    assert raised.value.code == "application_error"


async def test_a_throttled_creation_is_not_looked_up() -> None:
    talk = server().on("POST", "/v2/businessworkspaces", ok({}, 429, Retry_After="5"))
    with pytest.raises(Throttled) as raised:
        await ensure(talk)
    assert raised.value.retry_after == 5
    assert len(talk.asked("GET", "/boids/")) == 1


async def test_two_calls_for_one_business_object_make_one_workspace() -> None:
    there: list[int] = []

    def look_up(_: httpx.Request) -> httpx.Response:
        return ok(FOUND if there else NOTHING)

    def make(_: httpx.Request) -> httpx.Response:
        there.append(42)
        return created(42)

    talk = server().on("GET", "/boids/", look_up).on("POST", "/v2/businessworkspaces", make)
    talk.on("GET", r"/v2/nodes/42\?", ok(node(42, "Contoso")))
    calling = gateway(talk)
    both = await asyncio.gather(
        *(
            calling.ensure_workspace(
                ACCOUNT, workspace_type="Account", template=None, name="Contoso", attributes={}
            )
            for _ in range(2)
        )
    )
    assert sorted(one.created for one in both) == [False, True]
    assert there == [42]


async def test_a_name_that_is_taken_gets_the_business_objects_id() -> None:
    talk = server().on(
        "POST", "/v2/businessworkspaces", error(500, TAKEN), error(400, TAKEN), created(42)
    )
    talk.on("GET", r"/v2/nodes/42\?", ok(node(42, f"Contoso ({GUID})")))
    await ensure(talk)
    assert [body_of(request)["name"] for request in talk.asked("POST")] == [
        "Contoso",
        "Contoso (0a3f6f52)",
        f"Contoso ({GUID})",
    ]


async def test_when_every_name_is_taken_it_is_refused() -> None:
    talk = server().on("POST", "/v2/businessworkspaces", error(500, TAKEN))
    with pytest.raises(Refused) as raised:
        await ensure(talk)
    assert raised.value.code == "name_taken"
    assert len(talk.asked("POST")) == 3


@pytest.mark.parametrize(
    ("types", "type_name", "template", "code", "named"),
    [
        (items(workspace_type()), "Vendor", None, "workspace_type_unknown", "Account"),
        (items(workspace_type()), "Account", "Big", "template_unknown", "Account Template"),
        (items(workspace_type(templates=[])), "Account", None, "template_unknown", "at all"),
        ({"results": []}, "Account", None, "workspace_type_unknown", "none"),
    ],
)
async def test_a_type_or_template_that_is_not_there_is_our_configuration(
    types: Any, type_name: str, template: str | None, code: str, named: str
) -> None:
    talk = server().on("GET", "/v2/businessworkspacetypes", ok(types))
    with pytest.raises(Misconfigured, match=named) as raised:
        await gateway(talk).ensure_workspace(
            ACCOUNT, workspace_type=type_name, template=template, name="x", attributes={}
        )
    assert raised.value.code == code
    assert len(talk.asked("GET", "types")) == 2  # it may have been made since


async def test_a_rule_without_a_template_takes_the_types_first_one() -> None:
    templates = [{"id": 3, "name": "B"}, {"id": 4, "name": "A"}, {"id": 5, "name": "B"}]
    talk = server().on("GET", "types", ok(items(workspace_type(templates=templates))))
    talk.on("POST", "/v2/businessworkspaces", created(42))
    talk.on("GET", r"/v2/nodes/42\?", ok(node(42, "Contoso")))
    await ensure(talk)
    assert body_of(talk.asked("POST")[0])["template_id"] == 3


async def test_a_server_without_any_type_answers_500() -> None:
    talk = server().on("GET", "/v2/businessworkspacetypes", error(500, "No workspace type"))
    assert await gateway(talk).workspace_types() == ()


async def test_types_and_templates_are_listed_for_checks() -> None:
    (kind,) = await gateway(server()).workspace_types()
    assert (kind.id, kind.name, kind.templates) == (16, "Account", {"Account Template": 500})


async def test_the_template_is_chosen_by_name_without_case() -> None:
    two = workspace_type(templates=[{"id": 1, "name": "Small"}, {"id": 2, "name": "Big"}])
    talk = server().on("GET", "/v2/businessworkspacetypes", ok(items(two)))
    talk.on("POST", "/v2/businessworkspaces", created(42))
    talk.on("GET", r"/v2/nodes/42\?", ok(node(42, "x")))
    await gateway(talk).ensure_workspace(
        ACCOUNT, workspace_type="account", template="BIG", name="x", attributes={}
    )
    assert body_of(talk.asked("POST")[0])["template_id"] == 2


def existing(name: str) -> Conversation:
    return server().on("GET", r"/v2/businessworkspaces/42\?", ok(workspace(42, name)))


async def rename(talk: Conversation, name: str) -> None:
    await gateway(talk).update_workspace(42, name=name, attributes={})


async def test_a_name_that_differs_is_changed() -> None:
    talk = existing("Old").on("PUT", "/v2/nodes/42", ok(node(42, "New")))
    talk.on("GET", r"/v2/nodes/42\?", ok(node(42, "New")))
    await rename(talk, "New")
    assert body_of(talk.asked("PUT")[0]) == {"name": "New"}


@pytest.mark.parametrize("present", ["Con-toso", "Con-toso (0a3f6f52)", f"Con-toso ({GUID})"])
async def test_a_name_that_is_right_is_left_also_with_the_suffix_that_made_it_unique(
    present: str,
) -> None:
    talk = existing(present)
    await rename(talk, "Con:toso")
    assert talk.writes() == []


async def test_a_new_name_that_is_taken_gets_the_business_objects_id() -> None:
    talk = existing("Old").on("PUT", "/v2/nodes/42", error(500, TAKEN), ok({}))
    talk.on("GET", r"/v2/nodes/42\?", ok(node(42, f"New ({GUID[:8]})")))
    await rename(talk, "New")
    assert body_of(talk.asked("PUT")[1]) == {"name": f"New ({GUID[:8]})"}


async def test_a_type_that_is_known_to_generate_names_is_not_renamed() -> None:
    makes = workspace_type(wksp_name_generation={"wksp_names": {"en": "[900:Name]"}})
    talk = existing("Generated").on("GET", "/v2/businessworkspacetypes", ok(items(makes)))
    await rename(talk, "Wanted")
    assert talk.writes() == []


async def test_a_type_that_overwrites_a_name_is_not_renamed_again() -> None:
    talk = existing("Generated").on("PUT", "/v2/nodes/42", ok({}))
    talk.on("GET", r"/v2/nodes/42\?", ok(node(42, "Generated")))
    calling = gateway(talk)
    for _ in range(3):
        await calling.update_workspace(42, name="Wanted", attributes={})
    assert len(talk.asked("PUT")) == 1


async def test_a_type_that_overwrote_a_name_at_creation_is_not_renamed() -> None:
    talk = existing("Generated").on("POST", "/v2/businessworkspaces", created(42))
    talk.on("GET", r"/v2/nodes/42\?", ok(node(42, "Generated")))
    calling = gateway(talk)
    made = await calling.ensure_workspace(
        ACCOUNT, workspace_type="Account", template=None, name="Wanted", attributes={}
    )
    assert made.name == "Generated"
    await calling.update_workspace(42, name="Wanted", attributes={})
    assert talk.asked("PUT") == []


async def test_an_update_of_a_workspace_that_is_gone_says_so() -> None:
    talk = server().on("GET", r"/v2/businessworkspaces/42\?", error(404, "No such workspace"))
    with pytest.raises(Refused) as raised:
        await rename(talk, "New")
    assert raised.value.code == "workspace_missing"


async def test_an_expired_ticket_is_renewed_and_fresh_ones_are_adopted() -> None:
    sign_in = CountingSignIn()
    talk = server().on("GET", "/boids/", error(401, "Authentication Required"), ok(FOUND))
    talk.on("GET", "/v2/businessworkspacetypes", ok(items(), OTCSTicket="fresh"))
    calling = gateway(talk, sign_in=sign_in)
    found = await calling.ensure_workspace(
        ACCOUNT, workspace_type="Account", template=None, name="x", attributes={}
    )
    await calling.workspace_types()
    assert found.id == 42
    assert sign_in.sign_ins == 2
    assert sign_in.adopted == ["fresh"]


async def test_calls_are_observed_by_operation() -> None:
    observed = Observed()
    talk = server().on("GET", "/boids/", ok(FOUND))
    await ensure(talk, observed=observed)
    assert observed.requests == [("ecm", "find_workspace", "200")]


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("Contoso: North", "Contoso- North"),
        ("  a \t b\n", "a b"),
        ("\x00", GUID),
        ("", GUID),
        ("x" * 300, "x" * 248),
    ],
)
def test_a_name_is_made_what_content_server_takes(name: str, clean: str) -> None:
    assert clean_name(name, GUID) == clean


def test_a_suffix_fits_into_the_longest_name() -> None:
    for name in names_to_try("x" * 300, GUID):
        assert len(name) <= LONGEST_NAME
    assert len(set(names_to_try("x" * 300, GUID))) == 3
    assert list(names_to_try("A", "7")) == ["A", "A (7)"]
    assert list(names_to_try("A", "usmf~v-1~7")) == ["A", "A (usmf~v-1~7)"]
