"""One suite for OpenText's client and ours: the same calls, the same effects, the same lookups.

What a service application asks of Extended ECM, in the words of `Driver`; each client says it in
its own. So a habit of the simulator that only suits our client, or only OpenText's, shows here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

import pytest
from pydantic import SecretStr

from app.clients.ecm import ContentServerGateway
from app.clients.ecm.lookup import WorkspaceLookup
from app.clients.ecm.status import CONTENT_SERVER
from app.clients.http import Endpoint, open_client
from app.clients.setting_names import CONTENT_SERVER_URL
from app.clients.tickets import OtdsClient, OtdsTickets
from app.sandbox.content_server import ContentServerSimulator
from streams.messages.facts import BusinessObject
from tests.conformance.content_server import OBJECT, Client, new_document, signed_in

Values = Mapping[str, Mapping[str, Any]]


class Driver(Protocol):
    """A client of account workspaces; categories, roles and maps by their names."""

    async def create(self, bo_id: str, name: str, values: Values) -> int: ...

    async def find(self, bo_id: str) -> int | None: ...

    async def update(self, workspace: int, name: str, values: Values) -> None: ...

    async def relate(self, parent: int, child: int) -> None: ...

    async def unrelate(self, parent: int, child: int) -> None: ...

    async def add_member(self, workspace: int, role: str, login: str) -> None: ...

    async def folder(self, workspace: int, name: str) -> int: ...

    async def latest_version(self, document: int) -> int: ...

    async def classify(self, workspace: int, classification: str) -> None: ...

    async def start(self, workspace: int, workflow_map: str, document: int) -> int: ...

    async def types(self) -> Mapping[str, Sequence[str]]: ...


class OpenTexts:
    """pyxecm's `OTCS`."""

    def __init__(self, server: ContentServerSimulator, client: Client) -> None:
        self._server = server
        self._client = client

    async def create(self, bo_id: str, name: str, values: Values) -> int:
        created = await self._client.call(
            "create_workspace",
            workspace_template_id=self._server.template_id("Account"),
            workspace_name=name,
            workspace_description="",
            workspace_type=self._server.type_id("Account"),
            category_data=self._nested(values),
            external_system_id=OBJECT[0],
            bo_type=OBJECT[1],
            bo_id=bo_id,
        )
        return int(self._client.value(created, "id"))

    async def find(self, bo_id: str) -> int | None:
        found = await self._client.call("get_workspace_by_business_object", *OBJECT[:2], bo_id)
        number = self._client.value(found, "id")
        return int(number) if number is not None else None

    async def update(self, workspace: int, name: str, values: Values) -> None:
        await self._client.call("rename_node", workspace, name, "")
        for category, keys in self._nested(values).items():
            await self._client.call("set_category_values", workspace, int(category), keys)

    async def relate(self, parent: int, child: int) -> None:
        assert await self._client.call("create_workspace_relationship", parent, child)

    async def unrelate(self, parent: int, child: int) -> None:
        assert await self._client.call("delete_workspace_relationship", parent, child) is not None

    async def add_member(self, workspace: int, role: str, login: str) -> None:
        roles = await self._client.call("get_workspace_roles", workspace)
        role_id = self._client.otcs.lookup_result_value(roles, "name", role, "id")
        user = await self._client.call("get_user", name=login)
        member = self._client.value(user, "id")
        assert await self._client.call("add_workspace_member", workspace, role_id, member)

    async def folder(self, workspace: int, name: str) -> int:
        made = await self._client.call("create_item", workspace, 0, name)
        return int(self._client.value(made, "id"))

    async def latest_version(self, document: int) -> int:
        latest = await self._client.call("get_latest_document_version", document)
        return int(latest["data"]["version_number"])

    async def classify(self, workspace: int, classification: str) -> None:
        name = classification.rpartition("/")[2]
        kinds = self._server.store.records.classifications.values()
        (number,) = [kind.id for kind in kinds if kind.name == name]
        assert await self._client.call("assign_rm_classification", workspace, number) is not None

    async def start(self, workspace: int, workflow_map: str, document: int) -> int:
        maps = self._server.store.workflows.maps.values()
        (number,) = [kind.id for kind in maps if kind.name == workflow_map]
        draft = await self._client.call("create_draft_process", number, [document])
        draft_id = draft["results"]["draftprocess_id"]
        started = await self._client.call("initiate_draft_process", draft_id)
        return int(started["results"]["process_id"])

    async def types(self) -> Mapping[str, Sequence[str]]:
        kinds = await self._client.all("get_workspace_types_iterator", expand_templates=True)
        return {
            str(self._client.value(kind, "wksp_type_name")): [
                str(template["name"]) for template in self._client.value(kind, "templates")
            ]
            for kind in kinds
        }

    def _nested(self, values: Values) -> dict[str, dict[str, Any]]:
        return {
            str(self._server.category_id(name)): self._server.attribute_keys(name, given)
            for name, given in values.items()
        }


