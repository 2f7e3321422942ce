"""``dovetail rules``: trying cases, schemas for editors, live names, explaining records."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from app.cli.kafka import partition_counts
from app.cli.reasons import WORDS
from app.cli.rules_explain import _as_json, _show, _values
from app.settings import Need, load_settings
from app.settings.fields import RULES_DIRECTORY
from streams.deciding.explain import Awaited, Condition, Explanation
from streams.deciding.lacking import Lack
from streams.deciding.memory import FLOW_STEPS, RECORDS
from streams.engine import partition_of
from streams.flows.shape import Reason
from streams.messages.facts import ColumnsWanted, EventsWanted, WorkspaceWanted
from tables.flow_steps import Refusal, StepsRow
from tables.neighbours import Interest
from tables.records import RecordRow, Stamp
from tables.registry import changelog_topic
from tests.cli.conftest import Run
from tests.patience import PATIENCE_SECONDS
from tests.streams.samples import START_MS, ref

NOBODY = "127.0.0.1:1"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The shipped rules, to be spoilt."""
    return Path(shutil.copytree(RULES_DIRECTORY, tmp_path / "rules"))


class TestTrying:
    def test_the_shipped_rules_pass_their_cases(self, run: Run) -> None:
        ended = run("rules", "test")
        assert ended.code == 0
        lines = ended.out.splitlines()
        assert lines
        assert all(line.startswith("passed  ") for line in lines)
        assert ended.err == f"{len(lines)} of {len(lines)} cases passed\n"

    def test_a_rule_that_does_something_else_fails_with_file_line_and_what_came(
        self, run: Run, rules: Path
    ) -> None:
        file = rules / "record_workspace.yaml"
        file.write_text(file.read_text().replace('"{name} ({accountnumber})"', '"{name}"'))
        ended = run("rules", "test", str(rules))
        assert ended.code == 1
        assert "FAILED  an account gets a workspace" in ended.out
        assert "record_workspace_test.yaml:" in ended.out
        assert "is that of account/1, where name is Contoso, not Contoso (A-1)" in ended.out
        lines = run("rules", "test", str(rules), "--json").out.splitlines()
        told = [json.loads(line) for line in lines]
        assert {one["passed"] for one in told} == {True, False}

    def test_a_broken_case_is_told_with_its_fix(self, run: Run, rules: Path) -> None:
        (rules / "mine_test.yaml").write_text("version: 1\ncases:\n  - name: x\n    givn: []\n")
        ended = run("rules", "test", str(rules))
        assert ended.code == 1
        assert "mine_test.yaml:4: unknown key 'givn' (did you mean given?)" in ended.err

    def test_without_cases_it_says_where_to_write_some(self, run: Run, rules: Path) -> None:
        for file in rules.glob("*_test.yaml"):
            file.unlink()
        ended = run("rules", "test", str(rules))
        assert ended.code == 1
        assert "holds no cases" in ended.err
        assert "ending in _test.yaml" in ended.err


class TestSchema:
    def test_the_schema_is_printed_as_json(self, run: Run) -> None:
        assert json.loads(run("rules", "schema").out)["title"] == "A flow's rules"

    def test_all_schemas_are_written_beside_the_rules(self, run: Run, tmp_path: Path) -> None:
        assert run("rules", "schema", "--write", str(tmp_path)).code == 0
        for path in RULES_DIRECTORY.glob("*.schema.json"):
            assert (tmp_path / path.name).read_bytes() == path.read_bytes()

    def test_a_folder_that_is_none_is_told(self, run: Run, tmp_path: Path) -> None:
        ended = run("rules", "schema", "--write", str(tmp_path / "nowhere"))
        assert ended.code == 1
        assert "is no folder" in ended.err


