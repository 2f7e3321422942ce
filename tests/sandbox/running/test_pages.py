"""The pages: what each system holds, for people and their readers, and forms that set faults."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from app.sandbox.assembly import Sandbox
from app.sandbox.choice import ECM_TOPIC, Choice, System
from app.sandbox.content_server import workflows
from app.sandbox.dataverse import Reference
from app.sandbox.pages import pages_app

HERE = "http://127.0.0.1:8090/"
HOSTILE = '<script>alert("x")</script> & Co'
VOID = {"br", "input", "meta", "link"}


class Reader(HTMLParser):
    """Reads a page as strictly as it has to be for browsers to agree on it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.labelled = 0
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"{tag} has an attribute twice: {names}"
        self.elements.append((tag, dict(attrs)))
        controls = tag in ("input", "select") and dict(attrs).get("type") != "hidden"
        if controls:
            assert "label" in self.open, f"{tag} {dict(attrs)} has no label"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
async def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    async with Sandbox(Choice(ports=dict.fromkeys(System, 0))) as running:
        yield running


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(pages_app(sandbox))
    async with httpx.AsyncClient(transport=transport, base_url=HERE) as found:
        yield found


def fill(sandbox: Sandbox) -> int:
    """Something of everything, with a name that a page must not take for its own; a workspace."""
    assert sandbox.dataverse and sandbox.content_server and sandbox.finance
    sandbox.finance.seed(
        "VendorsV2", {"VendorAccountNumber": "V-1", "VendorOrganizationName": HOSTILE}
    )
    account = sandbox.dataverse.seed("account", {"name": HOSTILE})
    deal = {"name": "Deal", "customerid": Reference("account", account.id)}
    sandbox.dataverse.seed("opportunity", deal)
    gone = sandbox.dataverse.seed("account", {"name": "Gone"})
    sandbox.dataverse.remove("account", gone.id)
    made = sandbox.content_server.create_workspace(
        "Account",
        HOSTILE,
        business_object=("D365", "account", account.id),
        roles={"Owner": ["ann.seller"]},
        categories={"Business Record": {"Record Name": HOSTILE}},
    )
    return made.id


async def read(client: httpx.AsyncClient, path: str) -> Reader:
    answer = await client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.status_code}"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Reader(answer.text)


