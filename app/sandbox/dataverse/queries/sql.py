"""The SQL endpoint, ``GET /accounts?sql=SELECT ..``: read-only, and a subset of T-SQL.

The tables a statement names are copied into a database of the moment, which runs it. The subset is
the one that Microsoft's Dataverse client describes: SELECT [DISTINCT] [TOP n], INNER and LEFT JOIN,
WHERE, GROUP BY, ORDER BY, OFFSET .. FETCH, COUNT SUM AVG MIN MAX.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.filters import Reading, value_of
from app.sandbox.dataverse.queries.paging import MAX_PAGE, read_cookie, write_cookie
from app.sandbox.dataverse.tables.schema import Column, ColumnType, Table
from app.sandbox.dataverse.tables.values import Reference
from app.sandbox.dataverse.web.urls import Answer, ApiRequest, link

_LITERAL = re.compile(r"'(?:[^']|'')*'")
_REFUSED = re.compile(
    r"\b(?:insert|update|delete|drop|truncate|alter|create|exec|grant|revoke|bulk|union|having|case"
    r"|coalesce|over|with|pragma|attach|intersect|except|limit|collate|glob|regexp|match)\b"
    r"|\b(?:cross|right|full|natural)\s+(?:outer\s+)?join\b|;|--|/\*|\(\s*select\b",
    re.IGNORECASE,
)
_STAR = re.compile(r"\bselect\s+(?:distinct\s+)?(?:top\s+\d+\s+)?(?:\w+\.)?\*", re.IGNORECASE)
_FUNCTION = re.compile(r"\b(\w+)\s*\(", re.IGNORECASE)
_CALLABLE = {"count", "sum", "avg", "min", "max", "in", "and", "or", "not", "where", "on", "by"}
_CALLABLE |= {"select", "between", "when", "then", "like", "values", "distinct", "top"}
_TOP = re.compile(r"^(\s*select\s+(?:distinct\s+)?)top\s+\(?\s*(\d+)\s*\)?", re.IGNORECASE)
_FETCH = re.compile(
    r"\boffset\s+(\d+)\s+rows?(?:\s+fetch\s+(?:next|first)\s+(\d+)\s+rows?\s+only)?\s*$",
    re.IGNORECASE,
)
_TABLE = re.compile(r"\b(?:from|join)\s+\[?(\w+)\]?", re.IGNORECASE)
_STEPS = 20_000_000
READS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION)


class SqlEndpoint:
    """Runs statements over the rows of one organisation."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def answer(self, request: ApiRequest, table: Table, sql: str) -> Answer:
        """Raises `Refusal` 400 for what is outside the subset, and for unknown names."""
        tables = self._named(table, _checked(sql))
        rows = self._run(_translated(sql), tables)
        size = min(request.prefer.page_size or MAX_PAGE, MAX_PAGE)
        start = 0
        if cookie := request.query.get("$skiptoken"):
            start = read_cookie(cookie, "start")["start"]
            if not isinstance(start, int) or start < 0:
                raise Refusal.bad_query("Malformed XML in the Paging Cookie")
        page = rows[start : start + size]
        context = f"{request.base_url}/$metadata#{table.entity_set}"
        body: dict[str, Any] = {"@odata.context": context, "value": page}
        if len(rows) > start + size:
            cookie = write_cookie({"start": start + size}, start // size + 2)
            options = {"sql": sql, "$skiptoken": cookie}
            body["@odata.nextLink"] = link(request.base_url, table.entity_set, options)
        return Answer(200, body)

    def _named(self, table: Table, masked: str) -> list[Table]:
        names = [name.lower() for name in _TABLE.findall(masked)]
        if not names or names[0] != table.name:
            raise Refusal.invalid_argument(f"The statement does not select FROM {table.name}.")
        registry, found = self._reading.registry, {}
        for name in names:
            if name not in registry:
                raise Refusal.invalid_argument(f"Invalid table name '{name}'.")
            found[name] = registry.table(name)
        return list(found.values())

    def _run(self, sql: str, tables: list[Table]) -> list[dict[str, Any]]:
        database = sqlite3.connect(":memory:")
        try:
            for table in tables:
                self._copy(database, table)
            budget = iter(range(_STEPS // 1000))
            database.set_progress_handler(lambda: next(budget, None) is None, 1000)
            database.set_authorizer(lambda action, *_: int(action not in READS))
            cursor = database.execute(sql)
            names = [item[0] for item in cursor.description or ()]
            flags = _flags(names, tables)
            return [_row(names, values, flags) for values in cursor]
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                raise Refusal(500, "0x80044151", "SQL timeout expired.") from error
            raise Refusal.invalid_argument(f"The statement is not valid: {error}.") from error
        except (sqlite3.Error, OverflowError, ValueError) as error:
            raise Refusal.invalid_argument(f"The statement is not valid: {error}.") from error
        finally:
            database.close()

    def _copy(self, database: sqlite3.Connection, table: Table) -> None:
        columns = [c for c in table.columns.values() if c.type is not ColumnType.FILE]
        names = ", ".join(f'"{c.name}"{_affinity(c)}' for c in columns)
        database.execute(f'CREATE TABLE "{table.name}" ({names})')
        marks = ", ".join("?" * len(columns))
        rows = self._reading.store.rows(table.name)
        database.executemany(
            f'INSERT INTO "{table.name}" VALUES ({marks})',
            ([_cell(value_of(row, c, table)) for c in columns] for row in rows),
        )


def _checked(sql: str) -> str:
    """The statement with its texts emptied, once it is inside the subset."""
    masked = _LITERAL.sub("''", sql)
    if not re.match(r"\s*select\b", masked, re.IGNORECASE) or "\0" in sql:
        raise Refusal.invalid_argument("Only SELECT statements are supported.")
    if found := _REFUSED.search(masked):
        raise Refusal.invalid_argument(f"'{found[0].strip()}' is not supported.")
    if _STAR.search(masked):
        raise Refusal.invalid_argument("SELECT * is not supported; name the columns.")
    for name in _FUNCTION.findall(masked):
        if name.lower() not in _CALLABLE:
            raise Refusal.invalid_argument(f"The function '{name}' is not supported.")
    return masked


def _translated(sql: str) -> str:
    """T-SQL's way to limit rows in that of the database underneath."""
    if match := _TOP.match(sql):
        return f"{match[1]}{sql[match.end() :]} LIMIT {min(int(match[2]), MAX_PAGE)}"
    if match := _FETCH.search(sql):
        limit = int(match[2]) if match[2] else -1
        return f"{sql[: match.start()]} LIMIT {limit} OFFSET {int(match[1])}"
    return sql


def _affinity(column: Column) -> str:
    text = column.type in (ColumnType.STRING, ColumnType.MEMO)
    return " TEXT COLLATE NOCASE" if text else ""


def _cell(value: Any) -> Any:
    return value.id if isinstance(value, Reference) else value


def _flags(names: Iterable[str], tables: Iterable[Table]) -> set[str]:
    """Results that are a boolean column, which the database underneath holds as a number."""
    columns = {name: c for table in tables for name, c in table.columns.items()}
    return {n for n in names if n in columns and columns[n].type is ColumnType.BOOLEAN}


def _row(names: list[str], values: tuple[Any, ...], flags: set[str]) -> dict[str, Any]:
    row = dict(zip(names, values, strict=True))
    return {n: bool(v) if n in flags and v is not None else v for n, v in row.items()}
