"""``$batch``: many requests in one multipart body, change sets all or nothing."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus

from starlette.datastructures import Headers

from app.sandbox.finance.api import DATA_PATH, Answer, Asked
from app.sandbox.finance.errors import Refusal
from app.sandbox.finance.store import Store

CRLF = "\r\n"
MAX_OPERATIONS = 1000
_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)"?')
_REQUEST_LINE = re.compile(r"(\w+) (\S+) HTTP/1\.1\s*")

Ask = Callable[[Asked], Answer]
Encode = Callable[[Answer], tuple[bytes, dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One inner request as it was written."""

    method: str
    url: str
    headers: Headers
    body: str
    content_id: str | None


class _Failed(Exception):
    """Ends a change set so that its transaction is undone."""

    def __init__(self, part: str) -> None:
        super().__init__("failed")
        self.part = part


class Batch:
    """Answers ``POST /data/$batch``; ``ask`` is the API, ``encode`` makes bytes of its answers."""

    def __init__(self, store: Store, ask: Ask, encode: Encode) -> None:
        self._store = store
        self._ask = ask
        self._encode = encode

    def answer(self, asked: Asked) -> Answer:
        """200 with a part for each operation; stops at the first failure unless told to go on."""
        if asked.method != "POST":
            raise Refusal.method(asked.method)
        text = asked.body.decode("utf-8", "replace")
        items = _items(text, asked.headers.get("content-type", ""))
        if sum(len(item) if isinstance(item, list) else 1 for item in items) > MAX_OPERATIONS:
            raise Refusal.query(f"The batch has more than {MAX_OPERATIONS} operations.")
        go_on = "odata.continue-on-error" in asked.headers.get("prefer", "")
        parts: list[str] = []
        for item in items:
            part, failed = self._item(asked, item)
            parts.append(part)
            if failed and not go_on:
                break
        boundary = f"batchresponse_{uuid.uuid4()}"
        kind = {"Content-Type": f"multipart/mixed; boundary={boundary}"}
        return Answer(200, _joined(parts, boundary).encode(), kind)

    def _item(self, outer: Asked, item: Operation | list[Operation]) -> tuple[str, bool]:
        if isinstance(item, Operation):
            return self._asked(outer, item)
        boundary = f"changesetresponse_{uuid.uuid4()}"
        try:
            with self._store.transaction():
                parts = [self._in_change_set(outer, operation) for operation in item]
        except _Failed as failed:
            return failed.part, True
        head = f"Content-Type: multipart/mixed; boundary={boundary}{CRLF}{CRLF}"
        return head + _joined(parts, boundary), False

    def _in_change_set(self, outer: Asked, operation: Operation) -> str:
        if operation.method == "GET":
            refusal = Refusal.query("A change set cannot hold a query (GET).")
            raise _Failed(self._part(_refused(refusal), operation.content_id))
        part, failed = self._asked(outer, operation)
        if failed:
            raise _Failed(part)
        return part

    def _asked(self, outer: Asked, operation: Operation) -> tuple[str, bool]:
        try:
            answer = self._ask(_inner(outer, operation))
        except Refusal as refusal:
            answer = _refused(refusal)
        return self._part(answer, operation.content_id), answer.status >= 400

    def _part(self, answer: Answer, content_id: str | None) -> str:
        body, headers = self._encode(answer)
        own = [f"Content-ID: {content_id}"] if content_id else []
        lines = [
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            *own,
            "",
            f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
            *(f"{name}: {value}" for name, value in headers.items()),
            "",
            body.decode(),
        ]
        return CRLF.join(lines)


def _refused(refusal: Refusal) -> Answer:
    return Answer(refusal.status, refusal.body())


def _joined(parts: list[str], boundary: str) -> str:
    return "".join(f"--{boundary}{CRLF}{part}{CRLF}" for part in parts) + f"--{boundary}--{CRLF}"


def _inner(outer: Asked, operation: Operation) -> Asked:
    path, _, query = operation.url.partition("?")
    path = path.partition(DATA_PATH)[2] if f"{DATA_PATH}/" in path else f"/{path.lstrip('/')}"
    if path.startswith("/$batch"):
        raise Refusal.query("A batch cannot hold a batch.")
    return replace(
        outer,
        method=operation.method,
        path=path,
        query=query,
        headers=operation.headers,
        body=operation.body.encode(),
    )


def _items(text: str, content_type: str) -> list[Operation | list[Operation]]:
    items: list[Operation | list[Operation]] = []
    for headers, content in _split(text, content_type):
        kind = headers.get("content-type", "")
        if kind.startswith("multipart/mixed"):
            items.append([_operation(h, c) for h, c in _split(content, kind)])
        else:
            items.append(_operation(headers, content))
    return items


def _split(text: str, content_type: str) -> list[tuple[Headers, str]]:
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise Refusal.query("A batch needs Content-Type: multipart/mixed with a boundary.")
    delimiter = re.escape(f"--{match[1]}")
    if not re.search(rf"^{delimiter}--\s*$", text, re.MULTILINE):
        raise Refusal.query(f"The batch does not end with '--{match[1]}--'.")
    chunks = re.split(rf"^{delimiter}(?:--)?[ \t]*\r?$\n?", text, flags=re.MULTILINE)
    return [_headed(chunk) for chunk in chunks[1:] if chunk.strip()]


def _headed(chunk: str) -> tuple[Headers, str]:
    """Header lines up to the first empty line, and what follows."""
    head, _, content = chunk.replace("\r\n", "\n").lstrip("\n").partition("\n\n")
    pairs = (line.partition(":") for line in head.split("\n") if ":" in line)
    return Headers({name.strip(): value.strip() for name, _, value in pairs}), content


def _operation(headers: Headers, content: str) -> Operation:
    request_line, _, rest = content.lstrip("\n").partition("\n")
    match = _REQUEST_LINE.fullmatch(request_line)
    if match is None:
        raise Refusal.query(f"'{request_line.strip()}' is no request line.")
    inner, body = _headed(rest) if rest.strip() else (Headers({}), "")
    return Operation(match[1].upper(), match[2], inner, body.strip(), headers.get("content-id"))
