"""``/data``: entities by key and in lists, written and deleted (reference/dataverse.md 4)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from app.sandbox.events.finance_entities import COMPANY, SETS, Entity
from app.sandbox.finance import queries
from app.sandbox.finance.errors import Refusal
from app.sandbox.finance.state import Row
from app.sandbox.finance.store import Store
from app.sandbox.finance.values import equal, literal, stored

DATA_PATH = "/data"
_ADDRESS = re.compile(r"/(?P<set>\w+)(?:\((?P<key>.*)\))?(?P<rest>/\$count)?", re.DOTALL)
_KEY_PART = re.compile(r"\s*(?P<name>\w+)=(?P<value>'(?:[^']|'')*'|[^,']+)\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. ``path`` is percent-encoded and starts after ``/data``."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    user: str
    base_url: str


@dataclass(slots=True)
class Answer:
    """A status, a JSON-like body (or bytes) and headers."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Race = Callable[[Asked, Entity, Row], None]


class Api:
    """Answers one request about entities; raises `Refusal`.

    ``company`` is the default one of the application's user; without ``cross-company=true`` nothing
    outside of it is seen or written. ``page_size`` is the longest list of one answer. ``race`` is
    called before a row is written under a condition, so that somebody else may come first.
    """

    def __init__(self, store: Store, company: str, page_size: int, race: Race) -> None:
        self._store = store
        self._company = company
        self._page_size = page_size
        self._race = race

    def answer(self, asked: Asked) -> Answer:
        match = _ADDRESS.fullmatch(unquote(asked.path))
        entity = SETS.get(match["set"]) if match else None
        if match is None or entity is None:
            raise Refusal.no_resource(asked.path.strip("/").partition("(")[0])
        options = queries.options_of(asked.query)
        company = None if queries.is_cross_company(options) else self._company
        if match["key"] is None:
            return self._set(asked, entity, options, company, counted=match["rest"] is not None)
        row = self._store.find(entity, _key(entity, match["key"]), company)
        if row is None:
            raise Refusal.no_row()
        return self._row(asked, entity, row, options)

    def _set(
        self,
        asked: Asked,
        entity: Entity,
        options: Mapping[str, str],
        company: str | None,
        *,
        counted: bool,
    ) -> Answer:
        if asked.method == "POST" and not counted:
            return self._create(asked, entity, company)
        if asked.method != "GET":
            raise Refusal.method(asked.method)
        query = queries.query_of(entity, options)
        found = queries.matching(self._store.rows(entity, company), query)
        if counted:
            return Answer(200, str(len(found)).encode(), {"Content-Type": "text/plain"})
        return Answer(200, self._page(asked, entity, query, found))

    def _page(
        self, asked: Asked, entity: Entity, query: queries.Query, found: list[Row]
    ) -> dict[str, Any]:
        page = found[query.skip :]
        page = page if query.top is None else page[: query.top]
        shown = page[query.start : query.start + self._size(asked)]
        body: dict[str, Any] = {"@odata.context": _context(asked, entity)}
        if query.count:
            body["@odata.count"] = len(found)
        body["value"] = [_shown(row, query.select) for row in shown]
        following = query.start + len(shown)
        if following < len(page):
            body["@odata.nextLink"] = _next_link(asked, entity, following)
        return body

    def _size(self, asked: Asked) -> int:
        match = re.search(r"odata\.maxpagesize=(\d{1,6})", asked.headers.get("prefer", ""))
        wanted = int(match[1]) if match else self._page_size
        return max(1, min(wanted, self._page_size))

    def _create(self, asked: Asked, entity: Entity, company: str | None) -> Answer:
        values = _values(entity, asked.body, creating=True)
        values.setdefault(COMPANY, self._company)
        values[COMPANY] = str(values[COMPANY]).lower()
        if company is not None and not equal(values[COMPANY], company):
            why = f"Company {values[COMPANY]} cannot be written without cross-company"
            raise Refusal.write(entity.name, why)
        row = self._store.create(entity, values, asked.user)
        body = {"@odata.context": f"{_context(asked, entity)}/$entity", **_shown(row, ())}
        address = f"{asked.base_url}/{entity.entity_set}({_key_text(entity, row)})"
        return Answer(201, body, {"Location": address, "OData-EntityId": address})

    def _row(self, asked: Asked, entity: Entity, row: Row, options: Mapping[str, str]) -> Answer:
        if asked.method == "GET":
            query = queries.query_of(entity, options)
            body = {"@odata.context": f"{_context(asked, entity)}/$entity"}
            return Answer(200, body | _shown(row, query.select), {"ETag": row.etag})
        if asked.method not in ("PATCH", "PUT", "DELETE"):
            raise Refusal.method(asked.method)
        row = self._current(asked, entity, row)
        if asked.method == "DELETE":
            self._store.delete(entity, row, asked.user)
            return Answer(204)
        values = _values(entity, asked.body, creating=False)
        for name in entity.key:
            if name in values and not equal(values.pop(name), row.values[name]):
                raise Refusal.write(entity.name, f"Field '{name}' is part of the key")
        after = self._store.update(entity, row, values, asked.user)
        return Answer(204, None, {"ETag": after.etag})

    def _current(self, asked: Asked, entity: Entity, row: Row) -> Row:
        """The row as it is when the condition is looked at; raises `Refusal` 412."""
        self._race(asked, entity, row)
        now = self._store.find(entity, {name: row.values[name] for name in entity.key}, None)
        wanted = asked.headers.get("if-match", "*")
        if now is None or wanted not in ("*", now.etag):
            raise Refusal.changed()
        return now


