"""Records details of nodes (reference/extended-ecm.md 7)."""

from __future__ import annotations

from datetime import date
from typing import Any

from app.sandbox.content_server import access, errors, records
from app.sandbox.content_server.api.call import Call, Endpoint, to_bool, to_int
from app.sandbox.content_server.model import Node, NodeType
from app.sandbox.content_server.records_model import RecordDetails


def show(call: Call) -> Any:
    """``GET /v1/nodes/{id}/rmclassifications``: one row, the node's own or the inherited one."""
    node = call.node()
    found = records.details_of(call.store, node)
    volume = next(
        (n.id for n in call.store.nodes.values() if n.type == NodeType.RECORDS_VOLUME), None
    )
    return {
        "canBeUnclassified": True,
        "canFinalize": found is not None and not found[0].finalized,
        "canRMClassify": True,
        "canRemoveClass": True,
        "classVolumeID": volume,
        "data": [_row(call, *found)] if found else [],
        "definitions": {},
        "inherit_from": bool(found and found[1]),
        "rm_metadataToken": records.token(call.store, node),
        "showTab": True,
    }


def classify(call: Call) -> Any:
    """``POST .../rmclassifications`` with ``class_id`` and details; an empty answer."""
    node = _record(call)
    class_id = call.number("class_id")
    if class_id is None:
        raise errors.missing_argument("class_id")
    beneath = to_bool(call.fields.get("apply_to_sub_items"))
    records.classify(call.store, node, class_id, call.fields, call.actor)
    rest = {name: v for name, v in call.fields.items() if name != "rm_metadataToken"}
    for item in list(call.store.subtree(node))[1:] if beneath else ():
        if item.id not in call.store.records.details:
            records.classify(call.store, item, class_id, rest, call.actor)
    return {}


def change(call: Call) -> Any:
    """``PUT .../rmclassifications``: details, with the present token."""
    node = _record(call)
    records.change(call.store, node, call.fields, call.actor)
    return {}


def remove(call: Call) -> Any:
    """``DELETE .../rmclassifications/{class_id}``."""
    node = _record(call)
    records.unclassify(call.store, node, call.path["class_id"], call.actor)
    return {}


def assign_rsi(call: Call) -> Any:
    """``POST .../rmclassifications/{class_id}/rsis`` with ``rsi``."""
    records.set_rsi(call.store, _record(call), call.path["class_id"], call.required("rsi"))
    return {}


def remove_rsi(call: Call) -> Any:
    """``DELETE .../rmclassifications/{class_id}/rsis``."""
    records.set_rsi(call.store, _record(call), call.path["class_id"], "")
    return {}


def make_confidential(call: Call) -> Any:
    """``PUT .../rmclassifications/makeConfidential``."""
    records.set_confidential(call.store, _record(call), True)
    return {}


def remove_confidential(call: Call) -> Any:
    """``PUT .../rmclassifications/removeConfidential``."""
    records.set_confidential(call.store, _record(call), False)
    return {}


def finalize(call: Call) -> Any:
    """``PUT /v1/rmclassifications/finalizerecords`` with ``ids``: all of them, or none."""
    given = call.fields.get("ids")
    ids = [to_int(i, "ids") for i in (given if isinstance(given, list) else [given])]
    nodes: list[Node] = [_record(call, i) for i in ids if i is not None]
    if not nodes:
        raise errors.missing_argument("ids")
    for node in nodes:
        if node.id not in call.store.records.details:
            raise errors.ApiError(400, "The item has no records management classification.")
    for node in nodes:
        records.finalize(call.store, node, call.actor)
    return {}


def _record(call: Call, node_id: int | None = None) -> Node:
    """The node of the path (or with the id), whose details the caller may change; 400 else."""
    node = call.node(node_id)
    access.require_records(call.store, node, call.actor)
    return node


def _row(call: Call, held: RecordDetails, inherited_from: int | None) -> dict[str, Any]:
    return {
        "accession": None,
        "confidential": held.confidential,
        "cycle_period": held.cycle_period,
        "default_rmclassification_id": None,
        "essential": held.essential,
        call.store.behaviour.rm_status_key: held.file_status,
        "file_number": held.file_number,
        "finalized": held.finalized,
        "inherited_rmclassification_id": held.class_id if inherited_from else None,
        "last_review_date": None,
        "multiple_classifications": [held.class_id],
        "next_review_date": None,
        "official": held.official,
        "received_date": _day(held.received_date),
        "record_date": _day(held.record_date),
        "rmclassification_id": None if inherited_from else held.class_id,
        "rsi": held.rsi or None,
        "status_date": _day(held.status_date),
        "storage": held.storage,
        "subject": None,
    }


def _day(value: date | None) -> str | None:
    return None if value is None else f"{value.isoformat()}T00:00:00"


_PATH = "/v1/nodes/{id:int}/rmclassifications"
ENDPOINTS = (
    Endpoint("GET", _PATH, show),
    Endpoint("POST", _PATH, classify, "FB"),
    Endpoint("PUT", _PATH, change, "FB"),
    Endpoint("PUT", f"{_PATH}/makeConfidential", make_confidential, "FB"),
    Endpoint("PUT", f"{_PATH}/removeConfidential", remove_confidential, "FB"),
    Endpoint("DELETE", f"{_PATH}/{{class_id:int}}", remove, "FB"),
    Endpoint("POST", f"{_PATH}/{{class_id:int}}/rsis", assign_rsi, "F"),
    Endpoint("DELETE", f"{_PATH}/{{class_id:int}}/rsis", remove_rsi, "F"),
    Endpoint("PUT", "/v1/rmclassifications/finalizerecords", finalize, "F"),
)
