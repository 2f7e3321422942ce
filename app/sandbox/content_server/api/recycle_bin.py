"""The recycle bin: what was deleted can be restored or purged (reference/extended-ecm.md 2.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from app.sandbox.content_server import errors, nodes
from app.sandbox.content_server.api.call import Call, Endpoint, json_response, to_int


def restore(call: Call) -> Any:
    """``POST /v2/volumes/recyclebin/nodes/restore`` with ``ids``."""
    return _each(call, lambda node_id: nodes.restore(call.store, node_id, call.actor))


def purge(call: Call) -> Any:
    """``POST /v2/volumes/recyclebin/nodes/purge`` with ``ids``: gone for good."""
    return _each(call, lambda node_id: nodes.purge(call.store, node_id, call.actor))


def _each(call: Call, action: Callable[[int], object]) -> dict[str, Any] | Response:
    """Every id on its own; one failure makes the whole answer a 400 that lists them."""
    given = call.fields.get("ids", [])
    failed: dict[str, dict[str, str]] = {}
    done: list[int] = []
    for raw in given if isinstance(given, list) else [given]:
        node_id = to_int(raw, "ids")
        if node_id is None:
            raise errors.missing_argument("ids")
        try:
            action(node_id)
            done.append(node_id)
        except errors.ApiError as refusal:
            failed[str(node_id)] = {"message": refusal.text}
    if not failed:
        return {"results": {"success": {"ids": done}, "failures": {"ids": [], "errors": {}}}}
    failures = {"ids": [int(node_id) for node_id in failed], "errors": failed}
    return json_response({"results": {"success": {"ids": done}, "failures": failures}}, 400)


ENDPOINTS = (
    Endpoint("POST", "/v2/volumes/recyclebin/nodes/restore", restore, "FB"),
    Endpoint("POST", "/v2/volumes/recyclebin/nodes/purge", purge, "FB"),
)