class TestExplaining:
    DEAL = ref("opportunity", 3)

    @pytest.mark.parametrize(
        ("word", "code", "says"),
        [
            ("opportunity", 2, "write account:0a3f6f52"),
            (f"systemuser:{DEAL.id}", 1, "no rule is about the table systemuser"),
            (f"opportunity:{DEAL.id}", 5, f"Kafka cannot be reached at {NOBODY}"),
        ],
    )
    def test_what_cannot_be_explained_is_told_with_the_next_step(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, word: str, code: int, says: str
    ) -> None:
        monkeypatch.setenv("DOVETAIL_KAFKA_BOOTSTRAP", NOBODY)
        ended = run("rules", "explain", word)
        assert ended.code == code
        assert says in ended.err

    def test_every_reason_has_words(self) -> None:
        assert WORDS.keys() == {*Reason}

    def test_values_are_told_as_conditions_write_them(self) -> None:
        assert _values({"record.a": None, "record.b": "é", "record.c": False}) == (
            ' (record.a = null, record.b = "é", record.c = false)'
        )

    def test_what_is_awaited_is_told_in_words_with_the_time(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        account, case = ref("account", 1), ref("incident", 2)
        condition = Condition(
            ("when",),
            "record.a == 1 && record.b == 2 && customer.c == 3",
            None,
            {"record.a": 1},
            (
                Lack("record.b", case, START_MS, answered=True),
                Lack("customer.c", account, START_MS),
                Lack("customer.d", account),
            ),
        )
        asked = (
            WorkspaceWanted(record=account, wanted_by=case),
            WorkspaceWanted(record=account, wanted_by=case, rule="r"),
            ColumnsWanted(record=account, wanted_by=case, columns=("c", "d")),
            EventsWanted(record=account, wanted_by=case, rule="r", interest=Interest()),
        )
        awaited = tuple(Awaited(question, START_MS) for question in asked)
        one = Explanation("flow", "rule", None, "", (condition,), (), (), None, awaited)
        since = "asked since 2023-11-14T22:13:20.000Z"
        _show(one)
        assert capsys.readouterr().out.splitlines()[3:] == [
            "    cannot be told (record.a = 1)",
            f"    awaits    record.b of {case}, {since}; it was read and does not tell it",
            f"    awaits    customer.c of {account}, {since}",
            f"    awaits    customer.d of {account}: nobody was asked for it yet",
            f"  awaits      the workspace of {account}, {since}",
            f"  awaits      the workspace of rule r of {account}, {since}",
            f"  awaits      c, d of {account}, {since}",
            f"  awaits      what happens in the workspace of {account}, {since}",
        ]
        told = _as_json(one)
        at = "2023-11-14T22:13:20.000Z"
        assert told["conditions"][0]["awaits"][0] == {
            "column": "record.b",
            "of": case.key,
            "since": at,
            "answered": True,
        }
        assert told["conditions"][0]["awaits"][2]["since"] is None
        assert told["awaits"][2] == {"of": account.key, "what": f"c, d of {account}", "since": at}

    @pytest.mark.broker
    def test_a_record_is_explained_from_what_the_workers_remember(
        self, run: Run, remembered: None
    ) -> None:
        ended = run("rules", "explain", self.DEAL.key)
        assert ended.code == 0
        out = ended.out
        assert "opportunity-contract (contract_lifecycle)" in out
        assert "because     stage_not_reached: the stage that the rule waits for" in out
        assert "record.salesstage = 1" in out
        assert "open        workspace: refused: type_unknown, no such type, since 2023-" in out
        lines = run("rules", "explain", self.DEAL.key, "--json").out.splitlines()
        rules = [json.loads(line) for line in lines]
        by_name = {one["rule"]: one for one in rules}
        assert by_name["opportunity-contract"]["reasons"] == ["stage_not_reached"]
        assert by_name["opportunity-workspace"]["open"][0]["code"] == "type_unknown"

    @pytest.mark.broker
    def test_a_record_that_was_never_heard_of_says_so(self, run: Run, remembered: None) -> None:
        ended = run("rules", "explain", ref("opportunity", 4).key)
        assert ended.code == 0
        assert "nothing was ever heard of" in ended.err
        assert "because     record_unknown" in ended.out

    @pytest.mark.broker
    def test_another_application_id_has_no_changelogs(
        self, run: Run, remembered: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOVETAIL_APPLICATION_ID", "nobody-uses-this")
        ended = run("rules", "explain", self.DEAL.key)
        assert ended.code == 1
        assert "check DOVETAIL_APPLICATION_ID" in ended.err

    @pytest.fixture
    def remembered(
        self,
        kafka_address: str,
        run: Run,
        monkeypatch: pytest.MonkeyPatch,
        unique_name: Callable[[str], str],
    ) -> None:
        """Changelogs that hold a record before the stage, whose workspace was refused."""
        app_id = unique_name("explain")
        monkeypatch.setenv("DOVETAIL_KAFKA_BOOTSTRAP", kafka_address)
        monkeypatch.setenv("DOVETAIL_REPLICATION_FACTOR", "1")
        monkeypatch.setenv("DOVETAIL_APPLICATION_ID", app_id)
        counts = asyncio.run(partition_counts(load_settings(Need.KAFKA)))
        monkeypatch.setenv("DOVETAIL_PARTITIONS", str(counts.get("dovetail.changes", 3)))
        assert run("topics", "create").code == 0
        columns = {"name": "Deal", "salesstage": 1, "statecode": 0, "parentaccountid": None}
        older = RecordRow().merged({"name": "Old"}, Stamp(START_MS, 1)).row
        steps = StepsRow().asked("opportunity-workspace", "workspace", "d1", START_MS)
        refusal = Refusal(desired="d1", code="type_unknown", message="no such type", at_ms=START_MS)
        asyncio.run(
            self._write(
                kafka_address,
                app_id,
                [
                    (RECORDS, older.to_bytes()),
                    (RECORDS, older.merged(columns, Stamp(START_MS + 1, 2)).row.to_bytes()),
                    (
                        FLOW_STEPS,
                        steps.refused("opportunity-workspace", "workspace", refusal).to_bytes(),
                    ),
                ],
            )
        )

    async def _write(self, address: str, app_id: str, rows: list[tuple[str, bytes]]) -> None:
        counts: dict[str, int] = {}
        async with asyncio.timeout(PATIENCE_SECONDS):
            # Apache Kafka says that topics are created before it tells of all of them.
            while any(changelog_topic(app_id, table) not in counts for table, _ in rows):
                counts = dict(await partition_counts(load_settings(Need.KAFKA)))
        async with AIOKafkaProducer(bootstrap_servers=address) as producer:
            for table, value in rows:
                topic = changelog_topic(app_id, table)
                key = self.DEAL.key.encode()
                await producer.send_and_wait(
                    topic, value, key=key, partition=partition_of(key, counts[topic])
                )
