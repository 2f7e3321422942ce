"""What a commit becomes on its way to a service endpoint, message by message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator, Reference, application_user_id
from app.sandbox.dataverse.push.messages import Message, Writer
from app.sandbox.dataverse.push.steps import Steps
from app.sandbox.events.change import Encoded, Sender
from app.sandbox.events.rec_context import step_id
from tests.sandbox.dataverse.support import APP_ID

USER = application_user_id(APP_ID)
CORRELATION = "0c000000-0000-4000-8000-00000000000c"
ZERO = "00000000-0000-0000-0000-000000000000"
IMAGES = Steps(images=True)


class Told:
    """The messages of what an organisation commits from now on."""

    def __init__(self, dataverse: DataverseSimulator) -> None:
        sender = Sender("org1", "org1.crm4.dynamics.com")
        self.writer = Writer(sender, dataverse.registry.table, dataverse.row)
        self.steps = Steps()
        self.messages: list[Message] = []
        dataverse.on_commit(self._committed)

    def _committed(self, commit: Any) -> None:
        self.messages += self.writer.messages(commit, len(self.messages), self.steps)

    def bodies(self, *messages: str) -> list[dict[str, Any]]:
        """Those of some messages, or of all."""
        found = [body_of(m.encoded(self.steps)) for m in self.messages]
        return [body for body in found if not messages or body["MessageName"] in messages]

    def body(self, *messages: str) -> dict[str, Any]:
        (found,) = self.bodies(*messages)
        return found


@pytest.fixture
def told(dataverse: DataverseSimulator) -> Told:
    return Told(dataverse)


def body_of(encoded: Encoded | None) -> dict[str, Any]:
    assert encoded is not None
    assert encoded.value is not None
    body: dict[str, Any] = json.loads(encoded.value)
    return body


def pairs(items: list[dict[str, Any]]) -> dict[str, Any]:
    """A .NET dictionary; a name that occurs twice would be lost, so it must not."""
    found = {item["key"]: item["value"] for item in items}
    assert len(found) == len(items)
    return found


def target(body: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of the message's target."""
    return pairs(pairs(body["InputParameters"])["Target"]["Attributes"])


def columns(body: Mapping[str, Any]) -> set[str]:
    """What of a target is neither id nor stamp."""
    stamps = {"modifiedon", "modifiedby", "modifiedonbehalfby"}
    return {name for name in target(body) if name not in stamps and not name.endswith("id")}


async def test_a_create_brings_all_that_was_set_defaults_too(
    told: Told, client: httpx.AsyncClient
) -> None:
    headers = {"x-ms-correlation-id": CORRELATION, "User-Agent": "Contoso/1"}
    body = {"name": "Kumi Oy", "creditlimit": 12.5, "customertypecode": 3}
    answer = await client.post("/accounts?tag=xecm", json=body, headers=headers)
    (message,) = told.messages
    sent = message.encoded(told.steps)
    found = body_of(sent)
    row_id = answer.headers["OData-EntityId"][-37:-1]
    assert (found["MessageName"], found["Stage"], found["Mode"], found["Depth"]) == (
        "Create",
        40,
        1,
        1,
    )
    assert (found["PrimaryEntityName"], found["PrimaryEntityId"]) == ("account", row_id)
    assert pairs(found["OutputParameters"]) == {"id": row_id}
    assert pairs(found["SharedVariables"]) == {"tag": "xecm"}
    assert (found["UserId"], found["InitiatingUserId"]) == (USER, USER)
    assert found["CorrelationId"] == CORRELATION
    assert found["OperationCreatedOn"] == "/Date(1714557600900+0000)/"
    values = target(found)
    assert values["name"] == "Kumi Oy"
    assert values["creditlimit"]["Value"] == 12.5
    assert values["creditlimit"]["__type"].startswith("Money:")
    assert values["customertypecode"]["Value"] == 3
    assert values["statecode"]["Value"] == 0
    assert values["createdon"] == "/Date(1714557600000)/"
    assert (values["ownerid"]["LogicalName"], values["ownerid"]["Id"]) == ("systemuser", USER)
    assert "description" not in values, "what was never set is not there"
    labels = pairs(pairs(found["InputParameters"])["Target"]["FormattedValues"])
    assert labels["customertypecode"] == "Customer"
    assert sent is not None
    assert b'"key":"name"' in (sent.value or b"")
    assert b"http:\\/\\/schemas" in (sent.value or b""), ".NET escapes its slashes"
    assert dict(sent.headers)["content-type"] == b"application/json"
    agent = "http://schemas.microsoft.com/xrm/2011/Claims/InitiatingUserAgent"
    assert dict(sent.headers)[agent] == b"\xa1\x09Contoso/1"


