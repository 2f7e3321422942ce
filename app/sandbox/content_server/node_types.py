"""The kinds of nodes (reference/extended-ecm.md 0)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class NodeType(IntEnum):
    """Subtypes that the simulator stores (reference/extended-ecm.md 0)."""

    FOLDER = 0
    SHORTCUT = 1
    WORKFLOW_MAP = 128
    CATEGORY = 131
    CATEGORIES_VOLUME = 133
    COMPOUND_DOCUMENT = 136
    URL = 140
    ENTERPRISE_VOLUME = 141
    DOCUMENT = 144
    WORKFLOW_STEP = 153
    CLASSIFICATIONS_VOLUME = 198
    CLASSIFICATION = 199
    COLLECTION = 298
    RECORDS_VOLUME = 550
    RM_CLASSIFICATION = 551
    WORKSPACE = 848
    TEMPLATES_VOLUME = 20541
    WEBREPORT = 30303


TYPE_NAMES: Mapping[int, str] = {
    NodeType.FOLDER: "Folder",
    NodeType.SHORTCUT: "Shortcut",
    NodeType.CATEGORY: "Category",
    NodeType.CATEGORIES_VOLUME: "Categories Volume",
    NodeType.WORKFLOW_MAP: "Workflow Map",
    NodeType.WORKFLOW_STEP: "Workflow Step",
    NodeType.CLASSIFICATIONS_VOLUME: "Classifications Volume",
    NodeType.CLASSIFICATION: "Classification",
    NodeType.RECORDS_VOLUME: "Records Management",
    NodeType.RM_CLASSIFICATION: "RM Classification",
    NodeType.URL: "URL",
    NodeType.ENTERPRISE_VOLUME: "Enterprise Workspace",
    NodeType.COMPOUND_DOCUMENT: "Compound Document",
    NodeType.DOCUMENT: "Document",
    NodeType.COLLECTION: "Collection",
    NodeType.WEBREPORT: "WebReport",
    NodeType.WORKSPACE: "Business Workspace",
    NodeType.TEMPLATES_VOLUME: "Content Server Document Templates",
}
CONTAINER_TYPES = frozenset(
    {
        NodeType.FOLDER,
        NodeType.CATEGORIES_VOLUME,
        NodeType.CLASSIFICATIONS_VOLUME,
        NodeType.CLASSIFICATION,
        NodeType.RECORDS_VOLUME,
        NodeType.RM_CLASSIFICATION,
        NodeType.ENTERPRISE_VOLUME,
        NodeType.COMPOUND_DOCUMENT,
        NodeType.COLLECTION,
        NodeType.WORKSPACE,
        NodeType.TEMPLATES_VOLUME,
    }
)
