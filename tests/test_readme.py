"""The README is true: what it names exists, and what it shows is understood."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from ruamel.yaml import YAML
from typer.main import get_command

from app.cli.main import app as dovetail
from app.rule_files.cases import read_cases
from app.rule_files.loading import load_rules
from app.rule_files.trial import tried
from app.settings import fields, load_settings, variable
from app.settings.fields import RULES_DIRECTORY
from app.settings.model import Need
from streams.errors import Misconfigured
from streams.formats import Skipped, SourceMessage, decode
from streams.messages.facts import Operation, RecordChange
from streams.metrics import Metrics

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "app/sandbox/README.md")
README = PAGES[0].read_text()
BOOK = load_rules(RULES_DIRECTORY)


def texts(pattern: str, *pages: Path) -> set[str]:
    return {found for page in pages or PAGES for found in re.findall(pattern, page.read_text())}


class TestSettings:
    KNOWN = frozenset(map(variable, fields()))

    def test_every_setting_that_is_named_exists(self) -> None:
        named = texts(r"\bDOVETAIL_[A-Z_]*[A-Z]\b(?!_\*)")
        assert len(named) > 20
        assert named - self.KNOWN == set()
        groups = texts(r"\b(DOVETAIL_[A-Z_]+_)\*")
        assert all(any(name.startswith(group) for name in self.KNOWN) for group in groups)

    def test_every_setting_that_a_worker_cannot_do_without_is_named(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in self.KNOWN:
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(Misconfigured) as wrong:
            load_settings(Need.WORKER)
        needed = set(re.findall(r"DOVETAIL_\w+", str(wrong.value)))
        assert len(needed) > 8
        assert needed - texts(r"\bDOVETAIL_\w+", PAGES[0]) == set()


def test_every_metric_that_is_named_exists() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    known = {sample for metric in registry.collect() for sample in _names(metric)}
    named = texts(r"\bdovetail_[a-z_]+\b") - {"dovetail_demo"}
    assert len(named) > 8
    assert named - known == set()


def _names(metric: Any) -> Iterator[str]:
    yield metric.name
    yield f"{metric.name}_total"


def commands() -> Iterator[str]:
    """Every ``dovetail ...`` that stands in a block of code or between backticks."""
    for page in PAGES:
        text = page.read_text()
        for block in re.findall(r"```\n(.*?)```", text, re.S):
            for line in block.splitlines():
                for command in line.split(";"):
                    if command.strip().startswith("dovetail "):
                        # Two blanks part a command from what it is for.
                        yield re.split(r"\s{2,}", command.strip())[0]
        outside = re.sub(r"```.*?```", "", text, flags=re.S)
        yield from re.findall(r"`(?:[A-Z_]+=\S+ )*(dovetail [^`]+)`", outside)


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_every_command_that_is_shown_exists(line: str) -> None:
    command: Any = get_command(dovetail)
    words = shlex.split(line)[1:]
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if words == ["..."]:
        return
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("-")} - options == set()
    takes = any(parameter.param_type_name == "argument" for parameter in command.params)
    values = [before for before in words if before.startswith("-")]
    loose = [word for word in words if not word.startswith("-")]
    assert takes or len(loose) <= len(values), f"{loose} is not understood"


def test_every_file_that_is_named_exists() -> None:
    named = texts(r"`((?:app|streams|tables|tests|k8s)/[\w/.*-]*)`", PAGES[0])
    assert len(named) > 20
    assert {name for name in named if not list(ROOT.glob(name.rstrip("/")))} == set()


def messages() -> list[str]:
    blocks = re.findall(r"```json\n(.*?)```", README, re.S)
    return next(block for block in blocks if "PrimaryEntityName" in block).splitlines()


class TestMessages:
    @pytest.mark.parametrize("line", messages(), ids=range(len(messages())))
    def test_every_message_that_is_shown_is_understood_whatever_the_topic(self, line: str) -> None:
        found = decode(SourceMessage("any", 0, 0, 1, None, line.encode(), ()), BOOK.catalogue)
        assert not isinstance(found, Skipped)
        (change,) = found
        assert isinstance(change, RecordChange)
        assert change.record.table == "account"
        deleted = change.operation is Operation.DELETE
        assert deleted or change.columns == {"name": "Contoso"}

    def test_they_are_the_formats_of_the_table_and_no_two_are_the_same(self) -> None:
        rows = re.search(r"\| Format \|.*?\n\|---\|---\|\n(.*?)\n\n", README, re.S)
        assert rows is not None
        assert len(rows[1].splitlines()) == len(messages())

    def test_the_event_that_is_shown_is_understood(self) -> None:
        blocks = re.findall(r"```json\n(.*?)```", README, re.S)
        event = json.loads(next(block for block in blocks if "event_id" in block))
        found = decode(
            SourceMessage("any", 0, 0, 1, None, json.dumps(event).encode(), ()), BOOK.catalogue
        )
        assert not isinstance(found, Skipped)
        assert [fact.kind for fact in found] == ["ecm_event"]


def yaml_block(mark: str) -> Any:
    """The block of YAML in the README that holds these words."""
    blocks = re.findall(r"```yaml\n(.*?)```", README, re.S)
    return YAML(typ="safe").load(next(block for block in blocks if mark in block))


def of_file(path: str) -> Any:
    return YAML(typ="safe").load((ROOT / path).read_text())


class TestRules:
    def test_the_rule_that_is_shown_is_the_one_that_is_tested(self) -> None:
        shown = yaml_block("charter-clearance")
        assert shown == of_file("tests/adapted/rules/clearances.yaml")

    def test_the_case_that_is_shown_is_of_that_rule_and_passes(self, tmp_path: Path) -> None:
        rules = shutil.copytree(ROOT / "tests/adapted/rules", tmp_path / "rules")
        for file in rules.glob("*_test.yaml"):
            file.unlink()
        case = rules / "shown_test.yaml"
        with case.open("w") as file:
            YAML().dump({"version": 1, "cases": yaml_block("lacks both papers")}, file)
        book = load_rules(rules)
        (one,) = read_cases(book, rules)
        assert tried(one, book) == []

    def test_the_table_that_is_shown_is_a_part_of_the_shipped_one(self) -> None:
        ((name, shown),) = yaml_block("finance_salesorder:").items()
        shipped = of_file("app/rules/tables.yaml")["tables"][name]
        assert part_of(shown, shipped)


def part_of(shown: Any, whole: Any) -> bool:
    if isinstance(shown, dict):
        return all(key in whole and part_of(value, whole[key]) for key, value in shown.items())
    return bool(shown == whole)
