"""Running WebReports by nickname or node (reference/extended-ecm.md 8.3)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.api.call import Call, Endpoint
from app.sandbox.content_server.model import Node, NodeType
from app.sandbox.content_server.reports import REPORTS, Report

FORMATS = ("json", "webreport")


def run(call: Call) -> Any:
    """``GET`` and ``POST /v1/webreports/{nickname}``: what the report puts out, and nothing else.

    Parameters come in the query or the form; ``format`` is json or webreport.
    """
    return _output(call, _named(call))


def output(call: Call) -> Any:
    """``GET /v1/nodes/{id}/output``."""
    return _output(call, call.node())


def parameters(call: Call) -> Any:
    """``GET /v1/webreports/{nickname}/parameters``."""
    report = _report(_named(call))
    return {"data": [p.described(order) for order, p in enumerate(report.parameters, start=1)]}


def _output(call: Call, node: Node) -> Any:
    report = _report(node)
    given = dict(call.query) | {name: call.text(name) for name in call.fields}
    if given.get("format", "json") not in FORMATS:
        raise errors.ApiError(500, "Invalid export destination")
    return report.run(call.store, given)


def _named(call: Call) -> Node:
    nickname = str(call.path["nickname"])
    node_id = call.store.nicknames.get(nickname.casefold())
    found = call.visible([call.store.nodes[node_id]] if node_id is not None else [])
    if not found:
        raise errors.ApiError(400, f"Could not get node for {nickname}")
    return found[0]


def _report(node: Node) -> Report:
    if node.type != NodeType.WEBREPORT:
        raise errors.ApiError(500, "Specified node is not a WebReport node.")
    report = REPORTS.get(node.report)
    if report is None:
        raise errors.ApiError(500, "No output returned from WebReport execution")
    return report


ENDPOINTS = (
    Endpoint("GET", "/v1/webreports/{nickname}", run),
    Endpoint("POST", "/v1/webreports/{nickname}", run, "FB"),
    Endpoint("GET", "/v1/webreports/{nickname}/parameters", parameters),
    Endpoint("GET", "/v1/nodes/{id:int}/output", output),
)
