"""Dataverse Web API v9.2 as ``streams.ports.DynamicsGateway`` (reference/dataverse.md 2).

Rows are read with all declared columns; writes name the columns they set, carry our ``tag`` so
that their echo is recognised, and bring the row back. ``write_columns`` never creates a row;
``upsert`` and ``upsert_by_key`` may. A write whose answer was lost is looked for before it is sent
again, so that nothing is written twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from app.clients import setting_names
from app.clients.dynamics.bodies import key_path, write_body
from app.clients.dynamics.metadata import ColumnDefinition, Metadata, TableDefinition
from app.clients.dynamics.status import DATAVERSE
from app.clients.dynamics.values import LOOKUP_TABLE, row_of, select_name
from app.clients.http import Answer, Endpoint, Observer, Timeouts
from app.clients.sign_in import SignIn
from streams.catalogue import Catalogue, ColumnValue, Table
from streams.errors import Conflict, Misconfigured, Refused, Unavailable
from streams.ports import Row
from tables.keys import RecordRef, normal_guid

_API = "/api/data/v9.2"
_HEADERS = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
}
_ANNOTATIONS = f'odata.include-annotations="{LOOKUP_TABLE}"'
#: If-None-Match: no cache on the way may answer for the service (reference/dataverse.md 2.2).
_READING = {"Prefer": _ANNOTATIONS, "If-None-Match": "null"}
_STAMPS = ("versionnumber", "modifiedon")
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.I)


@dataclass(frozen=True, slots=True)
class Upserted:
    """The row after an upsert, and whether it is new."""

    record: RecordRef
    row: Row
    created: bool


class DataverseGateway:
    """One environment. ``base_url`` is ``https://<org>.crm4.dynamics.com``.

    Every method raises only ``streams.errors``; a call is repeated here after a 401 (once) and in
    ``update_unchanged`` after a 412 (bounded), never else.
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
    ) -> None:
        self._endpoint = Endpoint(
            system="dynamics",
            base_url=f"{base_url.rstrip('/')}{_API}",
            url_setting=setting_names.DATAVERSE_URL,
            client=client,
            table=DATAVERSE,
            sign_in=tokens,
            observer=observer,
            timeouts=timeouts,
            headers=_HEADERS,
        )
        self._catalogue = catalogue
        self._metadata = Metadata(self._endpoint, catalogue)
        self._own_user: str | None = None
        self._in_doubt: set[RecordRef] = set()

    async def read_record(self, record: RecordRef) -> Row | None:
        """Read all declared columns of the record; None when it does not exist."""
        found = await self._read(self._table(record.table), record.id)
        return found[1] if found else None

    async def write_columns(
        self, record: RecordRef, columns: Mapping[str, ColumnValue], *, tag: str
    ) -> Row:
        """Set these columns of an existing record; never creates one.

        Raises Refused: ``record_missing`` when the record is gone, ``lookup_target_missing`` when
        a lookup points to a record that is not there.
        """
        row = await self._found_written(record, columns)
        return row or (await self._patch(record, columns, tag, {"If-Match": "*"}))[1]

    async def update_unchanged(
        self,
        record: RecordRef,
        compute: Callable[[Row], Mapping[str, ColumnValue]],
        *,
        tag: str,
        attempts: int = 3,
    ) -> Row:
        """Write what ``compute`` makes of the row, provided that nobody writes in between.

        When somebody does, the row is read again and computed anew; after ``attempts`` Conflict is
        raised. Nothing is written when ``compute`` returns nothing.
        """
        for attempt in range(1, attempts + 1):
            found = await self._read(self._table(record.table), record.id)
            if found is None:
                raise _missing(record)
            etag, row = found
            columns = compute(row)
            if not columns:
                return row
            try:
                return (await self._patch(record, columns, tag, {"If-Match": etag}))[1]
            except Conflict:
                if attempt == attempts:
                    raise
        raise ValueError("attempts must be at least 1")

    async def upsert(
        self, record: RecordRef, columns: Mapping[str, ColumnValue], *, tag: str
    ) -> Upserted:
        """Set these columns; the row is created under this id when it does not exist.

        ``created`` is False for a row that an earlier attempt made whose answer was lost.
        """
        if row := await self._found_written(record, columns):
            return Upserted(record, row, created=False)
        answer, row = await self._patch(record, columns, tag, {})
        return Upserted(record, row, answer.status == 201)

    async def upsert_by_key(
        self,
        table: str,
        key: Mapping[str, ColumnValue],
        columns: Mapping[str, ColumnValue],
        *,
        tag: str,
    ) -> Upserted:
        """Set these columns of the row with this alternate key; it is created when there is none.

        Two callers may create at once: the later one is told of a duplicate, and then updates.
        """
        declared = self._table(table)
        path = key_path(declared, key)
        rest = {name: value for name, value in columns.items() if name not in key}
        try:
            answer = await self._send_patch(declared, path, rest, tag, {})
        except Refused as refused:
            if refused.code != "duplicate_key":
                raise
            answer = await self._send_patch(declared, path, rest, tag, {})
        found = await self._row_after(declared, path, answer)
        made = RecordRef(declared.name, normal_guid(str(found.get(declared.primary_id, ""))))
        return Upserted(made, row_of(declared, found), answer.status == 201)

    async def own_user(self) -> str:
        """The id of our application user: who writes our echoes. Asked once."""
        if self._own_user is None:
            try:
                body = (await self._endpoint.call("who_am_i", "GET", "/WhoAmI")).body
            except Refused as refusal:  # who does not know this question is no Web API
                advice = f"Correct {setting_names.DATAVERSE_URL}: no Web API answers there."
                raise Misconfigured(refusal.message, code=refusal.code, advice=advice) from None
            if not isinstance(body, dict) or not body.get("UserId"):
                raise Unavailable("Dataverse did not say who we are.", code="answer_incomplete")
            self._own_user = normal_guid(str(body["UserId"]))
        return self._own_user

    async def columns_of(self, table: str) -> Mapping[str, ColumnDefinition]:
        """The table's columns by logical name, for ``dovetail check``."""
        return await self._metadata.columns(table)

    async def lengths_of(self, table: str) -> Mapping[str, int]:
        """How many characters each text of the table may have, by logical name, for checks."""
        return await self._metadata.lengths(table)

    async def definition_of(self, table: str) -> TableDefinition:
        """The table's set, primary id, change tracking and alternate keys, for checks."""
        return await self._metadata.table(table)

    def _table(self, name: str) -> Table:
        table = self._catalogue.get(name)
        if table is None:
            raise Misconfigured(
                f"The table {name} is not declared.",
                code="table_undeclared",
                advice=f"Add it to {setting_names.TABLES_FILE}.",
            )
        return table

    async def _read(self, table: Table, key: str) -> tuple[str, Row] | None:
        path = f"/{table.entity_set}({key})?$select={await self._select(table)}"
        try:
            answer = await self._endpoint.call("read", "GET", path, headers=_READING)
        except Refused as refused:
            if refused.code in ("record_missing", "key_not_found"):
                return None
            raise
        body = _object(answer.body)
        return str(body.get("@odata.etag", "")), row_of(table, body)

    async def _patch(
        self,
        record: RecordRef,
        columns: Mapping[str, ColumnValue],
        tag: str,
        condition: Mapping[str, str],
    ) -> tuple[Answer, Row]:
        table = self._table(record.table)
        try:
            answer = await self._send_patch(table, record.id, columns, tag, condition)
            body = await self._row_after(table, record.id, answer)
        except Refused as refused:
            raise _about(record, refused) from refused
        except Unavailable:
            self._in_doubt.add(record)
            raise
        self._in_doubt.discard(record)
        return answer, row_of(table, body)

    async def _found_written(
        self, record: RecordRef, columns: Mapping[str, ColumnValue]
    ) -> Row | None:
        """The row when a write whose answer was lost has been done; None when it is to be sent."""
        if record not in self._in_doubt:
            return None
        row = await self.read_record(record)
        if row is None or any(row.columns.get(n, ...) != v for n, v in columns.items()):
            return None
        self._in_doubt.discard(record)
        return row

    async def _send_patch(
        self,
        table: Table,
        key: str,
        columns: Mapping[str, ColumnValue],
        tag: str,
        condition: Mapping[str, str],
    ) -> Answer:
        select = await self._select(table)
        path = f"/{table.entity_set}({key})?$select={select}&tag={quote(tag, safe='')}"
        headers = {
            "Content-Type": "application/json",
            "Prefer": f"return=representation,{_ANNOTATIONS}",
            **condition,
        }
        content = orjson.dumps(await write_body(self._metadata, table, columns))
        return await self._endpoint.call("write", "PATCH", path, headers=headers, content=content)

    async def _row_after(self, table: Table, key: str, answer: Answer) -> Mapping[str, Any]:
        """The row that the write brought back; a server that brings none is asked for it."""
        if isinstance(answer.body, dict):
            return answer.body
        path = f"/{table.entity_set}({key})?$select={await self._select(table)}"
        again = await self._endpoint.call("read", "GET", path, headers=_READING)
        return _object(again.body)

    async def _select(self, table: Table) -> str:
        names = [select_name(name, column) for name, column in table.columns.items()]
        known = await self._metadata.columns(table.name)
        stamps = [name for name in _STAMPS if name in known and name not in table.columns]
        return ",".join([*names, *stamps])


def _object(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise Unavailable("Dataverse answered without the row.", code="answer_incomplete")
    return body


def _missing(record: RecordRef) -> Refused:
    return Refused(f"{record} does not exist in Dataverse.", code="record_missing")


def _about(record: RecordRef, refused: Refused) -> Refused:
    """Tell a missing record from a missing target of a lookup: Dataverse has one code for both."""
    if refused.code != "record_missing":
        return refused
    named = {found.lower() for found in _GUID.findall(refused.message)}
    if named and record.id not in named:
        return Refused(
            f"{record} cannot point to a record that does not exist: {refused.message}",
            code="lookup_target_missing",
        )
    return Refused(f"{record} does not exist: {refused.message}", code="record_missing")
