"""``neighbours``: what a record learnt of other records.

Records speak to each other only by facts (DESIGN, section 1). The answer is remembered by the one
that asked, so that its decision sees it as a row of its own; the one that asks is remembered by the
one that is asked (``tables.askers``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tables.rows import Row

Value = str | int | bool | None


class KnownColumns(Row):
    """Columns of another record as of ``at_ms``."""

    columns: Mapping[str, Value] = {}
    at_ms: int = 0


class Interest(Row):
    """What somebody wants to hear of what happens in a record's workspaces.

    ``of``: the rule whose workspace it is, None for the one that the record is known by.
    ``documents``: of those of these ``types`` or ids (``named``), or of all when neither is given.
    """

    of: str | None = None
    documents: bool = False
    types: tuple[str, ...] = ()
    named: tuple[int, ...] = ()
    workflows: tuple[int, ...] = ()


class NeighboursRow(Row):
    """What is known of others, by their key; a workspace of a certain rule by ``<key>#<rule>``.

    Those who ask lay here in the first release (the three fields at the end).
    """

    #: None: that record is gone and left none.
    workspaces: Mapping[str, int | None] = {}
    columns: Mapping[str, KnownColumns] = {}
    #: Whose folders are in this record's workspaces: the owner's key by ``rule/folder id``.
    folders: Mapping[str, str] = {}
    #: What others have answered of theirs, by ``key#rule``: from then on they tell what is new.
    listening: Mapping[str, Interest] = {}
    #: What it asked others, or its own system, and lacks still: by question since when (Unix ms).
    asked: Mapping[str, int] = {}

    workspace_wanted_by: tuple[str, ...] = ()
    columns_wanted_by: Mapping[str, tuple[str, ...]] = {}
    listeners: Mapping[str, Interest] = {}

    def without_askers(self) -> NeighboursRow:
        """Return the row after those who ask have moved out."""
        if not (self.workspace_wanted_by or self.columns_wanted_by or self.listeners):
            return self
        gone: dict[str, object] = {"columns_wanted_by": {}, "listeners": {}}
        return self.model_copy(update={"workspace_wanted_by": (), **gone})

    def asking(self, questions: Iterable[str], at_ms: int) -> NeighboursRow:
        """Return the row with what is asked now; a question asked before keeps its time."""
        asked = {question: self.asked.get(question, at_ms) for question in questions}
        return self if asked == self.asked else self.model_copy(update={"asked": asked})

    def hears(self, about: str, rule: str, interest: Interest) -> bool:
        """Whether this interest of ours was answered."""
        return self.listening.get(with_rule(about, rule)) == interest

    def heard(self, about: str, rule: str, interest: Interest) -> NeighboursRow:
        """Return the row after another record answered; telling it again changes nothing."""
        if self.hears(about, rule, interest):
            return self
        listening = {**self.listening, with_rule(about, rule): interest}
        return self.model_copy(update={"listening": listening})

    def workspace(self, about: str, rule: str | None = None) -> int | None:
        """Another record's workspace: the one that a rule keeps, or the one it is known by."""
        return self.workspaces.get(with_rule(about, rule))

    def has_no_workspace(self, about: str, rule: str | None = None) -> bool:
        """Whether the other record is known to be gone without a workspace."""
        return self.workspaces.get(with_rule(about, rule), 0) is None

    def workspace_known(
        self, about: str, workspace_id: int | None, rule: str | None = None
    ) -> NeighboursRow:
        known = {**self.workspaces, with_rule(about, rule): workspace_id}
        return self.model_copy(update={"workspaces": known})

    def keepers(self, workspace_id: int, rule: str) -> tuple[str, ...]:
        """The records that were said to keep this workspace under this rule."""
        end = f"#{rule}"
        return tuple(
            name.removesuffix(end)
            for name, known in sorted(self.workspaces.items())
            if known == workspace_id and name.endswith(end)
        )

    def folder_owner(self, rule: str, folder_id: int) -> str | None:
        return self.folders.get(f"{rule}/{folder_id}")

    def folder_owned(self, rule: str, folder_id: int, owner: str) -> NeighboursRow:
        """Return the row with this folder's owner; telling it again changes nothing."""
        if self.folder_owner(rule, folder_id) == owner:
            return self
        folders = {**self.folders, f"{rule}/{folder_id}": owner}
        return self.model_copy(update={"folders": folders})

    def columns_known(self, about: str, columns: Mapping[str, Value], at_ms: int) -> NeighboursRow:
        """Return the row with the answer, unless a newer one is known."""
        before = self.columns.get(about)
        if before is not None and before.at_ms > at_ms:
            return self
        merged = {**(before.columns if before else {}), **columns}
        known = KnownColumns(columns=merged, at_ms=at_ms)
        return self.model_copy(update={"columns": {**self.columns, about: known}})


def with_rule(key: str, rule: str | None) -> str:
    """The name of a record's workspace: of a certain rule, or of the one that stands for it."""
    return f"{key}#{rule}" if rule else key
