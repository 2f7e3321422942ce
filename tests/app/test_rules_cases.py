"""The rules' own tests: cases are read with every fault, and a case that is wrong fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.rule_files.cases import COMMANDS, read_cases
from app.rule_files.faults import RulesWrong
from app.rule_files.loading import load_rules
from app.rule_files.trial import tried
from app.settings.fields import RULES_DIRECTORY
from streams.flows.registry import FLOWS
from streams.rules import RuleBook

BOOK = load_rules(RULES_DIRECTORY)
SHIPPED = read_cases(BOOK, RULES_DIRECTORY)
CREATED = """
      - create: account/1
        columns: {name: Contoso, accountnumber: A-1, statecode: 0}
"""


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "some_test.yaml").write_text(text)
    return tmp_path


def a_case(given: str = CREATED, *, more: str = "") -> str:
    return f"version: 1\ncases:\n  - name: a case\n    given:{given}{more}"


def outcome(tmp_path: Path, text: str, book: RuleBook = BOOK) -> list[str]:
    (one,) = read_cases(book, written(tmp_path, text))
    return tried(one, book)


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: f"{one.document.file}: {one.case.name}")
def test_the_shipped_cases_pass(one: object) -> None:
    assert tried(one, BOOK) == []  # type: ignore[arg-type]


def test_every_flow_has_cases() -> None:
    files = {one.document.file for one in SHIPPED}
    assert files == {f"{flow.name}_test.yaml" for flow in FLOWS}


class TestOutcomes:
    def test_a_command_that_does_not_come_is_told_with_the_nearest_one(
        self, tmp_path: Path
    ) -> None:
        more = "    expect:\n      - ensure_workspace: {rule: account-workspace, name: Fabrikam}\n"
        assert outcome(tmp_path, a_case(more=more)) == [
            "some_test.yaml:8: ensure_workspace {rule: account-workspace, name: Fabrikam} did not "
            "come; the nearest is that of account/1, where name is Contoso (A-1), not Fabrikam"
        ]

    def test_only_what_differs_is_told_of_the_nearest_one(self, tmp_path: Path) -> None:
        wanted = "attributes: {Business Record: {Record Name: Contoso, Record State: Closed}}"
        more = f"    expect:\n      - ensure_workspace: {{template: null, {wanted}}}\n"
        (wrong,) = outcome(tmp_path, a_case(more=more))
        assert wrong.endswith(
            "where template is Account, not null, "
            "attributes.Business Record.Record State is Active, not Closed"
        )

    def test_none_of_its_kind_came(self, tmp_path: Path) -> None:
        more = "    expect:\n      - stop_workflow: {workflow_id: 5}\n"
        (wrong,) = outcome(tmp_path, a_case(more=more))
        assert wrong.endswith("did not come; no stop_workflow came")

    def test_a_command_that_must_not_come_is_told(self, tmp_path: Path) -> None:
        more = "    never:\n      - ensure_workspace: {record: account/1}\n"
        assert outcome(tmp_path, a_case(more=more)) == [
            "some_test.yaml:8: ensure_workspace came: {record: account/1}"
        ]

    @pytest.mark.parametrize(
        ("wanted", "holds"),
        [
            ("{attributes: {Business Record: {Record Name: Contoso}}}", True),
            ("{attributes: {Business Record: {Record Name: Fabrikam}}}", False),
            ("{attributes: {Business Record: {No Such Name: null}}}", False),
            ("{business_object: {type: account}}", True),
            ("{}", True),
        ],
    )
    def test_what_is_written_has_to_hold_and_nothing_else(
        self, tmp_path: Path, wanted: str, holds: bool
    ) -> None:
        more = f"    expect:\n      - ensure_workspace: {wanted}\n"
        assert (outcome(tmp_path, a_case(more=more)) == []) is holds

    def test_rows_that_dynamics_has_are_read_and_not_told(self, tmp_path: Path) -> None:
        text = a_case(
            "\n      - create: opportunity/2\n        columns: {name: Deal, "
            "parentaccountid: account/1, statecode: 0}\n",
            more="    records:\n      account/1: {name: Contoso, accountnumber: A-1, statecode: 0}"
            "\n    expect:\n      - read_record: {record: account/1}\n"
            "      - relate_workspaces: {related: 'account/1#account-workspace'}\n",
        )
        assert outcome(tmp_path, text) == []


FAULTS = [
    ("account/1", "acount/1", "5: no table 'acount' is declared (did you mean account?)"),
    ("account/1", "account/x", "5: 'account/x' names no record; write account/1"),
    ("name: Con", "nam: Con", "5: account has no column 'nam' (did you mean name?)"),
    ("statecode: 0", "statecode: open", "5: statecode is choice: no number"),
    ("create: account/1", "creat: account/1", "5: unknown key 'creat' (did you mean create?)"),
    ("create: account/1", "wait: 1 fortnight", "5: wait: expected a time span such as"),
    (
        "create: account/1",
        "delete: account/1\n        create: account/1",
        "5: says create and delete; write one of create, change, delete, event, wait",
    ),
    ("create: account/1", "event: contract.sined", "5: there is no event 'contract.sined' (did"),
    ("create: account/1", "event: contract.signed", "5: needs `of`, the record, and `rule`"),
    (
        "create: account/1",
        "event: contract.signed\n        of: account/1\n        rule: account-workspac",
        "7: there is no rule 'account-workspac' (did you mean account-workspace?)",
    ),
    ("version: 1", "version: 2", "1: version 2 is not known (write version: 1)"),
    ("name: a case", "name: ''", "3: name: must not be empty"),
]


class TestFaults:
    @pytest.mark.parametrize(("old", "new", "says"), FAULTS)
    def test_a_fault_is_told_with_file_line_and_fix(
        self, tmp_path: Path, old: str, new: str, says: str
    ) -> None:
        text = a_case().replace(old, new, 1)
        with pytest.raises(RulesWrong) as wrong:
            read_cases(BOOK, written(tmp_path, text))
        found = [str(fault) for fault in wrong.value.faults]
        assert any(fault.startswith(f"some_test.yaml:{says}") for fault in found), found

    @pytest.mark.parametrize(
        ("wanted", "says"),
        [
            ("ensure_workspac: {}", "there is no command 'ensure_workspac' (did you mean ensure_w"),
            ("ensure_workspace: {nam: x}", "ensure_workspace has no 'nam' (did you mean name?)"),
        ],
    )
    def test_an_expectation_that_could_never_hold_is_a_fault(
        self, tmp_path: Path, wanted: str, says: str
    ) -> None:
        text = a_case(more=f"    expect:\n      - {wanted}\n")
        with pytest.raises(RulesWrong, match=r"some_test\.yaml:8") as wrong:
            read_cases(BOOK, written(tmp_path, text))
        assert says in str(wrong.value)

    def test_every_command_can_be_expected(self) -> None:
        assert {"ensure_workspace", "set_record_columns", "start_workflow"} <= COMMANDS.keys()
