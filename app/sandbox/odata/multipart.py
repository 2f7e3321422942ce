"""The text of a ``$batch``: operations out of a multipart body, answers into one (OData 4.0, 11.7).

Structure is read as latin-1, which keeps every byte; request lines and headers are UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers

CRLF = "\r\n"
_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^";,\s]+))', re.IGNORECASE)
_REQUEST_LINE = re.compile(r"(\w+) (.+?) HTTP/1\.1\s*")


class Unreadable(ValueError):
    """A body that is no batch; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One inner request as it was written."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    content_id: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of an operation."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def failed(self) -> bool:
        return self.status >= 400


Item = Operation | list[Operation]
"""An operation on its own, or those of a change set."""


def read(body: bytes, content_type: str, *, only_crlf: bool) -> list[Item]:
    """Raises `Unreadable`; also for bare line feeds, when lines may end ``only_crlf``."""
    text = body.decode("latin-1")
    if not only_crlf:
        text = _with_crlf(text)
    items: list[Item] = []
    for headers, content in _split(text, content_type):
        kind = headers.get("content-type", "")
        if kind.lower().startswith("multipart/mixed"):
            items.append([_operation(h, c) for h, c in _split(content, kind)])
        else:
            items.append(_operation(headers, content))
    return items


def part(answered: Answered, content_id: str | None) -> bytes:
    """One part of an answer."""
    own = [f"Content-ID: {content_id}"] if content_id else []
    lines = [
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        *own,
        "",
        f"HTTP/1.1 {answered.status} {HTTPStatus(answered.status).phrase}",
        *(f"{name}: {value}" for name, value in answered.headers.items()),
        "",
        "",
    ]
    return CRLF.join(lines).encode() + answered.body


def joined(parts: Iterable[bytes], boundary: str) -> bytes:
    """A whole multipart body."""
    start, end = f"--{boundary}{CRLF}".encode(), f"--{boundary}--{CRLF}".encode()
    return b"".join(start + part + CRLF.encode() for part in parts) + end


def nested(parts: Iterable[bytes], boundary: str) -> bytes:
    """The answers of a change set as one part of the batch's answer."""
    head = f"Content-Type: multipart/mixed; boundary={boundary}{CRLF}{CRLF}"
    return head.encode() + joined(parts, boundary)


def _with_crlf(text: str) -> str:
    return re.sub(r"(?<!\r)\n", CRLF, text)


def _split(text: str, content_type: str) -> list[tuple[Headers, str]]:
    """The parts between the delimiters; what stands before the first or after the last is none."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise Unreadable("A batch needs Content-Type: multipart/mixed with a boundary.")
    delimiter = f"--{match[1] or match[2]}"
    chunks: list[str] = []
    start: int | None = None
    for found in re.finditer(rf"^{re.escape(delimiter)}(--)?[ \t]*(\r?\n|\Z)", text, re.MULTILINE):
        if found[2] == "\n" and not found[1]:
            raise _bare_line_feed(delimiter)
        if start is not None:
            chunks.append(text[start : found.start()].removesuffix(CRLF))
        if found[1]:
            return [_headed(chunk.lstrip(CRLF)) for chunk in chunks if chunk.strip()]
        start = found.end()
    raise Unreadable(f"The batch does not end with '{delimiter}--'.")


def _headed(chunk: str) -> tuple[Headers, str]:
    """Header lines up to the first empty line, and what follows."""
    if chunk.startswith(CRLF):
        return Headers({}), chunk.removeprefix(CRLF)
    head, _, content = chunk.partition(2 * CRLF)
    if "\n" in head.replace(CRLF, ""):
        raise _bare_line_feed(head.splitlines()[0])
    pairs = (line.partition(":") for line in _utf8(head).split(CRLF) if ":" in line)
    return Headers({name.strip(): value.strip() for name, _, value in pairs}), content


def _operation(headers: Headers, content: str) -> Operation:
    request_line, _, rest = content.lstrip(CRLF).partition(CRLF)
    match = _REQUEST_LINE.fullmatch(_utf8(request_line))
    if match is None:
        raise Unreadable(f"'{_utf8(request_line).strip()}' is no request line.")
    inner, body = _headed(rest)
    return Operation(
        match[1].upper(), match[2], inner, body.encode("latin-1"), headers.get("content-id")
    )


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "replace")


def _bare_line_feed(line: str) -> Unreadable:
    return Unreadable(
        f"The line after '{line}' begins with a bare line feed; lines of a batch end with CRLF."
    )