async def test_every_page_that_is_linked_is_there_whole_and_accessible(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    fill(sandbox)
    seen: set[str] = set()
    due = {"/"}
    while due:
        path = due.pop()
        seen.add(path)
        page = await read(client, path)
        assert len(page.of("h1")) == 1
        assert page.of("html")[0]["lang"] == "en"
        assert [main["id"] for main in page.of("main")] == ["content"]
        assert page.of("a")[0]["href"] == "#content", "the first link skips the navigation"
        assert page.of("script") == [], "works without JavaScript"
        assert all(head.get("scope") in ("col", "row") for head in page.of("th"))
        assert len(page.of("caption")) == len(page.of("table"))
        assert 'alert("x")' not in "".join(str(page.elements))
        links = [str(link["href"]).partition("#")[0] for link in page.of("a")]
        outside = [link for link in links if link.startswith("http")]
        assert all("127.0.0.1" in link or "localhost" in link for link in outside)
        due |= {urljoin(path, link) for link in links if link.startswith("/")} - seen
    assert "/finance/entities/VendorsV2" in seen
    patterns = (
        *("/kafka", "/entra", "/dataverse", "/finance", "/content-server"),
        *("/kafka/topics/dynamics.changes", "/dataverse/tables/account"),
    )
    assert set(patterns) <= seen
    assert any(re.fullmatch(r"/content-server/workspaces/\d+", path) for path in seen)
    assert any(re.fullmatch(r"/dataverse/tables/opportunity/[0-9a-f-]{36}", path) for path in seen)


async def test_pages_load_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    text = (await client.get("/dataverse")).text
    assert not re.search(r"(src|href)=\"(https?:)?//", text)
    assert "@import" not in text and "url(" not in text


async def test_a_workspace_shows_its_tree_roles_and_categories(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    workspace = fill(sandbox)
    page = await read(client, f"/content-server/workspaces/{workspace}")
    for expected in (HOSTILE, "Contracts", "Owner ann.seller", "Category Business Record"):
        assert expected in page.text
    listed = await read(client, "/content-server")
    assert HOSTILE in listed.text
    assert "workspace.created" in listed.text


async def test_a_table_shows_its_rows_and_a_row_its_story(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    fill(sandbox)
    assert sandbox.dataverse
    account = next(r for r in sandbox.dataverse.rows("account") if r.values["name"] == HOSTILE)
    table = await read(client, "/dataverse/tables/account")
    assert HOSTILE in table.text
    assert "Gone" not in table.text
    row = await read(client, f"/dataverse/tables/account/{account.id}")
    assert account.etag in row.text
    assert "Create account" in row.text
    gone = next(c for c in sandbox.dataverse.commits if c.operation == "Delete")
    assert (
        "This row is deleted." in (await read(client, f"/dataverse/tables/account/{gone.id}")).text
    )


async def test_the_link_that_dovetail_writes_on_a_record_leads_to_the_workspace(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    workspace = fill(sandbox)
    assert sandbox.dataverse and sandbox.content_server
    url = f"http://127.0.0.1:8082/cs/cs/app/nodes/{workspace}"
    account = sandbox.dataverse.seed("account", {"name": "A", "new_xecmworkspaceurl": url})
    page = await read(client, f"/dataverse/tables/account/{account.id}")
    (href,) = [str(link["href"]) for link in page.of("a") if "/nodes/" in str(link["href"])]
    assert url in page.text
    folder = sandbox.content_server.store.children(workspace)[0]
    for path in (href, f"/content-server/nodes/{folder.id}"):
        answer = await client.get(path)
        assert answer.headers["location"] == f"/content-server/workspaces/{workspace}"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/dataverse/tables/nothing",
        "/dataverse/tables/account/11111111-2222-4333-8444-555555555555",
        "/content-server/workspaces/1",
        "/kafka/topics/nothing",
        "/content-server/nodes/1",
        "/kafka/dynamics.changes",
        "/nothing/faults",
    ],
)
async def test_what_is_not_there_is_said_on_a_page(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert "Not here" in Reader(answer.text).text


async def test_a_fault_is_set_and_cleared_by_forms(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    assert sandbox.dataverse
    form = {"kind": "status", "times": "3", "every": "1", "status": "429", "retry_after": "2"}
    form |= {"method": "", "path": "", "lasting": "", "seconds": "", "html": "true"}
    answer = await client.post("/dataverse/faults/set", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dataverse")
    fault = sandbox.dataverse.faults.waiting()[0]
    assert (fault.times, fault.status, fault.retry_after, fault.html) == (3, 429, 2, True)
    page = await read(client, "/dataverse")
    assert "1 fault waiting" in page.text
    assert "3 more times; status 429; retry_after 2" in page.text
    assert "1 fault waiting" in (await read(client, "/")).text
    await client.post("/dataverse/faults/clear", data={"kind": "status"})
    assert sandbox.dataverse.faults.waiting() == []
    assert "No fault waits" in (await read(client, "/dataverse")).text


async def test_a_workflow_is_decided_on_the_page(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    assert sandbox.content_server
    store = sandbox.content_server.store
    ann = sandbox.content_server.member("ann.seller")
    maps = store.workflows.maps.values()
    contract = next(kind for kind in maps if kind.name == "Contract Approval")
    process = workflows.start(store, workflows.draft(store, contract.id, (), ann), "", ann)
    page = await read(client, "/content-server")
    assert "Legal Review" in page.text
    labels = [button.get("aria-label") for button in page.of("button")]
    assert f"Reject {process.title}" in labels
    form = {"workflow": str(process.id), "disposition": "Approve"}
    assert (await client.post("/content-server/decide", data=form)).status_code == 303
    assert "Finance Approval" in (await read(client, "/content-server")).text
    await client.post("/content-server/decide", data=form)
    assert sandbox.content_server.people.workflow(process.id).outcome == "Approve"
    late = await client.post("/content-server/decide", data=form)
    assert late.status_code == 400
    assert "That cannot be decided" in Reader(late.text).text


async def test_a_topic_shows_its_newest_messages_as_text(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    assert sandbox.broker
    begin_ms = int(time.time()) * 1000  # each its own: a machine's clock may stand, or be set back
    async with AIOKafkaProducer(
        bootstrap_servers=sandbox.broker.bootstrap, compression_type="gzip"
    ) as producer:
        for number in range(60):
            value, at_ms = f"value {number}".encode(), begin_ms + number
            await producer.send(ECM_TOPIC, value, b"k", number % 2, timestamp_ms=at_ms)
        await producer.flush()
        await producer.send_and_wait(
            ECM_TOPIC,
            b"\xff" + HOSTILE.encode() + b"x" * 5000,
            timestamp_ms=begin_ms + 60,
            headers=[("kind", b"1")],
        )
    page = await read(client, f"/kafka/topics/{ECM_TOPIC}")
    assert HOSTILE in page.text
    assert "value 59" in page.text
    assert max(map(len, page.words)) < 1000
    assert len(re.findall(r"value \d+", page.text)) == 49


@pytest.mark.parametrize("system", list(System))
async def test_a_bad_day_begins_and_ends_on_every_system(
    client: httpx.AsyncClient, system: System
) -> None:
    assert (await client.post(f"/{system}/faults/bad-day")).status_code == 303
    told = (await client.get(f"/{system}/faults")).json()
    assert len(told["waiting"]) >= 3
    assert {fault["kind"] for fault in told["waiting"]} <= set(told["kinds"])
    await client.post(f"/{system}/faults/clear")
    assert (await client.get(f"/{system}/faults")).json()["waiting"] == []


@pytest.mark.parametrize("kind", ["drop", "latency"])
async def test_a_form_with_its_usual_values_sets_a_fault_of_the_broker(
    client: httpx.AsyncClient, kind: str
) -> None:
    form = {"kind": kind, "times": "1", "api": "", "seconds": ""}
    assert (await client.post("/kafka/faults/set", data=form)).status_code == 303
    told = (await client.get("/kafka/faults")).json()
    assert told["struck"].get(kind) == 1 or [f["kind"] for f in told["waiting"]] == [kind]


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"kind": "meteor"}, "There is no fault 'meteor'"),
        ({"kind": "status", "status": "many"}, "status is a number, not 'many'"),
        ({"kind": "status", "path": "("}, "not a regular expression"),
    ],
)
async def test_a_form_that_makes_no_sense_is_answered_with_the_reason(
    client: httpx.AsyncClient, form: dict[str, str], says: str
) -> None:
    answer = await client.post("/dataverse/faults/set", data=form)
    assert answer.status_code == 400
    assert says in Reader(answer.text).text


async def test_pages_of_other_sites_set_no_faults(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    assert sandbox.dataverse
    foreign = {"Sec-Fetch-Site": "cross-site"}
    form = {"kind": "outage"}
    refused = await client.post("/dataverse/faults/set", data=form, headers=foreign)
    assert refused.status_code == 403
    assert sandbox.dataverse.faults.waiting() == []
    rebound = await client.get("/token", headers={"Host": "evil.example"})
    assert rebound.status_code == 400
    assert "." not in rebound.text or "Invalid host" in rebound.text


async def test_there_is_a_token_for_finance_and_operations(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    fill(sandbox)
    assert sandbox.finance
    token = (await client.get("/token/finance")).text
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as caller:
        vendors = (await caller.get(f"{sandbox.finance.data_url}/VendorsV2")).json()["value"]
    assert [vendor["VendorAccountNumber"] for vendor in vendors] == ["V-1"]
    assert HOSTILE in (await read(client, "/finance/entities/VendorsV2")).text


async def test_the_token_is_one_for_the_web_api(
    sandbox: Sandbox, client: httpx.AsyncClient
) -> None:
    assert sandbox.dataverse
    token = (await client.get("/token")).text
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as caller:
        who = (await caller.get(f"{sandbox.dataverse.api_url}/WhoAmI")).json()
    user = sandbox.dataverse.row("systemuser", who["UserId"])
    assert user is not None
    assert user.values["fullname"] == "Developer"