class Ours:
    """`ContentServerGateway`, and the lookup that it begins with."""

    def __init__(self, gateway: ContentServerGateway, lookup: WorkspaceLookup) -> None:
        self._gateway = gateway
        self._lookup = lookup

    async def create(self, bo_id: str, name: str, values: Values) -> int:
        made = await self._gateway.ensure_workspace(
            BusinessObject(external_system=OBJECT[0], type=OBJECT[1], id=bo_id),
            workspace_type="Account",
            template="Account",
            name=name,
            attributes=dict(values),
        )
        return made.id

    async def find(self, bo_id: str) -> int | None:
        wanted = BusinessObject(external_system=OBJECT[0], type=OBJECT[1], id=bo_id)
        found = await self._lookup.find(wanted)
        return int(found["id"]) if found is not None else None

    async def update(self, workspace: int, name: str, values: Values) -> None:
        await self._gateway.update_workspace(workspace, name=name, attributes=dict(values))

    async def relate(self, parent: int, child: int) -> None:
        await self._gateway.relate(parent, related_id=child, relation="child")

    async def unrelate(self, parent: int, child: int) -> None:
        await self._gateway.unrelate(parent, related_id=child, relation="child")

    async def add_member(self, workspace: int, role: str, login: str) -> None:
        await self._gateway.set_role_members(workspace, role=role, members=[login])

    async def folder(self, workspace: int, name: str) -> int:
        made = await self._gateway.ensure_folder(
            workspace, path=[], key=f"test:{name}", name=name, attributes={}
        )
        return made.id

    async def latest_version(self, document: int) -> int:
        return await self._gateway.document_version(document)

    async def classify(self, workspace: int, classification: str) -> None:
        await self._gateway.set_retention(workspace, classification=classification, starts_on=None)

    async def start(self, workspace: int, workflow_map: str, document: int) -> int:
        return await self._gateway.start_workflow(
            workspace,
            workflow_map=workflow_map,
            key="test",
            title=workflow_map,
            comment="",
            attributes={},
            documents=[document],
        )

    async def types(self) -> Mapping[str, Sequence[str]]:
        return {kind.name: list(kind.templates) for kind in await self._gateway.workspace_types()}


@pytest.fixture
async def server() -> AsyncIterator[ContentServerSimulator]:
    async with ContentServerSimulator(seed=3) as running:
        yield running


@pytest.fixture(params=["pyxecm", "ours"])
async def driver(
    request: pytest.FixtureRequest, server: ContentServerSimulator
) -> AsyncIterator[Driver]:
    if request.param == "pyxecm":
        yield OpenTexts(server, await signed_in(server))
        return
    base_url = server.url.removesuffix("/api")
    secret = SecretStr(server.client.client_secret)
    async with open_client(keep_affinity=True) as http:
        credential = OtdsClient(server.otds_url, server.client.client_id, secret)
        tickets = OtdsTickets(base_url=base_url, credential=credential, client=http)
        endpoint = Endpoint(
            system="ecm",
            base_url=server.url,
            url_setting=CONTENT_SERVER_URL,
            client=http,
            table=CONTENT_SERVER,
            sign_in=tickets,
        )
        gateway = ContentServerGateway(base_url, tickets, client=http)
        yield Ours(gateway, WorkspaceLookup(endpoint))


