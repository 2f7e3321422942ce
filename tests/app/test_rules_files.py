"""The rule files: what is read from good ones, and what is said of broken ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from app.rule_files.faults import RulesWrong
from app.rule_files.live import LiveNames, check_live
from app.rule_files.loading import RuleFiles, load_rules, read_rules
from app.sandbox.content_server.default_definition import default_definition
from app.sandbox.content_server.definition import AttributeSpec
from app.settings.fields import RULES_DIRECTORY
from streams.catalogue import Column, ColumnKind
from streams.errors import Misconfigured
from streams.flows.registry import FLOWS
from streams.rules import RecordWorkspaceRule, ServiceCaseRule
from streams.rules.approval import WorkflowPart

TABLES = """\
version: 1
tables:
  account:
    entity_set: accounts
    primary_id: accountid
    columns:
      name: text
      statecode: choice
      creditlimit: number
      merged: boolean
      ownerid: {lookup: [systemuser]}
      parentaccountid: {lookup: account}
      new_id: text
      new_url: text
  opportunity:
    entity_set: opportunities
    primary_id: opportunityid
    columns:
      name: text
      salesstage: choice
      customerid: {lookup: [account, contact]}
      new_status: text
      new_signedon: datetime
      new_version: integer
  systemuser:
    reference: true
    entity_set: systemusers
    primary_id: systemuserid
    columns:
      internalemailaddress: text
members:
  systemuser: internalemailaddress
"""
RECORDS = """\
version: 1
flow: record_workspace
rules:
  - name: account-workspace
    table: account
    closed: record.statecode == 1
    workspace:
      external_system: D365
      business_object_type: account
      type: Account
      name: "{name}"
      attributes:
        Business Record:
          Limit: record.creditlimit
      roles:
        - role: Owner
          members: [ownerid]
      relations:
        - column: parentaccountid
    write_back:
      workspace_id: new_id
      workspace_url: new_url
"""
CONTRACTS = """\
version: 1
flow: contract_lifecycle
rules:
  - name: contract
    table: opportunity
    stage_reached: record.salesstage >= 2
    workspace:
      external_system: D365
      business_object_type: contract
      type: Contract
      name: "{name}"
      relations:
        - column: customerid
    status_attribute: Contract/Status
    statuses:
      signed: Signed
    write_back:
      status: new_status
      signed_on: new_signedon
      document_version: new_version
