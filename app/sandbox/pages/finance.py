"""What simulated finance and operations hold: entities with their rows, and who wrote what."""

from __future__ import annotations

from urllib.parse import quote

from app.sandbox.choice import System
from app.sandbox.events.finance_entities import SETS
from app.sandbox.finance import Change, FinanceSimulator, Row
from app.sandbox.pages.dataverse import NotHere
from app.sandbox.pages.html import Child, Html, element
from app.sandbox.pages.layout import code, facts, link, moment, plural, section, table
from app.sandbox.pages.parts import address

SHOWN_ROWS = 200
SHOWN_CHANGES = 50


def entities_page(finance: FinanceSimulator) -> Html:
    """The entities, and the newest writes since the start."""
    rows = [(link(_href(name), name), count) for name, count in sorted(finance.held().items())]
    return element(
        "div",
        facts([("OData", code(finance.data_url)), ("Default company", code(finance.company))]),
        section("Entities", table("Entity sets", ("Entity set", "Rows"), rows, numbers=(1,))),
        section("Newest writes", _changes(list(finance.changes))),
    )


def entity_page(finance: FinanceSimulator, name: str) -> Html:
    """The newest rows of an entity set, with the fields that any of them has filled."""
    entity = SETS.get(name)
    if entity is None:
        raise NotHere(f"There is no entity set {name}.")
    rows = sorted(finance.rows(name), key=lambda row: -row.version)
    shown = rows[:SHOWN_ROWS]
    filled = [
        field
        for field in entity.fields
        if field not in entity.key and any(_filled(row, field) for row in shown)
    ]
    cells = [
        (" / ".join(str(row.values[part]) for part in entity.key), *_cells(row, filled))
        for row in shown
    ]
    more = f", the newest {len(shown)} shown" if len(rows) > len(shown) else ""
    return element("div", table(plural(len(rows), "row") + more, ("Key", *filled), cells))


def _cells(row: Row, fields: list[str]) -> list[Child]:
    return [str(row.values[name]) if _filled(row, name) else "" for name in fields]


def _filled(row: Row, name: str) -> bool:
    return row.values.get(name) not in (None, "")


def _changes(changes: list[Change]) -> Html:
    rows = [
        (
            moment(change.at),
            change.operation,
            link(_href(change.entity.entity_set), change.entity.entity_set),
            " / ".join(str(change.row.values[part]) for part in change.entity.key),
            change.user,
            ", ".join(sorted(change.changed)),
        )
        for change in changes[-SHOWN_CHANGES:][::-1]
    ]
    heads = ("When (UTC)", "What", "Entity set", "Key", "By", "Fields")
    return table(f"The newest of {plural(len(changes), 'write')}", heads, rows)


def _href(entity_set: str) -> str:
    return f"{address(System.FINANCE)}/entities/{quote(entity_set)}"
