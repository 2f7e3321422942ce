"""Texts that rules write against the length of their columns, declared and real."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.rule_files.faults import RulesWrong
from app.rule_files.lengths import LONGEST_NODE
from app.rule_files.live import LiveNames, check_live
from app.rule_files.loading import RuleFiles, read_rules
from app.settings.fields import RULES_DIRECTORY

ADDRESS = f"https://ecm.example/cs/cs/app/nodes/{LONGEST_NODE}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RULES_DIRECTORY, tmp_path / "rules"))


def told(folder: Path, **rooms: Mapping[str, int]) -> list[str]:
    """What is wrong when the columns of these tables have room for so many characters."""
    files = read_rules(folder)
    kinds = {one.workspace.type: ("T",) for one in files.placed if one.workspace}
    templates = {
        one.workspace.type: (one.workspace.template or "T",)
        for one in files.placed
        if one.workspace
    }
    live = LiveNames({**kinds, **templates}, lengths=rooms, longest_address=ADDRESS)
    try:
        check_live(files, live)
    except RulesWrong as wrong:
        return [str(fault) for fault in wrong.faults]
    return []


def place(folder: Path, rule: str, *trail: str) -> str:
    files: RuleFiles = read_rules(folder)
    return str(files.where(rule, *trail))


def changed(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_columns_that_are_long_enough_are_fine(folder: Path) -> None:
    room = {"new_xecmworkspaceid": 10, "new_xecmworkspaceurl": len(ADDRESS)}
    assert told(folder, account=room, unheard={"x": 1}) == []


def test_a_column_shorter_than_it_is_declared_is_told_where_it_is_declared(folder: Path) -> None:
    (fault,) = told(folder, opportunity={"new_contractdocumenturl": 200})
    assert fault.startswith("tables.yaml:")
    assert (
        "opportunity.new_contractdocumenturl has room for 200 characters, not for 500 "
        "(write {text: 200}, or make the column longer)"
    ) in fault


def test_a_status_that_does_not_fit_is_told_where_its_word_is(folder: Path) -> None:
    rule = "opportunity-contract"
    changed(folder, "contract_lifecycle.yaml", "      signed: ", "      signed: Finally ")
    faults = told(folder, opportunity={"new_contractstatus": 12})
    said = place(folder, rule, "statuses", "signed")
    assert [fault for fault in faults if fault.startswith(f"{said}: ")] == [
        f"{said}: 'Finally Signed' has 14 characters, opportunity.new_contractstatus has room "
        "for 12 (write a shorter text, or make the column longer)"
    ]
    assert all("has room for 12" in fault for fault in faults)


def test_the_word_of_a_status_without_one_is_its_name(folder: Path) -> None:
    changed(folder, "compliance_gate.yaml", "      not_required: Not Required\n", "")
    (fault,) = told(folder, account={"new_onboardinggate": 11})
    where = place(folder, "customer-onboarding", "write_back", "status")
    assert fault.startswith(f"{where}: 'not_required' has 12 characters")


def test_a_decision_that_does_not_fit_is_told(folder: Path) -> None:
    faults = told(folder, incident={"new_resolutiondecision": 7})
    assert faults
    assert all("incident.new_resolutiondecision has room for 7" in fault for fault in faults)


def test_an_id_and_a_link_have_to_fit_whole(folder: Path) -> None:
    faults = told(folder, account={"new_xecmworkspaceid": 8, "new_xecmworkspaceurl": 40})
    ids = place(folder, "account-workspace", "write_back", "workspace_id")
    urls = place(folder, "account-workspace", "write_back", "workspace_url")
    assert faults == [
        f"{ids}: workspace_id needs 10 characters, account.new_xecmworkspaceid has room for 8 "
        "(make the column longer)",
        f"{urls}: workspace_url needs {len(ADDRESS)} characters, account.new_xecmworkspaceurl "
        "has room for 40 (make the column longer)",
    ]


def test_a_link_that_is_declared_too_short_needs_no_longer_column(folder: Path) -> None:
    text = (folder / "tables.yaml").read_text()
    text = text.replace("new_xecmworkspaceurl: text", "new_xecmworkspaceurl: {text: 30}", 1)
    (folder / "tables.yaml").write_text(text)
    urls = place(folder, "account-workspace", "write_back", "workspace_url")
    assert told(folder, account={"new_xecmworkspaceurl": 500}) == [
        f"{urls}: workspace_url needs {len(ADDRESS)} characters, account.new_xecmworkspaceurl is "
        "declared with 30 (declare {text: 500})"
    ]


def test_what_may_be_longer_has_to_say_where_it_is_cut(folder: Path) -> None:
    changed(
        folder, "tables.yaml", "new_onboardingmissing: {text: 1000}", "new_onboardingmissing: text"
    )
    changed(
        folder, "tables.yaml", "new_resolutioncomment: {text: 4000}", "new_resolutioncomment: text"
    )
    listed = told(folder, account={"new_onboardingmissing": 100})
    where = place(folder, "customer-onboarding", "write_back", "missing")
    assert listed == [
        f"{where}: missing needs 1000 characters, account.new_onboardingmissing has room for 100 "
        "(declare {text: 100}, or make the column longer)"
    ]
    assert told(folder, account={"new_onboardingmissing": 1000}) == []
    comment = told(folder, incident={"new_resolutioncomment": 2000})
    where = place(folder, "service-case", "write_back", "comment")
    assert comment == [
        f"{where}: incident.new_resolutioncomment has room for 2000 characters, and Dynamics "
        "refuses more (write new_resolutioncomment: {text: 2000} in tables.yaml: it is cut then)"
    ]


def test_a_status_longer_than_its_declared_column_is_told_without_any_network(folder: Path) -> None:
    changed(folder, "tables.yaml", "new_onboardinggate: text", "new_onboardinggate: {text: 6}")
    with pytest.raises(RulesWrong) as wrong:
        read_rules(folder)
    says = {str(fault).split(": ", 1)[1].split(" (")[0] for fault in wrong.value.faults}
    assert "'Not Required' has 12 characters, account.new_onboardinggate has room for 6" in says


def test_milestones_have_their_own_statuses_and_links(folder: Path) -> None:
    faults = told(folder, msdyn_projecttask={"new_deliverablestatus": 3, "new_xecmfolderurl": 9})
    assert len([f for f in faults if "msdyn_projecttask.new_deliverablestatus" in f]) == 4
    assert any("folder_url needs" in fault for fault in faults)
