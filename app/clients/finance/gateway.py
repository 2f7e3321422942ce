"""Finance and operations, OData, as ``streams.ports.DynamicsGateway`` (reference/dataverse.md 4).

A record's id holds its company and key, so it is found by a filter over them, in any case and in
any company (``cross-company=true``). A row has no version and no time of change: it is as of the
moment at which it was asked for. A write looks first, sends only what differs under the row's ETag,
and looks again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from app.clients import setting_names
from app.clients.finance.metadata import FinanceMetadata, Property
from app.clients.finance.status import FINANCE
from app.clients.finance.values import columns_of, key_literal, literal, record_of, wire_value
from app.clients.http import Endpoint, Observer, Timeouts
from app.clients.sign_in import SignIn
from streams.catalogue import COMPANY, Catalogue, ColumnValue, Finance, Table
from streams.errors import Misconfigured, Refused, Unavailable
from streams.formats.times import whole_second
from streams.ports import Row
from tables.keys import RecordRef, natural_parts

_HEADERS = {"Accept": "application/json", "OData-MaxVersion": "4.0", "OData-Version": "4.0"}
_CROSS_COMPANY = "cross-company=true"
#: A text with this in it is a pattern to the service; what it finds is compared once more here.
_WILDCARD = "*"


class FinanceGateway:
    """One environment. ``base_url`` is ``https://<env>.operations.dynamics.com``.

    Every method raises only ``streams.errors``. A call is repeated here after a 401, once; never
    else.
    """

    def __init__(
        self,
        base_url: str,
        tokens: SignIn,
        catalogue: Catalogue,
        *,
        client: httpx.AsyncClient,
        observer: Observer | None = None,
        timeouts: Timeouts | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._endpoint = Endpoint(
            system="finance",
            base_url=base_url,
            url_setting=setting_names.FINANCE_URL,
            client=client,
            table=FINANCE,
            sign_in=tokens,
            observer=observer,
            timeouts=timeouts,
            headers=_HEADERS,
        )
        self._catalogue = catalogue
        self._metadata = FinanceMetadata(self._endpoint)
        self._now_ms = now_ms

    async def read_record(self, record: RecordRef) -> Row | None:
        """Read all declared columns of the record; None when it does not exist."""
        table, finance = self._table(record.table)
        found = await self._find(table, finance, record)
        return found[1] if found else None

    async def write_columns(
        self, record: RecordRef, columns: Mapping[str, ColumnValue], *, tag: str
    ) -> Row:
        """Set these columns of an existing record, as far as they differ; never creates one.

        OData has no place for ``tag``: the echo is known by what it says. Raises Refused
        (``record_missing``) when the record is gone, Conflict when somebody writes in between.
        """
        table, finance = self._table(record.table)
        found = await self._find(table, finance, record)
        if found is None:
            raise Refused(f"{record} does not exist.", code="record_missing")
        body, row = found
        differing = {
            n: v for n, v in columns.items() if n not in row.columns or row.columns[n] != v
        }
        if not differing:
            return row
        content = orjson.dumps(await self._wire(table, differing))
        path = f"/data/{table.entity_set}({await self._key(table, body)})?{_CROSS_COMPANY}"
        headers = {
            "Content-Type": "application/json",
            "If-Match": str(body.get("@odata.etag", "*")),
        }
        await self._endpoint.call("write", "PATCH", path, headers=headers, content=content)
        after = await self._find(table, finance, record)
        if after is None:
            raise Refused(
                f"{record} was deleted right after it was written.", code="record_missing"
            )
        return after[1]

    async def columns_of(self, table: str) -> Mapping[str, Property]:
        """The entity's properties by name in lower case, for checks; enums are compared too."""
        return (await self._metadata.of(self._table(table)[0])).properties

    def _table(self, name: str) -> tuple[Table, Finance]:
        table = self._catalogue.get(name)
        if table is None or table.finance is None:
            raise Misconfigured(
                f"The table {name} is not declared as one of finance and operations.",
                code="table_undeclared",
                advice=f"Add it to {setting_names.TABLES_FILE} with system: finance.",
            )
        return table, table.finance

    async def _find(
        self, table: Table, finance: Finance, record: RecordRef
    ) -> tuple[Mapping[str, Any], Row] | None:
        """The row and what of it is declared; None when there is none."""
        path = await self._query(table, finance, record)
        asked_ms = self._now_ms()
        found = _rows((await self._endpoint.call("read", "GET", path)).body)
        same = [body for body in found if record_of(table, body) == record]
        if not same:
            return None
        if len(same) > 1:
            raise Refused(
                f"{record} names several rows of {table.entity_set}.",
                code="record_not_unique",
                advice=f"Add what tells them apart to key in {setting_names.TABLES_FILE}.",
            )
        as_of_ms = whole_second(asked_ms)
        return same[0], Row(columns_of(table, same[0]), None, as_of_ms, read_ms=asked_ms)

    async def _query(self, table: Table, finance: Finance, record: RecordRef) -> str:
        parts = natural_parts(record.id)
        named = dict(zip(_key_columns(finance), parts or (), strict=False))
        if parts is None or len(parts) != len(_key_columns(finance)):
            raise Refused(
                f"{record} does not name a row by the key of {table.name}.",
                code="record_missing",
                advice=f"Has the key in {setting_names.TABLES_FILE} changed?",
            )
        conditions, names = [], []
        for name in finance.key:
            declared = await self._metadata.property_of(table, name)
            conditions.append(f"{declared.name} eq {literal(table, name, named[name], declared)}")
        for name in table.columns:
            names.append((await self._metadata.property_of(table, name)).name)
        names += [p.name for p in (await self._metadata.of(table)).key if p.name not in names]
        top = "" if _WILDCARD in record.id or "%2a" in record.id else "&$top=2"
        where, select = quote(" and ".join(conditions), safe="'"), ",".join(names)
        return f"/data/{table.entity_set}?{_CROSS_COMPANY}&$filter={where}&$select={select}{top}"

    async def _key(self, table: Table, body: Mapping[str, Any]) -> str:
        """The entity's own key, which may have more parts than the one that we declare."""
        parts = []
        for declared in (await self._metadata.of(table)).key:
            text = key_literal(body.get(declared.name), declared)
            parts.append(f"{declared.name}={quote(text, safe=chr(39))}")
        return ",".join(parts)

    async def _wire(self, table: Table, columns: Mapping[str, ColumnValue]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for name, value in columns.items():
            if name not in table.columns:
                raise Misconfigured(
                    f"The column {table.name}.{name} is not declared.",
                    code="column_undeclared",
                    advice=f"Add it to {setting_names.TABLES_FILE}.",
                )
            declared = await self._metadata.property_of(table, name)
            if not declared.writable:
                raise Misconfigured(
                    f"{table.entity_set}.{declared.name} cannot be written through OData.",
                    code="column_read_only",
                    advice="Take it out of the rule; finance and operations decide it themselves.",
                )
            content[declared.name] = wire_value(table, name, value, declared)
        return content


def _key_columns(finance: Finance) -> tuple[str, ...]:
    """What the parts of an id are: the company always comes first."""
    return (COMPANY, *(name for name in finance.key if name != COMPANY))


def _rows(body: Any) -> list[Mapping[str, Any]]:
    found = body.get("value") if isinstance(body, dict) else None
    if not isinstance(found, list):
        raise Unavailable("Finance and operations answered without rows.", code="answer_incomplete")
    return [row for row in found if isinstance(row, dict)]
