"""Events of documents and workflows, as rows remember them."""

from __future__ import annotations

import pytest

from streams.deciding.happenings import remembered, workflow_id
from streams.deciding.memory import Memory
from streams.messages.facts import Document, EcmEvent, WorkspaceEvent
from tables.approvals import KINDS as WORKFLOW_KINDS
from tables.evidence import KINDS as ITEM_KINDS
from tables.evidence import ItemStatus
from tests.streams.samples import event, ref

VENDOR = ref("account", 1)
CERTIFICATE = Document(id=7, version=2, name="ISO 9001.pdf", url="https://ecm.example/7")


def after(*events: EcmEvent, rule: str = "vendor-file") -> Memory:
    memory = Memory()
    for told in events:
        memory = remembered(memory, WorkspaceEvent(record=VENDOR, rule=rule, event=told))
    return memory


@pytest.mark.parametrize("kind", [kind for kind in ITEM_KINDS if kind != "changed"])
def test_every_event_of_a_document_is_kept_by_its_kind(kind: str) -> None:
    told = event(f"document.{kind}", 1, document=CERTIFICATE, document_type="Certificate")
    (item,) = after(told).evidence.of("vendor-file").values()
    assert set(item.events) == {kind}
    assert item.attribute("document_type") == "Certificate"
    assert item.document is not None
    assert item.document.model_dump() == CERTIFICATE.model_dump()


def test_a_changed_attribute_of_a_document_only_adds_to_what_is_known_of_it() -> None:
    approved = event("document.approved", 1, document=CERTIFICATE, expires_on="2027-01-01")
    changed = event("attribute.changed", 2, document=CERTIFICATE, expires_on="2028-01-01")
    item = after(approved, changed).evidence.of("vendor-file")[7]
    assert (item.status, item.attribute("expires_on")) == (ItemStatus.APPROVED, "2028-01-01")


@pytest.mark.parametrize("kind", WORKFLOW_KINDS)
@pytest.mark.parametrize("number", [5, "5"])
def test_every_event_of_a_workflow_is_kept_by_its_number(kind: str, number: int | str) -> None:
    told = event(f"workflow.{kind}", 1, workflow_id=number, comment="fine")
    workflow = after(told).approvals.workflow("vendor-file", 5)
    assert workflow.state == kind
    assert workflow.newest is not None
    assert workflow.newest.attributes["comment"] == "fine"


@pytest.mark.parametrize("number", [None, "", "five", True, "-5", "٥"])
def test_a_workflow_event_that_names_no_workflow_is_left_aside(number: str | None) -> None:
    told = event("workflow.approved", 1, workflow_id=number)
    assert workflow_id(told) is None
    assert after(told) == Memory()


@pytest.mark.parametrize(
    "told",
    [
        event("document.added", 1),
        event("contract.signed", 1, document=CERTIFICATE),
        event("workspace.updated", 1),
    ],
    ids=lambda told: told.event,
)
def test_other_events_leave_the_memory_as_it_is(told: EcmEvent) -> None:
    memory = Memory()
    assert remembered(memory, WorkspaceEvent(record=VENDOR, rule="r", event=told)) is memory
