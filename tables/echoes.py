"""``echoes``: what we last wrote into a record's columns, to recognise it when it comes back."""

from __future__ import annotations

from collections.abc import Mapping

from tables.rows import Row

Value = str | int | bool | None


class EchoesRow(Row):
    """The value that our newest command wrote, by column: the fingerprint of our own writes."""

    written: Mapping[str, Value] = {}

    def wrote(self, columns: Mapping[str, Value]) -> EchoesRow:
        return self.model_copy(update={"written": {**self.written, **columns}})

    def superseded(self, news: Mapping[str, Value]) -> EchoesRow:
        """Return the row after somebody wrote something else over it.

        Whoever writes our value there again after that is no echo of ours.
        """
        kept = {c: v for c, v in self.written.items() if c not in news or news[c] == v}
        return self if len(kept) == len(self.written) else self.model_copy(update={"written": kept})

    def explains(self, columns: Mapping[str, Value]) -> bool:
        """True when every one of these values is one that we wrote."""
        return bool(columns) and all(
            column in self.written and self.written[column] == value
            for column, value in columns.items()
        )

    def shares(self, columns: Mapping[str, Value]) -> bool:
        """True when a column that we wrote is among these, with the value that we wrote."""
        return self.explains({c: v for c, v in columns.items() if c in self.written})
