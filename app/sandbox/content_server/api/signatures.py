"""Signature requests over REST (reference/extended-ecm.md 8.4). Dates are epoch seconds."""

from __future__ import annotations

import json
from typing import Any

from app.sandbox.content_server import errors, signatures
from app.sandbox.content_server.api.call import Call, Endpoint, to_int
from app.sandbox.content_server.render import collection, links, paginate
from app.sandbox.content_server.signature_model import SignatureRequest, Signer

_SORTS = {
    "status": lambda request: (request.status, request.id),
    "provider_name": lambda request: (request.provider, request.id),
    "created": lambda request: (request.created, request.id),
}


def list_all(call: Call) -> Any:
    """``GET /v2/signaturerequests`` by provider and status; newest first unless told."""
    provider, status = call.query.get("where_provider_name"), call.query.get("where_status")
    found = [
        request
        for request in call.store.signatures.requests.values()
        if provider in (None, request.provider)
        and status in (None, request.status)
        and _is_seen(call, request)
    ]
    sort = call.query.get("sort", "desc_created")
    name = sort.removeprefix("desc_").removeprefix("asc_")
    if name not in _SORTS:
        raise errors.invalid_datatype("sort")
    found.sort(key=_SORTS[name], reverse=sort.startswith("desc_"))
    page = paginate(found, call.query_number("limit", 25), call.query_number("page", 1), 500)
    page.items[:] = [{"data": {"properties": _shown(call, one)}} for one in page.items]
    return collection(page, "/v2/signaturerequests", call.query.multi_items(), sort)


def get(call: Call) -> Any:
    """``GET /v2/signaturerequests/{id}[?include_activities]``."""
    request = _request(call)
    data: dict[str, Any] = {
        "properties": _shown(call, request),
        "signers": [
            {
                "cssigner_status": signer.status,
                "email_id": signer.email,
                "full_name": signer.full_name,
                "signing_order": signer.order,
            }
            for signer in request.signers
        ],
    }
    if call.flag("include_activities"):
        data["activities"] = [
            {
                "action": a.action,
                "date": int(a.at.timestamp()),
                "user_id": a.user_id,
                "text": a.text,
            }
            for a in request.activities
        ]
    path = f"/v2/signaturerequests/{request.id}"
    return {"links": links(path), "results": {"data": data}}


def create(call: Call) -> Any:
    """``POST /v2/signaturerequests`` with ``doc_id``, ``signer`` (JSON) and ``provider_id``."""
    given = call.fields.get("doc_id")
    ids = [to_int(i, "doc_id") for i in (given if isinstance(given, list) else [given])]
    documents = [call.node(i).id for i in ids if i is not None]
    provider = call.text("provider_id") or signatures.PROVIDERS[0]
    made = signatures.create(call.store, provider, documents, _signers(call), call.actor)
    data = {"properties": _shown(call, made)}
    return {"links": links("/v2/signaturerequests", "POST"), "results": {"data": data}}


def remind(call: Call) -> Any:
    """``POST /v2/signaturerequests/{id}/reminder``."""
    signatures.remind(call.store, _request(call), call.actor)
    return {"results": {}}


def cancel(call: Call) -> Any:
    """``POST /v2/signaturerequests/{id}/cancel``."""
    signatures.cancel(call.store, _request(call), call.actor)
    return {"results": {}}


def _request(call: Call) -> SignatureRequest:
    request = signatures.find(call.store, call.path["id"])
    if not _is_seen(call, request):
        raise errors.ApiError(404, f"The signature request {request.id} does not exist.")
    return request


def _is_seen(call: Call, request: SignatureRequest) -> bool:
    nodes = [call.store.nodes[i] for i in request.documents if i in call.store.nodes]
    return request.user_id == call.actor.id or len(call.visible(nodes)) == len(nodes)


def _shown(call: Call, request: SignatureRequest) -> dict[str, Any]:
    present = [call.store.nodes[i] for i in request.documents if i in call.store.nodes]
    return {
        "created_date": int(request.created.timestamp()),
        "documents": [{"id": node.id, "name": node.name} for node in present],
        "modified_date": int(request.modified.timestamp()),
        "provider_name": request.provider,
        "request_id": request.id,
        "status": request.status,
        "total_documents": len(request.documents),
    }


def _signers(call: Call) -> list[Signer]:
    raw = call.fields.get("signer", "[]")
    try:
        given = json.loads(raw) if isinstance(raw, str) else raw
    except ValueError as broken:
        raise errors.invalid_datatype("signer") from broken
    items = given if isinstance(given, list) else [given]
    if not all(isinstance(item, dict) and item.get("email_id") for item in items):
        raise errors.invalid_datatype("signer")
    return [
        Signer(
            str(item.get("full_name") or item["email_id"]),
            str(item["email_id"]),
            to_int(item.get("signing_order"), "signing_order") or 1,
        )
        for item in items
    ]


_PATH = "/v2/signaturerequests"
ENDPOINTS = (
    Endpoint("GET", _PATH, list_all),
    Endpoint("GET", f"{_PATH}/{{id:int}}", get),
    Endpoint("POST", _PATH, create, "FB"),
    Endpoint("POST", f"{_PATH}/{{id:int}}/reminder", remind, "FB"),
    Endpoint("POST", f"{_PATH}/{{id:int}}/cancel", cancel, "FB"),
)
