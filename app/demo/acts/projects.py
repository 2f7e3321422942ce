"""Flow 5: projects with milestones, and what people hand in for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.demo.acts.act import Act
from app.demo.judge import Verdict
from app.demo.oracle import Expectation, Expected, ExpectedFolder, owners, pair
from app.demo.pen import Pen
from app.demo.truth import Life, Row, Truth
from app.sandbox.events.change import iso
from app.sandbox.events.ecm import EcmHappening

_PROJECT, _MILESTONE = "msdyn_project", "msdyn_projecttask"
_HEALTH = {1: "Green", 2: "Yellow", 3: "Red"}
_PREFIX = "document."
#: What becomes of milestones; those that move go to the next project.
_STORIES = ("stays", "renamed", "done", "moved", "task", "late", "deleted")
#: What is handed in for a milestone: each document's kind, and what happens to it in turn.
_HANDED_IN: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] = (
    (),
    (("Deliverable", ("added",)),),
    (("Deliverable", ("added", "approved")),),
    (("Deliverable", ("added", "rejected")),),
    (("Deliverable", ("added", "approved", "version_added")), ("Change Request", ("added",))),
    (("Deliverable", ("added", "approved")), ("Deliverable", ("added", "version_added"))),
    (("Deliverable", ("added", "deleted")), ("Change Request", ("added", "approved"))),
    (("Deliverable", ("added", "approved")), ("Deliverable", ("added", "deleted"))),
    (("Minutes", ("added",)), ("Change Request", ("added", "rejected"))),
)
_DECIDING = ("added", "version_added", "approved", "rejected", "deleted")


class ProjectsAct(Act):
    """Projects, milestones and deliverables."""

    flow = "project_workspace"
    headings = ("workspace or folder", "deliverables", "change requests")

    def write(self, pen: Pen) -> None:
        accounts = list(pen.truth.of("account"))[: pen.size.accounts // 2]
        projects = [_project(pen, number, accounts) for number in range(pen.size.others)]
        for project in projects:
            for _ in range(pen.chance.randrange(3)):
                pen.event(project, "update", **_change(pen, project))
        milestones = [
            _milestone(pen, 2 * number + half, project)
            for number, project in enumerate(projects)
            for half in range(2)
        ]
        for number, milestone in enumerate(milestones):
            _hand_in(pen, milestone, number)
            following = projects[(number // 2 + 1) % len(projects)]
            _live(pen, milestone, _STORIES[number % len(_STORIES)], following)

    def close(self, pen: Pen) -> None:
        for number, milestone in enumerate(list(pen.truth.of(_MILESTONE))):
            if _STORIES[number % len(_STORIES)] == "deleted":
                pen.event(milestone, "delete")
        pen.event(next(pen.truth.of(_PROJECT)), "update", statecode=1)

    def expect(self, truth: Truth, one: Expectation) -> None:
        if one.life.table == _PROJECT:
            self._expect_project(truth, one)
        elif one.life.table == _MILESTONE:
            one.folders += _folders(one.life)
            if not one.life.deleted:
                one.columns |= _columns(truth, one.life)

    def _expect_project(self, truth: Truth, one: Expectation) -> None:
        project = one.life
        one.workspaces[self.flow] = Expected(
            business_object=("project", project.id),
            type="Project",
            required=True,
            state="Active" if project.row["statecode"] == 0 else "Closed",
            name=str(project.row["msdyn_subject"]),
            owner=owners(truth)[pair(project.row["msdyn_projectmanager"])[1]],
            parents={pair(project.row["msdyn_customer"])},
            attributes=_attributes(truth, project),
            holds={"Milestones": _names(truth, project)},
        )

    def shows(self, verdict: Verdict) -> bool:
        return verdict.expectation.life.table in (_PROJECT, _MILESTONE)

    def cells(self, verdict: Verdict) -> tuple[str, ...]:
        columns, found = verdict.columns, verdict.found.get(self.flow)
        if verdict.expectation.life.table == _PROJECT:
            state = verdict.expectation.workspaces[self.flow].state
            return (f"{found.name} [{state}]" if found else "none", "", "")
        folders = verdict.expectation.folders
        path = f"{folders[0].path} [{folders[0].state}]" if folders else "none"
        count, status = columns.get("new_deliverables"), columns.get("new_deliverablestatus")
        handed_in = f"{columns.get('new_deliverablesapproved')} of {count}, {status}"
        asked = columns.get("new_changerequests")
        return (
            path,
            handed_in if status else "",
            f"{columns.get('new_openchangerequests')} of {asked} open" if asked else "",
        )


def _project(pen: Pen, number: int, accounts: list[Life]) -> Life:
    row: Row = {
        "msdyn_subject": f"Plant {number:03}",
        "msdyn_customer": accounts[number * 3 % len(accounts)].key,
        "msdyn_projectmanager": pen.owner(),
        "msdyn_scheduledstart": "2027-01-04T00:00:00Z",
        "msdyn_scheduledend": f"2027-{number % 12 + 1:02}-28T00:00:00Z",
        "msdyn_overallprojectstatus": 1,
        "msdyn_progress": "0",
        "statecode": 0,
        "msdyn_totalplannedcost": str(10_000 * (number + 1)),
        "msdyn_totalactualcost": None,
        "msdyn_plannedsales": None,
        "msdyn_actualsales": None,
    }
    return pen.new(_PROJECT, number, str(row["msdyn_subject"]), row)


def _change(pen: Pen, project: Life) -> Row:
    changes: list[Row] = [
        {"msdyn_subject": f"{project.title}, extended"},
        {"msdyn_subject": project.title},
        {"msdyn_overallprojectstatus": pen.chance.choice([1, 2, 3])},
        {"msdyn_projectmanager": pen.owner(), "msdyn_progress": "12.5"},
        {"msdyn_totalactualcost": str(pen.chance.randrange(1_000, 9_000))},
    ]
    return pen.chance.choice(changes)


def _milestone(pen: Pen, number: int, project: Life) -> Life:
    kind = _STORIES[number % len(_STORIES)]
    row: Row = {
        "msdyn_subject": f"Milestone {number:03}",
        "msdyn_project": project.key,
        "msdyn_ismilestone": kind not in ("task", "late"),
        "msdyn_finish": f"2027-{number % 12 + 1:02}-15T00:00:00Z",
        "msdyn_progress": "0",
        "msdyn_plannedcost": "1000",
        "msdyn_actualcost": None,
        "msdyn_plannedsales": None,
        "msdyn_actualsales": None,
    }
    return pen.new(_MILESTONE, number, str(row["msdyn_subject"]), row)


def _hand_in(pen: Pen, milestone: Life, number: int) -> None:
    """People file documents in the project's workspace, and decide about them."""
    if not milestone.row["msdyn_ismilestone"]:
        return
    project = next(p for p in pen.truth.of(_PROJECT) if p.key == milestone.row["msdyn_project"])
    for place, (kind, happenings) in enumerate(_HANDED_IN[number % len(_HANDED_IN)]):
        document = 800_000 + 10 * number + place
        named = milestone.key if place % 2 else milestone.id
        for version, happened in enumerate(happenings, start=1):
            link = f"https://ecm.contoso.example/documents/{document}"
            pen.tell(
                project,
                f"{_PREFIX}{happened}",
                "project",
                document=(document, version, f"{kind} {document}.pdf", link),
                document_type=kind,
                milestone=named,
            )


