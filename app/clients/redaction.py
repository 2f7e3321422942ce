"""Secrets never reach an error text. The logs have ``app.logs.MASK``; both know the same secrets.

Tokens and tickets change too often to be told to the logs' mask for good: the newest are kept
here, for the texts of the other side that repeat them (reference/sre-ecosystem.md 9).
"""

from __future__ import annotations

import re
from collections import deque

from app.logs import MASK, MASKED

#: Shorter values would mask innocent words.
_SHORTEST_PASS = 6
_PASSES_REMEMBERED = 64
_SHAPES = (
    re.compile(r"\b()eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_-]*"),
    re.compile(
        r"(?i)([\"']?\b(?:client_secret|client_assertion|password|access_token|refresh_token"
        r"|otcsticket|otdsticket|llcookie|ticket)\b[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;}]+"
    ),
)


class Redactor:
    """Takes secrets out of texts. Safe to use from several threads."""

    def __init__(self) -> None:
        self._passes: deque[str] = deque(maxlen=_PASSES_REMEMBERED)

    def learn(self, secret: str) -> None:
        """Mask this secret from now on, in the logs too."""
        MASK.add(secret)

    def learn_pass(self, text: str) -> None:
        """Remember a token or ticket; the newest push out the oldest."""
        if len(text) >= _SHORTEST_PASS:
            self._passes.append(text)

    def clean(self, text: str) -> str:
        """The text without any secret, token or ticket."""
        text = MASK(text)
        for held in tuple(self._passes):
            text = text.replace(held, MASKED)
        for shape in _SHAPES:
            text = shape.sub(rf"\1{MASKED}", text)
        return text


#: One for the process: what one client learns, no error of another may show.
secrets_seen = Redactor()
