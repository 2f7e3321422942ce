"""What records ask of each other, and what they answer (app/decisions/0004)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import AliasChoices, Field

from streams.catalogue import ColumnValue
from streams.messages.base import Told
from tables.approvals import Workflow
from tables.evidence import Item
from tables.keys import RecordRef
from tables.neighbours import Interest, with_rule


class WorkspaceWanted(Told):
    """``wanted_by`` asks ``record`` for its workspace: of this rule, or the one it is known by."""

    kind: Literal["workspace_wanted"] = "workspace_wanted"
    record: RecordRef
    wanted_by: RecordRef
    rule: str | None = None

    @property
    def key(self) -> str:
        return self.record.key

    @property
    def name(self) -> str:
        """What is asked of whom, to know it again."""
        return f"workspace/{with_rule(self.key, self.rule)}"


class WorkspaceKnown(Told):
    """The answer: ``about`` has this workspace. ``rule`` repeats the question's.

    ``workspace_id``: None when the record is gone and left none.
    """

    kind: Literal["workspace_known"] = "workspace_known"
    record: RecordRef
    about: RecordRef
    workspace_id: int | None
    rule: str | None = None

    @property
    def key(self) -> str:
        return self.record.key


class FolderOwned(Told):
    """``owner`` has a folder in the workspace that ``record`` keeps under this rule.

    What happens in the folder concerns the owner too, and it is told.
    """

    kind: Literal["folder_owned"] = "folder_owned"
    record: RecordRef
    rule: str
    folder_id: int
    owner: RecordRef

    @property
    def key(self) -> str:
        return self.record.key


class DocumentTold(Told):
    """A document in another record's workspace concerns ``record`` too: all that is known of it."""

    kind: Literal["document_told"] = "document_told"
    record: RecordRef
    rule: str
    document_id: int
    item: Item

    @property
    def key(self) -> str:
        return self.record.key


class EventsWanted(Told):
    """``wanted_by`` asks ``record`` what happened, and happens from now on, in its workspace.

    ``rule``: the rule of the one that asks.
    """

    kind: Literal["events_wanted"] = "events_wanted"
    record: RecordRef
    wanted_by: RecordRef
    rule: str
    interest: Interest

    @property
    def key(self) -> str:
        return self.record.key

    @property
    def name(self) -> str:
        """What is asked of whom, to know it again."""
        return f"events/{with_rule(self.key, self.rule)}"


class EventsKnown(Told):
    """The answer, or news: documents and workflows in the workspace of ``about``, by id.

    ``rule`` repeats the question's; ``interest`` does in an answer and is None in news.
    """

    kind: Literal["events_known"] = "events_known"
    record: RecordRef
    about: RecordRef
    rule: str
    interest: Interest | None = None
    #: The first release called it so.
    told_ms: int = Field(default=0, validation_alias=AliasChoices("told_ms", "at_ms"))
    documents: Mapping[int, Item] = Field(default_factory=dict)
    workflows: Mapping[int, Workflow] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.record.key


class ColumnsWanted(Told):
    """``wanted_by`` asks ``record`` for columns, now and at each change of them."""

    kind: Literal["columns_wanted"] = "columns_wanted"
    record: RecordRef
    wanted_by: RecordRef
    columns: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.record.key

    @property
    def name(self) -> str:
        """What is asked of whom, to know it again."""
        return f"columns/{self.key}/{','.join(self.columns)}"


class ColumnsKnown(Told):
    """The answer: these columns of ``about`` as of ``at_ms``, the time of its newest change."""

    kind: Literal["columns_known"] = "columns_known"
    record: RecordRef
    about: RecordRef
    columns: Mapping[str, ColumnValue]
    at_ms: int

    @property
    def key(self) -> str:
        return self.record.key


#: What a record asks of another, until it is answered.
Question = WorkspaceWanted | ColumnsWanted | EventsWanted
