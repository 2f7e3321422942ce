"""Secrets never reach a log line or an error: known values and known shapes are blotted out.

``learn`` is called for every secret that is read and every token or ticket that is received; the
shapes catch what arrives in texts of the other side. ``RedactingFilter`` belongs on the handlers
of the process (reference/sre-ecosystem.md 9).
"""

from __future__ import annotations

import logging
import re
from collections import deque

BLOT = "[redacted]"

#: Shorter values would blot out innocent words.
_SHORTEST = 6
#: Tickets may change with every answer; the newest are enough. Secrets are few and all kept.
_PASSES_REMEMBERED = 64
_SHAPES = (
    re.compile(r"(?i)(\bBearer\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"\b()eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_-]*"),
    re.compile(
        r"(?i)([\"']?\b(?:client_secret|client_assertion|password|access_token|refresh_token"
        r"|ticket)\b[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;}]+"
    ),
    # Headers, also as libraries log them: ``(b'OTCSTicket', b'...')``.
    re.compile(
        r"(?i)(\b(?:otcsticket|otdsticket|llcookie)\b[\"']?\s*[=:,]\s*b?[\"']?)[^\s&\"',;})]+"
    ),
)


class Redactor:
    """Knows secret values and takes them out of texts. Safe to use from several threads."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._passes: deque[str] = deque(maxlen=_PASSES_REMEMBERED)

    def learn(self, secret: str) -> None:
        """Remember a secret that must never be shown; short ones cannot be told from words."""
        if len(secret) >= _SHORTEST:
            self._secrets.add(secret)

    def learn_pass(self, text: str) -> None:
        """Remember a token or ticket; the newest push out the oldest."""
        if len(text) >= _SHORTEST:
            self._passes.append(text)

    def clean(self, text: str) -> str:
        """The text without any secret."""
        for secret in (*tuple(self._secrets), *tuple(self._passes)):
            text = text.replace(secret, BLOT)
        for shape in _SHAPES:
            text = shape.sub(rf"\1{BLOT}", text)
        return text


class RedactingFilter(logging.Filter):
    """A filter for log handlers: message, arguments and traceback leave without secrets."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = self._redactor.clean(record.getMessage())
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self._redactor.clean(record.exc_text)
        return True


#: One for the process: what one client learns, no log line of another may show.
secrets_seen = Redactor()
