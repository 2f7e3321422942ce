"""How an answer that is not a success becomes one of ``streams.errors``: by one table per system.

A table is an ordered list of rows; the first that matches decides. What a row may look at is the
HTTP status, the system's own error code, its text, and whether the answer was JSON at all. Codes
come from the rows, so the list of codes is closed.
"""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from app.clients.redaction import secrets_seen
from streams.errors import DovetailError, Retryable

_LONGEST_TEXT = 400


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer reduced to what tables look at. ``code`` is lower case; ``retry_after`` seconds."""

    status: int
    code: str
    text: str
    is_json: bool
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One line of a table; empty conditions match everything."""

    error: type[DovetailError]
    code: str
    status: tuple[int, ...] = ()
    codes: tuple[str, ...] = ()
    text: str = ""
    is_json: bool | None = None
    advice: str = ""

    def matches(self, failure: Failure) -> bool:
        return (
            (not self.status or failure.status in self.status)
            and (not self.codes or failure.code in self.codes)
            and (not self.text or re.search(self.text, failure.text, re.I | re.S) is not None)
            and (self.is_json is None or self.is_json == failure.is_json)
        )


class StatusTable:
    """The rows of one system; the last row has to match everything."""

    def __init__(self, title: str, rows: Sequence[StatusRow]) -> None:
        last = rows[-1]
        if last.status or last.codes or last.text or last.is_json is not None:
            raise ValueError("the last row of a status table must match everything")
        self.title = title
        self.rows = tuple(rows)

    @property
    def codes(self) -> frozenset[str]:
        """Every code that this table can give."""
        return frozenset(row.code for row in self.rows)

    def error_for(self, failure: Failure, operation: str) -> DovetailError:
        """The error to raise for this answer to ``operation``."""
        row = next(row for row in self.rows if row.matches(failure))
        shown = " ".join(part for part in (failure.code, _shown(failure)) if part)
        message = f"{self.title} answered {operation} with {failure.status}: {shown}"
        if issubclass(row.error, Retryable):
            return row.error(
                message, code=row.code, advice=row.advice, retry_after=failure.retry_after
            )
        return row.error(message, code=row.code, advice=row.advice)


def _shown(failure: Failure) -> str:
    """The text for people: one line, bounded, without secrets; of an HTML page its words."""
    text = failure.text if failure.is_json else re.sub(r"<[^>]*>", " ", failure.text)
    text = " ".join(secrets_seen.clean(text).split())
    return text[:_LONGEST_TEXT] or "no text"


def failure_of(response: httpx.Response, now: float | None = None) -> Failure:
    """Read a failed answer. ``now`` (Unix seconds) is for Retry-After as a date."""
    body, is_json = _json(response)
    code, text = _words(body) if is_json else ("", response.text)
    return Failure(
        response.status_code,
        code.lower(),
        text,
        is_json,
        retry_after(response.headers, time.time() if now is None else now),
    )


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by ``Retry-After``, given in seconds or as an HTTP date; None without one."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except ValueError:
        return None


def parse_json(response: httpx.Response) -> Any:
    """The body, with numbers kept exact (Decimal); ValueError when it is not JSON."""
    return json.loads(response.content, parse_float=Decimal)


def _json(response: httpx.Response) -> tuple[Any, bool]:
    try:
        return parse_json(response), True
    except ValueError:
        return None, False


def _words(body: Any) -> tuple[str, str]:
    """Code and text of an error body, in any of the shapes that the systems use.

    Dataverse ``{"error": {"code", "message"}}`` or ``{"Message", "ExceptionMessage"}``; finance
    and operations the former, with what is wrong in its ``innererror``; Content Server ``{"error",
    "errorDetail"}``; OTDS ``{"status", "error", "errorDetails"}``; OAuth ``{"error",
    "error_description"}``.
    """
    if not isinstance(body, dict):
        return "", "" if body is None else str(body)
    error = body.get("error")
    if isinstance(error, dict):
        inner = error.get("innererror")
        inner = inner.get("message") if isinstance(inner, dict) else None
        both = dict.fromkeys(str(text) for text in (error.get("message"), inner) if text)
        return str(error.get("code") or ""), " ".join(both)
    texts = (
        error,
        *(body.get(name) for name in ("errorDetail", "errorMessage", "errorDetails")),
        *(body.get(name) for name in ("error_description", "Message", "ExceptionMessage")),
    )
    return str(body.get("status") or ""), " ".join(str(text) for text in texts if text)
