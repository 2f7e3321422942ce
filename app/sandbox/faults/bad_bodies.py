"""Answers whose body does not come as it should: slowly, or only half of it."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Send

_PIECES = 20
"""In how many pieces a slow body arrives."""


class BadBody:
    """Stands before the connection and keeps an answer's body until it is whole.

    Then it arrives in pieces over ``seconds``, or with ``cut`` only its first half does and the
    answer is left open. ``begun`` is whether there was an answer at all.
    """

    def __init__(self, send: Send, seconds: float = 0.0, *, cut: bool = False) -> None:
        self._send = send
        self._seconds = seconds
        self._cut = cut
        self._body = bytearray()
        self.begun = False

    async def send(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            self.begun = True
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._send_half() if self._cut else await self._send_slowly()

    async def _send_half(self) -> None:
        half = bytes(self._body[: len(self._body) // 2])
        await self._send({"type": "http.response.body", "body": half, "more_body": True})

    async def _send_slowly(self) -> None:
        size = max(1, -(-len(self._body) // _PIECES))
        starts = range(0, len(self._body), size)
        for start in starts:
            await asyncio.sleep(self._seconds / len(starts))
            piece = bytes(self._body[start : start + size])
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
