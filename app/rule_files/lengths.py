"""Whether what rules write into text columns fits: Dynamics refuses a longer text.

What is declared (``{text: 100}``) is known without network; how long a column really is, Dataverse
says. A word that is cut says something else, and the beginning of a link opens nothing; a longer
list or comment is cut to what is declared (``streams.flows.fitting``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.rule_files.faults import Fault
from app.rule_files.placed import PlacedPart
from app.rule_files.tables import FILE
from app.rule_files.yaml import Document, Trail
from streams.catalogue import Catalogue, Column, ColumnKind
from streams.flows.artifacts import MISSING_LENGTH
from streams.rules import TableRule

#: Node ids that a system is likely to reach have so many digits.
_ID_DIGITS = 10
#: A node of that id: the longest whose address has to fit.
LONGEST_NODE = 10**_ID_DIGITS - 1
_IDS = frozenset({"workspace_id", "folder_id", "document_id"})
_ADDRESSES = frozenset({"workspace_url", "folder_url"})
#: What has words, which are looked at one by one.
_WORDS = frozenset({"status", "decision"})
#: "99 of 99".
_PROGRESS = 8
_LONGER = "or make the column longer"


def fixed_faults(part: PlacedPart, room: Mapping[str, int]) -> Iterator[Fault]:
    """The texts that the rule itself has for its columns; ``room``: characters by column."""
    for trail, column, text in _fixed(part):
        if len(text) > room.get(column, len(text)):
            what = (
                f"{text!r} has {len(text)} characters, "
                f"{part.rule.table}.{column} has room for {room[column]}"
            )
            yield Fault(part.at(*trail), what, f"write a shorter text, {_LONGER}")


def declared_room(catalogue: Catalogue, table: str) -> Mapping[str, int]:
    """How long the rules say that the texts of a table are."""
    declared = catalogue.tables.get(table)
    columns: Mapping[str, Column] = declared.columns if declared else {}
    return {name: column.length for name, column in columns.items() if column.length is not None}


def room_faults(
    part: PlacedPart, catalogue: Catalogue, room: Mapping[str, int], address: str
) -> Iterator[Fault]:
    """What the flow fills in against the columns as they are.

    ``address``: that of the node with the longest id.
    """
    table = part.rule.table
    declared = declared_room(catalogue, table)
    for key, column in part.written():
        kept = _is_text(catalogue, table, column)
        if key in _WORDS or not kept or column not in room:
            continue
        has = min(room[column], declared.get(column, room[column]))
        need = _need(key, address)
        where = part.at("write_back", key)
        whole = key in _IDS or key in _ADDRESSES
        if need is None and column not in declared:
            what = f"{table}.{column} has room for {has} characters, and Dynamics refuses more"
            yield Fault(where, what, f"write {column}: {{text: {has}}} in {FILE}: it is cut then")
        elif need is not None and need > has and (whole or column not in declared):
            what = f"{key} needs {need} characters, {table}.{column} has room for {has}"
            fix = "make the column longer" if whole else f"declare {{text: {has}}}, {_LONGER}"
            if need <= room[column]:
                what = f"{key} needs {need} characters, {table}.{column} is declared with {has}"
                fix = f"declare {{text: {room[column]}}}"
            yield Fault(where, what, fix)


def declared_faults(
    tables: Document, catalogue: Catalogue, rooms: Mapping[str, Mapping[str, int]]
) -> Iterator[Fault]:
    """What the rules take for longer than it is would be cut too late."""
    for table, room in rooms.items():
        for column, length in declared_room(catalogue, table).items():
            if length > room.get(column, length):
                where = tables.at(("tables", table, "columns", column))
                what = f"{table}.{column} has room for {room[column]} characters, not for {length}"
                yield Fault(where, what, f"write {{text: {room[column]}}}, {_LONGER}")


def _fixed(part: PlacedPart) -> Iterator[tuple[Trail, str, str]]:
    yield from part.rule.status_words()
    for trail, column, word in part.rule.words() if isinstance(part.rule, TableRule) else ():
        if isinstance(word, str):
            yield trail, column, word
    for place, column, value in part.set():
        if isinstance(value, str):
            yield place, column, value


def _is_text(catalogue: Catalogue, table: str, column: str) -> bool:
    declared = catalogue.tables.get(table)
    found = declared.columns.get(column) if declared else None
    return found is not None and found.kind is ColumnKind.TEXT


def _need(key: str, address: str) -> int | None:
    """How many characters are written at most; None where nobody can say."""
    if key in _IDS:
        return _ID_DIGITS
    if key in _ADDRESSES:
        return len(address)
    return {"missing": MISSING_LENGTH, "progress": _PROGRESS}.get(key)
