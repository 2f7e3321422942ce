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
    """Keeps one pass; whoever needs the next while one is being fetched waits for that one.

    They share its failure too: a sign-in that times out costs all waiting calls one timeout, not
    one after another.
    """

    def __init__(self) -> None:
        self.held: Pass | None = None
        self._count = 0
        self._attempt: asyncio.Task[Pass] | None = None

    async def _sign_in(self) -> str:
        """Sign in and return the token or ticket; implemented by the kinds of sign-in."""
        raise NotImplementedError

    def _is_fresh(self) -> bool:
        """Whether the pass that is held may still be used."""
        return self.held is not None

    async def present(self) -> Pass:
        if self.held is not None and self._is_fresh():
            return self.held
        return await self._shared()

    async def renewed(self, used: Pass) -> Pass:
        if self.held is not None and self.held.sign_in == used.sign_in:
            self.held = None
        return self.held or await self._shared()

    async def _shared(self) -> Pass:
        """The outcome of the attempt that is under way, or of a new one."""
        if self._attempt is None:
            self._attempt = asyncio.create_task(self._next(), name="sign in")
            self._attempt.add_done_callback(self._ended)
        # A caller that is cancelled must not take the others' sign-in along.
        return await asyncio.shield(self._attempt)

    def _ended(self, attempt: asyncio.Task[Pass]) -> None:
        self._attempt = None
        if not attempt.cancelled():
            attempt.exception()  # asked for, in case that every caller was cancelled

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
