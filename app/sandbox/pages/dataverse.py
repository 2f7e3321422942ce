"""What a simulated organisation holds: tables, rows with their columns, and who wrote what."""

from __future__ import annotations

import re
from urllib.parse import quote

from app.sandbox.choice import System
from app.sandbox.dataverse import Commit, DataverseSimulator, Reference, Row
from app.sandbox.dataverse.tables.schema import Table
from app.sandbox.pages.html import Child, Html, element
from app.sandbox.pages.layout import code, facts, link, moment, plural, section, table
from app.sandbox.pages.parts import address

SHOWN_ROWS = 200
SHOWN_COMMITS = 50
_NODE = re.compile(r"/app/nodes/(\d+)$")
_STAMPS = frozenset(
    {
        "exchangerate",
        "ownerid",
        "owningbusinessunit",
        "owningteam",
        "owninguser",
        "statuscode",
        "transactioncurrencyid",
    }
    | {f"{verb}{word}" for verb in ("created", "modified") for word in ("by", "on", "onbehalfby")}
)
"""Columns of every row that only the page of one row shows."""


class NotHere(LookupError):
    """There is no such table or row."""


def tables_page(dataverse: DataverseSimulator) -> Html:
    """All tables that have rows, and the newest writes."""
    counted = [(t, len(dataverse.rows(t.name))) for t in dataverse.registry]
    filled = sorted(((t, n) for t, n in counted if n), key=lambda pair: pair[0].name)
    rows = [(link(_href(t.name), t.name), t.entity_set, n) for t, n in filled]
    empty = ", ".join(sorted(t.name for t, n in counted if not n))
    return element(
        "div",
        facts([("Web API", code(dataverse.api_url)), ("Version", str(dataverse.version))]),
        section(
            "Tables",
            table("Tables with rows", ("Table", "Entity set", "Rows"), rows, numbers=(2,)),
            element("p", f"Without rows: {empty}.", class_="note"),
        ),
        section("Newest writes", _commits(dataverse, list(dataverse.commits))),
    )


def table_page(dataverse: DataverseSimulator, name: str) -> Html:
    """The newest rows of a table with the columns that any of them has set."""
    definition = _table(dataverse, name)
    rows = sorted(dataverse.rows(definition.name), key=lambda row: -row.version)
    shown = rows[:SHOWN_ROWS]
    columns = _columns(definition, shown)
    cells = [
        (
            link(_href(name, row.id), str(row.values.get(definition.primary_name) or row.id)),
            *(_value(row.values.get(column)) for column in columns),
        )
        for row in shown
    ]
    more = len(rows) - len(shown)
    caption = plural(len(rows), "row") + (f", the newest {len(shown)} shown" if more else "")
    heads = (definition.primary_name or definition.primary_id, *columns)
    return element("div", table(caption, heads, cells))


def row_page(dataverse: DataverseSimulator, name: str, row_id: str) -> tuple[str, Html]:
    """The title and content for one row: all its columns, and its story."""
    definition = _table(dataverse, name)
    row = dataverse.row(definition.name, row_id)
    story = [c for c in dataverse.commits if (c.table, c.id) == (definition.name, row_id.lower())]
    if row is None and not story:
        raise NotHere(f"There is no {definition.name} {row_id}.")
    values = row.values if row else story[-1].row.values
    cells = [
        (column, _value(values[column])) for column in sorted(values) if values[column] is not None
    ]
    title = str(values.get(definition.primary_name) or row_id)
    state: Child = element("p", element("span", "This row is deleted.", class_="warn"))
    return title, element(
        "div",
        None if row else state,
        facts([("Table", link(_href(name), name)), ("Id", code(row_id)), ("ETag", _etag(row))]),
        section("Columns", table("Columns that are set", ("Column", "Value"), cells)),
        section("Story", _commits(dataverse, story)),
    )


def _etag(row: Row | None) -> Child:
    return "-" if row is None else code(row.etag)


def _table(dataverse: DataverseSimulator, name: str) -> Table:
    found = dataverse.state.tables.get(name)
    if found is None:
        raise NotHere(f"There is no table {name}.")
    return found


def _columns(definition: Table, rows: list[Row]) -> list[str]:
    hidden = _STAMPS | {definition.primary_id, definition.primary_name}
    filled = {name for row in rows for name, value in row.values.items() if value is not None}
    return [name for name in definition.columns if name in filled and name not in hidden]


def _commits(dataverse: DataverseSimulator, commits: list[Commit]) -> Html:
    newest = commits[-SHOWN_COMMITS:][::-1]
    rows = [
        (
            str(commit.version),
            moment(commit.at),
            commit.operation,
            link(_href(commit.table, commit.id), f"{commit.table} {commit.id[:8]}"),
            _author(dataverse, commit),
            ", ".join(commit.submitted),
        )
        for commit in newest
    ]
    heads = ("Version", "When (UTC)", "Message", "Row", "By", "Columns sent")
    return table(f"The newest of {plural(len(commits), 'write')}", heads, rows)


def _author(dataverse: DataverseSimulator, commit: Commit) -> str:
    user = dataverse.row("systemuser", commit.author.user_id)
    name = str(user.values.get("fullname")) if user else commit.author.user_id
    return f"{name}, tag {commit.author.tag}" if commit.author.tag else name


def _value(value: object) -> Child:
    if value is None:
        return ""
    if isinstance(value, Reference):
        return link(_href(value.table, value.id), f"{value.table} {value.id[:8]}")
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    if not text.startswith(("http://", "https://")):
        return text
    # Content Server shows people its Smart View there; the simulated one has a page here.
    node = _NODE.search(text)
    return link(f"{address(System.CONTENT_SERVER)}/nodes/{node[1]}" if node else text, text)


def _href(table_name: str, row_id: str = "") -> str:
    path = f"{address(System.DATAVERSE)}/tables/{quote(table_name)}"
    return f"{path}/{quote(row_id)}" if row_id else path
