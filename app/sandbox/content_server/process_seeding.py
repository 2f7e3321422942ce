"""Workflow maps, file plan, retention schedules and clearance of a new server."""

from __future__ import annotations

from app.sandbox.content_server.definition import (
    AttributeSpec,
    Definition,
    RecordsSpec,
    StepSpec,
    WorkflowMapSpec,
)
from app.sandbox.content_server.model import Attribute, Category, Node, NodeType
from app.sandbox.content_server.nodes import set_nickname
from app.sandbox.content_server.records_model import Clearance, RmClassification, Rsi
from app.sandbox.content_server.store import ADMIN_ID, ENTERPRISE_ID, Store
from app.sandbox.content_server.workflow_model import Step, WorkflowMap

#: What a stage of a schedule looks like (reference/extended-ecm.md 7): calculated from the status
#: date, for classified objects.
_CALCULATED, _STATUS_DATE, _DESTROY = 1, 94, 32


def fill(store: Store, definition: Definition) -> None:
    """Build what the definition names; users and groups are there already."""
    for spec in definition.workflow_maps:
        _workflow_map(store, spec)
    _records(store, definition.records)
    _clearance(store, definition.records)


def _workflow_map(store: Store, spec: WorkflowMapSpec) -> None:
    folder = _container(store, ENTERPRISE_ID, "Workflows", NodeType.FOLDER)
    node = store.new_node(folder.id, spec.name, NodeType.WORKFLOW_MAP, ADMIN_ID)
    items = tuple(_attribute(a, number) for number, a in enumerate(spec.attributes, start=2))
    if spec.nickname:
        set_nickname(store, node, spec.nickname)
    store.workflows.maps[node.id] = WorkflowMap(
        node.id,
        spec.name,
        tuple(_step(store, step, items) for step in spec.steps),
        Category(node.id, spec.name, items),
        _member(store, spec.manager),
        spec.skips_start,
        spec.offered,
    )


def _attribute(spec: AttributeSpec, number: int) -> Attribute:
    return Attribute(
        number,
        spec.label,
        spec.type,
        spec.max_length,
        spec.required,
        spec.multi_value,
        spec.choices,
    )


def _step(store: Store, spec: StepSpec, attributes: tuple[Attribute, ...]) -> Step:
    by_label = {attribute.label: attribute.id for attribute in attributes}
    chosen = by_label[spec.assignee_attribute] if spec.assignee_attribute else None
    return Step(
        spec.name,
        _member(store, spec.assignee),
        spec.instructions,
        spec.dispositions,
        spec.rejecting,
        chosen,
        spec.signing,
    )


def _member(store: Store, name: str) -> int:
    """The user or group; Admin where a server was defined without that person."""
    found = store.member_named(name)
    return found.id if found is not None else ADMIN_ID


def _records(store: Store, spec: RecordsSpec) -> None:
    records = store.records
    records.codes = {kind: tuple(codes) for kind, codes in spec.codes.items()}
    for number, (name, years) in enumerate(spec.rsis.items(), start=1):
        stage = {
            "RetStage": "Destroy",
            "ObjectType": "LIV",
            "EventType": _CALCULATED,
            "DateToUse": _STATUS_DATE,
            "RetYears": years,
            "RSIRuleCode": "CLOSED",
            "ActionCode": _DESTROY,
        }
        records.rsis[number] = Rsi(
            number, name, f"Keep {years} years", created=store.clock(), stages=[stage]
        )
    volume = store.new_node(-1, "Records Management", NodeType.RECORDS_VOLUME, ADMIN_ID)
    for place in spec.file_plan:
        parent = volume
        for name in place.path.split("/"):
            parent = _container(store, parent.id, name, NodeType.RM_CLASSIFICATION)
            records.classifications.setdefault(parent.id, RmClassification(parent.id, name))
        records.classifications[parent.id] = RmClassification(
            parent.id, parent.name, place.rsi, place.file_number
        )
    classes = store.new_node(-1, "Classifications", NodeType.CLASSIFICATIONS_VOLUME, ADMIN_ID)
    for name in spec.classifications:
        _container(store, classes.id, name, NodeType.CLASSIFICATION)


def _clearance(store: Store, spec: RecordsSpec) -> None:
    records = store.records
    records.levels, records.markings = dict(spec.levels), dict(spec.markings)
    for login, (level, markings) in spec.cleared.items():
        member = store.member_named(login)
        if member is not None:
            records.user_clearances[member.id] = Clearance(level, markings)


def _container(store: Store, parent_id: int, name: str, kind: NodeType) -> Node:
    known = store.child_by_name(parent_id, name)
    return known or store.new_node(parent_id, name, kind, ADMIN_ID)
