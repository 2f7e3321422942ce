"""Whatever is asked of it, the server answers: what it does not take it refuses in its own words.

Requests of every call with odd and right arguments mixed go into the application itself, without a
socket: an exception of our code would come out of it. A 5xx has to be one that the product sends
too, which is a JSON object with an ``error`` text.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import random
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.sandbox.content_server import ContentServerSimulator
from app.sandbox.content_server.api.call import Endpoint
from app.sandbox.content_server.api.table import DIRECTORY_ENDPOINTS, ENDPOINTS
from app.sandbox.content_server.application import API, DIRECTORY
from app.sandbox.content_server.reports import CHANGES
from tests.sandbox.content_server.samples import samples, spoiled

_QUOTED = re.compile(r'"([A-Za-z][A-Za-z_]{1,40})"')


@functools.cache
def arguments(endpoint: Endpoint) -> list[str]:
    """Names that the call may know: the words in quotes of its module and of those it calls."""
    module = inspect.getmodule(endpoint.handler)
    assert module is not None
    called = [value for value in vars(module).values() if inspect.ismodule(value)]
    near = [inner for inner in called if inner.__name__.startswith("app.sandbox.content_server")]
    sources = [inspect.getsource(source) for source in (module, *near)]
    return sorted({*_QUOTED.findall("".join(sources)), *COMMON})


COMMON: tuple[str, ...] = (
    "actions",
    "body",
    "description",
    "expand",
    "fields",
    "id",
    "ids",
    "limit",
    "metadata",
)
COMMON += ("name", "page", "parent_id", "sort", "state", "type", "where_name", "where_type")
ODD = st.sampled_from(
    [
        *("", "x", "0", "-1", "1e9", "true", "null", "NaN", "\x00", "ü\ud800", "a" * 300, ":"),
        *("2026-02-30", "2026-03-20", "{1,2}", "{'child'}", "desc_name", "asc_", "fox*", "(", '"'),
        *("99999999999999999999999", "Approve", "add", "json", "D365", "account", "suspend"),
        *("name LIKE '*' AND id > 3", "properties{id}", "versions.element(-1)", "9" * 5000),
    ]
)


class World:
    """One server with something in it, and a signed-in client that talks to the application."""

    def __init__(self) -> None:
        self.server = ContentServerSimulator(seed=11)
        made = self.server.create_workspace(
            "Contract", "Frame", business_object=("D365", "contract", "1")
        )
        store = self.server.store
        related = self.server.create_workspace("Account", "Client")
        store.relations[(related.id, made.id)] = None
        roles = [role.id for role in store.roles(store.node(made.id))]
        maps = [node.id for node in store.nodes.values() if node.type in (128, 199, 551)]
        categories = list(store.categories)
        self.keys = [f"{c}_{i}" for c in categories for i in (1, 2, 3)]
        self.keys += [f"{c}_10_{row}_{i}" for c in categories for row in (0, 1) for i in (2, 11)]
        children = [node.id for node in store.children(made.id)]
        self.ids = [2000, 1000, made.id, -made.id, related.id, *roles, *categories]
        self.ids += [*children, *maps[:3], 1, 2, 7, 999999]
        self.names = ["D365", "contract", "1", CHANGES, "Admin", "none", "a/b", "Ä"]
        session = self.server.sessions.open(self.server.member("dovetail").id)
        self.ticket = self.server.sessions.fresh_ticket(session)
        self.samples = samples(self.server, made.id)
        self.made = made.id
        transport = httpx.ASGITransport(self.server.app, raise_app_exceptions=True)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://cs.example")


WORLD = World()
VALUES: st.SearchStrategy[Any] = st.one_of(
    ODD,
    st.sampled_from(WORLD.ids),
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.integers(-(2**70), 2**70),
)
INNER = st.sampled_from(
    [
        *WORLD.keys,
        *map(str, WORLD.ids),
        *("id", "name", "values", "rows", "columns", "categories", "role", "users"),
        *("relation_type", "business_objects", "bo_id", "bo_type", "ext_system_id"),
    ]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(INNER, inner, max_size=3),
    max_leaves=6,
)
SAMPLED = [e for e in ENDPOINTS if (e.method, e.pattern) in WORLD.samples]
REQUEST = st.fixed_dictionaries(
    {
        "endpoint": st.sampled_from([*ENDPOINTS, *DIRECTORY_ENDPOINTS, *3 * SAMPLED]),
        "sample": st.booleans(),
        "choice": st.integers(0, 2**32),
        "query": st.lists(st.tuples(st.integers(0, 999), VALUES), max_size=4),
        "odd": st.one_of(JSON, JSON, st.lists(JSON, max_size=2)),
        "fields": st.lists(st.tuples(st.integers(0, 999), JSON), max_size=8),
        "encoding": st.sampled_from(["declared", "F", "B", "M", "J", "raw"]),
    }
)


def _path(endpoint: Endpoint, pick: random.Random) -> str:
    segments = []
    for part in endpoint.parts:
        if part.endswith(":int}"):
            segments.append(str(pick.choice([*WORLD.ids, "x", "9" * 30])))
        elif part.startswith("{"):
            segments.append(quote(pick.choice(WORLD.names), safe=""))
        else:
            segments.append(part)
    return "/" + "/".join(segments)


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(errors="replace").decode()


def _body(encoding: str, fields: Mapping[str, Any], pick: random.Random) -> dict[str, Any]:
    if encoding == "F":
        content = urlencode([(name, _plain(value)) for name, value in fields.items()])
        return {
            "content": content,
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        }
    if encoding == "B":
        return {"data": {"body": json.dumps(fields)}}
    if encoding == "M":
        data = {"body": json.dumps(fields)} if pick.random() < 0.5 else {}
        data |= {name: _plain(value) for name, value in fields.items() if not data}
        files = {pick.choice(["file", "part_content"]): ("a.txt", b"fox", "text/plain")}
        return {"data": data, "files": files}
    if encoding == "J":
        return {"content": json.dumps(fields), "headers": {"Content-Type": "application/json"}}
    kinds = ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded"]
    return {"content": b"\xff\x00=%zz&;", "headers": {"Content-Type": pick.choice(kinds)}}


async def _ask(request: Mapping[str, Any]) -> httpx.Response:
    pick = random.Random(request["choice"])
    endpoint: Endpoint = request["endpoint"]
    base = DIRECTORY if endpoint in DIRECTORY_ENDPOINTS else API
    url = f"{base}{_path(endpoint, pick)}"
    known = [*arguments(endpoint), *pick.sample(WORLD.keys, 3)]
    query = urlencode({known[i % len(known)]: _plain(v) for i, v in request["query"]})
    fields = {known[i % len(known)]: value for i, value in request["fields"]}
    encoding = request["encoding"]
    sample = WORLD.samples.get((endpoint.method, endpoint.pattern))
    if sample is not None and request["sample"]:
        fields, encoding = spoiled(sample, pick, request["odd"]), "declared"
        path = endpoint.pattern.replace("{id:int}", str(WORLD.made))
        url = f"{base}{path.replace('{category_id:int}', WORLD.keys[0].split('_')[0])}"
    if encoding == "declared":
        encoding = pick.choice(endpoint.accepts or "F")
    sent = _body(encoding, fields, pick) if endpoint.method != "GET" else {}
    headers = {"OTCSTicket": WORLD.ticket} | sent.pop("headers", {})
    return await WORLD.http.request(
        endpoint.method, f"{url}?{query}" if query else url, headers=headers, **sent
    )


@given(REQUEST)
@settings(
    max_examples=600,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_every_call_answers_or_refuses_in_the_products_words(request: dict[str, Any]) -> None:
    answer = LOOP.run_until_complete(_ask(request))
    if answer.status_code >= 400 and answer.headers["content-type"].startswith("application/json"):
        body = answer.json()
        assert isinstance(body.get("error", body.get("results")), str | dict), body
    else:
        assert answer.status_code < 500, answer.text
    if request["endpoint"].handler.__name__ == "sign_out" and answer.status_code == 200:
        session = WORLD.server.sessions.open(WORLD.server.member("dovetail").id)
        WORLD.ticket = WORLD.server.sessions.fresh_ticket(session)


@pytest.fixture(scope="module", autouse=True)
def _loop_ends() -> Any:
    yield
    LOOP.run_until_complete(WORLD.http.aclose())
    LOOP.close()


LOOP = asyncio.new_event_loop()