def _key(entity: Entity, text: str) -> dict[str, Any]:
    """``dataAreaId='usmf',VendorAccountNumber='V-1'``: every part, in any order."""
    found: dict[str, Any] = {}
    position = 0
    while position < len(text):
        match = _KEY_PART.match(text, position)
        if match is None or match["name"] not in entity.key or match["name"] in found:
            raise Refusal.query(f"Bad Request - Error in query syntax: ({text}).")
        name = match["name"]
        found[name] = literal(entity, entity.fields[name], match["value"].strip())
        position = match.end()
    if found.keys() != set(entity.key):
        wanted = ", ".join(entity.key)
        raise Refusal.query(f"The key of {entity.name} has the properties {wanted}.")
    return found


def _key_text(entity: Entity, row: Row) -> str:
    parts = []
    for name in entity.key:
        value = str(row.values[name])
        text = (
            value if entity.fields[name].kind == "date" else "'{}'".format(value.replace("'", "''"))
        )
        parts.append(f"{name}={quote(text, safe=chr(39))}")
    return ",".join(parts)


def _values(entity: Entity, body: bytes, *, creating: bool) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except ValueError:
        raise Refusal.query("The request body is no JSON.") from None
    if not isinstance(data, dict):
        raise Refusal.query("The request body is no object.")
    values: dict[str, Any] = {}
    for name, value in data.items():
        if "@" in name:
            continue
        field = queries.field_of(entity, name)
        if field.read_only and not creating:
            raise Refusal.write(entity.name, f"Field '{name}' is not editable")
        values[name] = stored(entity, field, value)
    return values


def _shown(row: Row, select: tuple[str, ...]) -> dict[str, Any]:
    names = select or tuple(row.values)
    return {"@odata.etag": row.etag, **{name: row.values[name] for name in names}}


def _context(asked: Asked, entity: Entity) -> str:
    return f"{asked.base_url}/$metadata#{entity.entity_set}"


def _next_link(asked: Asked, entity: Entity, start: int) -> str:
    kept = [p for p in asked.query.split("&") if p and not unquote(p).startswith("$skiptoken")]
    query = "&".join([*kept, f"$skiptoken={start}"])
    return f"{asked.base_url}/{entity.entity_set}?{query}"
