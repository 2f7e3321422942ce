"""``requests``: of which rounds of a request people were told that nobody decided in time."""

from __future__ import annotations

from collections.abc import Mapping

from tables.rows import Row


class RequestsRow(Row):
    """The round of each rule of which people were told last."""

    overdue: Mapping[str, str] = {}

    def told(self, rule: str, round_: str) -> RequestsRow:
        """Return the row after people were told; telling it again changes nothing."""
        if self.overdue.get(rule) == round_:
            return self
        return self.model_copy(update={"overdue": {**self.overdue, rule: round_}})
