"""The WebReport that feeds changes out, and that following it always leads to what is there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sandbox.content_server import ContentServerSimulator, nodes, versions
from app.sandbox.content_server.bodies import UploadedFile
from app.sandbox.content_server.errors import ApiError
from app.sandbox.content_server.model import NodeType
from app.sandbox.content_server.nodes import NodeRequest
from app.sandbox.content_server.reports import CHANGES, changes
from app.sandbox.content_server.store import ENTERPRISE_ID
from tests.sandbox.content_server.conftest import Api

REPORT = f"/v1/webreports/{CHANGES}"


async def _rows(api: Api, **query: Any) -> list[dict[str, Any]]:
    answer = await api.get(REPORT, **query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["rows"])


async def test_every_change_is_fed_once_and_in_order(
    server: ContentServerSimulator, api: Api
) -> None:
    seen = (await api.get(REPORT, limit=5000)).json()["last_event_id"]
    made = server.create_workspace("Contract", "Frame")
    document = await api.upload(made.id, "a.txt", b"x")
    category = server.category_id("Contract")
    await api.form(
        "PUT", f"/v2/nodes/{made.id}/categories/{category}", **{f"{category}_2": "Signed"}
    )
    rows = await _rows(api, after=seen)
    assert [row["EventID"] for row in rows] == list(range(seen + 1, seen + 1 + len(rows)))
    first, *_, last = rows
    assert (first["AuditID"], first["DataID"], first["SubType"]) == (1, made.id, 848)
    assert (last["AuditID"], last["DataID"], last["ValueKey"]) == (10, made.id, category)
    assert last["UserID"] == server.member("dovetail").id
    node = document.json()["results"]["data"]["properties"]["id"]
    assert [row["AuditID"] for row in rows if row["DataID"] == node] == [1]
    await api.http.delete(f"/v2/nodes/{made.id}")
    deleted = await _rows(api, after=last["EventID"])
    assert {made.id, node} <= {row["DataID"] for row in deleted}
    assert {row["AuditID"] for row in deleted} == {2}


async def test_the_feed_comes_in_pages_and_from_a_time_on(
    server: ContentServerSimulator, api: Api
) -> None:
    server.create_workspace("Contract", "Frame")
    whole = (await api.get(REPORT, limit=5000)).json()
    assert whole["more"] is False
    collected: list[dict[str, Any]] = []
    after, more = 0, True
    while more:
        answer = (await api.get(REPORT, after=after, limit=3)).json()
        collected += answer["rows"]
        after, more = answer["last_event_id"], answer["more"]
    assert collected == whole["rows"]
    later = server.store.clock() + timedelta(hours=1)
    assert await _rows(api, since=later.isoformat()) == []
    earlier = (server.store.clock() - timedelta(hours=1)).replace(tzinfo=None)
    assert await _rows(api, since=earlier.isoformat(), limit=5000) == whole["rows"]


async def test_a_report_runs_by_form_and_by_node_and_describes_its_parameters(
    server: ContentServerSimulator, api: Api
) -> None:
    named = (await api.get(f"/v2/nicknames/{CHANGES}/nodes")).json()["results"]["data"]
    node = named["properties"]["id"]
    by_form = (await api.form("POST", REPORT, limit=2)).json()
    by_node = (await api.get(f"/v1/nodes/{node}/output", limit=2)).json()
    assert by_form == by_node
    assert len(by_form["rows"]) == 2
    described = (await api.get(f"{REPORT}/parameters")).json()["data"]
    assert [p["parm_name"] for p in described] == ["after", "since", "limit"]


async def test_reports_are_refused_as_the_product_does(
    server: ContentServerSimulator, api: Api
) -> None:
    async def refusal(path: str, **query: Any) -> tuple[int, str]:
        answer: httpx.Response = await api.get(path, **query)
        return answer.status_code, answer.json()["error"]

    assert await refusal("/v1/webreports/none") == (400, "Could not get node for none")
    assert await refusal(REPORT, format="pdf") == (500, "Invalid export destination")
    assert await refusal("/v1/nodes/2000/output") == (
        500,
        "Specified node is not a WebReport node.",
    )
    assert (await refusal(REPORT, after="x"))[0] == 400
    assert (await refusal(REPORT, since="yesterday"))[0] == 400
    report = server.store.nodes[server.store.nicknames[CHANGES]]
    report.report = "gone"
    assert await refusal(REPORT) == (500, "No output returned from WebReport execution")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["make", "rename", "version", "delete", "restore", "poll"]),
        st.integers(0, 9),
    ),
    max_size=40,
)


class Follower:
    """Keeps a copy of the documents by the feed alone: names and number of versions."""

    def __init__(self, server: ContentServerSimulator) -> None:
        self.store = server.store
        self.after = len(server.audit)
        self.copy: dict[int, tuple[str, int]] = {}

    def poll(self) -> None:
        answer = changes(self.store, {"after": str(self.after), "limit": "3"})
        for row in answer["rows"]:
            self._take(row)
        self.after = answer["last_event_id"]
        if answer["more"]:
            self.poll()

    def _take(self, row: dict[str, Any]) -> None:
        kind, node_id, value = row["AuditID"], row["DataID"], row["Value1"]
        name, count = self.copy.get(node_id, ("", 0))
        if kind == 1:
            self.copy[node_id] = (self._name(node_id), 1)
        elif kind == 2:
            self.copy.pop(node_id, None)
        elif kind == 5:
            self.copy[node_id] = (value, count)
        elif kind == 11:
            self.copy[node_id] = (name, int(value))
        elif kind == 17:
            self.copy[node_id] = (value, self.copy.get(node_id, ("", 0))[1])

    def _name(self, node_id: int) -> str:
        # As a client does: it reads the item, which may be gone by then.
        node = self.store.nodes.get(node_id)
        return node.name if node else ""


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_whoever_follows_the_feed_ends_with_what_is_there(steps: list[tuple[str, int]]) -> None:
    server = SERVERS.setdefault("one", ContentServerSimulator(seed=3))
    follower = Follower(server)
    made: list[int] = []
    for number, (step, choice) in enumerate([*steps, ("poll", 0)]):
        if step == "poll":
            follower.poll()
        else:
            _apply(server, step, made, choice, f"{server.store.new_id()}-{number}")
    left = {i: server.store.nodes[i] for i in made if i in server.store.nodes}
    assert {i: name for i, (name, _) in follower.copy.items() if i in made} == {
        i: node.name for i, node in left.items()
    }


SERVERS: dict[str, ContentServerSimulator] = {}


def _apply(
    server: ContentServerSimulator, step: str, made: list[int], choice: int, name: str
) -> None:
    store, actor = server.store, server.member("dovetail")
    file = UploadedFile("a.txt", "text/plain", name.encode())
    if step == "make" or not made:
        request = NodeRequest(NodeType.DOCUMENT, ENTERPRISE_ID, name, file=file)
        made.append(nodes.create(store, request, actor).id)
        return
    target = made[choice % len(made)]
    try:
        if step == "restore":
            nodes.restore(store, target, actor)
        elif step == "rename":
            nodes.update(store, store.node(target), {"name": name}, actor)
        elif step == "version":
            versions.add(store, store.node(target), file, "", actor)
        else:
            nodes.delete(store, store.node(target), actor)
    except ApiError as refusal:
        assert refusal.status == 400
