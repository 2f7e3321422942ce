"""The base of every message: frozen, strict, one JSON object with a ``kind``."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A frozen message. Unknown fields are refused: our own topics carry what we declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_json(self) -> bytes:
        return self.model_dump_json(exclude_none=False).encode()


class Told(Message):
    """What a record tells another, or a workspace: when, and since when it was due (Unix ms).

    ``told_ms``: when that happened what made it tell; ``caused_at_ms``: the time of the change that
    led there, as outcomes carry it. Both are 0 in messages of an earlier release.
    """

    told_ms: int = 0
    caused_at_ms: int = 0

    def at(self, told_ms: int, caused_at_ms: int) -> Self:
        """Return it with its times."""
        return self.model_copy(update={"told_ms": told_ms, "caused_at_ms": caused_at_ms})
