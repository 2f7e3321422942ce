"""All commands: help with an example, exit codes, errors that people can act on."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

import app.demo.run
import app.worker
from app import version
from app.cli.main import app as dovetail
from app.rule_files.loading import load_rules
from app.settings import Settings, fields, secret_names, variable
from app.settings.fields import RULES_DIRECTORY
from streams.errors import Misconfigured
from streams.flows.registry import FLOWS
from tests.app.test_settings import CANARY, WORKER
from tests.cli.conftest import Run

#: Nobody listens at this port of this machine: connecting is refused at once.
NOBODY = "127.0.0.1:1"
BOOK = load_rules(RULES_DIRECTORY)


def commands(command: object = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group of the real command table."""
    command = command or get_command(dovetail)
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


@pytest.mark.parametrize("path", [*commands()], ids=" ".join)
class TestHelp:
    def test_help_opens_with_a_sentence_and_shows_an_example(
        self, run: Run, path: tuple[str, ...]
    ) -> None:
        ended = run(*path, "--help")
        assert ended.code == 0
        lines = [line.strip() for line in ended.out.splitlines() if line.strip()]
        assert lines[0].startswith(f"Usage: {' '.join(('dovetail', *path))}")
        opening = " ".join(lines[1 : lines.index("Example:")])
        assert re.match(r"[A-Z][^.]+\.", opening)
        example = lines[lines.index("Example:") + 1]
        assert " ".join(("dovetail", *path)) in example

    def test_short_help_is_the_same(self, run: Run, path: tuple[str, ...]) -> None:
        assert run(*path, "-h") == run(*path, "--help")


def test_the_command_table_is_the_one_that_we_promise() -> None:
    assert {" ".join(path) for path in commands()} == {
        "",
        "worker",
        "demo",
        "check",
        "trace",
        "rules",
        "rules check",
        "rules test",
        "rules schema",
        "rules explain",
        "topics",
        "topics list",
        "topics create",
        "dlq",
        "dlq list",
        "sandbox",
        "sandbox kafka",
        "sandbox entra",
        "sandbox dataverse",
        "sandbox finance",
        "sandbox content-server",
        "sandbox faults",
        "sandbox faults list",
        "sandbox faults set",
        "sandbox faults clear",
        "sandbox faults bad-day",
    }


class TestExitCodes:
    def test_version(self, run: Run) -> None:
        assert run("--version") == (0, f"dovetail {version()}\n", "")

    @pytest.mark.parametrize(
        "words",
        [
            ("nonsense",),
            ("check", "--nonsense"),
            ("trace",),
            ("trace", "account"),
            ("trace", "workspace:abc"),
            ("trace", "workspace:0a3f6f52-7c1b-4e0e-9d5c-0123456789ab"),
            ("dlq", "list", "--since", "yesterday"),
            ("dlq", "list", "--since", "99999999999d"),
            ("dlq", "list", "--limit", "0"),
        ],
    )
    def test_wrong_usage_is_2_and_says_how_to_get_help(
        self, run: Run, words: tuple[str, ...]
    ) -> None:
        ended = run(*words)
        assert ended.code == 2
        assert "--help" in ended.err or "-h" in ended.err
        assert "Traceback" not in ended.err

    @pytest.mark.parametrize(
        "words",
        [
            ("topics", "list"),
            ("topics", "create"),
            ("dlq", "list"),
            ("trace", "account:0a3f6f52-7c1b-4e0e-9d5c-0123456789ab"),
        ],
    )
    def test_kafka_that_is_away_is_5_and_says_what_to_check(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
    ) -> None:
        monkeypatch.setenv("DOVETAIL_KAFKA_BOOTSTRAP", NOBODY)
        ended = run(*words)
        assert ended.code == 5
        assert ended.out == ""
        talk = ended.err.splitlines()
        assert talk[0].startswith(f"dovetail: Kafka cannot be reached at {NOBODY}")
        assert "DOVETAIL_KAFKA_BOOTSTRAP" in talk[1]
        assert len(talk) == 2

    @pytest.mark.parametrize(
        "words", [("topics", "list"), ("dlq", "list"), ("worker",), ("check",)]
    )
    def test_missing_settings_are_1_and_named(self, run: Run, words: tuple[str, ...]) -> None:
        ended = run(*words)
        assert ended.code == 1
        assert "DOVETAIL_KAFKA_BOOTSTRAP is not set" in ended.err
        assert "Traceback" not in ended.err

    def test_debug_shows_the_trace(self, run: Run) -> None:
        ended = run("--debug", "topics", "list")
        assert ended.code == 1
        assert "Traceback" in ended.err


