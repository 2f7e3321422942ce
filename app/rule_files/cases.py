"""Cases of the rules' own tests: files ending in ``_test.yaml``, beside the rules that they try.

A case gives facts in their order and says which commands are to come of them, and which never::

    version: 1
    cases:
      - name: a proposal has a contract workspace
        records:                       # rows that Dynamics has; they are read when asked for
          systemuser/9: {internalemailaddress: ann@contoso.example}
        given:
          - create: opportunity/1
            columns: {name: Big deal, salesstage: 2, ownerid: systemuser/9}
          - wait: 1 day
          - event: contract.signed
            of: opportunity/1
            rule: opportunity-contract
            document: {id: 7, version: 2}
        expect:
          - ensure_workspace: {rule: opportunity-contract, name: Contract Big deal}
          - set_record_columns: {columns: {new_contractstatus: Signed}}
        never:
          - ensure_workspace: {rule: opportunity-contract, name: Contract Big deal 2}

``opportunity/1`` is short for a row; a whole guid may stand in place of the number, and for a row
of finance and operations its company and key, as in ``salesorder/usmf~so-1``. What a command must
hold is written as far as it matters: a key that is left out may have any value. Commands are
named by kind (``streams.messages.commands``); beside their fields they have ``workspace`` and
``related``, written ``account/1#account-workspace``.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import Field

from app.rule_files.faults import Fault, RulesWrong
from app.rule_files.loading import place
from app.rule_files.models import Reading
from app.rule_files.tables import version_fault
from app.rule_files.yaml import Document, Trail, read_document
from streams.catalogue import COMPANY, Catalogue, ColumnKind, ColumnValue
from streams.formats.ecm_events import EVENTS
from streams.formats.values import Unknown, WrongType, canonical
from streams.messages.commands import AnyCommand
from streams.messages.facts import Document as FiledDocument
from streams.rules import RuleBook, RuleModel
from streams.rules.expressions import (
    Span,
)
from streams.rules.hints import nearest
from tables.keys import RecordRef, natural_id, natural_parts

SUFFIX = "_test.yaml"
#: The commands by name, and their fields as expectations may write them.
COMMANDS: Mapping[str, frozenset[str]] = {
    kind.model_fields["kind"].default: frozenset(kind.model_fields) | {"workspace", "related"}
    for kind in get_args(AnyCommand)
}
#: The company of rows of finance and operations that a number is short for.
_COMPANY = "usmf"
_TELLS = ("create", "change", "delete", "event", "wait")


class Given(RuleModel):
    """One thing that happens; exactly one of create, change, delete, event and wait."""

    #: The record that is created, as ``account/1``.
    create: str | None = None
    #: The record that changes.
    change: str | None = None
    #: The record that is deleted.
    delete: str | None = None
    #: What happens in Extended ECM, as ``contract.signed``.
    event: str | None = None
    #: How much time passes.
    wait: Span | None = None
    #: The columns that the change names.
    columns: Mapping[str, Any] = Field(default_factory=dict)
    #: The record in whose workspace the event happens.
    of: str | None = None
    #: The rule that keeps this workspace.
    rule: str | None = None
    #: The document that the event is about.
    document: FiledDocument | None = None
    #: Who did it.
    actor: str | None = None
    #: What else the event says; a workflow's event is about the newest one, unless it says which.
    attributes: Mapping[str, str | int | bool | None] = Field(default_factory=dict)


class Case(RuleModel):
    """One case: what is given, which commands are to come of it, and which never."""

    #: What is tried, in words.
    name: str = Field(min_length=1)
    #: Rows that Dynamics has without telling of them.
    records: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    #: What happens, in this order; a minute passes between any two.
    given: tuple[Given, ...] = Field(min_length=1)
    #: Commands that must come of it, each as far as it matters.
    expect: tuple[Mapping[str, Mapping[str, Any]], ...] = ()
    #: Commands that must not.
    never: tuple[Mapping[str, Mapping[str, Any]], ...] = ()


class CaseFile(RuleModel):
    """A file of cases."""

    version: int
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class PlacedCase:
    """A case and where it stands."""

    case: Case
    document: Document
    trail: Trail

    def at(self, *trail: str | int) -> str:
        return str(self.document.at((*self.trail, *trail)))


@dataclass
class Names:
    """What cases may name: the tables, the rules."""

    book: RuleBook
    catalogue: Catalogue = field(init=False)

    def __post_init__(self) -> None:
        self.catalogue = self.book.catalogue

    def record(self, text: str) -> RecordRef:
        """``account/1`` or ``account/<guid>``; raises ValueError, saying what is wrong."""
        table, _, number = text.partition("/")
        if table not in self.catalogue.tables:
            fix = nearest(table, self.catalogue.tables)
            raise ValueError(f"no table {table!r} is declared" + (f" ({fix})" if fix else ""))
        if number.isascii() and number.isdigit():
            return self._short(table, number)
        try:
            return RecordRef.of(table, number)
        except ValueError:
            raise ValueError(f"{text!r} names no record; write {table}/1") from None

    def _short(self, table: str, number: str) -> RecordRef:
        """The row that a number is short for; in finance and operations that is its own number."""
        finance = self.catalogue.tables[table].finance
        if finance is None:
            return RecordRef(table, str(uuid.UUID(int=int(number))))
        return RecordRef(table, natural_id(_COMPANY if COMPANY in finance.key else "", number))

    def columns(self, record: RecordRef, written: Mapping[str, Any]) -> dict[str, ColumnValue]:
        """The columns in canonical form; raises ValueError."""
        declared = self.catalogue.tables[record.table].columns
        found: dict[str, ColumnValue] = {}
        for name, raw in written.items():
            column = declared.get(name)
            if column is None:
                fix = nearest(name, declared)
                what = f"{record.table} has no column {name!r}"
                raise ValueError(what + (f" ({fix})" if fix else ""))
            if column.kind is ColumnKind.LOOKUP and isinstance(raw, str):
                found[name] = self.record(raw).key
                continue
            try:
                value = canonical(column, str(raw) if _is_date(raw) else raw)
            except WrongType as wrong:
                raise ValueError(f"{name} is {column.kind}: {wrong}") from None
            found[name] = None if isinstance(value, Unknown) else value
        return found


def _is_date(raw: Any) -> bool:
    return hasattr(raw, "isoformat")


def short_name(record: RecordRef) -> str:
    """``account/1``, or with the whole id when it is no small number."""
    parts = natural_parts(record.id)
    if parts is not None:
        company, *key = parts
        short = company in ("", _COMPANY) and len(key) == 1 and key[0].isdigit()
        return f"{record.table}/{key[0] if short else record.id}"
    number = uuid.UUID(record.id).int
    return f"{record.table}/{number if number < 10**9 else record.id}"


def read_cases(book: RuleBook, *directories: Path) -> list[PlacedCase]:
    """Read all cases in the folders; raises RulesWrong with every fault of every file."""
    placed: list[PlacedCase] = []
    faults: list[Fault] = []
    for path in sorted(path for folder in directories for path in folder.glob(f"*{SUFFIX}")):
        document, found = read_document(path)
        faults += found
        if document.data is None:
            continue
        reading = Reading(document, ())
        file = reading.read(CaseFile, document.data)
        faults += [*reading.faults, *version_fault(document)]
        for index, case in enumerate(file.cases if file else ()):
            one = PlacedCase(case, document, ("cases", index))
            placed.append(one)
            faults += _faults(one, Names(book))
    if faults:
        raise RulesWrong(place(directories), faults)
    return placed


def _faults(one: PlacedCase, names: Names) -> Iterator[Fault]:
    def fault(trail: Trail, what: str, fix: str = "") -> Fault:
        return Fault(one.document.at((*one.trail, *trail)), what, fix)

    for record, columns in one.case.records.items():
        try:
            names.columns(names.record(record), columns)
        except ValueError as wrong:
            yield fault(("records", record), str(wrong))
    for index, given in enumerate(one.case.given):
        for key, what in _given_faults(given, names):
            yield fault(("given", index, key), what)
    for part in ("expect", "never"):
        for index, wanted in enumerate(getattr(one.case, part)):
            for trail, what, fix in _wanted_faults(wanted):
                yield fault((part, index, *trail), what, fix)


def _given_faults(given: Given, names: Names) -> Iterator[tuple[str, str]]:
    told = [key for key in _TELLS if getattr(given, key) is not None]
    if len(told) != 1:
        yield "", f"says {' and '.join(told) or 'nothing'}; write one of {', '.join(_TELLS)}"
        return
    if given.event is not None:
        yield from _event_faults(given, names)
    elif given.wait is None:
        try:
            names.columns(names.record(getattr(given, told[0])), given.columns)
        except ValueError as wrong:
            yield told[0], str(wrong)


def _event_faults(given: Given, names: Names) -> Iterator[tuple[str, str]]:
    if given.event not in EVENTS:
        fix = nearest(str(given.event), EVENTS)
        yield "event", f"there is no event {given.event!r}" + (f" ({fix})" if fix else "")
    if given.of is None or given.rule is None:
        yield "event", "needs `of`, the record, and `rule`, whose workspace it happens in"
        return
    try:
        names.record(given.of)
    except ValueError as wrong:
        yield "of", str(wrong)
    if names.book.rule(given.rule) is None:
        fix = nearest(given.rule, [rule.name for rule in names.book.rules])
        yield "rule", f"there is no rule {given.rule!r}" + (f" ({fix})" if fix else "")


def _wanted_faults(wanted: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[Trail, str, str]]:
    for kind, fields in wanted.items():
        if kind not in COMMANDS:
            yield (kind,), f"there is no command {kind!r}", nearest(kind, COMMANDS)
            continue
        for name in fields:
            if name not in COMMANDS[kind]:
                what = f"{kind} has no {name!r}"
                yield (kind, name), what, nearest(name, COMMANDS[kind])
    if len(wanted) != 1:
        yield (), "names several commands" if wanted else "names no command", "write one per item"