def _live(pen: Pen, milestone: Life, story: str, following: Life) -> None:
    changes: dict[str, Row] = {
        "renamed": {"msdyn_subject": f"{milestone.title}: hand-over"},
        "done": {"msdyn_progress": "100"},
        "moved": {"msdyn_project": following.key},
        "late": {"msdyn_ismilestone": True},
    }
    pen.event(milestone, "update", msdyn_actualcost=str(pen.chance.randrange(10, 990)))
    if story in changes:
        pen.event(milestone, "update", **changes[story])


def _attributes(truth: Truth, project: Life) -> dict[str, dict[str, Any]]:
    row = project.row
    emails = {person.id: person.email for person in truth.people}
    return {
        "Business Record": {"Record Name": row["msdyn_subject"]},
        "Project": {
            "Manager": emails[pair(row["msdyn_projectmanager"])[1]],
            "Start": "2027-01-04",
            "End": str(row["msdyn_scheduledend"])[:10],
            "Progress": float(str(row["msdyn_progress"])),
            "Health": _HEALTH[int(str(row["msdyn_overallprojectstatus"]))],
        },
    }


def _folder_name(milestone: Life) -> str:
    return str(milestone.row["msdyn_subject"]).replace(":", "-")


def _names(truth: Truth, project: Life) -> set[str]:
    """The folders that may be there: of milestones that are the project's, or were."""
    return {
        _folder_name(milestone)
        for milestone in truth.of(_MILESTONE)
        if any(row["msdyn_project"] == project.key for row in milestone.rows)
        and any(row["msdyn_ismilestone"] for row in milestone.rows)
    }


