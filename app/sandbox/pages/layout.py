"""How every page looks: one frame, tables that scroll by themselves, light and dark."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from app.sandbox.pages.html import Child, Html, element, together

_STYLE = """
:root { color-scheme: light dark;
  --ink: #1c2430; --soft: #55606f; --line: #d5dae1; --paper: #fff; --raised: #f4f6f9;
  --accent: #0b5cad; --warn: #9a3b00; --warn-paper: #fff1e6; }
@media (prefers-color-scheme: dark) { :root {
  --ink: #e6eaf0; --soft: #a5b0bf; --line: #39424f; --paper: #14181e; --raised: #1d232b;
  --accent: #7ab8ff; --warn: #ffb37a; --warn-paper: #33210f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
header, main { max-width: 75rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; margin: 0;
  padding: 0 0 .75rem; border-bottom: 1px solid var(--line); }
a { color: var(--accent); }
a[aria-current] { color: var(--ink); font-weight: 600; text-decoration: none; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; background: var(--paper); padding: .5rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1.25rem 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
.lead, .note { color: var(--soft); }
.note { font-size: .9rem; }
.scroll { overflow-x: auto; margin-bottom: .75rem;
  border: 1px solid var(--line); border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; padding: .4rem .7rem; color: var(--soft); }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem;
  border-top: 1px solid var(--line); }
thead th { background: var(--raised); white-space: nowrap; }
tbody th { font-weight: 500; min-width: 9rem; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
time { white-space: nowrap; }
td { max-width: 32rem; overflow-wrap: break-word; min-width: 4rem; }
code, pre { font: .9em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { background: var(--raised); padding: .75rem; border-radius: .4rem; overflow-x: auto; }
.cards { display: grid; gap: 1rem; list-style: none; padding: 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 28rem), 1fr)); }
.cards > li { border: 1px solid var(--line); border-radius: .5rem; padding: .25rem 1rem 1rem; }
.cards h2 { margin-top: .75rem; }
dl { margin: 0; display: grid; grid-template-columns: auto 1fr; gap: .15rem 1rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.warn { color: var(--warn); background: var(--warn-paper); border-radius: .3rem;
  padding: .1rem .5rem; }
.tree, .tree ul { list-style: none; padding-left: 1.1rem; }
.tree > li { margin-left: -1.1rem; }
.tree li { border-left: 1px solid var(--line); padding-left: .6rem; }
form.inline { display: inline; }
fieldset { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem 1rem 1rem;
  display: grid; gap: .75rem 1rem; align-items: end; margin: 0 0 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 10rem), 1fr)); }
label { display: block; font-size: .9rem; color: var(--soft); }
input, select, button { font: inherit; width: 100%; padding: .35rem .5rem; color: var(--ink);
  background: var(--paper); border: 1px solid var(--soft); border-radius: .3rem; }
input[type=checkbox] { width: auto; }
button { background: var(--raised); cursor: pointer; width: auto; }
button.main { background: var(--accent); border-color: var(--accent); color: var(--paper); }
.row { display: flex; flex-wrap: wrap; gap: .5rem; margin: .75rem 0; }
"""

Cell = Child
Link = tuple[str, str]


def page(title: str, body: Child, *, links: Iterable[Link], here: str) -> str:
    """A whole page. ``links`` lead to the others from every page; ``here`` is one's address."""
    items = [
        element("li", element("a", name, href=href, aria_current="page" if href == here else None))
        for href, name in links
    ]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{title} · Dovetail sandbox"),
        element("link", rel="icon", href="data:,"),
        element("style", Html(_STYLE)),
    )
    content = element(
        "body",
        element("a", "To the content", class_="skip", href="#content"),
        element("header", element("nav", element("ul", items), aria_label="Systems")),
        element("main", element("h1", title), body, id="content"),
    )
    return f'<!doctype html><html lang="en">{head}{content}</html>'


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    numbers: Iterable[int] = (),
    empty: str = "Nothing yet.",
) -> Html:
    """A table whose first column heads its rows; ``numbers`` are the columns set to the right."""
    right = frozenset(numbers)
    body = [
        element("tr", [_cell(cell, at, right) for at, cell in enumerate(cells)]) for cells in rows
    ]
    if not body:
        return element("p", empty, class_="note")
    heads = [
        element("th", name, scope="col", class_="number" if at in right else None)
        for at, name in enumerate(columns)
    ]
    made = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", heads)),
        element("tbody", body),
    )
    # Focusable, so that a table that is wider than the window scrolls by keyboard too.
    return element("div", made, class_="scroll", tabindex=0, role="region", aria_label=caption)


def facts(pairs: Iterable[tuple[str, Child]]) -> Html:
    """Names and values below each other."""
    return element("dl", [[element("dt", name), element("dd", value)] for name, value in pairs])


def link(href: str, text: Child) -> Html:
    return element("a", text, href=href)


def moment(at: dt.datetime) -> Html:
    """A time in UTC, to the second."""
    return element("time", f"{at:%Y-%m-%d %H:%M:%S}", datetime=at.isoformat(timespec="seconds"))


def listing(text: str) -> Html:
    """Lines as they are; wider than the window they scroll, by keyboard too."""
    return element("pre", text, tabindex=0)


def code(text: Child) -> Html:
    return element("code", text)


def section(title: str, *content: Child, id_: str | None = None) -> Html:
    return element("section", element("h2", title), together(content), id_=id_)


def plural(count: int, one: str, many: str = "") -> str:
    """``1 row``, ``2 rows``."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def _cell(cell: Cell, at: int, right: frozenset[int]) -> Html:
    style = "number" if at in right else None
    if at == 0:
        return element("th", cell, scope="row", class_=style)
    return element("td", cell, class_=style)