"""


def written(
    folder: Path, *, tables: str = TABLES, records: str = RECORDS, contracts: str = CONTRACTS
) -> Path:
    (folder / "tables.yaml").write_text(tables)
    (folder / "record_workspace.yaml").write_text(records)
    (folder / "contract_lifecycle.yaml").write_text(contracts)
    return folder


def faults_in(folder: Path) -> list[str]:
    with pytest.raises(RulesWrong) as wrong:
        load_rules(folder)
    return [str(fault) for fault in wrong.value.faults]


def replaced(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


class TestGoodFiles:
    def test_the_shipped_rules_are_good_and_serve_every_flow(self) -> None:
        book = load_rules(RULES_DIRECTORY)
        names = {rule.name for rule in book.rules}
        assert names >= {"account-workspace", "opportunity-workspace", "opportunity-contract"}
        assert all(list(flow.rules(book)) for flow in FLOWS)

    def test_the_shipped_rules_name_only_what_the_sandbox_has(self) -> None:
        check_live(read_rules(RULES_DIRECTORY), sandbox_names())

    def test_short_forms_become_typed_columns(self, tmp_path: Path) -> None:
        book = load_rules(written(tmp_path))
        columns = book.catalogue.tables["opportunity"].columns
        assert columns["salesstage"] == Column(ColumnKind.CHOICE)
        assert columns["customerid"] == Column(ColumnKind.LOOKUP, ("account", "contact"))
        assert book.catalogue.tables["systemuser"].reference
        assert book.members == {"systemuser": "internalemailaddress"}

    def test_a_flow_may_have_several_files_and_rules_have_tests_beside_them(
        self, tmp_path: Path
    ) -> None:
        folder = written(tmp_path)
        other = RECORDS.replace("account-workspace", "second").replace("type: account", "type: b")
        (folder / "more.yaml").write_text(other.partition("    write_back")[0])
        (folder / "record_workspace_test.yaml").write_text("cases: [}")
        (folder / "notes.txt").write_text("anything")
        names = [rule.name for rule in load_rules(folder).of(RecordWorkspaceRule)]
        assert names == ["second", "account-workspace"]

    def test_the_digest_changes_with_any_file_and_with_nothing_else(self, tmp_path: Path) -> None:
        folder = written(tmp_path)
        first = load_rules(folder).digest
        assert load_rules(folder).digest == first
        (folder / "tables.yaml").write_text(TABLES + "# a remark\n")
        assert load_rules(folder).digest != first

    def test_several_folders_count_as_one(self, tmp_path: Path) -> None:
        (tmp_path / "own").mkdir()
        (tmp_path / "more").mkdir()
        one, more = written(tmp_path / "own"), tmp_path / "more"
        (one / "contract_lifecycle.yaml").rename(more / "contract_lifecycle.yaml")
        parted = read_rules(one, more)
        assert parted.place == f"{one},{more}"
        assert load_rules(more, one).digest == parted.book.digest, "their order does not matter"
        (more / "contract_lifecycle.yaml").rename(one / "contract_lifecycle.yaml")
        whole = read_rules(one)
        assert {rule.name for rule in parted.book.rules} == {r.name for r in whole.book.rules}
        assert parted.book.digest == whole.book.digest

    def test_a_file_that_two_folders_have_is_told_with_both(self, tmp_path: Path) -> None:
        (tmp_path / "own").mkdir()
        (tmp_path / "more").mkdir()
        one, more = written(tmp_path / "own"), written(tmp_path / "more")
        with pytest.raises(RulesWrong) as wrong:
            load_rules(one, more)
        assert sorted(str(fault) for fault in wrong.value.faults) == [
            f"{name}: is in {more} and in {one} (rename one, or name one folder only)"
            for name in ("contract_lifecycle.yaml", "record_workspace.yaml", "tables.yaml")
        ]

    def test_a_rule_knows_its_lines(self, tmp_path: Path) -> None:
        files = read_rules(written(tmp_path))
        assert str(files.where("contract")) == "contract_lifecycle.yaml:4"
        assert str(files.where("contract", "workspace", "type")) == "contract_lifecycle.yaml:10"
        # A part that is left out stands where its surroundings begin.
        assert str(files.where("contract", "workspace", "template")) == "contract_lifecycle.yaml:7"
        with pytest.raises(KeyError):
            files.where("nothing")


#: What is replaced in record_workspace.yaml, and what is said of it.
BROKEN_RECORDS: list[tuple[str, str, str]] = [
    ("    closed:", "    close:", "6: unknown key 'close' (did you mean closed?)"),
    ("      type: Account", "      tpye: Account", "10: unknown key 'tpye' (did you mean type?)"),
    ("      type: Account", "      tpye: Account", "7: 'type' is missing"),
    ("        - role: Owner", "        - rolle: Owner", "16: unknown key 'rolle' (did you mean"),
    ("table: account", "table: acount", "5: tables.yaml declares no table 'acount' (did you mean"),
    ("table: account", "table: systemuser", "5: systemuser is declared as a reference table"),
    ("name: account-workspace", "name: Account Rule", "4: name: 'Account Rule' must be lower-case"),
    ("version: 1", "version: 2", "1: version 2 is not known (write version: 1)"),
    ("version: 1\n", "", "1: 'version' is missing"),
    ("record_workspace", "record_workspaces", "2: there is no flow 'record_workspaces' (did you"),
    ("[ownerid]", "ownerid", "17: members: must be a list"),
    ("[ownerid]", "[]", "17: members: must not be empty"),
    ("[ownerid]", "[owner]", "17: account has no column 'owner' (did you mean ownerid?)"),
    ("[ownerid]", "[name]", "17: account.name is text, but lookup is needed here"),
    ("[ownerid]", "[parentaccountid]", "17: parentaccountid points to account, whom memb"),
    ("column: parentaccountid", "column: masterid", "19: account has no column 'masterid' (decl"),
    ("column: parentaccountid", "column: statecode", "19: account.statecode is choice, but lookup"),
    ("column: parentaccountid", "column: ownerid", "19: ownerid points to systemuser, which have"),
    ("column: parentaccountid", "{column: ownerid, relation: twin}", "19: relation: 'twin' must b"),
    ("statecode == 1", "statecode ==", "6: closed: not a CEL expression"),
    (
        "statecode == 1",
        "statecode = 1",
        "6: closed: not a CEL expression: Failed to parse expression 'record.statecode = 1': "
        "ERROR: <input>:1:18: Syntax error: token recognition error at: '= ' (write == to compare)",
    ),
    ("statecode == 1", "statecode == 'Won'", "6: record.statecode is a choice, which never equals"),
    (
        "statecode == 1",
        "merged != 1",
        "6: record.merged is a boolean, which never equals 1 (compare it with true or false)",
    ),
    (
        "statecode == 1",
        "name == 5",
        "6: record.name is a text, which never equals 5 (put the value",
    ),
    (
        "statecode == 1",
        "creditlimit == true",
        "6: record.creditlimit is a number, which never equals true",
    ),
    ("statecode == 1", "statecod == 1", "6: account has no column 'statecod' (did you mean st"),
    ("record.statecode", "recrod.statecode", "6: 'recrod' is not known in 'recrod.statecode == 1'"),
    ("record.statecode", "statecode", "6: 'statecode' is not known in 'statecode == 1' (write rec"),
    ("record.statecode", 'record["statecode"]', "6: record[…] cannot be followed (write record.na"),
    ("statecode == 1", "name.startWith('A')", "6: there is no function 'startWith' (did you mean"),
    ("statecode == 1", "name > 5", "6: 'record.name > 5' mixes kinds of values (convert one side"),
    ("statecode == 1", "statecode", "6: 'record.statecode' is not a question (compare it with =="),
    ("record.statecode == 1", "stage.name == 'X'", "6: no process guides account, so its stage"),
    ("record.statecode == 1", "stage.title == 'X'", "6: a stage has no 'title' (known: category"),
    ("record.creditlimit", "record.credit", "14: account has no column 'credit'"),
    ("record.creditlimit", '"[1, [2]]"', "14: '[1, [2]]' gives a list (give text, a number"),
    ("record.creditlimit", "\"[{'a': 1}]\"", "14: \"[{'a': 1}]\" gives a dict (give text, a numb"),
    ('"{name}"', '"{nam}"', "11: account has no column 'nam' (did you mean name?)"),
    ('"{name}"', '"{name"', "11: '{name' has a '{' without its partner"),
    ('"{name}"', '"{ownerid}"', "11: account.ownerid is a lookup, which has no text"),
    ('"{name}"', "Account", "11: 'Account' reads no column, so every workspace would have"),
    ("workspace_id: new_id", "workspace_id: statecode", "21: account.statecode is choice, but te"),
    ("workspace_id: new_id", "workspace_id: new_url", "22: 'new_url' is written by record_works"),
    ("workspace_id: new_id", "workspace: new_id", "21: unknown key 'workspace' (did you mean"),
    ("    closed:", "    merged: merged\n    closed:", "6: 'merged' needs 'merged_into' beside it"),
    (
        "    closed:",
        "    merged: name\n    merged_into: merged\n    closed:",
        "7: account.merged is boolean, but lookup is needed here",
    ),
    (
        "      attributes:",
        "      state_attribute: State\n      attributes:",
        "12: 'State' names no",
    ),
    (
        "      attributes:",
        "      state_attribute: Business Record/Limit\n      attributes:",
        "12: 'Business Record/Limit' is filled elsewhere in this rule too (keep one of them)",
    ),
    (
        "    write_back:",
        "    financial: [creditlimt]\n    write_back:",
        "20: account has no column 'creditlimt' (did you mean creditlimit?)",
    ),
    (
        "    write_back:",
        "    financial: [creditlimit, new_url]\n    write_back:",
        "23: 'new_url' is financial (record_workspace.yaml:20): Dynamics alone writes it",
    ),
    (
        "column: parentaccountid",
        "{column: parentaccountid, to: acount-workspace}",
        "19: no rule with a workspace has the name 'acount-workspace' (did",
    ),
    (
        "column: parentaccountid",
        "{column: parentaccountid, to: contract}",
        "19: parentaccountid points to account, 'contract' is about opportunity",
    ),
    ("external_system: D365", "external_system: ''", "8: external_system must not be empty"),
    (
        "      type: Account",
        "      type: Account\n      type: B",
        "11: 'type' stands twice, first in",
    ),
    ("    closed: record", "    closed: [record", "7: is not YAML"),
]


@pytest.mark.parametrize(("old", "new", "says"), BROKEN_RECORDS)
def test_a_broken_rule_of_a_record_is_told_with_line_and_fix(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    found = faults_in(written(tmp_path, records=replaced(RECORDS, old, new)))
    assert any(fault.startswith(f"record_workspace.yaml:{says}") for fault in found), found


def test_a_category_attribute_may_have_a_list_of_values(tmp_path: Path) -> None:
    listed = replaced(RECORDS, "record.creditlimit", '"[record.name, record.creditlimit, null]"')
    book = load_rules(written(tmp_path, records=listed))
    assert any(rule.table == "account" for rule in book.rules)


def test_the_attribute_of_a_workflow_has_one_value(tmp_path: Path) -> None:
    shutil.copytree(RULES_DIRECTORY, tmp_path / "rules")
    file = tmp_path / "rules" / "approval_request.yaml"
    file.write_text(replaced(file.read_text(), "Reason: record.", 'Reason: "[1]" # record.'))
    assert any("'[1]' gives a list" in fault for fault in faults_in(tmp_path / "rules"))


BROKEN_CONTRACTS: list[tuple[str, str, str]] = [
    (
        "      signed: Signed",
        "      sigend: Signed",
        "16: 'sigend' is no status of a contract (did",
    ),
    ("signed_on: new_signedon", "signed_on: new_status", "19: opportunity.new_status is text, but"),
    ("signed_on: new_signedon", "singed_on: new_signedon", "19: unknown key 'singed_on' (did you"),
    ("status: new_status", "status: salesstage", "18: opportunity.salesstage is choice, but text"),
    (": new_version", ": new_status", "20: opportunity.new_status is text, but integer is needed"),
    ("    stage_reached", "    lost: stage.name == 'L'\n    stage_reached", "6: no process guides"),
    (
        "    stage_reached",
        "    record_workspace: account-workspce\n    stage_reached",
        "6: no rule of record_workspace has the name 'account-workspce' (did you mean",
    ),
    (
        "    stage_reached",
        "    record_workspace: account-workspace\n    stage_reached",
        "6: 'account-workspace' is about account, this rule about opportunity",
    ),
    ("    stage_reached: record.salesstage >= 2\n", "", "4: 'stage_reached' is missing"),
]


@pytest.mark.parametrize(("old", "new", "says"), BROKEN_CONTRACTS)
def test_a_broken_rule_of_a_contract_is_told_with_line_and_fix(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    found = faults_in(written(tmp_path, contracts=replaced(CONTRACTS, old, new)))
    assert any(fault.startswith(f"contract_lifecycle.yaml:{says}") for fault in found), found


BROKEN_TABLES: list[tuple[str, str, str]] = [
    ("name: text", "name: txt", "7: name: 'txt' is no kind of column; did you mean text?"),
    ("name: text", "name: lookup", "7: name: a lookup needs its tables; write {lookup: [account]}"),
    ("{lookup: [systemuser]}", "{lookup: []}", "11: ownerid: a lookup needs its tables"),
    ("name: text", "name: {text: 0}", "7: name: a text has a number of characters"),
    ("name: text", "name: {text: long}", "7: name: a text has a number of characters"),
    ("{lookup: [systemuser]}", "{lookup: [systemusr]}", "11: tables.yaml declares no table 'syst"),
    (
        "{lookup: account}",
        "{lookup: Account}",
        "12: parentaccountid: 'Account' is not a table's lo",
    ),
    ("entity_set: accounts", "entityset: accounts", "4: unknown key 'entityset' (did you mean ent"),
    ("entity_set: accounts", "entityset: accounts", "3: 'entity_set' is missing"),
    ("set: accounts", "set: opportunities", "16: 'opportunities' is the entity set of 'account'"),
    ("  account:\n", "  Account:\n", "3: Account: 'Account' must be a logical name"),
    ("members:", "member:", "31: unknown key 'member' (did you mean members?)"),
    ("systemuser: internal", "sysuser: internal", "32: tables.yaml declares no table 'sysuser'"),
    ("systemuser: internalemail", "systemuser: email", "32: systemuser has no column 'emailaddr"),
    (
        "members:",
        "processes:\n  - table: opportunity\n    record_column: name\n"
        "    stage_column: x\nmembers:",
        "33: opportunity.name is text, but lookup is needed here",
    ),
    (
        "members:",
        "processes:\n  - table: opportunity\n    record_column: customerid\n"
        "    stage_column: customerid\nmembers:",
        "34: customerid does not point to processstage",
    ),
    (
        "members:",
        "processes:\n  - tabel: opportunity\nmembers:",
        "32: unknown key 'tabel' (did you mean table?)",
    ),
    (
        "    columns:\n      name",
        "    columns: []\n    x:\n      name",
        "6: columns: must be keys an",
    ),
]


@pytest.mark.parametrize(("old", "new", "says"), BROKEN_TABLES)
def test_a_broken_table_is_told_with_line_and_fix(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    found = faults_in(written(tmp_path, tables=replaced(TABLES, old, new)))
    assert any(fault.startswith(f"tables.yaml:{says}") for fault in found), found


class TestAllAtOnce:
    def test_all_faults_of_all_files_are_told_together_and_in_order(self, tmp_path: Path) -> None:
        folder = written(
            tmp_path,
            tables=replaced(TABLES, "creditlimit: number", "creditlimit: money"),
            records=RECORDS.replace("statecode ==", "statecod ==")
            .replace("closed:", "closd: x\n    closed:")
            .replace('"{name}"', '"{name"'),
            contracts=CONTRACTS.replace("salesstage >= 2", "salesstage >=").replace(
                "new_version", "new_versoin"
            ),
        )
        (folder / "broken.yaml").write_text("a: [")
        (folder / "old.yml").write_text("")
        found = [fault.split(" (")[0] for fault in faults_in(folder)]
        starts = [
            "broken.yaml:1: is not YAML",
            "contract_lifecycle.yaml:6: stage_reached: not a CEL expression",
            "contract_lifecycle.yaml:20: opportunity has no column 'new_versoin'",
            "old.yml: is not read",
            "record_workspace.yaml:6: unknown key 'closd'",
            "record_workspace.yaml:7: account has no column 'statecod'",
            "record_workspace.yaml:12: '{name' has a '{' without its partner",
            "tables.yaml:9: creditlimit: 'money' is no kind of column",
        ]
        assert len(found) == len(starts), found
        for fault, start in zip(found, starts, strict=True):
            assert fault.startswith(start)

    def test_a_broken_column_causes_no_further_faults(self, tmp_path: Path) -> None:
        broken = replaced(TABLES, "ownerid: {lookup: [systemuser]}", "ownerid: lokup")
        assert len(faults_in(written(tmp_path, tables=broken))) == 1

    def test_an_unreadable_table_file_causes_no_faults_in_the_rules(self, tmp_path: Path) -> None:
        found = faults_in(written(tmp_path, tables="tables: ["))
        assert [fault.split(":")[0] for fault in found] == ["tables.yaml"]

    def test_rules_that_collide_name_each_other(self, tmp_path: Path) -> None:
        folder = written(tmp_path, contracts=CONTRACTS.replace("type: contract", "type: account"))
        (folder / "zz.yaml").write_text(RECORDS)
        found = faults_in(folder)
        assert [fault.split(" (")[0] for fault in found] == [
            "record_workspace.yaml:9: the business object type 'account' of 'D365' is taken by "
            "the rule at contract_lifecycle.yaml:9",
            "zz.yaml:4: the name 'account-workspace' is taken by the rule at "
            "record_workspace.yaml:4",
            "zz.yaml:9: the business object type 'account' of 'D365' is taken by "
            "the rule at contract_lifecycle.yaml:9",
            "zz.yaml:21: 'new_id' is written by record_workspace.yaml:21 already",
            "zz.yaml:22: 'new_url' is written by record_workspace.yaml:22 already",
        ]

    def test_the_error_is_a_misconfiguration_that_lists_everything(self, tmp_path: Path) -> None:
        folder = written(tmp_path, records=replaced(RECORDS, "closed:", "close:"))
        with pytest.raises(Misconfigured) as wrong:
            load_rules(folder)
        assert str(wrong.value) == (
            f"1 fault in the rules of {folder}:\n"
            "  record_workspace.yaml:6: unknown key 'close' (did you mean closed?)"
        )


class TestFilesThatAreNone:
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "tables.yaml: is empty (begin with version: 1)"),
            (b"- 1\n", "tables.yaml: must hold keys and values at its top"),
            (b"version: 1\nname: \xff\n", "tables.yaml:2: is not UTF-8 text (save it as UTF-8)"),
            (b"a: &x\n  b: *x\n", "tables.yaml: is nested too deeply, or holds itself"),
            (b"a: *x\n", "tables.yaml:1: is not YAML: found undefined alias 'x'"),
            (b"a: 1\n---\nb: 1\n", "tables.yaml:2: is not YAML"),
            (b"a: 2024-13-45\n", "tables.yaml: is not YAML: month must be in 1..12"),
            (b"a: !!python/name:os.system\n", "tables.yaml:1: is not YAML"),
            (b"[" * 1200, "tables.yaml: is nested too deeply, or holds itself"),
        ],
    )
    def test_what_is_no_yaml_is_told_and_not_raised(
        self, tmp_path: Path, content: bytes, says: str
    ) -> None:
        folder = written(tmp_path)
        (folder / "tables.yaml").write_bytes(content)
        assert any(fault.startswith(says) for fault in faults_in(folder)), faults_in(folder)

    def test_a_missing_folder_names_the_setting(self, tmp_path: Path) -> None:
        with pytest.raises(Misconfigured, match="DOVETAIL_RULES_DIRECTORY"):
            load_rules(tmp_path / "nowhere")

    def test_an_empty_folder_says_what_belongs_there(self, tmp_path: Path) -> None:
        found = faults_in(tmp_path)
        assert "tables.yaml: is missing (declare the tables there)" in found
        assert f"{tmp_path}: holds no file with rules (add one, such as record_workspace.yaml)" in (
            found
        )

    def test_a_file_that_may_not_be_read_is_told(self, tmp_path: Path) -> None:
        folder = written(tmp_path)
        (folder / "tables.yaml").unlink()
        (folder / "tables.yaml").mkdir()
        assert "tables.yaml: cannot be read: Is a directory" in faults_in(folder)


def trails(data: Any, trail: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in plain data."""
    yield trail
    inner = data.items() if isinstance(data, dict) else ()
    for key, value in enumerate(data) if isinstance(data, list) else inner:
        yield from trails(value, (*trail, key))


