"""Logs: one JSON object per line, or readable text, and no secret in either.

Every secret that is read is told to ``MASK``; whatever a record says afterwards, in its message,
its arguments, its extra fields or its traceback, the secret is replaced. Logins in headers
and addresses are masked by their shape, so that tokens need not be told.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import IO, Any, Literal
from urllib.parse import quote, quote_plus

MASKED = "****"
#: Shorter secrets would mask half of every word; they are refused when settings are read.
SECRET_MIN_LENGTH = 4

LogFormat = Literal["json", "text"]

_SHAPES = (
    (re.compile(r"(?i)\b(bearer)\s+[A-Za-z0-9._~+/=-]{16,}"), r"\1 " + MASKED),
    (
        re.compile(r"(?i)\b(authorization[\"']?\s*[:=]\s*[\"']?(?:\w+\s+)?)[^\s\"',;]+"),
        r"\1" + MASKED,
    ),
    (
        re.compile(r"(?i)\b(otcsticket|otdsticket|llcookie)([\"']?\s*[:=]\s*[\"']?)[^\s\"',;&]+"),
        r"\1\2" + MASKED,
    ),
    # A pair of a header list, as httpcore and h11 write it: (b'OTCSTicket', b'...').
    (
        re.compile(
            r"(?i)(b?([\"'])(?:otcsticket|otdsticket|authorization|proxy-authorization|cookie"
            r"|set-cookie)\2,\s*b?([\"']))(?:\\.|(?!\3).)+"
        ),
        r"\1" + MASKED,
    ),
    (
        re.compile(
            r"(?i)\b((?:client_|refresh_|access_)?(?:secret|password|assertion|token))=[^\s&\"']+"
        ),
        r"\1=" + MASKED,
    ),
    (re.compile(r"(\w://[^\s/:@]+):[^\s/@]+@"), r"\1:" + MASKED + "@"),
)
#: What these say at INFO is about every request, metadata fetch or heartbeat.
_QUIET = ("aiokafka", "httpx", "httpcore", "msal", "urllib3", "asyncio", "uvicorn", "faust", "mode")
#: How mode, which runs Faust's parts, begins what it says about them: "[^--Fetcher]: Starting...".
_PART = "[^"
_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Mask:
    """The secrets that were read so far, in the forms in which they may turn up."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        """Mask this secret from now on, for good: a rotated one may still be in flight."""
        if len(secret) < SECRET_MIN_LENGTH or secret in self._forms:
            return
        escaped = json.dumps(secret)[1:-1]
        self._forms |= {secret, escaped, repr(secret)[1:-1], quote(secret, ""), quote_plus(secret)}
        # The longest first, so that a secret within another leaves no rest of it.
        forms = sorted(self._forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, forms)))

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(MASKED, text)
        for shape, instead in _SHAPES:
            text = shape.sub(instead, text)
        return text


MASK = Mask()


class JsonFormatter(logging.Formatter):
    """One object per line: time, level, logger, message, the extra fields, and the trace."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": MASK(record.getMessage()),
        }
        trace = _trace(record)
        extra = {name: _plain(value) for name, value in _extra(record)}
        # What a line is comes first, and no extra field may stand in its place.
        line |= {name: value for name, value in extra.items() if name not in line}
        return json.dumps(line | ({"trace": trace} if trace else {}), ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """For people: time, level, logger, message, then extra fields as ``name=value``."""

    def format(self, record: logging.LogRecord) -> str:
        extra = "".join(f" {name}={_plain(value)}" for name, value in _extra(record))
        message = MASK(record.getMessage())
        trace = _trace(record)
        line = f"{_moment(record)} {record.levelname:<7} {record.name}: {message}{extra}"
        return f"{line}\n{trace}" if trace else line


def _without_parts(record: logging.LogRecord) -> bool:
    """Leave out that each of Faust's parts starts and stops: it is for who debugs them."""
    return record.levelno != logging.INFO or not str(record.msg).startswith(_PART)


def set_up_logs(
    level: str = "INFO", log_format: LogFormat = "json", stream: IO[str] | None = None
) -> None:
    """Send all logs to ``stream`` (standard error), in this format; replaces earlier handlers."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    if root.level > logging.DEBUG:
        handler.addFilter(_without_parts)
    logging.captureWarnings(True)
    wanted = root.level
    for name in _QUIET:
        third_party = logging.getLogger(name)
        third_party.handlers.clear()
        third_party.propagate = True
        # At DEBUG somebody looks for the fault right there: then nothing is kept quiet.
        third_party.setLevel(wanted if wanted <= logging.DEBUG else max(wanted, logging.WARNING))


def _moment(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _extra(record: logging.LogRecord) -> Iterable[tuple[str, Any]]:
    return ((name, value) for name, value in vars(record).items() if name not in _OWN_FIELDS)


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | None) else MASK(str(value))


def _trace(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    return MASK("".join(traceback.format_exception(*record.exc_info)).rstrip())
