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
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from app.sandbox.faults import ADMIN_PATH
from app.sandbox.kafka.faults import KINDS, BrokerFault
from app.sandbox.kafka.page import page_of

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
_NUMBER, _WHOLE, _TEXT = "a number", "a whole number", "a text"
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "kind": ((str,), _TEXT),
    "times": ((int, type(None)), _WHOLE),
    "api": ((str, type(None)), _TEXT),
    "topic": ((str, type(None)), _TEXT),
    "partition": ((int, type(None)), _WHOLE),
    "seconds": ((int, float), _NUMBER),
    "group": ((str,), _TEXT),
    "member": ((str, type(None)), _TEXT),
}
"""What each field has to be, in Python's types and in words."""


def admin_app(broker: EmbeddedBroker) -> Starlette:
    """The ASGI application of a broker that has been started."""

    async def faults(request: Request) -> Response:
        if request.method == "POST":
            try:
                await let_happen(broker, parsed(await request.json()))
            except (ValueError, LookupError) as error:
                return JSONResponse({"error": str(error.args[0])}, 400)
            except OSError as error:
                reason = f"The broker cannot start again: {error.strerror or error}"
                return JSONResponse({"error": reason}, 503)
        elif request.method == "DELETE":
            broker.faults.clear(request.query_params.get("kind"))
        return JSONResponse(told(broker))

    async def page(request: Request) -> Response:
        return HTMLResponse(page_of(broker))

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
    """The faults of a body. Raises ValueError for what is none, for a field that it does not have,
    and for a value that does not fit."""
    items = body if isinstance(body, list) else [body]
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("kind"), str):
            raise ValueError('A fault is an object with at least "kind".')
        known = _AT_ONCE.get(item["kind"], _FIELDS) | {"kind"}
        if unknown := set(item) - known:
            raise ValueError(f"{item['kind']} has no field {', '.join(sorted(unknown))}.")
        for name, value in item.items():
            kinds, words = _TYPES[name]
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise ValueError(f"{name} has to be {words}, not {value!r}.")
    return items


async def let_happen(broker: EmbeddedBroker, items: list[dict[str, Any]]) -> None:
    """Add the faults that wait, and do what happens at once.

    Raises ValueError or LookupError for a fault that makes no sense, and OSError when the broker
    cannot start again.
    """
    broker.faults.add(*(BrokerFault(**i) for i in items if i["kind"] not in _AT_ONCE))
    for item in items:
        if item["kind"] == "drop":
            broker.faults.drop_connections()
        elif item["kind"] == "move_leader":
            broker.move_leader(_needed(item, "topic"), item.get("partition") or 0)
        elif item["kind"] == "expire_member":
            broker.expire_members(_needed(item, "group"), item.get("member"))
        elif item["kind"] == "restart":
            await broker.stop()
            await asyncio.sleep(item.get("seconds", 0))
            await broker.start()
        if item["kind"] in _AT_ONCE and item["kind"] != "drop":  # which counts itself
            broker.faults.struck[item["kind"]] += 1


def _needed(item: Mapping[str, Any], name: str) -> str:
    if name not in item:
        raise ValueError(f"{item['kind']} needs the field {name}.")
    return str(item[name])
