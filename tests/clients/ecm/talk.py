"""A scripted Content Server, as far as most conversations need it."""

from __future__ import annotations

from typing import Any

import httpx

from app.clients.ecm import ContentServerGateway
from streams.messages.facts import BusinessObject
from tests.clients.conversation import Conversation, CountingSignIn, Observed, ok

CS = "https://ecm.example/cs/cs"
GUID = "0a3f6f52-7c1b-4e0e-9d5c-0123456789ab"
ACCOUNT = BusinessObject(external_system="D365/EU", type="account", id=GUID)
NOTHING: dict[str, Any] = {"paging": {"total_count": 0}, "results": []}


def items(*properties: dict[str, Any], page_total: int = 1) -> dict[str, Any]:
    """A list answer with its paging on top, as workspace calls give it."""
    return {
        "paging": {"page_total": page_total, "limit": 100},
        "results": [{"data": {"properties": one}} for one in properties],
    }


def workspace(node_id: int, name: str, **more: Any) -> dict[str, Any]:
    """A read of one workspace that belongs to ACCOUNT."""
    reference = {
        "business_object_id": GUID.upper(),
        "business_object_type": "account",
        "external_system_id": "D365/EU",
        "workspace_type_id": 16,
    }
    data = {
        "properties": {"id": node_id, "name": name, "wksp_type_name": "Account"},
        "business_properties": reference,
        "workspace_references": [reference],
    }
    return {"results": {"data": data | more}}


def node(node_id: int, name: str) -> dict[str, Any]:
    return {"results": {"data": {"properties": {"id": node_id, "name": name}}}}


def workspace_type(**more: Any) -> dict[str, Any]:
    return {
        "wksp_type_id": "16",
        "wksp_type_name": "Account",
        "templates": [{"id": 500, "name": "Account Template", "subtype": 848}],
    } | more


def categories(**values: Any) -> dict[str, Any]:
    """The categories of a node: Business Record (900) with an attribute of each type."""
    given = {f"900_{key.removeprefix('a')}": value for key, value in values.items()}
    types = {
        2: ("Record State", "String"),
        3: ("Amount", "Real"),
        4: ("Count", "Integer"),
        5: ("Closing Date", "Date"),
        6: ("Strategic", "Boolean"),
        7: ("Manager", "User"),
        8: ("Tags", "String"),
    }
    entries: dict[str, Any] = {"900": {"name": "Business Record", "persona": "category"}}
    for number, (name, kind) in types.items():
        entries[f"900_{number}"] = {
            "name": name,
            "type_name": kind,
            "persona": "categoryattribute",
            "multi_value": number == 8,
            "max_length": 12 if kind == "String" else None,
        }
    entries["900_9"] = {"name": "Milestones", "type_name": "Assoc", "persona": "set"}
    entries["900_9_x_2"] = {"name": "Title", "type_name": "String", "persona": "categoryattribute"}
    data = {f"900_{number}": None for number in types} | {"900_9_1_2": ""} | given
    return {
        "results": [{"data": {"categories": data}, "metadata": {"categories": entries}}],
    }


def server() -> Conversation:
    """One type with one template; no workspace, nothing related, nobody known."""
    return (
        Conversation()
        .on("GET", "/boids/", ok(NOTHING))
        .on("GET", r"/v2/businessworkspaces\?", ok(NOTHING))
        .on("GET", "/v2/businessworkspacetypes", ok(items(workspace_type())))
        .on("GET", "/v2/nodes/500/categories", ok(categories()))
    )


def gateway(
    talk: Conversation,
    observed: Observed | None = None,
    sign_in: CountingSignIn | None = None,
    **options: Any,
) -> ContentServerGateway:
    return ContentServerGateway(
        CS, sign_in or CountingSignIn(), client=talk.client(), observer=observed, **options
    )


def created(node_id: int) -> httpx.Response:
    return ok({"results": {"id": node_id, "direct_open": True, "sub_folder_id": 0}})


def error(status: int, text: str) -> httpx.Response:
    return ok({"error": text}, status)