def _folders(milestone: Life) -> Iterator[ExpectedFolder]:
    """The folder in the milestone's project; and one that it may have left behind."""
    row = milestone.row
    if not any(row["msdyn_ismilestone"] for row in milestone.rows):
        return
    projects = {str(row["msdyn_project"]) for row in milestone.rows} - {str(row["msdyn_project"])}
    state = "Completed" if row["msdyn_progress"] == "100" else "Active"
    path = f"Milestones/{_folder_name(milestone)}"
    yield ExpectedFolder(
        ("project", pair(row["msdyn_project"])[1]),
        path,
        "Deleted" if milestone.deleted else state,
        required=not milestone.deleted,
        link="" if milestone.deleted else "new_xecmfolder",
    )
    for project in projects:
        yield ExpectedFolder(("project", pair(project)[1]), path, "Moved", required=False)


def _columns(truth: Truth, milestone: Life) -> dict[str, Any]:
    """What comes back of the documents that name the milestone, event by event as they came."""
    documents: dict[int, list[EcmHappening]] = {}
    for project in truth.of(_PROJECT):
        for told in truth.happenings(project, _PREFIX):
            if told.document and told.attributes["milestone"] in (milestone.id, milestone.key):
                documents.setdefault(told.document[0], []).append(told)
    if not documents and not any(row["msdyn_ismilestone"] for row in milestone.rows):
        return {"new_deliverablestatus": None, "new_deliverables": None}
    handed_in = [d for d in documents.values() if _is(d, "Deliverable") and not _is_gone(d)]
    requests = [d for d in documents.values() if _is(d, "Change Request") and not _is_gone(d)]
    approved = [d for d in handed_in if _state(d) == "approved"]
    done = bool(approved) and len(approved) == len(handed_in)
    newest = max(approved or handed_in, key=lambda d: _since(d).at_ms, default=None)
    shown = newest[-1].document if newest else None
    return {
        "new_deliverablestatus": _word(handed_in),
        "new_deliverables": len(handed_in),
        "new_deliverablesapproved": len(approved),
        "new_deliverablesapprovedon": iso(max(_since(d).at_ms for d in approved)) if done else None,
        "new_changerequests": len(requests),
        "new_openchangerequests": sum(_state(d) not in ("approved", "rejected") for d in requests),
        "new_deliverableid": str(shown[0]) if shown else None,
        "new_deliverablename": shown[2] if shown else None,
        "new_deliverableurl": shown[3] if shown else None,
    }


def _word(handed_in: list[list[EcmHappening]]) -> str:
    states = {_state(document) for document in handed_in}
    if not states:
        return "Awaited"
    if "rejected" in states:
        return "Rejected"
    return "Approved" if states == {"approved"} else "In Review"


def _is(document: list[EcmHappening], kind: str) -> bool:
    return bool(document[-1].attributes["document_type"] == kind)


def _is_gone(document: list[EcmHappening]) -> bool:
    return _state(document) == "deleted"


def _since(document: list[EcmHappening]) -> EcmHappening:
    return next(t for t in reversed(document) if t.event.removeprefix(_PREFIX) in _DECIDING)


def _state(document: list[EcmHappening]) -> str:
    return _since(document).event.removeprefix(_PREFIX)
