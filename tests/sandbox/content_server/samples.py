"""Bodies that calls would take, for the fuzzing to spoil in one or two places."""

from __future__ import annotations

import copy
import random
from typing import Any

from app.sandbox.content_server import ContentServerSimulator


def samples(server: ContentServerSimulator, workspace_id: int) -> dict[tuple[str, str], Any]:
    """A right body for calls by method and pattern."""
    record, contract = server.category_id("Business Record"), server.category_id("Contract")
    ann = server.member("ann.seller").id
    objects = [{"ext_system_id": "D365", "bo_type": "account", "bo_id": "9"}]
    workspace = {
        "template_id": server.template_id("Account"),
        "name": "New",
        "description": "words",
        "parent_id": 2000,
        "ext_system_id": "D365",
        "bo_type": "account",
        "bo_id": "77",
        "roles": {"categories": {str(record): {f"{record}_2": "Active", f"{record}_10_1_11": "x"}}},
        "bo_properties": [{"name": "Name", "values": ["Fabrikam"]}],
        "bo_property_groups": [
            {
                "name": "Milestones",
                "rows": [{"columns": [{"name": "Milestone", "values": ["Start"]}]}],
            }
        ],
        "bo_relations": [{"relation_type": "Child", "business_objects": objects}],
        "bo_roles_users": [{"role": "Team", "users": ["ann.seller"]}],
    }
    node = {"type": 0, "parent_id": 2000, "name": "Folder", "description": "words"}
    node |= {"roles": {"categories": {f"{contract}_2": "Draft", f"{contract}_6": 1.5}}}
    return {
        ("POST", "/v2/businessworkspaces"): workspace,
        ("PUT", "/v2/businessworkspaces"): {"bws_infos": [workspace]},
        ("PUT", "/v2/businessworkspaces/{id:int}/workspacereferences"): objects[0],
        ("POST", "/v2/businessworkspaces/{id:int}/roles"): {
            "name": "Guests",
            "leader": False,
            "members": [ann, {"id": ann}],
            "permissions": ["see"],
        },
        ("POST", "/v2/nodes"): node,
        ("POST", "/v2/nodes/list"): {"ids": [2000, workspace_id]},
        ("PUT", "/v2/nodes/{id:int}"): {
            "name": "Renamed",
            "description": "words",
            "parent_id": 2000,
            "reserved_user_id": ann,
            "external_modify_date": "2026-03-20",
        },
        ("PUT", "/v2/nodes/{id:int}/categories/{category_id:int}"): {
            f"{record}_2": "Active",
            f"{record}_8": 5,
            f"{record}_9": "2026-03-20",
            f"{record}_10_2_11": "x",
        },
        ("POST", "/v2/nodes/{id:int}/categories"): {"category_id": contract, f"{contract}_2": "x"},
        ("POST", "/v2/nodes/{id:int}/categories/apply"): {
            "categories": [{"id": record, "action": "add_upgrade"}],
            "clear_existing_categories": True,
        },
        ("POST", "/v2/nodes/{id:int}/permissions/custom"): {
            "permissions": ["see", "modify"],
            "right_id": ann,
            "apply_to": 2,
        },
        ("POST", "/v1/validation/nodes/names"): {"parent_id": 2000, "names": ["Accounts"]},
        ("POST", "/v2/search"): {
            "where": "OTName:A* AND (fox OR OTSubType:>3)",
            "lookfor": "complexquery",
            "within": "all",
            "limit": 5,
            "page": 1,
            "sort": "desc_OTName",
            "options": "{'facets'}",
            "slice": 1,
            "location_id1": 2000,
        },
        ("POST", "/v2/members"): {"type": 0, "name": "new", "first_name": "N", "group_id": 1},
        ("POST", "/v2/draftprocesses"): {"workflow_id": 1, "doc_ids": str(workspace_id)},
        ("POST", "/v1/nodes/{id:int}/classifications"): {"class_id": [1], "inherit_flag": False},
        ("PUT", "/v1/nodes/{id:int}/securityclearances"): {
            "clearance_level": 1,
            "supplemental_markings": ["SECRET"],
        },
    }


def spoiled(sample: Any, pick: random.Random, odd: Any) -> Any:
    """A copy with one value, somewhere inside, replaced by ``odd`` or taken out."""
    whole = copy.deepcopy(sample)
    inner = whole
    while True:
        keys: list[Any] = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        if not keys:
            return whole
        key = pick.choice(keys)
        deeper = isinstance(inner[key], dict | list) and pick.random() < 0.8
        if not deeper:
            break
        inner = inner[key]
    if pick.random() < 0.15:
        del inner[key]
    else:
        inner[key] = odd
    return whole
