"""The broker's admin pages over HTTP: what it holds, and its fault switches.

``GET /`` is a page for people. On `app.sandbox.faults.ADMIN_PATH`, as with the other simulators:

    GET     the faults that wait, how often each kind has struck, and the kinds that there are
    POST    one fault, or a list of them, as JSON objects
    DELETE  clear them all, or with ``?kind=`` those of one kind, so that stalls end and
            connections are accepted again

Kinds and fields are those of `app.sandbox.kafka.faults.BrokerFault`, and these, which happen at
once: ``drop`` (every open connection is closed), ``move_leader`` (`topic`, `partition`: its next
leader epoch begins), ``expire_member`` (`group`, and `member` or all: their session is over) and
``restart`` (the broker stops, and starts again after `seconds`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, fields
from html import escape
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from app.sandbox.faults import ADMIN_PATH
from app.sandbox.kafka.faults import KINDS, BrokerFault

if TYPE_CHECKING:
    from app.sandbox.kafka.broker import EmbeddedBroker

_FIELDS = frozenset(field.name for field in fields(BrokerFault))
_AT_ONCE: Mapping[str, frozenset[str]] = {
    "drop": frozenset(),
    "move_leader": frozenset({"topic", "partition"}),
    "expire_member": frozenset({"group", "member"}),
    "restart": frozenset({"seconds"}),
}
"""The kinds that happen at once, with the fields they take."""


def admin_app(broker: EmbeddedBroker) -> Starlette:
    """The ASGI application of a broker that has been started."""

    async def faults(request: Request) -> Response:
        if request.method == "POST":
            try:
                await let_happen(broker, parsed(await request.json()))
            except (ValueError, TypeError, LookupError) as error:
                return JSONResponse({"error": str(error.args[0])}, 400)
        elif request.method == "DELETE":
            broker.faults.clear(request.query_params.get("kind"))
        return JSONResponse(told(broker))

    async def page(request: Request) -> Response:
        return HTMLResponse(_page(broker))

    return Starlette(
        routes=[
            Route("/", page),
            Route(ADMIN_PATH, faults, methods=["GET", "POST", "DELETE"]),
        ]
    )


def told(broker: EmbeddedBroker) -> dict[str, Any]:
    """What `ADMIN_PATH` answers."""
    return {
        "waiting": [asdict(fault) for fault in broker.faults.waiting()],
        "struck": dict(broker.faults.struck),
        "kinds": [*KINDS, *_AT_ONCE],
    }


def parsed(body: Any) -> list[dict[str, Any]]:
    """The faults of a body. Raises ValueError for what is none, or has a field it does not know."""
    items = body if isinstance(body, list) else [body]
    for item in items:
        if not isinstance(item, dict) or "kind" not in item:
            raise ValueError('A fault is an object with at least "kind".')
        known = _AT_ONCE.get(item["kind"], _FIELDS) | {"kind"}
        if unknown := set(item) - known:
            raise ValueError(f"{item['kind']} has no field {', '.join(sorted(unknown))}.")
    return items


async def let_happen(broker: EmbeddedBroker, items: list[dict[str, Any]]) -> None:
    """Add the faults that wait, and do what happens at once.

    Raises ValueError, TypeError or LookupError for a fault that makes no sense.
    """
    broker.faults.add(*(BrokerFault(**i) for i in items if i["kind"] not in _AT_ONCE))
    for item in items:
        if item["kind"] == "drop":
            broker.faults.drop_connections()
        elif item["kind"] == "move_leader":
            broker.move_leader(_needed(item, "topic"), int(item.get("partition", 0)))
        elif item["kind"] == "expire_member":
            broker.expire_members(_needed(item, "group"), item.get("member"))
        elif item["kind"] == "restart":
            await broker.stop()
            await asyncio.sleep(float(item.get("seconds", 0)))
            await broker.start()


def _needed(item: Mapping[str, Any], name: str) -> str:
    if name not in item:
        raise ValueError(f"{item['kind']} needs the field {name}.")
    return str(item[name])


def _page(broker: EmbeddedBroker) -> str:
    topics = [
        (name, index, log.start_offset, log.end_offset, log.last_stable_offset, log.size)
        for name, topic in sorted(broker.state.topics.items())
        for index, log in enumerate(topic.partitions)
    ]
    groups = [
        (group.group_id, group.state.value, group.generation, len(group.members))
        for group in broker.groups.all()
    ]
    transactions = [
        (t.transactional_id, t.state.value, t.producer_id, t.epoch, len(t.partitions))
        for t in broker.transactions.all()
    ]
    faults = [tuple(asdict(fault).values()) for fault in broker.faults.waiting()]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Embedded Kafka broker</title>"
        "<style>body{font:15px system-ui;margin:2em}table{border-collapse:collapse}"
        "td,th{padding:.2em .8em;border-bottom:1px solid #ccc;text-align:left}</style>"
        f"<h1>Embedded Kafka broker at {escape(broker.bootstrap)}</h1>"
        + _table("Topics", "topic partition start end stable bytes", topics)
        + _table("Groups", "group state generation members", groups)
        + _table("Transactions", "id state producer epoch partitions", transactions)
        + _table("Faults that wait", "kind times api topic partition seconds", faults)
        + "</html>"
    )


def _table(title: str, columns: str, rows: list[tuple[Any, ...]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in columns.split())
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    content = f"<table><tr>{head}</tr>{body}</table>" if rows else "<p>none</p>"
    return f"<h2>{title}</h2>{content}"
