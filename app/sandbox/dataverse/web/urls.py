"""Requests as the service reads them: path segments with keys, query options, preferences."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.store.commits import Author
from app.sandbox.dataverse.tables.values import as_guid

API_PATH = "/api/data/v9.2"
ROOT = ""
"""The name of the one segment that the address of the API itself has."""

_SEGMENT = re.compile(r"(?P<name>[^()]+)(?:\((?P<key>.*)\))?", re.DOTALL)
_KEY_PART = re.compile(
    r"\s*(?P<name>\w+)\s*=\s*(?P<value>[\w.]*'(?:[^']|'')*'|\[[^\]]*\]|[^,']+)\s*(?:,|$)"
)
"""A part of a key, or a parameter of a function: also a list, or a member of an enumeration."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One step of a path: a name, and in parentheses a guid or the parts of an alternate key."""

    name: str
    guid: str | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_key(self) -> bool:
        return self.guid is not None or bool(self.parts)


@dataclass(frozen=True, slots=True)
class Prefer:
    """What the ``Prefer`` header asks for (reference/dataverse.md 2.2)."""

    representation: bool = False
    page_size: int | None = None
    track_changes: bool = False
    continue_on_error: bool = False
    annotations: tuple[str, ...] = ()

    def wants(self, annotation: str) -> bool:
        return any(fnmatchcase(annotation, pattern) for pattern in self.annotations)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request to the Web API, after sign-in."""

    method: str
    segments: tuple[Segment, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    author: Author
    prefer: Prefer
    base_url: str
    target: str

    def json(self) -> dict[str, Any]:
        """The body as an object. Raises `Refusal` 400."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Refusal.payload(f"The body is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise Refusal.payload("The body is not a JSON object.")
        return value


@dataclass(slots=True)
class Answer:
    """What is answered: status, headers, and a JSON object, text, bytes or nothing."""

    status: int
    body: dict[str, Any] | str | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def parse_path(path: str) -> tuple[Segment, ...]:
    """The segments of a still percent-encoded path. Raises `Refusal` 404 or 400."""
    if not path.strip("/"):
        return (Segment(ROOT),)
    return tuple(_segment(part) for part in _split(path.strip("/")))


def _split(path: str) -> list[str]:
    """At slashes, but not at those in a quoted key."""
    parts, start, quoted = [], 0, False
    decoded = path.replace("%27", "'")
    for position, letter in enumerate(decoded):
        if letter == "'":
            quoted = not quoted
        elif letter == "/" and not quoted:
            parts.append(decoded[start:position])
            start = position + 1
    return [*parts, decoded[start:]]


def _segment(part: str) -> Segment:
    text = unquote(part)
    match = _SEGMENT.fullmatch(text)
    if match is None:
        raise Refusal(404, "", "No HTTP resource was found that matches the request URI.")
    key = match["key"]
    if key is None:
        return Segment(match["name"])
    if guid := as_guid(key.strip()):
        return Segment(match["name"], guid=guid)
    return Segment(match["name"], parts=_key_parts(key) if key else {})


def _key_parts(key: str) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    position = 0
    while position < len(key):
        match = _KEY_PART.match(key, position)
        if match is None:
            raise Refusal.bad_query(f"Bad Request - Error in query syntax in key '({key})'.")
        parts[match["name"]] = literal(match["value"].strip())
        position = match.end()
    return parts


def literal(text: str) -> Any:
    """A literal of a key or filter: quoted text, null, a boolean, a number, else as it stands."""
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text in ("null", "true", "false"):
        return {"null": None, "true": True, "false": False}[text]
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def parse_query(query: str) -> dict[str, str]:
    """Options by name. Raises `Refusal` 400 for one of OData's that comes twice."""
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.startswith("$") and name in options:
            raise Refusal.bad_query(
                f"Query option '{name}' was specified more than once, but it must be specified at "
                "most once."
            )
        options[name] = value
    return options


def parse_prefer(header: str) -> Prefer:
    items: dict[str, str] = {}
    for match in re.finditer(r"([\w.\-]+)\s*(?:=\s*(\"[^\"]*\"|[^,;]*))?", header):
        items[match[1].lower()] = (match[2] or "").strip().strip('"')
    size = items.get("odata.maxpagesize", "")
    return Prefer(
        representation=items.get("return") == "representation",
        page_size=int(size) if size.isdigit() and int(size) > 0 else None,
        track_changes="odata.track-changes" in items,
        continue_on_error="odata.continue-on-error" in items,
        annotations=tuple(
            pattern.strip()
            for pattern in items.get("odata.include-annotations", "").split(",")
            if pattern.strip()
        ),
    )


def annotations_applied(prefer: Prefer) -> list[str]:
    """What ``Preference-Applied`` says of annotations."""
    wanted = ",".join(prefer.annotations)
    return [f'odata.include-annotations="{wanted}"'] if wanted else []


def link(base_url: str, entity_set: str, options: Mapping[str, str]) -> str:
    """An absolute address with query options, encoded as the service encodes its links."""
    pairs = (f"{name}={quote(value, safe='(),')}" for name, value in options.items())
    return f"{base_url}/{entity_set}?{'&'.join(pairs)}" if options else f"{base_url}/{entity_set}"
