"""``tables.yaml``: the Dynamics tables and columns, the business processes, the members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.rule_files.faults import Fault, Location
from app.rule_files.finance import entry_faults, finance_of, table_faults, with_shared_lookups
from app.rule_files.models import VERSION, Reading, TableEntry, TablesFile
from app.rule_files.yaml import Document
from streams.catalogue import Catalogue, Column, ColumnKind, Table
from streams.rules import ProcessRule
from streams.rules.hints import nearest

FILE = "tables.yaml"
#: What of a ``processstage`` row the conditions read as ``stage.name`` and ``stage.category``.
STAGE_TABLE = "processstage"
_STAGE_COLUMNS = ("stagename", "stagecategory")


@dataclass(frozen=True)
class Tables:
    """What the file declares. ``broken`` was declared too, but wrongly: nothing is said of it."""

    document: Document
    catalogue: Catalogue = field(default_factory=Catalogue)
    #: By their place in the file.
    processes: Mapping[int, ProcessRule] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)
    broken: frozenset[tuple[str, str]] = frozenset()

    def names(self) -> list[str]:
        return [*self.catalogue.tables]

    def is_broken(self, table: str, column: str) -> bool:
        found = self.catalogue.tables.get(table)
        unread = found is not None and not found.entity_set
        return unread or (table, column) in self.broken

    def column(self, table: str, column: str) -> Column | None:
        found = self.catalogue.tables.get(table)
        return found.columns.get(column) if found else None

    def column_fault(
        self, where: Location, table: str, column: str, *kinds: ColumnKind
    ) -> Iterator[Fault]:
        """What is wrong with a column that is to be of one of these kinds (none: of any)."""
        declared = self.catalogue.tables.get(table)
        if declared is None or self.is_broken(table, column):
            return
        found = declared.columns.get(column)
        if found is None:
            near = nearest(column, declared.columns) if declared.columns else ""
            fix = near if near.startswith("did") else f"declare it in {FILE}, or remove it here"
            yield Fault(where, f"{table} has no column {column!r}", fix)
        elif kinds and found.kind not in kinds:
            wanted = " or ".join(kinds)
            yield Fault(where, f"{table}.{column} is {found.kind}, but {wanted} is needed here")


def read_tables(document: Document) -> tuple[Tables | None, list[Fault]]:
    """Read the file's content; None when hardly anything of it can be used."""
    if document.data is None:
        return None, []
    top = Reading(document, ())
    head = top.read(TablesFile, document.data)
    faults = [*top.faults, *version_fault(document)]
    if head is None:
        return None, faults
    entries: dict[str, Table] = {}
    broken: set[tuple[str, str]] = set()
    for name, data in head.tables.items():
        reading = Reading(document, ("tables", name))
        entry = reading.read(TableEntry, data)
        entries[name] = _table(name, entry)
        faults += reading.faults
        faults += entry_faults(document, name, entry) if entry else ()
        broken |= {(name, str(trail[1])) for trail in reading.left_out if len(trail) > 1}
    processes, process_faults = _processes(document, head.processes)
    catalogue = Catalogue(with_shared_lookups(entries))
    tables = Tables(document, catalogue, processes, head.members, frozenset(broken))
    return tables, [*faults, *process_faults, *_faults(tables)]


def _processes(
    document: Document, entries: tuple[Any, ...]
) -> tuple[dict[int, ProcessRule], list[Fault]]:
    found: dict[int, ProcessRule] = {}
    faults: list[Fault] = []
    for index, data in enumerate(entries):
        reading = Reading(document, ("processes", index))
        process = reading.read(ProcessRule, data)
        faults += reading.faults
        if process is not None:
            found[index] = process
    return found, faults


def version_fault(document: Document) -> Iterator[Fault]:
    """Files say which version of the format they are in, so that it can change one day."""
    version: Any = document.data.get("version", VERSION)
    if version != VERSION or isinstance(version, bool):
        where = document.at(("version",))
        yield Fault(where, f"version {version!r} is not known", f"write version: {VERSION}")


def _table(name: str, entry: TableEntry | None) -> Table:
    """The table; one that could not be read has no entity set."""
    if entry is None:
        return Table(name, "", "", {})
    return Table(
        name,
        entry.entity_set,
        entry.primary_id or "",
        entry.columns,
        entry.reference,
        finance_of(entry),
    )


def _faults(tables: Tables) -> Iterator[Fault]:
    yield from _entity_sets(tables)
    yield from _lookups(tables)
    yield from table_faults(tables.document, tables.catalogue.tables)
    for index, process in tables.processes.items():
        yield from _process(tables, index, process)
    for table, column in tables.members.items():
        where = tables.document.at(("members", table))
        yield from table_fault(tables, where, table)
        yield from tables.column_fault(where, table, column, ColumnKind.TEXT)


def table_fault(tables: Tables, where: Location, table: str) -> Iterator[Fault]:
    """What is wrong with the name of a table."""
    if table not in tables.catalogue.tables:
        yield Fault(where, f"{FILE} declares no table {table!r}", nearest(table, tables.names()))


def _entity_sets(tables: Tables) -> Iterator[Fault]:
    seen: dict[str, str] = {"": ""}
    for table in tables.catalogue.tables.values():
        where = tables.document.at(("tables", table.name, "entity_set"))
        if table.name == "workspace":
            yield Fault(where, "'workspace' cannot be a table: keys of workspaces begin with it")
        other = seen.setdefault(table.entity_set.lower(), table.name)
        if other and other != table.name:
            yield Fault(where, f"{table.entity_set!r} is the entity set of {other!r} already")


def _lookups(tables: Tables) -> Iterator[Fault]:
    """A target that is not declared is fine (nothing is known of it), a misspelt one is not."""
    for table in tables.catalogue.tables.values():
        for name, column in table.columns.items():
            for target in column.targets:
                fix = nearest(target, tables.names())
                misspelt = target not in tables.catalogue.tables and _is_slip(target, fix)
                if misspelt:
                    where = tables.document.at(("tables", table.name, "columns", name))
                    yield Fault(where, f"{FILE} declares no table {target!r}", fix)


def _is_slip(name: str, fix: str) -> bool:
    meant = fix.removeprefix("did you mean ").removesuffix("?")
    return fix.startswith("did you") and abs(len(meant) - len(name)) <= 2 and meant[:1] == name[:1]


def _process(tables: Tables, index: int, process: ProcessRule) -> Iterator[Fault]:
    def at(key: str) -> Location:
        return tables.document.at(("processes", index, key))

    yield from table_fault(tables, at("table"), process.table)
    for key, column in (
        ("record_column", process.record_column),
        ("stage_column", process.stage_column),
    ):
        yield from tables.column_fault(at(key), process.table, column, ColumnKind.LOOKUP)
    stage = tables.column(process.table, process.stage_column)
    if stage is None or stage.kind is not ColumnKind.LOOKUP:
        return
    if STAGE_TABLE not in stage.targets:
        yield Fault(at("stage_column"), f"{process.stage_column} does not point to {STAGE_TABLE}")
    yield from table_fault(tables, at("stage_column"), STAGE_TABLE)
    for column in _STAGE_COLUMNS:
        yield from tables.column_fault(at("stage_column"), STAGE_TABLE, column)
