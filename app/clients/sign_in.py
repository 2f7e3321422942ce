"""What a client needs of a sign-in, and the part that both sign-ins share: one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from app.clients.redaction import secrets_seen


@dataclass(frozen=True, slots=True)
class Pass:
    """A token or ticket. ``sign_in`` counts sign-ins: passes of one sign-in end together."""

    text: str = field(repr=False)
    sign_in: int


class SignIn(Protocol):
    """Where a client gets its pass from."""

    async def present(self) -> Pass:
        """A pass that should be valid now; signs in when there is none."""
        ...

    async def renewed(self, used: Pass) -> Pass:
        """A pass of a later sign-in than ``used``, which the system refused with 401."""
        ...

    def headers(self, held: Pass) -> dict[str, str]:
        """The request headers that show the pass."""
        ...

    def adopt(self, used: Pass, headers: Mapping[str, str]) -> None:
        """Take over a fresh pass that came with an answer."""
        ...


class SingleFlight:
    """Keeps one pass and lets one caller at a time get the next; the others wait for it."""

    def __init__(self) -> None:
        self.held: Pass | None = None
        self._count = 0
        self._lock = asyncio.Lock()

    async def _sign_in(self) -> str:
        """Sign in and return the token or ticket; implemented by the kinds of sign-in."""
        raise NotImplementedError

    def _is_fresh(self) -> bool:
        """Whether the pass that is held may still be used."""
        return self.held is not None

    async def present(self) -> Pass:
        if self.held is not None and self._is_fresh():
            return self.held
        async with self._lock:
            if self.held is not None and self._is_fresh():
                return self.held
            return await self._next()

    async def renewed(self, used: Pass) -> Pass:
        async with self._lock:
            if self.held is not None and self.held.sign_in != used.sign_in:
                return self.held
            self.held = None
            return await self._next()

    async def _next(self) -> Pass:
        text = await self._sign_in()
        secrets_seen.learn_pass(text)
        self._count += 1
        self.held = Pass(text, self._count)
        return self.held

    def _roll_over(self, used: Pass, text: str) -> None:
        """Replace the pass by a fresh one of the same sign-in; one of an earlier is not taken."""
        if self.held is None or self.held.sign_in != used.sign_in or self.held.text == text:
            return
        secrets_seen.learn_pass(text)
        self.held = replace(self.held, text=text)
