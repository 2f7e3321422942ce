"""``$batch``: many requests in one, change sets all or nothing (reference/dataverse.md 2.8)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from starlette.datastructures import Headers

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.web.callers import marked
from app.sandbox.dataverse.web.privileges import BYPASS, Privileges
from app.sandbox.dataverse.web.urls import (
    API_PATH,
    Answer,
    ApiRequest,
    parse_path,
    parse_prefer,
    parse_query,
)

CRLF = "\r\n"
MAX_OPERATIONS = 1000
IN_URL = re.compile(r"^(?P<before>)/?\$(?P<id>\d+)(?=[/?]|$)")
IN_BODY = re.compile(r'(?P<before>"[^"]*@odata\.(?:bind|id)"\s*:\s*")/?\$(?P<id>\d+)(?=["/])')

Ask = Callable[[ApiRequest], Answer]
Encode = Callable[[Answer], tuple[bytes, dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One inner request as it was written."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str
    content_id: str | None


class _Failed(Exception):
    """Ends a change set so that its transaction is undone."""

    def __init__(self, answer: Answer, content_id: str | None) -> None:
        super().__init__(answer.status)
        self.answer = answer
        self.content_id = content_id


class Batch:
    """Answers ``POST /$batch``; ``ask`` is the API itself, ``encode`` makes bytes of an answer."""

    def __init__(self, store: Store, ask: Ask, encode: Encode, privileges: Privileges) -> None:
        self._store = store
        self._ask = ask
        self._encode = encode
        self._privileges = privileges

    def answer(self, request: ApiRequest) -> Answer:
        """200 with one part for each operation; 400 with the first failure, unless told to go on.

        Raises `Refusal` 400 for what is no multipart body or has too many operations.
        """
        if request.method != "POST":
            raise Refusal.method(request.method)
        text = request.body.decode("utf-8", "replace")
        items = _parse(text, request.headers.get("content-type", ""))
        if sum(len(item) if isinstance(item, list) else 1 for item in items) > MAX_OPERATIONS:
            raise Refusal.invalid_argument(
                f"The batch has more than {MAX_OPERATIONS} operations; send several."
            )
        boundary, parts, status = f"batchresponse_{uuid.uuid4()}", [], 200
        for item in items:
            part, failed = self._item(request, item)
            parts.append(part)
            if failed and not request.prefer.continue_on_error:
                status = 400
                break
        headers = {"Content-Type": f"multipart/mixed; boundary={boundary}"}
        return Answer(status, _joined(parts, boundary), headers)

    def _item(self, outer: ApiRequest, item: Operation | list[Operation]) -> tuple[str, bool]:
        if isinstance(item, list):
            return self._change_set(outer, item)
        answer = self._asked(outer, item, {})
        return self._part(answer, item.content_id), answer.status >= 400

    def _change_set(self, outer: ApiRequest, operations: list[Operation]) -> tuple[str, bool]:
        boundary = f"changesetresponse_{uuid.uuid4()}"
        try:
            with self._store.transaction():
                parts = self._in_order(outer, operations)
        except _Failed as failed:
            return self._part(failed.answer, failed.content_id), True
        head = f"Content-Type: multipart/mixed; boundary={boundary}{CRLF}{CRLF}"
        return head + _joined(parts, boundary), False

    def _in_order(self, outer: ApiRequest, operations: list[Operation]) -> list[str]:
        _check_content_ids(operations)
        parts, known = [], dict[str, str]()
        for operation in operations:
            if operation.method == "GET":
                refusal = Refusal.bad_query("A change set cannot hold a query (GET).")
                answer = Answer(refusal.status, refusal.body())
            else:
                answer = self._asked(outer, operation, known)
            if answer.status >= 400:
                raise _Failed(answer, operation.content_id)
            if operation.content_id and (address := answer.headers.get("OData-EntityId")):
                known[operation.content_id] = address
            parts.append(self._part(answer, operation.content_id))
        return parts

    def _asked(self, outer: ApiRequest, operation: Operation, known: dict[str, str]) -> Answer:
        try:
            inner = _inner(outer, operation, known)
            if inner.author.bypass or inner.author.bypass_steps:
                self._privileges.require(inner.author.initiating_user_id, BYPASS)
            return self._ask(inner)
        except Refusal as refusal:
            return Answer(refusal.status, refusal.body())

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


def _check_content_ids(operations: list[Operation]) -> None:
    """Raises `_Failed` unless each operation of a change set has a Content-ID of its own."""
    ids = [operation.content_id for operation in operations]
    if None in ids:
        text = "The Content-ID header is missing from an operation of the change set."
    elif len(set(ids)) < len(ids):
        text = "The content IDs of a change set have to be unique across all its operations."
    else:
        return
    raise _Failed(Answer(400, Refusal.bad_query(text).body()), None)


def _joined(parts: list[str], boundary: str) -> str:
    return "".join(f"--{boundary}{CRLF}{part}{CRLF}" for part in parts) + f"--{boundary}--{CRLF}"


def _inner(outer: ApiRequest, operation: Operation, known: Mapping[str, str]) -> ApiRequest:
    """An inner request as the API reads one. Raises `Refusal` for a reference to nothing."""
    url = _resolved(IN_URL, operation.url, known)
    path, _, query = url.partition("?")
    if API_PATH in path:
        path = path.partition(API_PATH)[2]
    if path.strip("/").startswith("$batch"):
        raise Refusal.bad_query("A batch cannot hold a batch.")
    options = parse_query(query)
    prefer = parse_prefer(operation.headers.get("prefer", ""))
    return replace(
        outer,
        method=operation.method,
        segments=parse_path(path),
        query=options,
        headers=operation.headers,
        body=_resolved(IN_BODY, operation.body, known).encode(),
        author=marked(
            replace(outer.author, tag=options.get("tag", outer.author.tag)), operation.headers
        ),
        prefer=prefer,
        target=url,
    )


def _resolved(pattern: re.Pattern[str], text: str, known: Mapping[str, str]) -> str:
    """``$1`` of an earlier operation as its address, where ``pattern`` lets references stand."""

    def address(match: re.Match[str]) -> str:
        if match["id"] not in known:
            raise Refusal.bad_query(
                f"Content-ID Reference: '${match['id']}' does not exist in the batch context."
            )
        return f"{match['before']}{known[match['id']]}"

    return pattern.sub(address, text)


def _parse(text: str, content_type: str) -> list[Operation | list[Operation]]:
    items: list[Operation | list[Operation]] = []
    for headers, content in _split(text, content_type):
        kind = headers.get("content-type", "")
        if kind.startswith("multipart/mixed"):
            items.append([_operation(h, c) for h, c in _split(content, kind)])
        else:
            items.append(_operation(headers, content))
    return items


def _split(text: str, content_type: str) -> list[tuple[Headers, str]]:
    match = re.search(r'boundary="?([^";,\s]+)"?', content_type)
    if match is None:
        raise Refusal.bad_query("A batch needs Content-Type: multipart/mixed with a boundary.")
    delimiter = re.escape(f"--{match[1]}")
    if not re.search(rf"^{delimiter}--\s*$", text, re.MULTILINE):
        raise Refusal.bad_query(f"The batch does not end with '--{match[1]}--'.")
    if re.search(rf"^{delimiter}[ \t]*\n", text, re.MULTILINE):
        raise _bare_line_feed(f"--{match[1]}")
    chunks = re.split(rf"^{delimiter}(?:--)?[ \t]*\r?$\n?", text, flags=re.MULTILINE)
    return [_headed(chunk.lstrip("\r\n")) for chunk in chunks[1:] if chunk.strip()]


def _headed(chunk: str) -> tuple[Headers, str]:
    """Header lines up to the first empty line, and what follows."""
    if chunk.startswith(CRLF):
        return Headers({}), chunk.removeprefix(CRLF)
    head, _, content = chunk.partition(2 * CRLF)
    if "\n" in head.replace(CRLF, ""):
        raise _bare_line_feed(head.splitlines()[0])
    pairs = (line.partition(":") for line in head.split(CRLF) if ":" in line)
    return Headers({name.strip(): value.strip() for name, _, value in pairs}), content


def _bare_line_feed(line: str) -> Refusal:
    return Refusal.bad_query(
        f"The line after '{line}' begins with a bare line feed; lines of a batch end with CRLF."
    )


def _operation(headers: Headers, content: str) -> Operation:
    request_line, _, rest = content.lstrip(CRLF).partition(CRLF)
    match = re.fullmatch(r"(\w+) (.+?) HTTP/1\.1\s*", request_line)
    if match is None:
        raise Refusal.bad_query(f"'{request_line.strip()}' is no request line.")
    inner, body = _headed(rest)
    return Operation(match[1].upper(), match[2], inner, body.strip(), headers.get("content-id"))
