"""``vendors``: which vendors people have blocked, per rule.

Whether the vendor is on hold because Dovetail holds it or because people do cannot be seen in the
record; what people did is remembered from the moment at which it could be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping

from tables.rows import Row


class VendorsRow(Row):
    """By rule: True while people block the vendor."""

    blocked: Mapping[str, bool] = {}

    def is_blocked(self, rule: str) -> bool:
        return self.blocked.get(rule, False)

    def with_block(self, rule: str, *, blocked: bool) -> VendorsRow:
        """Return the row with the block of a rule, or without it."""
        if blocked == self.is_blocked(rule):
            return self
        others = {name: kept for name, kept in self.blocked.items() if name != rule}
        return self.model_copy(update={"blocked": {**others, rule: True} if blocked else others})