async def test_an_update_brings_what_was_submitted_and_who_did_it(
    told: Told, dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    account = dataverse.seed("account", {"name": "A", "telephone1": "1"})
    person = dataverse.seed("systemuser", {"fullname": "Ann"})
    told.messages.clear()
    changes = {"name": "A", "telephone1": None}
    headers = {"MSCRMCallerID": person.id}
    await client.patch(f"/accounts({account.id})", json=changes, headers=headers)
    body = told.body()
    assert columns(body) == {"name", "telephone1"}
    assert target(body)["telephone1"] is None, "a cleared column is there, and empty"
    assert target(body)["accountid"] == account.id
    assert target(body)["modifiedby"]["Id"] == person.id
    assert target(body)["modifiedonbehalfby"]["Id"] == USER
    assert (body["UserId"], body["InitiatingUserId"]) == (person.id, USER)
    assert pairs(body["PostEntityImages"]).keys() == {"AsynchronousStepPrimaryName"}
    assert body["PreEntityImages"] == []


@pytest.mark.parametrize(
    ("steps", "parts"),
    [
        (Steps(), [{"name", "ownerid"}, {"statecode", "statuscode"}]),
        (Steps(split_owner=True), [{"name"}, {"ownerid"}, {"statecode", "statuscode"}]),
        (Steps(split_state=False), [{"name", "ownerid", "statecode", "statuscode"}]),
    ],
)
async def test_state_and_owner_leave_on_their_own(
    steps: Steps,
    parts: list[set[str]],
    told: Told,
    dataverse: DataverseSimulator,
    client: httpx.AsyncClient,
) -> None:
    account = dataverse.seed("account", {"name": "A"})
    told.messages.clear()
    told.steps = steps
    owner = {"ownerid@odata.bind": f"/systemusers({USER})"}
    changes = {"statecode": 1, "statuscode": 2, "name": "B", **owner}
    await client.patch(f"/accounts({account.id})", json=changes)
    bodies = told.bodies()
    names = {"name", "ownerid", "statecode", "statuscode"}
    assert [set(target(body)) & names for body in bodies] == parts
    assert len({body["CorrelationId"] for body in bodies}) == 1
    assert len({body["OperationId"] for body in bodies}) == len(parts)


async def test_a_delete_brings_values_only_in_its_image(
    told: Told, dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    for steps in (Steps(), IMAGES):
        account = dataverse.seed("account", {"name": "A", "creditlimit": 5})
        told.messages.clear()
        told.steps = steps
        await client.delete(f"/accounts({account.id})")
        body = told.body()
        gone = pairs(body["InputParameters"])["Target"]
        assert (gone["LogicalName"], gone["Id"]) == ("account", account.id)
        assert gone["__type"].startswith("EntityReference:")
        assert body["PostEntityImages"] == []
        assert bool(body["PreEntityImages"]) is steps.images
    shown = pairs(body["PreEntityImages"])["PreImage"]
    assert "__type" not in shown
    assert pairs(shown["Attributes"])["name"] == "A"


async def test_images_show_the_row_around_an_update(
    told: Told, dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    told.steps = IMAGES
    account = dataverse.seed("account", {"name": "A", "telephone1": "1"})
    created = told.body()
    assert created["PreEntityImages"] == [], "there is none of a row that comes to be"
    told.messages.clear()
    await client.patch(f"/accounts({account.id})", json={"name": "B", "telephone1": None})
    body = told.body()
    before = pairs(pairs(body["PreEntityImages"])["PreImage"]["Attributes"])
    after = pairs(pairs(body["PostEntityImages"])["PostImage"]["Attributes"])
    assert (before["name"], before["telephone1"], after["name"]) == ("A", "1", "B")
    assert "telephone1" not in after, "an image holds no empty columns"


async def test_a_won_opportunity_is_told_with_its_activity(
    told: Told, dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    deal = dataverse.seed("opportunity", {"name": "Deal", "estimatedvalue": 900})
    told.messages.clear()
    close = {"subject": "Won!", "opportunityid@odata.bind": f"/opportunities({deal.id})"}
    await client.post("/WinOpportunity", json={"Status": 3, "OpportunityClose": close})
    created, first, state, won = told.bodies()
    assert created["PrimaryEntityName"] == "opportunityclose"
    assert [b["MessageName"] for b in (first, state, won)] == ["Update", "Update", "Win"]
    assert {"statecode", "statuscode"} <= set(target(state))
    parameters = pairs(won["InputParameters"])
    assert parameters["Status"]["Value"] == 3
    activity = pairs(parameters["OpportunityClose"]["Attributes"])
    assert (activity["subject"], activity["opportunityid"]["Id"]) == ("Won!", deal.id)
    assert len({b["CorrelationId"] for b in (created, first, state, won)}) == 1


async def test_links_and_merges_have_their_own_messages(
    told: Told, dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    one, two = (dataverse.seed("account", {"name": name}) for name in ("A", "B"))
    person = dataverse.seed("contact", {"lastname": "Lee"})
    told.messages.clear()
    path = f"/accounts({one.id})/contact_customer_accounts"
    linked = {"@odata.id": f"{client.base_url}contacts({person.id})"}
    assert (await client.post(f"{path}/$ref", json=linked)).status_code == 204
    associated = pairs(told.body("Associate")["InputParameters"])
    assert associated["Relationship"]["SchemaName"] == "contact_customer_accounts"
    assert [r["Id"] for r in associated["RelatedEntities"]] == [person.id]
    kind = {"@odata.type": "Microsoft.Dynamics.CRM.account"}
    merge = {
        "Target": {**kind, "accountid": one.id},
        "Subordinate": {**kind, "accountid": two.id},
        "UpdateContent": {**kind, "telephone1": "7"},
        "PerformParentingChecks": False,
    }
    assert (await client.post("/Merge", json=merge)).status_code == 204
    merged = pairs(told.body("Merge")["InputParameters"])
    assert (merged["Target"]["Id"], merged["SubordinateId"]) == (one.id, two.id)
    assert pairs(merged["UpdateContent"]["Attributes"])["telephone1"] == "7"


async def test_a_cascade_is_deeper_than_what_caused_it(
    told: Told, dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    deal = dataverse.seed("opportunity", {"name": "Deal"})
    process = {"name": "p", "opportunityid": Reference("opportunity", deal.id)}
    dataverse.seed("opportunitysalesprocess", process)
    told.messages.clear()
    await client.delete(f"/opportunities({deal.id})")
    depths = {body["PrimaryEntityName"]: body["Depth"] for body in told.bodies("Delete")}
    assert depths == {"opportunity": 1, "opportunitysalesprocess": 2}


async def test_bypassing_asynchronous_logic_or_our_step_sends_nothing(
    told: Told, client: httpx.AsyncClient
) -> None:
    bypass = "MSCRM.BypassBusinessLogicExecution"
    silent = [
        {bypass: "CustomAsync"},
        {bypass: "CustomSync,CustomAsync"},
        {f"{bypass}StepIds": step_id("account", "Create")},
    ]
    for headers in silent:
        await client.post("/accounts", json={"name": "A"}, headers=headers)
    assert told.messages == []
    loud = [
        {bypass: "CustomSync"},
        {f"{bypass}StepIds": step_id("account", "Update")},
        {"MSCRM.BypassCustomPluginExecution": "true"},
    ]
    for headers in loud:
        await client.post("/accounts", json={"name": "A"}, headers=headers)
    assert len(told.messages) == len(loud)


async def test_steps_are_for_some_tables_and_some_columns(
    told: Told, dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    told.steps = Steps(tables=frozenset({"account"}), filtering={"account": frozenset({"name"})})
    dataverse.seed("contact", {"lastname": "Lee"})
    account = dataverse.seed("account", {"name": "A"})
    assert told.body()["MessageName"] == "Create", "a filter is for updates"
    await client.patch(f"/accounts({account.id})", json={"telephone1": "1"})
    assert len(told.messages) == 1
    await client.patch(f"/accounts({account.id})", json={"name": "B", "telephone1": "2"})
    assert columns(told.bodies()[1]) == {"name", "telephone1"}, "the whole target, then"


async def test_a_nested_message_has_its_tag_in_the_outer_pipeline(
    told: Told, client: httpx.AsyncClient
) -> None:
    told.steps = Steps(nested=True)
    await client.post("/accounts?tag=xecm", json={"name": "A"})
    body = told.body()
    assert body["SharedVariables"] == []
    outer = body["ParentContext"]
    assert (outer["Stage"], outer["ParentContext"]) == (30, None)
    assert pairs(outer["SharedVariables"]) == {"tag": "xecm"}
    assert outer["InputParameters"] == body["InputParameters"]


@pytest.mark.parametrize(
    ("transport", "mark"),
    [
        ("event_hub", ("MessageMaxSizeExceeded", b"\x41")),
        ("webhook", ("x-ms-dynamics-msg-size-exceeded", b"true")),
    ],
)
async def test_a_large_body_loses_exactly_its_parameters_and_images(
    transport: Any, mark: tuple[str, bytes], told: Told, client: httpx.AsyncClient
) -> None:
    await client.post("/accounts", json={"name": "A", "description": "x" * 1900})
    (message,) = told.messages
    roomy = Steps(transport=transport)
    whole, size = body_of(message.encoded(roomy)), len(message.encoded(roomy).value)  # type: ignore[union-attr, arg-type]
    assert mark not in message.encoded(roomy).headers  # type: ignore[union-attr]
    exact = replace(roomy, largest_bytes=size)
    assert body_of(message.encoded(exact)) == whole
    cut = message.encoded(replace(roomy, largest_bytes=size - 1))
    assert cut is not None
    assert mark in cut.headers
    dropped = set(whole) - set(body_of(cut))
    assert dropped == {"ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages"}
    assert body_of(message.encoded(roomy, cut=True)) == body_of(cut)
    assert message.encoded(replace(roomy, largest_bytes=100)) is None, "not sent at all"