class TestUnexpected:
    @pytest.fixture(autouse=True)
    def settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in WORKER.items():
            monkeypatch.setenv(name, value)

    def broken(self, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
        def run(settings: Settings) -> None:
            raise error

        monkeypatch.setattr(app.worker, "run", run)

    def test_a_fault_of_ours_is_told_in_one_line_and_its_trace_only_on_demand(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.broken(monkeypatch, KeyError("x"))
        ended = run("worker")
        assert ended.code == 1
        assert ended.err.startswith("dovetail: unexpected KeyError: 'x'\nnext: run it again as")
        assert "Traceback" in run("--debug", "worker").err

    def test_a_worker_that_halts_itself_says_why(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.broken(monkeypatch, Misconfigured("too many dead letters", advice="look at them"))
        ended = run("worker")
        assert (ended.code, ended.err) == (
            1,
            "dovetail: too many dead letters\nnext: look at them\n",
        )

    def test_ctrl_c_is_130(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broken(monkeypatch, KeyboardInterrupt())
        assert run("worker").code == 130

    def test_no_secret_shows_whatever_a_command_does(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in secret_names():
            monkeypatch.setenv(variable(name), f"canary-59b1-{name}")
        monkeypatch.setenv("DOVETAIL_KAFKA_BOOTSTRAP", NOBODY)
        monkeypatch.setenv("DOVETAIL_KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")
        monkeypatch.setenv("DOVETAIL_KAFKA_SASL_USERNAME", "dovetail")
        monkeypatch.setenv("DOVETAIL_OTDS_USERNAME", "both ways to sign in are a fault")
        self.broken(monkeypatch, ValueError("canary-59b1-entra_client_secret was refused"))
        told = []
        first = [("check", "--all", "--json"), ("topics", "list"), ("dlq", "list")]
        for words in first:
            told += [run(*words), run("--debug", *words)]
        monkeypatch.delenv("DOVETAIL_OTDS_USERNAME")
        for words in [("check", "--all"), ("worker",), ("rules", "check")]:
            told += [run(*words), run("--debug", *words)]
        assert {ended.code for ended in told} == {0, 1, 5}
        assert not any("59b1" in ended.out + ended.err for ended in told)
        assert any("**** was refused" in ended.err for ended in told)


class TestCheck:
    @pytest.fixture(autouse=True)
    def settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in WORKER.items():
            monkeypatch.setenv(name, value)

    def test_what_is_set_is_shown_with_its_source(self, run: Run) -> None:
        ended = run("check")
        assert ended.code == 0
        shown = {line.split()[0]: line.split()[1:] for line in ended.out.splitlines()[1:]}
        assert shown["DOVETAIL_DATAVERSE_URL"] == [
            "environment",
            "https://contoso.crm4.dynamics.com",
        ]
        assert shown["DOVETAIL_ENTRA_CLIENT_SECRET"] == ["environment", "(set)"]
        assert {*shown} == {*WORKER}
        counts = f"{len(BOOK.rules)} rules over {len(BOOK.catalogue.tables)} tables"
        assert f"{counts} are fine" in ended.err

    def test_all_shows_defaults_too_and_json_is_one_object_per_line(self, run: Run) -> None:
        rows = [json.loads(line) for line in run("check", "--all", "--json").out.splitlines()]
        assert {
            "variable": "DOVETAIL_HTTP_PORT",
            "source": "default",
            "value": "8080",
            "for": "the port of metrics and health checks",
        } in rows
        assert [row["variable"] for row in rows] == [*map(variable, fields())]
        assert len(rows) == len(Settings.model_fields)

    def test_all_lists_every_setting_also_while_some_are_wrong_and_no_secret(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("DOVETAIL_DATAVERSE_URL")
        monkeypatch.setenv("DOVETAIL_HTTP_PORT", "eighty")
        monkeypatch.setenv("DOVETAIL_OTDS_URL", f"https://u:{CANARY}@host")
        ended = run("check", "--all")
        assert ended.code == 1
        lines = ended.out.splitlines()
        assert {line.split()[0] for line in lines[1:]} == {*map(variable, fields())}
        (port,) = (line for line in lines if line.startswith("DOVETAIL_HTTP_PORT "))
        assert port.split()[1:3] == ["environment", "eighty"]
        assert port.endswith("the port of metrics and health checks")
        assert CANARY not in ended.out + ended.err

    def test_faults_of_settings_and_of_rules_are_told_together(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "tables.yaml").write_text("version: 3\ntables: {}\n")
        monkeypatch.setenv("DOVETAIL_RULES_DIRECTORY", str(tmp_path))
        monkeypatch.delenv("DOVETAIL_DATAVERSE_URL")
        ended = run("check")
        assert ended.code == 1
        assert "DOVETAIL_DATAVERSE_URL is not set" in ended.err
        assert "tables.yaml:1: version 3 is not known" in ended.err


class TestRulesCheck:
    def test_good_rules_are_listed_with_their_place(self, run: Run) -> None:
        ended = run("rules", "check")
        assert ended.code == 0
        row = next(line for line in ended.out.splitlines() if "opportunity-contract" in line)
        assert row.split()[:4] == [
            "contract_lifecycle",
            "opportunity-contract",
            "opportunity",
            "Contract",
        ]
        file, _, line = row.split()[-1].partition(":")
        text = (RULES_DIRECTORY / file).read_text().splitlines()[int(line) - 1]
        assert "opportunity-contract" in text

    def test_json_lists_rules_or_faults(self, run: Run, tmp_path: Path) -> None:
        good = [json.loads(line) for line in run("rules", "check", "--json").out.splitlines()]
        assert [(rule["rule"], rule["table"]) for rule in good] == [
            (rule.name, rule.table) for flow in FLOWS for rule in flow.rules(BOOK)
        ]
        (tmp_path / "tables.yaml").write_text("version: 1\ntabels: {}\n")
        ended = run("rules", "check", str(tmp_path), "--json")
        assert ended.code == 1
        faults = [json.loads(line) for line in ended.out.splitlines()]
        assert {
            "file": "tables.yaml",
            "line": 2,
            "fault": "unknown key 'tabels'",
            "fix": "did you mean tables?",
        } in faults
        assert "tables.yaml:2: unknown key 'tabels' (did you mean tables?)" in ended.err

    @pytest.mark.parametrize(("name", "says"), [("no", "does not exist"), ("f", "is no folder")])
    def test_a_folder_that_is_none_is_told(
        self, run: Run, tmp_path: Path, name: str, says: str
    ) -> None:
        (tmp_path / "f").write_text("")
        ended = run("rules", "check", str(tmp_path / name))
        assert (ended.code, ended.out) == (1, "")
        assert says in ended.err
        assert "next: name the folder with the rules' YAML files" in ended.err


def test_a_sandbox_that_cannot_keep_its_data_there_says_where_and_why(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    ended = run("sandbox", "--data", str(tmp_path / "file"))
    assert ended.code == 1
    assert f"dovetail: the sandbox ended: {tmp_path / 'file'}: File exists\n" in ended.err
    assert "Errno" not in ended.err


def test_demo_hands_its_options_on_and_ends_as_the_demo_does(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []

    def play(**options: object) -> int:
        asked.append(options)
        return 1 if options["chaos"] else 0

    monkeypatch.setattr(app.demo.run, "run", play)
    assert run("demo").code == 0
    assert run("demo", "--faults", "--chaos", "--keep", "--all", "--seed", "3").code == 1
    assert asked == [
        {"keep": False, "chaos": False, "faults": False, "everything": False, "seed": 7},
        {"keep": True, "chaos": True, "faults": True, "everything": True, "seed": 3},
    ]


def test_help_is_quick_because_commands_load_what_they_need_only_when_they_run() -> None:
    """Faust and the flows take seconds to load; nobody waits that long for help."""
    import subprocess

    loaded = subprocess.run(
        [sys.executable, "-c", "import app.cli.main, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"faust", "cel", "httpx", "rocksdict"} & {*loaded}
