"""The base of all rows: frozen, stored as one JSON object."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict


class Row(BaseModel):
    """A frozen row. Unknown fields are ignored, so that an older release can read a newer row."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_bytes(self) -> bytes:
        return self.model_dump_json(exclude_defaults=True).encode()

    @classmethod
    def from_bytes(cls, value: bytes | None) -> Self:
        """Read a row back; a row that was never written is the empty one."""
        return cls() if value is None else cls.model_validate_json(value)
