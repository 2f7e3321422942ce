"""Broken rules of gates and vendors: each fault is told with its file, its line and the fix."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.rule_files.faults import RulesWrong
from app.rule_files.loading import read_rules
from app.settings.fields import RULES_DIRECTORY

GATES, VENDORS = "compliance_gate.yaml", "vendor_onboarding.yaml"


def faults_in(tmp_path: Path, file: str, old: str, new: str) -> list[str]:
    """What is said of the shipped rules after one change; the first place of ``old`` counts."""
    folder = tmp_path / "rules"
    folder.mkdir()
    for path in RULES_DIRECTORY.glob("*.yaml"):
        shutil.copy(path, folder)
    text = (folder / file).read_text("utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(RulesWrong) as wrong:
        read_rules(folder)
    return str(wrong.value).splitlines()


def line_of(file: str, old: str, new: str, marked: str) -> int:
    """The line of the changed file on which the marked text stands, from the change on."""
    text = (RULES_DIRECTORY / file).read_text("utf-8")
    begin = text.index(old)
    changed = text.replace(old, new, 1)
    return changed[: changed.index(marked, begin)].count("\n") + 1


BROKEN: list[tuple[str, str, str, str, str]] = [
    (GATES, "grace: 5 seconds", "grace: 5 secs", "grace:", "expected a time span such as"),
    (
        GATES,
        "    finalized: record.new_onb",
        "    finalised: record.new_onb",
        "finalised",
        "unknown",
    ),
    (
        GATES,
        "finalized: record.new_onboardingstatus == 1",
        "finalized: record.new_onboardingstat == 1",
        "finalized:",
        "account has no column 'new_onboardingstat'",
    ),
    (
        GATES,
        "      new_onboardingstatus: 100000000\n",
        "      creditlimit: '5'\n",
        "creditlimit: '5'",
        "what is set here changes nothing about 'finalized' (set a column",
    ),
    (
        GATES,
        "      new_onboardingstatus: 100000000\n",
        "      new_onboardingstatus: started\n",
        "new_onboardingstatus: started",
        "account.new_onboardingstatus is choice",
    ),
    (
        GATES,
        "      new_onboardingstatus: 100000000\n",
        "      new_onboardingstatus: '100000000'\n",
        "new_onboardingstatus: '",
        "holds '100000000' as 100000000 (write 100000000)",
    ),
    (
        GATES,
        "      new_onboardingstatus: 100000000\n",
        "      new_onboardingstatus: 100000000\n      new_onboardinggate: Open\n",
        "new_onboardinggate: Open",
        "'new_onboardinggate' is written by compliance_gate.yaml:",
    ),
    (
        GATES,
        "      - type: Beneficial Owners",
        "      - type: Proof of Identity",
        "type: Proof of Identity",
        "the artifact 'Proof of Identity' is named twice",
    ),
    (
        GATES,
        "record.creditlimit != null &&",
        "record.creditlimt != null &&",
        "record.creditlimt",
        "account has no column 'creditlimt' (did you mean creditlimit?)",
    ),
    (GATES, "        count: 2", "        count: 0", "count: 0", "count: "),
    (GATES, "      closed: Closed", "      shut: Closed", "shut:", "'shut' is no status of a gate"),
    (
        GATES,
        "status_attribute: Evidence/Gate Status",
        "status_attribute: Gate Status",
        "status_attribute:",
        "'Gate Status' names no attribute (write Category/Attribute)",
    ),
    (
        GATES,
        "record_workspace: account-workspace",
        "record_workspace: acount-workspace",
        "record_workspace:",
        "no rule of record_workspace has the name 'acount-workspace' (did you mean account-w",
    ),
    (
        VENDORS,
        "details: [new_bankaccount, new_taxnumber]",
        "details: [new_bankacount, new_taxnumber]",
        "details:",
        "account has no column 'new_bankacount' (did you mean new_bankaccount?)",
    ),
    (
        VENDORS,
        "details: [new_bankaccount, new_taxnumber]",
        "details: [new_vendorhold]",
        "details:",
        "'new_vendorhold' is set by activation",
    ),
    (
        VENDORS,
        "        new_vendorhold: false",
        "        new_vendorhold: true",
        "new_vendorhold: true",
        "held and active are the same",
    ),
    (
        VENDORS,
        "        new_vendorhold: false",
        "        merged: false",
        "merged: false",
        "held and active do not set the same columns",
    ),
    (
        VENDORS,
        'title: "Release vendor {accountnumber|name}"',
        'title: "Release vendor {acountnumber}"',
        "title:",
        "account has no column 'acountnumber'",
    ),
    (
        VENDORS,
        "        pending: Pending",
        "        open: Pending",
        "open: Pending",
        "'open' is no decision",
    ),
    (
        VENDORS,
        "      active: Active\n",
        "      activ: Active\n",
        "activ:",
        "'activ' is no stat",
    ),
    (
        VENDORS,
        "      decided_on: new_vendordecidedon",
        "      decided_on: new_vendorstatus",
        "decided_on:",
        "account.new_vendorstatus is text, but",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "marked", "says"), BROKEN)
def test_a_broken_rule_is_told_with_line_and_fix(
    tmp_path: Path, file: str, old: str, new: str, marked: str, says: str
) -> None:
    found = faults_in(tmp_path, file, old, new)
    about = [fault for fault in found if says in fault]
    assert about, found
    line = line_of(file, old, new, marked)
    places = [int(fault.strip().removeprefix(f"{file}:").partition(":")[0]) for fault in about]
    # A fault of a whole part is told where the part begins, a few lines above.
    assert any(line - 4 <= place <= line for place in places), (line, about)
