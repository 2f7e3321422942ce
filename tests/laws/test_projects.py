"""Laws of flow 5: projects, milestones and documents in any order end alike, and nothing else is
ever written."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.catalogue import ColumnValue
from streams.messages.facts import BusinessObject, Document, EcmEvent
from tables.keys import RecordRef
from tests.fakes.gateways import FakeEcm, FakeFolder
from tests.laws.histories import History, assert_nothing_forbidden
from tests.streams.project_rules import PROJECT_RULE
from tests.streams.samples import ORIGIN, START_MS, ref
from tests.streams.world import World

LAW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PROJECTS = (ref("msdyn_project", 1), ref("msdyn_project", 2))
MILESTONES = (ref("msdyn_projecttask", 7), ref("msdyn_projecttask", 8))
DOCUMENTS = (700, 701, 702)
KINDS = ("added", "moved", "approved", "rejected", "version_added", "deleted")
#: What the flow may write; everything else of a row is Dynamics' own.
ITS_COLUMNS = {
    *PROJECT_RULE.write_back.columns(),
    *(PROJECT_RULE.milestones.write_back.columns() if PROJECT_RULE.milestones else ()),
}


def workspace_of(project: RecordRef) -> int:
    return FakeEcm.workspace_number(object_of(project))


def object_of(project: RecordRef) -> BusinessObject:
    return BusinessObject(external_system="D365", type="project", id=project.id)


def folder_of(milestone: RecordRef, project: RecordRef) -> int:
    return FakeEcm.folder_number(workspace_of(project), milestone.key)


def _project_columns() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={"msdyn_subject": st.sampled_from(["Plant", "Annex"]), "statecode": _STATE}
    )


def _milestone_columns() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "msdyn_subject": st.sampled_from(["Design", "Build"]),
            "msdyn_project": st.sampled_from([p.key for p in PROJECTS]),
            "msdyn_progress": st.sampled_from(["10", "100"]),
        },
    )


_STATE = st.sampled_from([0, 1])


@st.composite
def histories(draw: st.DrawFn) -> History:
    history = History()
    for project in PROJECTS:
        first: dict[str, Any] = {"msdyn_subject": "Plant", "statecode": 0, "msdyn_customer": None}
        history.lived(draw, project, first, _project_columns(), deletable=False)
    for milestone in MILESTONES:
        first = {
            "msdyn_subject": "Design",
            "msdyn_project": draw(st.sampled_from([p.key for p in PROJECTS])),
            "msdyn_ismilestone": True,
            "msdyn_progress": "10",
        }
        history.lived(draw, milestone, first, _milestone_columns(), deletable=True)
    for document in DOCUMENTS:
        project = draw(st.sampled_from(PROJECTS))
        for number, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), max_size=4))):
            told = {"document_type": draw(st.sampled_from(["Deliverable", "Change Request"]))}
            told |= draw(st.sampled_from(_places(project)))
            history.facts.append(_event(project, document, kind, 30 + number, told))
    return history


def _places(project: RecordRef) -> list[dict[str, Any]]:
    """In a milestone's folder, in another, naming a milestone, or nothing of it."""
    inside = [{"folder_id": folder_of(milestone, project)} for milestone in MILESTONES]
    named = [{"milestone": milestone.id} for milestone in MILESTONES]
    return [*inside, *named, {"folder_id": 5}, {}]


def _event(
    project: RecordRef, document: int, kind: str, second: int, told: dict[str, Any]
) -> EcmEvent:
    return EcmEvent(
        event_id=f"{document}-{second}",
        event=f"document.{kind}",
        at_ms=START_MS + second * 1000,
        workspace_id=workspace_of(project) if second % 2 else None,
        business_object=object_of(project),
        record=project,
        document=Document(id=document, version=second, name=f"{document}.pdf"),
        attributes=told,
        origin=ORIGIN,
    )


def folders(world: World, key: str) -> dict[int, FakeFolder]:
    """A milestone's folders by workspace."""
    found = world.ecm.workspaces.items()
    return {number: space.folders[key] for number, space in found if key in space.folders}


