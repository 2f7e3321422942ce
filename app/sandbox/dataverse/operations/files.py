"""File columns: upload whole or in chunks, download, delete (reference/dataverse.md 2.3).

The protocol is the one that Microsoft's Dataverse client speaks: a PATCH with the bytes and
``x-ms-file-name``, or a PATCH with ``x-ms-transfer-mode: chunked``, which answers a ``Location``
with a session token, and one PATCH there for each ``Content-Range``: 206, and 204 for the last.
"""

from __future__ import annotations

import base64
import re
import uuid
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.operations.rows import RowsApi
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.store.state import StoredFile
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Column, Table
from app.sandbox.dataverse.web.urls import Answer, ApiRequest

SMALL = 128 * 1024 * 1024
CHUNK = 4 * 1024 * 1024
BINARY = "application/octet-stream"


@dataclass(slots=True)
class _Upload:
    """An upload that is under way; it does not outlive a restart."""

    row_id: str
    column: str
    name: str
    content: bytearray = field(default_factory=bytearray)


class Files:
    """Requests on ``<set>(<key>)/<file column>``."""

    def __init__(self, store: Store, rows: RowsApi) -> None:
        self._store = store
        self._rows = rows
        self._uploads: dict[str, _Upload] = {}

    def answer(
        self, request: ApiRequest, table: Table, row: Row, column: Column, tail: str
    ) -> Answer:
        """Raises `Refusal` 404 for content that is not there, 400 for a chunk out of place."""
        if request.method == "GET":
            return self._download(request, row, column, tail)
        if tail:
            raise Refusal.method(request.method)
        row = self._rows.matching(request, table, row)
        if request.method == "DELETE":
            self._replace(request, table, row, column, None)
            return Answer(204)
        if request.method not in ("PATCH", "PUT"):
            raise Refusal.method(request.method)
        return self._upload(request, table, row, column)

    def _upload(self, request: ApiRequest, table: Table, row: Row, column: Column) -> Answer:
        if token := request.query.get("sessiontoken"):
            return self._chunk(request, table, row, column, token)
        if request.headers.get("if-none-match") == "null" and row.values.get(column.name):
            raise Refusal.already_exists()  # Microsoft's client asks so for an empty column
        name = request.headers.get("x-ms-file-name", request.query.get("x-ms-file-name", ""))
        if not name:
            raise Refusal.payload("The header x-ms-file-name is missing.")
        if request.headers.get("x-ms-transfer-mode", "").lower() == "chunked":
            return self._begin(request, table, row, column, name)
        if len(request.body) > SMALL:
            raise Refusal(413, "0x80048d19", "Content of more than 128 MB is sent in chunks.")
        mime_type = request.headers.get("content-type", BINARY)
        self._replace(request, table, row, column, _stored(name, mime_type, request.body))
        return Answer(204)

    def _begin(
        self, request: ApiRequest, table: Table, row: Row, column: Column, name: str
    ) -> Answer:
        token = uuid.uuid4().hex
        self._uploads[token] = _Upload(row.id, column.name, name)
        path = f"{table.entity_set}({row.id})/{column.name}"
        address = f"{request.base_url}/{path}?sessiontoken={quote(token)}"
        return Answer(200, headers={"Location": address, "x-ms-chunk-size": str(CHUNK)})

    def _chunk(
        self, request: ApiRequest, table: Table, row: Row, column: Column, token: str
    ) -> Answer:
        upload = self._uploads.get(token)
        if upload is None or (upload.row_id, upload.column) != (row.id, column.name):
            raise Refusal.invalid_argument("The session token is not one of this upload.")
        given = request.headers.get("content-range", "")
        match = re.fullmatch(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", given)
        if match is None:
            raise Refusal.invalid_argument(f"'{given}' is no Content-Range.")
        first, last, total = (int(number) for number in match.groups())
        if first != len(upload.content) or last - first + 1 != len(request.body) or last >= total:
            raise Refusal.invalid_argument(f"'{given}' does not continue the upload.")
        upload.content += request.body
        if len(upload.content) < total:
            return Answer(206)
        del self._uploads[token]
        stored = _stored(upload.name, BINARY, bytes(upload.content))
        self._replace(request, table, row, column, stored)
        return Answer(204)

    def _replace(
        self, request: ApiRequest, table: Table, row: Row, column: Column, file: StoredFile | None
    ) -> None:
        """Put a file in the column and forget the one before."""
        files, old = self._store.state.files, str(row.values.get(column.name) or "")
        with self._store.transaction():
            if file is not None:
                files[file.id] = file
                self._store.undoable(lambda: files.__delitem__(file.id))
            if (before := files.pop(old, None)) is not None:
                self._store.undoable(lambda: files.__setitem__(old, before))
            changes = {column.name: None if file is None else file.id}
            self._rows.change(request, table, row, {**changes})

    def _download(self, request: ApiRequest, row: Row, column: Column, tail: str) -> Answer:
        stored = self._store.state.files.get(str(row.values.get(column.name)))
        if stored is None:
            raise Refusal(404, "0x80040217", f"No file is stored in '{column.name}'.")
        if tail == "$value":
            headers = {
                "Content-Type": BINARY,
                "x-ms-file-name": quote(stored.name),
                "x-ms-file-size": str(len(stored.content)),
                "mimetype": stored.mime_type,
            }
            return _part(stored.content, request.headers.get("range", ""), headers)
        context = f"{request.base_url}/$metadata#Edm.Binary"
        value = base64.b64encode(stored.content).decode()
        return Answer(200, {"@odata.context": context, "value": value})


def _part(content: bytes, wanted: str, headers: dict[str, str]) -> Answer:
    """The whole content, or 206 with the bytes of a ``Range``. Raises `Refusal` 416."""
    match = re.fullmatch(r"bytes=(\d{1,15})-(\d{0,15})(?:/\d+)?", wanted.strip())
    if match is None:
        return Answer(200, content, headers)
    first, last = int(match[1]), int(match[2] or len(content))
    if first >= len(content) or last < first:
        raise Refusal(416, "0x80040203", f"'{wanted}' is no part of {len(content)} bytes.")
    part = content[first : last + 1]
    given = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
    return Answer(206, part, {**headers, "Content-Range": given})


def _stored(name: str, mime_type: str, content: bytes) -> StoredFile:
    return StoredFile(str(uuid.uuid4()), unquote(name), mime_type, content)
