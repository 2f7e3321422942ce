"""A small server with something of everything in it, and requests that are half right.

A path names what is there more often than not, a field has the name that its call looks for, and
the rest is odd: so a request gets past the first refusal and into the code behind.
"""

from __future__ import annotations

import functools
import inspect
import json
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from app.sandbox.content_server import ContentServerSimulator, holds, signatures, workflows
from app.sandbox.content_server.api.call import Endpoint
from app.sandbox.content_server.api.table import DIRECTORY_ENDPOINTS
from app.sandbox.content_server.application import API, DIRECTORY
from app.sandbox.content_server.model import NodeType, Version
from app.sandbox.content_server.records_model import Hold
from app.sandbox.content_server.reports import CHANGES
from app.sandbox.content_server.signature_model import Signer
from tests.sandbox.content_server.samples import samples, spoiled

OBJECT = ("D365", "contract", "1")
_QUOTED = re.compile(r'"([A-Za-z][A-Za-z_]{1,40})"')
_COMMON: tuple[str, ...] = (
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
_COMMON += ("name", "page", "parent_id", "sort", "state", "type", "where_name", "where_type")


@functools.cache
def arguments(endpoint: Endpoint) -> list[str]:
    """Names that the call may know: the words in quotes of its module and of those it calls."""
    module = inspect.getmodule(endpoint.handler)
    assert module is not None
    called = [value for value in vars(module).values() if inspect.ismodule(value)]
    near = [inner for inner in called if inner.__name__.startswith("app.sandbox.content_server")]
    sources = [inspect.getsource(source) for source in (module, *near)]
    return sorted({*_QUOTED.findall("".join(sources)), *_COMMON})


class World:
    """One server, always the same at the start, and a signed-in client of its application.

    ``likely`` holds what is there by the path segment before it (``roles`` → role ids) and by the
    name of an argument.
    """

    def __init__(self) -> None:
        self.server = ContentServerSimulator(seed=11)
        store, service = self.server.store, self.server.member("dovetail")
        made = self.server.create_workspace("Contract", "Frame", business_object=OBJECT)
        related = self.server.create_workspace("Account", "Client")
        store.relations[(related.id, made.id)] = None
        self.made, ann = made.id, self.server.member("ann.seller").id
        self.document = self._document()
        self.categories = list(store.categories)
        roles = store.roles(store.node(made.id))
        roles[0].members.append(ann)
        maps = [kind.id for kind in store.workflows.maps.values()]
        process = workflows.start(
            store, workflows.draft(store, maps[0], [self.document], service), "", service
        )
        process.tasks[0].assignee_id = service.id
        draft = workflows.draft(store, maps[0], [self.document], service)
        hold = holds.create(store, Hold(store.new_id(), "Case 7", "Legal"))
        request = signatures.create(
            store, "docusign", [self.document], [Signer("Ann", "ann@x", 1)], service
        )
        collection = store.new_node(2000, "Set", NodeType.COLLECTION, service.id)
        classes = list(store.records.classifications)
        folders = [n.id for n in store.children(made.id) if n.type == NodeType.FOLDER]
        nodes = [made.id, self.document, *folders[:1], collection.id, 2000, self.categories[0]]
        groups = [member.id for member in store.members.values() if member.type == 1]
        self.likely: Mapping[str, Sequence[Any]] = {
            "nodes": nodes,
            "businessworkspaces": [made.id, related.id],
            "relateditems": [related.id],
            "rel_bw_id": [related.id],
            "roles": [role.id for role in roles],
            "members": [ann, service.id, groups[0]],
            "categories": self.categories[:2],
            "category_id": self.categories[:2],
            "custom": [ann, groups[0]],
            "effective": [ann],
            "right_id": [ann, groups[0]],
            "versions": [1, 2],
            "rmclassifications": classes[-1:],
            "class_id": classes[-1:],
            "holds": [hold.id],
            "holditems": [hold.id],
            "hold_id": [hold.id],
            "processes": [process.id],
            "subprocesses": [process.id],
            "tasks": [1],
            "taskid": [1],
            "processid": [process.id],
            "subprocessid": [process.id],
            "process_id": [process.id],
            "workid": [process.id],
            "draftprocesses": [draft.id],
            "draftprocess_id": [draft.id],
            "workflow_id": maps[:1],
            "workflows": maps[:1],
            "signaturerequests": [request.id],
            "rsis": [1],
            "rsischedules": [1],
            "volumes": [133],
            "favorites": [made.id],
            "businessobjecttypes": [1, 4],
            "businessworkspacetypes": [1],
            "usersecurity": [ann],
            "securitylevel": [10],
            "facets": [2000],
            "container": [2000],
            "externalsystems": ["D365"],
            "ext_system_id": ["D365"],
            "botypes": ["contract"],
            "bo_type": ["contract", "account"],
            "boids": ["1"],
            "bo_id": ["1", "8"],
            "webreports": [CHANGES],
            "nicknames": [CHANGES],
            "id": [*nodes, ann],
            "ids": nodes,
            "doc_id": [self.document],
            "doc_ids": [str(self.document)],
            "parent_id": [2000, made.id],
            "original_id": [self.document],
            "template_id": [self.server.template_id("Account")],
            "wksp_type_id": [1],
            "type": [0, 1],
            "limit": [5],
            "page": [1],
            "where": ["OTName:F*"],
            "grant_type": ["client_credentials"],
            "client_id": [self.server.client.client_id],
            "client_secret": [self.server.client.client_secret],
            "username": ["dovetail"],
            "userName": ["dovetail"],
            "password": ["dovetail-password"],
        }
        self.names = ["none", "a/b", "Ä"]
        self.ids = [*nodes, related.id, *[role.id for role in roles], 1, 2, 7, 999999, -made.id]
        self.keys = [f"{c}_{i}" for c in self.categories for i in (1, 2, 3)]
        self.keys += [f"{c}_10_{row}_{i}" for c in self.categories for row in (0, 1) for i in (11,)]
        self.samples = samples(self.server, made.id)
        transport = httpx.ASGITransport(self.server.app, raise_app_exceptions=True)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://cs.example")
        self.sign_in()

    def sign_in(self) -> None:
        """A new session for the service user."""
        session = self.server.sessions.open(self.server.member("dovetail").id)
        self.ticket = self.server.sessions.fresh_ticket(session)

    def _document(self) -> int:
        store = self.server.store
        node = store.new_node(self.made, "offer.txt", NodeType.DOCUMENT, 1000)
        for text in (b"fox", b"dog"):
            version = Version(0, 0, "offer.txt", "text/plain", text, 1000, store.clock())
            store.add_version(node, version, 1000)
        return node.id


async def ask(world: World, request: Mapping[str, Any]) -> httpx.Response:
    """Send one request as drawn (see `test_fuzz.REQUEST`)."""
    pick = random.Random(request["choice"])
    endpoint: Endpoint = request["endpoint"]
    known = [*arguments(endpoint), *pick.sample(world.keys, 3)]
    asked = _fields(world, request["query"], known, pick)
    query = urlencode({name: _plain(value) for name, value in asked.items()})
    fields = _fields(world, request["fields"], known, pick)
    encoding, path = request["encoding"], _path(world, endpoint, pick)
    sample = world.samples.get((endpoint.method, endpoint.pattern))
    if sample is not None and request["sample"]:
        fields, encoding = spoiled(sample, pick, request["odd"]), "declared"
    if encoding == "declared":
        encoding = pick.choice(endpoint.accepts or "F")
    sent = _body(encoding, fields, pick) if endpoint.method != "GET" else {}
    headers = {"OTCSTicket": world.ticket} | sent.pop("headers", {})
    base = DIRECTORY if endpoint in DIRECTORY_ENDPOINTS else API
    url = f"{base}{path}"
    return await world.http.request(
        endpoint.method, f"{url}?{query}" if query else url, headers=headers, **sent
    )


def _fields(
    world: World, drawn: Sequence[tuple[int, Any]], known: Sequence[str], pick: random.Random
) -> dict[str, Any]:
    """Arguments by name; where something likely is known for the name, that more often."""
    fields = {}
    for index, value in drawn:
        name = known[index % len(known)]
        fits = world.likely.get(name.removeprefix("where_"))
        fields[name] = pick.choice(fits) if fits and pick.random() < 0.75 else value
    return fields


def _path(world: World, endpoint: Endpoint, pick: random.Random) -> str:
    segments: list[str] = []
    before = ""
    for part in endpoint.parts:
        if not part.startswith("{"):
            segments.append(part)
        elif before in world.likely and pick.random() < 0.85:
            segments.append(quote(str(pick.choice(world.likely[before])), safe=""))
        elif part.endswith(":int}"):
            segments.append(str(pick.choice([*world.ids, "x", "9" * 30])))
        else:
            segments.append(quote(pick.choice(world.names), safe=""))
        before = part
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
