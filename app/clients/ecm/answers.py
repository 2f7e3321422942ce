"""Reading Content Server's answers: envelopes, pages, and how requests are encoded.

reference/extended-ecm.md 0 and 9.1: a body is a flat form (F), or one form field ``body`` that
holds JSON (B); there are no JSON bodies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from app.clients.http import Endpoint, Form
from streams.errors import Unavailable

#: The largest page that workspace lists give.
PAGE_SIZE = 100
#: No list that we read is longer than this many pages; a server that repeats itself is cut off.
_MOST_PAGES = 200

Properties = Mapping[str, Any]


def body_form(value: Mapping[str, Any]) -> Form:
    """Encoding (B): one form field ``body`` with JSON in it."""
    return {"body": json.dumps(value, ensure_ascii=False, separators=(",", ":"))}


def query(**parameters: str | int) -> str:
    """A query string with its question mark."""
    return f"?{urlencode(parameters)}"


def rows(body: Any) -> list[Mapping[str, Any]]:
    """The items of a list answer, each as its ``data``; [] for a list that is empty or missing."""
    results = body.get("results") if isinstance(body, dict) else None
    if isinstance(results, dict):
        results = results.get("data", results)
    if isinstance(results, dict):
        results = [results]
    if not isinstance(results, list):
        return []
    return [item.get("data", item) for item in results if isinstance(item, dict)]


def properties(body: Any) -> list[Properties]:
    """The ``properties`` of every item of a list answer."""
    found = (row.get("properties") for row in rows(body))
    return [item for item in found if isinstance(item, dict)]


def one(body: Any, what: str) -> Mapping[str, Any]:
    """The ``data`` of a single-item answer; Unavailable when it is not there."""
    results = body.get("results") if isinstance(body, dict) else None
    data = results.get("data") if isinstance(results, dict) else None
    if not isinstance(data, dict):
        raise Unavailable(f"Content Server answered without {what}.", code="answer_incomplete")
    return data


def number(value: Any) -> int | None:
    """An id: int, or digits in a string (reference/extended-ecm.md 9, Types)."""
    if isinstance(value, bool):
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


async def all_pages(
    endpoint: Endpoint, operation: str, path: str, **where: str
) -> list[Properties]:
    """Every item's properties of a paged list, in either of the two paging shapes."""
    found: dict[int | None, Properties] = {}
    for page in range(1, _MOST_PAGES + 1):
        asked = query(**where, limit=PAGE_SIZE, page=page)
        body = (await endpoint.call(operation, "GET", f"{path}{asked}")).body
        items = {number(item.get("id")): item for item in properties(body)}
        # Pages out of range may repeat the last one.
        if not items or items.keys() <= found.keys():
            break
        found |= items
        if page >= _page_total(body):
            break
    return list(found.values())


def _page_total(body: Any) -> int:
    collection = body.get("collection") or {}
    paging = collection.get("paging") or body.get("paging") or {}
    total = number(paging.get("total_count")) or 0
    limit = number(paging.get("limit")) or PAGE_SIZE
    return number(paging.get("page_total")) or -(-total // limit)