async def test_a_workspace_is_made_with_its_values_and_found_by_its_business_object(
    driver: Driver, server: ContentServerSimulator
) -> None:
    assert await driver.find("1") is None
    values = {"Business Record": {"Record Name": "Fabrikam", "Value": "12.5"}}
    made = await driver.create("1", "Fabrikam", values)
    assert await driver.find("1") == made
    seen = server.workspace(made)
    assert (seen.name, seen.type) == ("Fabrikam", "Account")
    assert seen.categories["Business Record"]["Record Name"] == "Fabrikam"
    assert seen.categories["Business Record"]["Value"] == 12.5
    assert seen.folders == server.definition.workspace_types[0].templates[0].folders


async def test_a_workspace_is_renamed_and_its_values_change(
    driver: Driver, server: ContentServerSimulator
) -> None:
    made = await driver.create("1", "Fabrikam", {})
    values = {"Business Record": {"Record State": "Closed", "Closing Date": "2026-03-31"}}
    await driver.update(made, "Fabrikam Inc.", values)
    seen = server.workspace(made)
    assert seen.name == "Fabrikam Inc."
    assert seen.categories["Business Record"]["Record State"] == "Closed"
    assert seen.categories["Business Record"]["Closing Date"] == "2026-03-31T00:00:00"


async def test_a_category_that_the_workspace_lacks_is_put_on(
    driver: Driver, server: ContentServerSimulator
) -> None:
    made = await driver.create("1", "Fabrikam", {})
    await driver.types()
    await driver.update(made, "Fabrikam", {"Vendor": {"Hold": "All"}})
    assert server.workspace(made).categories["Vendor"]["Hold"] == "All"


async def test_a_relation_shows_on_both_sides_and_goes(
    driver: Driver, server: ContentServerSimulator
) -> None:
    parent = await driver.create("1", "Parent", {})
    child = await driver.create("2", "Child", {})
    await driver.relate(parent, child)
    assert server.workspace(parent).relations == (("child", child),)
    assert server.workspace(child).relations == (("parent", parent),)
    await driver.unrelate(parent, child)
    assert server.workspace(child).relations == ()


async def test_a_member_joins_a_role(driver: Driver, server: ContentServerSimulator) -> None:
    made = await driver.create("1", "Fabrikam", {})
    await driver.add_member(made, "Team", "ann.seller")
    assert server.workspace(made).roles["Team"] == ("ann.seller",)


async def test_folders_are_made_and_versions_counted(
    driver: Driver, server: ContentServerSimulator
) -> None:
    made = await driver.create("1", "Fabrikam", {})
    letters = await driver.folder(made, "Letters")
    assert server.node(letters).parent_id == made
    document = await new_document(await signed_in(server), letters)
    assert await driver.latest_version(document) == 1


async def test_a_workspace_is_put_under_retention(
    driver: Driver, server: ContentServerSimulator
) -> None:
    made = await driver.create("1", "Fabrikam", {})
    await driver.classify(made, "Finance/Transactions")
    held = server.people.record(made)
    assert held is not None
    assert (held.classification, held.rsi) == ("Finance/Transactions", "FINANCE-10Y")


async def test_a_workflow_runs_in_the_workspace_of_its_document(
    driver: Driver, server: ContentServerSimulator
) -> None:
    made = await driver.create("1", "Fabrikam", {})
    document = await new_document(await signed_in(server), made)
    started = await driver.start(made, "Discount Approval", document)
    running = server.people.workflow(started)
    assert (running.workspace_id, running.state) == (made, "running")
    assert running.waits_for == "hal.head"
    assert server.people.decide(started).outcome == "Approve"


async def test_types_and_templates_are_listed(
    driver: Driver, server: ContentServerSimulator
) -> None:
    assert await driver.types() == {
        kind.name: [template.name for template in kind.templates]
        for kind in server.definition.workspace_types
    }