@pytest.mark.parametrize("odd", [None, 1, [None], {"x": {}}, "x"], ids=repr)
def test_no_value_anywhere_makes_the_loader_itself_fail(tmp_path: Path, odd: Any) -> None:
    """Whatever stands anywhere, the answer is rules or faults, never another error."""
    folder = written(tmp_path)
    yaml = YAML(typ="safe", pure=True)
    refused = 0
    for trail in trails(yaml.load(RECORDS)):
        data = {"top": yaml.load(RECORDS)}
        inner: Any = data
        for key in ("top", *trail)[:-1]:
            inner = inner[key]
        inner[("top", *trail)[-1]] = odd
        with (folder / "record_workspace.yaml").open("w") as file:
            yaml.dump(data["top"], file)
        try:
            load_rules(folder)
        except RulesWrong as wrong:
            assert all(fault.where.file for fault in wrong.faults)
            refused += 1
    assert refused >= 10


def sandbox_names() -> LiveNames:
    """What the sandbox's Content Server has, by its own definition."""
    definition = default_definition()
    types = definition.workspace_types
    return LiveNames(
        templates={kind.name: {each.name for each in kind.templates} for kind in types},
        attributes={
            category.name: {i.label for i in category.items if isinstance(i, AttributeSpec)}
            for category in definition.categories
        },
        roles={
            kind.name: {role.name for each in kind.templates for role in each.roles}
            for kind in types
        },
    )