def assert_same_end(history: History, one: World, other: World) -> None:
    assert one.ecm.workspaces.keys() == other.ecm.workspaces.keys()
    for number, workspace in one.ecm.workspaces.items():
        assert workspace.name == other.ecm.workspaces[number].name
        assert workspace.attributes == other.ecm.workspaces[number].attributes
    for milestone in MILESTONES:
        left, right = folders(one, milestone.key), folders(other, milestone.key)
        row = history.rows.get(milestone.key)
        if row is None:
            # Where it was seen before it was deleted depends on the order; there it says so.
            found = [*left.values(), *right.values()]
            states = {folder.attributes["Business Record"]["Record State"] for folder in found}
            assert states <= {"Deleted"}
            continue
        here = workspace_of(RecordRef.parse(str(row["msdyn_project"])))
        assert left[here] == right[here]
        for number in left.keys() & right.keys():
            assert left[number] == right[number]
        # A folder of a project that it passed through may be there or not, and says so.
        for number in (left.keys() | right.keys()) - {here}:
            passing = left.get(number) or right[number]
            assert passing.attributes["Business Record"]["Record State"] == "Moved"
        if left.keys() == right.keys():
            assert one.dynamics.rows[milestone.key] == other.dynamics.rows[milestone.key]


@LAW
@given(history=histories(), seed=st.integers(0, 2**32))
async def test_any_order_and_repetition_ends_alike(history: History, seed: int) -> None:
    in_order = await history.play(history.facts, None)
    other = await history.play(history.shuffled(seed), seed)
    assert_same_end(history, in_order, other)
    for world in (in_order, other):
        assert_nothing_forbidden(world, ITS_COLUMNS)


@LAW
@given(history=histories())
async def test_a_replay_changes_nothing(history: History) -> None:
    world = await history.play(history.facts, None)
    rows = {key: dict(row) for key, row in world.dynamics.rows.items()}
    calls = len(world.ecm.calls)
    world.tell(*history.facts)
    await world.run()
    assert world.dynamics.rows == rows
    assert len(world.ecm.calls) == calls


@LAW
@given(history=histories(), seed=st.integers(0, 2**32))
async def test_after_all_was_forgotten_a_replay_makes_nothing_twice(
    history: History, seed: int
) -> None:
    world = await history.play(history.facts, seed)
    before = {number: {*space.folders} for number, space in world.ecm.workspaces.items()}
    world.rows.tables.clear()
    world.tell(*history.facts)
    await world.run()
    after = {number: {*space.folders} for number, space in world.ecm.workspaces.items()}
    assert before.keys() == after.keys()
    other = await history.play(history.facts, None)
    assert_same_end(history, other, world)


@LAW
@given(history=histories(), seed=st.integers(0, 2**32))
async def test_a_milestone_shows_what_its_documents_come_to(history: History, seed: int) -> None:
    """Computed a second time, from the events alone."""
    world = await history.play(history.facts, seed)
    for milestone in MILESTONES:
        if milestone.key not in history.rows:
            continue
        own = [events for events in _by_document(history) if _is_of(events, milestone, world)]
        states = [_state(events) for events in own if _kind(events) == "Deliverable"]
        states = [state for state in states if state != "deleted"]
        shown = world.dynamics.rows[milestone.key]
        assert shown["new_deliverables"] == len(states)
        assert shown["new_approved"] == states.count("approved")
        expected = (
            "awaited"
            if not states
            else "rejected"
            if "rejected" in states
            else "Approved"
            if set(states) == {"approved"}
            else "in_review"
        )
        assert shown["new_status"] == expected


def _by_document(history: History) -> list[list[EcmEvent]]:
    """The events of each document that has any, oldest first."""
    events = [fact for fact in history.facts if isinstance(fact, EcmEvent)]
    grouped = [
        sorted((e for e in events if e.document and e.document.id == number), key=lambda e: e.at_ms)
        for number in DOCUMENTS
    ]
    return [group for group in grouped if group]


def _told(events: list[EcmEvent], name: str) -> ColumnValue:
    told = [event.attributes[name] for event in events if name in event.attributes]
    return told[-1] if told else None


def _kind(events: list[EcmEvent]) -> ColumnValue:
    return _told(events, "document_type")


def _state(events: list[EcmEvent]) -> str:
    kinds = [e.event.removeprefix("document.") for e in events]
    # What was moved back in later has not gone.
    back = max((place for place, kind in enumerate(kinds) if kind == "moved"), default=-1)
    gone = max((place for place, kind in enumerate(kinds) if kind == "deleted"), default=-1)
    deciding = [kind for kind in kinds if kind != "moved" and (kind != "deleted" or gone > back)]
    return deciding[-1] if deciding else "added"


def _is_of(events: list[EcmEvent], milestone: RecordRef, world: World) -> bool:
    named = _told(events, "milestone")
    if named:
        return named == milestone.id
    inside = {folder.id for folder in folders(world, milestone.key).values()}
    return _told(events, "folder_id") in inside
