"""``ledger_ecm`` and ``ledger_dynamics``: the outcome of the last command of each step of a record.

A command whose id is the last of its step is answered from here without a call. Only the last one:
a name that goes A, B, A makes three commands, the first and the third with the same id, and the
third has to be carried out.
"""

from __future__ import annotations

from collections.abc import Mapping

from tables.rows import Row


class Entry(Row):
    """The last command of a step, and its outcome as JSON."""

    command_id: str = ""
    outcome: str = ""


class LedgerRow(Row):
    """The last command of each step of a record, by ``rule/step``."""

    entries: Mapping[str, Entry] = {}

    def outcome_of(self, rule: str, step: str, command_id: str) -> str | None:
        entry = self.entries.get(f"{rule}/{step}")
        return entry.outcome if entry and entry.command_id == command_id else None

    def forgotten(self, rule: str, step: str) -> LedgerRow:
        """Return the row after a refusal: what was true of the step may be so no longer."""
        name = f"{rule}/{step}"
        if name not in self.entries:
            return self
        entries = {other: entry for other, entry in self.entries.items() if other != name}
        return self.model_copy(update={"entries": entries})

    def done(self, rule: str, step: str, command_id: str, outcome: str) -> LedgerRow:
        entry = Entry(command_id=command_id, outcome=outcome)
        return self.model_copy(update={"entries": {**self.entries, f"{rule}/{step}": entry}})