class TestAgainstTheSystems:
    @pytest.fixture
    def files(self, tmp_path: Path) -> RuleFiles:
        return read_rules(Path(shutil.copytree(RULES_DIRECTORY, tmp_path / "rules")))

    def told(self, files: RuleFiles, live: LiveNames) -> list[str]:
        with pytest.raises(RulesWrong) as wrong:
            check_live(files, live)
        return [str(fault) for fault in wrong.value.faults]

    def test_a_workspace_type_that_does_not_exist_is_refused_with_file_and_line(
        self, files: RuleFiles
    ) -> None:
        live = LiveNames(templates={"Account": {"Account"}, "Opportunity": {"Opportunity"}})
        line = files.where("opportunity-contract", "workspace", "type")
        other = files.where("case-workspace", "workspace", "type")
        told = self.told(files, live)
        assert {
            f"{line}: Extended ECM has no workspace type 'Contract' (known: Account, Opportunity)",
            f"{other}: Extended ECM has no workspace type 'Case' (known: Account, Opportunity)",
        } <= {*told}
        kept = [one.workspace.type for one in files.placed if one.workspace]
        assert len(told) == sum(kind not in ("Account", "Opportunity") for kind in kept)
        assert line.line > 0

    def test_a_template_a_role_and_attributes_that_do_not_exist_are_refused(
        self, files: RuleFiles
    ) -> None:
        sandbox = sandbox_names()
        assert sandbox.attributes is not None and sandbox.roles is not None
        live = LiveNames(
            templates={**sandbox.templates, "Case": {"Service Case"}},
            attributes={"Business Record": {*sandbox.attributes["Business Record"]} - {"Value"}},
            roles={**sandbox.roles, "Account": {"Team"}},
        )
        found = [fault.split(": ", 1)[1] for fault in self.told(files, live)]
        assert "the workspace type 'Case' has no template 'Case' (known: Service Case)" in found
        assert "workspaces of type 'Account' have no role 'Owner' (known: Team)" in found
        assert any("the category 'Business Record' has no attribute 'Value'" in f for f in found)
        assert sum("no category 'Contract'" in fault for fault in found) == 3

    def test_workflow_maps_and_classifications_that_do_not_exist_are_refused(
        self, files: RuleFiles
    ) -> None:
        rule = files.book.rule("service-case")
        assert isinstance(rule, ServiceCaseRule) and rule.approval and rule.retention
        name, kept = rule.approval.workflow_map, rule.retention.classification
        live = replace(sandbox_names(), maps={name: None}, classifications={kept: False})
        told = self.told(files, live)
        place = files.where(rule.name, "approval", "workflow_map")
        assert any(t.startswith(f"{place}: Content Server has no workflow map") for t in told)
        place = files.where(rule.name, "retention", "classification")
        what = f"{place}: Content Server has no records management classification {kept!r}"
        assert any(fault.startswith(what) for fault in told)

    def test_an_attribute_that_the_workflow_map_does_not_have_is_refused(
        self, files: RuleFiles
    ) -> None:
        part = next(
            part
            for rule in files.book.rules
            for _, part in rule.within(WorkflowPart)
            if part.attributes
        )
        label = next(iter(part.attributes))
        others = {other.upper() for other in part.attributes} - {label.upper()}
        told = self.told(files, replace(sandbox_names(), maps={part.workflow_map: others}))
        what = f"the workflow map {part.workflow_map!r} has no attribute {label!r}"
        assert [what in fault for fault in told] == [True]
        fine = {other.upper() for other in part.attributes}
        check_live(files, replace(sandbox_names(), maps={part.workflow_map: fine}))

    def test_a_type_without_any_template_is_refused_when_the_rule_names_none(
        self, tmp_path: Path
    ) -> None:
        files = read_rules(written(tmp_path))
        live = LiveNames(templates={"Account": {"A"}, "Contract": set()})
        assert self.told(files, live) == [
            "contract_lifecycle.yaml:10: the workspace type 'Contract' has no template "
            "(add a template to it in Extended ECM)"
        ]

    def test_columns_that_dynamics_does_not_have_are_refused(self, tmp_path: Path) -> None:
        files = read_rules(written(tmp_path))
        has = {name: {*table.columns} for name, table in files.book.catalogue.tables.items()}
        has["account"] -= {"new_url"}
        del has["systemuser"]
        live = LiveNames(templates={"Account": {"A"}, "Contract": {"C"}}, columns=has)
        found = self.told(files, live)
        assert [fault.split(" (")[0] for fault in found] == [
            "tables.yaml:14: account has no column 'new_url' in Dynamics",
            "tables.yaml:25: Dynamics has no table 'systemuser'",
        ]
