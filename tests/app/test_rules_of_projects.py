"""Faults in the rules of projects: told with file, line and fix, those of their milestones too."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.rule_files.faults import RulesWrong
from app.rule_files.live import LiveNames, check_live
from app.rule_files.loading import load_rules, read_rules
from app.settings.fields import RULES_DIRECTORY

FILE = "project_workspace.yaml"


def changed(folder: Path, old: str, new: str) -> Path:
    """A copy of the shipped rules with one change in the projects'."""
    target = folder / "rules"
    shutil.copytree(RULES_DIRECTORY, target)
    text = (target / FILE).read_text("utf-8")
    assert old in text
    (target / FILE).write_text(text.replace(old, new, 1), "utf-8")
    return target


def line_of(path: Path, part: str) -> int:
    lines = (path / FILE).read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if part in line)


FAULTS = [
    pytest.param(
        "status: new_deliverablestatus",
        "status: msdyn_actualcost",
        "status: msdyn_actualcost",
        "'msdyn_actualcost' is financial",
        id="a financial column of the milestone",
    ),
    pytest.param(
        "workspace_id: new_xecmworkspaceid",
        "workspace_id: msdyn_actualsales",
        "workspace_id: msdyn_actualsales",
        "'msdyn_actualsales' is financial",
        id="a financial column of the project",
    ),
    pytest.param(
        "financial: [msdyn_plannedcost",
        "financial: [msdyn_planedcost",
        "msdyn_planedcost",
        "msdyn_projecttask has no column 'msdyn_planedcost' (did you mean msdyn_plannedcost?)",
        id="a financial column that is none",
    ),
    pytest.param(
        "folder_id: new_xecmfolderid",
        "folder_id: new_deliverablestatus",
        "status: new_deliverablestatus",
        "'new_deliverablestatus' is written by",
        id="one column for two values",
    ),
    pytest.param(
        "approved: new_deliverablesapproved",
        "approved: new_deliverableid",
        "approved: new_deliverableid",
        "msdyn_projecttask.new_deliverableid is text, but integer is needed here",
        id="a count into a text",
    ),
    pytest.param(
        "project: msdyn_project\n",
        "project: msdyn_subject\n",
        "project: msdyn_subject",
        "msdyn_projecttask.msdyn_subject is text, but lookup is needed here",
        id="a project that is no lookup",
    ),
    pytest.param(
        "when: record.msdyn_ismilestone == true",
        "when: record.msdyn_ismileston == true",
        "msdyn_ismileston =",
        "msdyn_projecttask has no column 'msdyn_ismileston' (did you mean",
        id="a condition over the milestone",
    ),
    pytest.param(
        "Closing Date: record.msdyn_finish",
        "Closing Date: record.msdyn_scheduledend",
        "Closing Date: record.msdyn_scheduledend",
        "msdyn_projecttask has no column 'msdyn_scheduledend'",
        id="an attribute from a column of the project",
    ),
    pytest.param(
        '  name: "{msdyn_subject}"\n        attributes:\n          Business',
        '  name: "{msdyn_subjet}"\n        attributes:\n          Business',
        "msdyn_subjet}",
        "msdyn_projecttask has no column 'msdyn_subjet'",
        id="the name of a folder",
    ),
    pytest.param(
        "in_review: In Review",
        "in_reviw: In Review",
        "in_reviw: In Review",
        "'in_reviw' is no status of deliverables (did you mean in_review?)",
        id="a status that does not exist",
    ),
    pytest.param(
        "table: msdyn_projecttask",
        "table: msdyn_project",
        "table: msdyn_project",
        "msdyn_project is the table of the projects (milestones are rows of another table)",
        id="milestones that are projects",
    ),
    pytest.param(
        "change_request_types: [Change Request]",
        "change_request_types: [Deliverable]",
        "change_request_types: [Deliverable]",
        "'Deliverable' is a deliverable and a change request (count it as one of them)",
        id="one type counted twice",
    ),
]


@pytest.mark.parametrize(("old", "new", "where", "says"), FAULTS)
def test_a_fault_is_told_with_line_and_fix(
    tmp_path: Path, old: str, new: str, where: str, says: str
) -> None:
    rules = changed(tmp_path, old, new)
    with pytest.raises(RulesWrong) as wrong:
        load_rules(rules)
    found = [str(fault) for fault in wrong.value.faults]
    lines = (rules / FILE).read_text("utf-8").splitlines()
    places = [f"{FILE}:{n}: " for n, line in enumerate(lines, start=1) if where in line]
    assert any(f.startswith(p) and says in f for f in found for p in places), found


def test_what_is_financial_for_one_rule_is_so_for_all(tmp_path: Path) -> None:
    rules = changed(tmp_path, "financial: [msdyn_totalplannedcost", "financial: [new_other")
    tables = rules / "tables.yaml"
    tables.write_text(
        tables.read_text("utf-8").replace(
            "      msdyn_totalplannedcost: number", "      new_other: text\n      new_o: text"
        ),
        "utf-8",
    )
    (rules / "more.yaml").write_text(
        "version: 1\nflow: record_workspace\nrules:\n"
        "  - name: more\n    table: msdyn_project\n    workspace:\n"
        "      external_system: D365\n      business_object_type: more\n      type: Project\n"
        '      name: "{msdyn_subject}"\n    write_back:\n      workspace_id: new_other\n',
        "utf-8",
    )
    with pytest.raises(RulesWrong) as wrong:
        load_rules(rules)
    assert any(
        str(fault).startswith("more.yaml:12: 'new_other' is financial (project_workspace.yaml:")
        for fault in wrong.value.faults
    ), wrong.value.faults


def test_the_book_knows_what_the_writer_refuses() -> None:
    financial = load_rules(RULES_DIRECTORY).financial()
    assert "msdyn_actualcost" in financial["msdyn_projecttask"]
    assert "msdyn_actualsales" in financial["msdyn_project"]


def test_a_folders_categories_are_looked_for_in_extended_ecm() -> None:
    live = LiveNames(
        {"Project": ("Project",)}, attributes={"Project": ("Manager",)}, roles={}, columns=None
    )
    with pytest.raises(RulesWrong) as wrong:
        check_live(read_rules(RULES_DIRECTORY), live)
    line = line_of(RULES_DIRECTORY, "Closing Date: record.msdyn_finish")
    says = f"{FILE}:{line}: Extended ECM has no category 'Business Record'"
    assert any(str(fault).startswith(says) for fault in wrong.value.faults)
