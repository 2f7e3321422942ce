"""Loading the rules: ``tables.yaml`` and one or more YAML files per flow, all checked at once.

They may be in several folders, which count as one: a company adds those of finance and operations
to its own without a copy.

Whoever edits rules learns everything that is wrong in one go, each with file, line and fix.
Files that end in ``_test.yaml`` hold the rules' own tests and are not read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.rule_files.checks import rules_faults
from app.rule_files.faults import Fault, Location, RulesWrong
from app.rule_files.models import FlowFile, Reading
from app.rule_files.placed import PlacedRule
from app.rule_files.tables import FILE as TABLES_FILE
from app.rule_files.tables import Tables, read_tables, version_fault
from app.rule_files.yaml import Document, read_document
from streams.errors import Misconfigured
from streams.rules import MODELS, RuleBook, TableRule
from streams.rules.hints import nearest
from tables.keys import digest

_TESTS = "_test.yaml"


@dataclass(frozen=True)
class RuleFiles:
    """The rules, and where each stands; ``tables`` is the file of the tables."""

    directories: tuple[Path, ...]
    book: RuleBook
    tables: Document
    placed: tuple[PlacedRule, ...]

    @property
    def place(self) -> str:
        """The folders, as people write them."""
        return place(self.directories)

    def where(self, rule: str, *trail: str | int) -> Location:
        """The file and line of a part of a rule: ``where("account-workspace", "workspace")``.

        Raises KeyError when there is no such rule.
        """
        for one in self.placed:
            if one.rule.name == rule:
                return one.at(*trail)
        raise KeyError(rule)


@dataclass(frozen=True)
class _Flows:
    """What the flow files hold; ``complete`` when every rule in them could be read."""

    placed: tuple[PlacedRule, ...]
    faults: tuple[Fault, ...]
    complete: bool


def load_rules(*directories: Path) -> RuleBook:
    """Read all rules; raises RulesWrong (Misconfigured) with every fault of every file."""
    return read_rules(*directories).book


def read_rules(*directories: Path) -> RuleFiles:
    """Like ``load_rules``, and remembers where each rule stands."""
    for directory in directories:
        if not directory.is_dir():
            wrong = "is no folder" if directory.exists() else "does not exist"
            raise Misconfigured(
                f"the rules' folder {directory} {wrong}",
                advice="name the folder with the rules' YAML files, in DOVETAIL_RULES_DIRECTORY or "
                "after the command",
            )
    documents, faults = _documents(directories)
    tables = None
    if TABLES_FILE in documents:
        tables, found = read_tables(documents.pop(TABLES_FILE))
        faults += found
    else:
        faults.append(Fault(Location(TABLES_FILE), "is missing", "declare the tables there"))
    flows = _flows(documents.values())
    faults += flows.faults
    if not documents:
        fix = "add one, such as record_workspace.yaml"
        faults.append(Fault(Location(place(directories)), "holds no file with rules", fix))
    faults += rules_faults(flows.placed, tables, complete=flows.complete)
    if faults or tables is None:
        raise RulesWrong(place(directories), faults)
    book = _book(directories, tables, flows.placed)
    return RuleFiles(directories, book, tables.document, flows.placed)


def place(directories: Sequence[Path]) -> str:
    """Folders as people write them in the setting."""
    return ",".join(map(str, directories))


def _files(directories: Iterable[Path]) -> list[Path]:
    """The files of all folders in the order of their names."""
    found = (path for directory in directories for path in directory.iterdir())
    return sorted(found, key=lambda path: (path.name, path))


def _documents(directories: Iterable[Path]) -> tuple[dict[str, Document], list[Fault]]:
    documents: dict[str, Document] = {}
    homes: dict[str, Path] = {}
    faults: list[Fault] = []
    for path in _files(directories):
        if path.suffix == ".yml":
            faults.append(Fault(Location(path.name), "is not read", "rename it to end in .yaml"))
        elif path.suffix != ".yaml" or path.name.endswith(_TESTS):
            continue
        elif path.name in documents:
            what = f"is in {homes[path.name]} and in {path.parent}"
            faults.append(Fault(Location(path.name), what, "rename one, or name one folder only"))
        else:
            documents[path.name], found = read_document(path)
            homes[path.name] = path.parent
            faults += found
    return documents, faults


def _flows(documents: Iterable[Document]) -> _Flows:
    placed: list[PlacedRule] = []
    faults: list[Fault] = []
    complete = True
    for document in documents:
        if document.data is None:
            complete = False
            continue
        top = Reading(document, ())
        head = top.read(FlowFile, document.data)
        faults += [*top.faults, *version_fault(document)]
        model = MODELS.get(head.flow) if head and isinstance(head.flow, str) else None
        if head is None or model is None:
            complete = False
            if head is not None:
                what = f"there is no flow {head.flow!r}"
                fix = nearest(str(head.flow), MODELS)
                faults.append(Fault(document.at(("flow",)), what, fix))
            continue
        for index, data in enumerate(head.rules):
            one, found = _rule(document, index, model, data)
            faults += found
            placed += [one] if one else []
            complete = complete and one is not None
    return _Flows(tuple(placed), tuple(faults), complete)


def _rule(
    document: Document, index: int, model: type[TableRule], data: Any
) -> tuple[PlacedRule | None, list[Fault]]:
    reading = Reading(document, ("rules", index))
    rule = reading.read(model, data)
    placed = PlacedRule(rule, document, ("rules", index)) if rule is not None else None
    return placed, reading.faults


def _book(directories: Sequence[Path], tables: Tables, placed: Iterable[PlacedRule]) -> RuleBook:
    return RuleBook(
        catalogue=tables.catalogue,
        rules=tuple(one.rule for one in placed),
        processes=tuple(tables.processes.values()),
        members=dict(tables.members),
        digest=digest(
            [
                [path.name, path.read_bytes().hex()]
                for path in _files(directories)
                if path.suffix == ".yaml" and not path.name.endswith(_TESTS)
            ]
        ),
    )
