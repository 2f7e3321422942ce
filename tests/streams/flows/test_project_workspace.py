"""Flow 5 on its own: each row of its state tables, and how projects and milestones speak."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.catalogue import ColumnValue
from streams.flows import project_workspace
from streams.flows.deliverables import deliverable_status
from streams.flows.shape import Cause, Decision, View
from streams.messages.commands import EnsureFolder, SetRecordColumns, UpdateWorkspace
from streams.messages.facts import Document, DocumentTold, EcmEvent, FolderOwned, WorkspaceEvent
from streams.messages.outcomes import FolderEnsured
from streams.rules.project import DELIVERABLE_STATUSES
from tables.documents import DocumentRef
from tables.evidence import EvidenceRow, Item, ItemEvent
from tables.milestones import MilestonesRow
from tables.neighbours import NeighboursRow
from tables.workspace_links import FolderLink
from tests.streams.flows.views import CAUSE, also, asked, only, settled, told, view, why
from tests.streams.project_rules import PROJECT_RULE
from tests.streams.samples import ORIGIN, START_MS, event, ref

RULE = PROJECT_RULE.name
PROJECT, OTHER, ACCOUNT = ref("msdyn_project", 1), ref("msdyn_project", 2), ref("account", 3)
MILESTONE, SIBLING = ref("msdyn_projecttask", 7), ref("msdyn_projecttask", 8)
HERE, THERE, FOLDER = 70, 71, 900
PLANT: dict[str, ColumnValue] = {"msdyn_subject": "Plant", "statecode": 0, "msdyn_customer": None}
DESIGN: dict[str, ColumnValue] = {
    "msdyn_subject": "Design",
    "msdyn_project": PROJECT.key,
    "msdyn_ismilestone": True,
    "msdyn_progress": "10",
}
KNOWN = NeighboursRow().workspace_known(PROJECT.key, HERE, RULE)
ENSURE, UPDATE = "ensure_workspace workspace", "update_workspace properties"
SHOW, FOLDER_HERE = "set_record_columns columns", f"ensure_folder folder/{HERE}"


def decided(seen: View, cause: Cause = CAUSE, *, own: MilestonesRow | None = None) -> Decision:
    seen = replace(seen, own=own or MilestonesRow())
    return project_workspace.decide(cause, seen, PROJECT_RULE)


def project(*, deleted: bool = False, linked: bool = True, **columns: ColumnValue) -> View:
    links = {RULE: HERE} if linked else {}
    return view(PROJECT, PLANT | columns, deleted=deleted, links=links)


def milestone(
    *,
    deleted: bool = False,
    neighbours: NeighboursRow = KNOWN,
    folders: tuple[int, ...] = (),
    items: EvidenceRow | None = None,
    **columns: ColumnValue,
) -> View:
    """A milestone; ``folders`` are the workspaces in which it has one, numbered from ``FOLDER``."""
    seen = view(MILESTONE, DESIGN | columns, deleted=deleted, neighbours=neighbours)
    links = seen.links
    for number, workspace_id in enumerate(folders, start=FOLDER):
        link = FolderLink(folder_id=number, url=f"https://ecm.example/{number}")
        links = links.with_folder(RULE, workspace_id, link)
    return replace(seen, links=links, evidence=items or EvidenceRow())


def item(
    number: int, *kinds: str, at: int = 0, kind: str = "Deliverable", **attributes: ColumnValue
) -> Item:
    """A document to which these things happened, a second after each other."""
    known = {"document_type": kind, **attributes}
    return Item(
        events={
            kind: ItemEvent(
                at_ms=START_MS + (at + second) * 1000,
                event_id=f"{number}-{kind}",
                document=DocumentRef(id=number, version=1, name=f"{number}.pdf", url=f"u{number}"),
                attributes=known if kind == "added" else attributes,
            )
            for second, kind in enumerate(kinds)
        }
    )


def evidence(*items: Item) -> EvidenceRow:
    row = EvidenceRow()
    for one in items:
        assert one.document is not None
        row = row.told(RULE, one.document.id, one)
    return row


def folder_state(decision: Decision, workspace_id: int = HERE) -> ColumnValue:
    command: EnsureFolder = only(decision, f"folder/{workspace_id}")
    return command.attributes["Business Record"]["Record State"]


def shown(seen: View) -> dict[str, ColumnValue]:
    command: SetRecordColumns = only(decided(seen), "columns")
    return dict(command.columns)


class TestTheProjectsStateTable:
    """One case per row of the first table in the flow's docstring."""

    @pytest.mark.parametrize(
        ("columns", "deleted", "commands", "reasons"),
        [
            pytest.param({"msdyn_subject": "Idea"}, False, [], ["condition_false"], id="not true"),
            pytest.param({}, False, [ENSURE], ["waiting_for_workspace"], id="when true"),
            pytest.param({}, True, [], ["record_deleted"], id="deleted before it had one"),
        ],
    )
    def test_without_a_workspace(
        self,
        columns: dict[str, ColumnValue],
        deleted: bool,
        commands: list[str],
        reasons: list[str],
    ) -> None:
        decision = decided(project(linked=False, deleted=deleted, **columns))
        assert (asked(decision), why(decision)) == (commands, reasons)

    @pytest.mark.parametrize(
        ("columns", "deleted", "state", "commands"),
        [
            pytest.param({}, False, "Active", [UPDATE, SHOW], id="alive"),
            pytest.param({"msdyn_subject": "Idea"}, False, "Active", [UPDATE, SHOW], id="not due"),
            pytest.param({"statecode": 1}, False, "Closed", [UPDATE, SHOW], id="closed"),
            pytest.param({}, True, "Deleted", [UPDATE], id="deleted"),
        ],
    )
    def test_with_a_workspace(
        self, columns: dict[str, ColumnValue], deleted: bool, state: str, commands: list[str]
    ) -> None:
        decision = decided(project(deleted=deleted, **columns))
        update: UpdateWorkspace = only(decision, "properties")
        assert asked(decision) == commands
        assert update.attributes["Business Record"]["Record State"] == state

    def test_it_is_related_to_its_customers(self) -> None:
        decision = decided(project(msdyn_customer=ACCOUNT.key))
        assert told(decision) == [f"workspace_wanted {ACCOUNT.key}"]
        assert "waiting_for_related_workspace" in why(decision)


class TestTheMilestonesStateTable:
    """One case per row of the second table."""

    @pytest.mark.parametrize(
        ("columns", "neighbours", "reason"),
        [
            pytest.param({"msdyn_project": None}, KNOWN, "no_related_record", id="no project"),
            pytest.param({}, NeighboursRow(), "waiting_for_related_workspace", id="no workspace"),
            pytest.param({"msdyn_ismilestone": False}, KNOWN, "condition_false", id="not true"),
        ],
    )
    def test_it_has_no_folder(
        self, columns: dict[str, ColumnValue], neighbours: NeighboursRow, reason: str
    ) -> None:
        decision = decided(milestone(neighbours=neighbours, **columns))
        assert (asked(decision), why(decision)) == ([], [reason])

    def test_a_task_that_is_no_milestone_asks_for_nothing(self) -> None:
        decision = decided(milestone(neighbours=NeighboursRow(), msdyn_ismilestone=False))
        assert (told(decision), why(decision)) == ([], ["condition_false"])

    def test_it_asks_its_project_for_the_workspace(self) -> None:
        decision = decided(milestone(neighbours=NeighboursRow()))
        (wanted,) = decision.facts
        assert told(decision) == [f"workspace_wanted {PROJECT.key}"]
        assert getattr(wanted, "rule", None) == RULE

    @pytest.mark.parametrize(
        ("columns", "folders", "state"),
        [
            pytest.param({}, (), "Active", id="when true"),
            pytest.param({"msdyn_progress": "100"}, (), "Completed", id="done"),
            pytest.param({"msdyn_ismilestone": False}, (HERE,), "Active", id="no longer true"),
        ],
    )
    def test_it_has_a_folder_named_after_it(
        self, columns: dict[str, ColumnValue], folders: tuple[int, ...], state: str
    ) -> None:
        decision = decided(milestone(folders=folders, **columns))
        command: EnsureFolder = only(decision, f"folder/{HERE}")
        assert (command.workspace_id, command.folder_key) == (HERE, MILESTONE.key)
        assert (command.path, command.name) == (("Milestones",), "Design")
        assert command.attributes["Business Record"]["Record Name"] == "Design"
        assert folder_state(decision) == state

    def test_a_new_name_renames_it(self) -> None:
        at_rest = settled(decided, milestone(folders=(HERE,)))
        decision = decided(also(at_rest, 5, msdyn_subject="Design 2"))
        assert asked(decision) == [FOLDER_HERE]
        assert only(decision, f"folder/{HERE}").name == "Design 2"

    def test_moved_to_another_project_the_old_folder_says_so(self) -> None:
        both = KNOWN.workspace_known(OTHER.key, THERE, RULE)
        seen = milestone(folders=(HERE,), neighbours=both, msdyn_project=OTHER.key)
        decision = decided(seen)
        assert folder_state(decision, HERE) == "Moved"
        assert folder_state(decision, THERE) == "Active"
        assert shown(seen)["new_folderurl"] is None, "until the new one is there"

    def test_moved_where_no_workspace_is_yet_the_old_folder_says_so_at_once(self) -> None:
        decision = decided(milestone(folders=(HERE,), msdyn_project=OTHER.key))
        assert folder_state(decision, HERE) == "Moved"
        assert told(decision) == [f"workspace_wanted {OTHER.key}"]

    @pytest.mark.parametrize("folders", [(HERE,), (HERE, THERE)])
    def test_deleted_its_folders_are_marked_and_nothing_is_written(
        self, folders: tuple[int, ...]
    ) -> None:
        decision = decided(milestone(folders=folders, deleted=True))
        assert sorted(asked(decision)) == [f"ensure_folder folder/{number}" for number in folders]
        assert {folder_state(decision, number) for number in folders} == {"Deleted"}
        assert why(decision) == ["record_deleted"]

    def test_deleted_before_it_had_one_nothing_is_made(self) -> None:
        assert asked(decided(milestone(deleted=True))) == []

    def test_columns_that_name_it_are_read_first(self) -> None:
        seen = view(
            MILESTONE,
            {"msdyn_project": PROJECT.key, "msdyn_ismilestone": True},
            neighbours=KNOWN,
        )
        assert asked(decided(seen)) == ["read_record read"]


ADDED, APPROVED, REJECTED = ("added",), ("added", "approved"), ("added", "rejected")


class TestTheDeliverablesTable:
    """One case per row of the third table."""

    @pytest.mark.parametrize(
        ("happenings", "status", "counts"),
        [
            pytest.param((), "awaited", (0, 0), id="none"),
            pytest.param((ADDED,), "in_review", (1, 0), id="handed in"),
            pytest.param((APPROVED, ADDED), "in_review", (2, 1), id="one is left"),
            pytest.param((APPROVED, APPROVED), "Approved", (2, 2), id="all approved"),
            pytest.param((APPROVED, REJECTED), "rejected", (2, 1), id="one rejected"),
            pytest.param((("added", "approved", "version_added"),), "in_review", (1, 0), id="anew"),
            pytest.param((("added", "approved", "expired"),), "in_review", (1, 0), id="expired"),
            pytest.param((APPROVED, ("added", "deleted")), "Approved", (1, 1), id="one removed"),
        ],
    )
    def test_status_and_counts(
        self, happenings: tuple[tuple[str, ...], ...], status: str, counts: tuple[int, int]
    ) -> None:
        items = [item(n, *kinds, folder_id=FOLDER) for n, kinds in enumerate(happenings, start=40)]
        columns = shown(milestone(folders=(HERE,), items=evidence(*items)))
        assert columns["new_status"] == status
        assert (columns["new_deliverables"], columns["new_approved"]) == counts
        assert (columns["new_approvedon"] is not None) == (status == "Approved")

    def test_every_status_is_one_that_rules_may_name(self) -> None:
        combinations: list[list[Item]] = [
            [],
            [item(1, *ADDED)],
            [item(1, *APPROVED)],
            [item(1, *REJECTED)],
        ]
        assert {deliverable_status(items) for items in combinations} == set(DELIVERABLE_STATUSES)

    def test_change_requests_are_counted_apart(self) -> None:
        requests = [
            item(number, *kinds, kind="change request", folder_id=FOLDER)
            for number, kinds in enumerate((ADDED, APPROVED, REJECTED), start=40)
        ]
        notes = item(50, *ADDED, kind="Minutes", folder_id=FOLDER)
        columns = shown(milestone(folders=(HERE,), items=evidence(*requests, notes)))
        assert (columns["new_changes"], columns["new_openchanges"]) == (3, 1)
        assert (columns["new_deliverables"], columns["new_documentid"]) == (0, None)

    def test_the_link_opens_the_newest_that_is_approved(self) -> None:
        items = evidence(
            item(40, *APPROVED, folder_id=FOLDER),
            item(41, *APPROVED, at=10, folder_id=FOLDER),
            item(42, *ADDED, at=20, folder_id=FOLDER),
        )
        columns = shown(milestone(folders=(HERE,), items=items))
        assert (columns["new_documentid"], columns["new_documentname"]) == ("41", "41.pdf")

    def test_a_document_is_whose_name_it_carries_else_whose_folder_it_is_in(self) -> None:
        items = evidence(
            item(40, *ADDED, folder_id=FOLDER, milestone=SIBLING.id),  # another's by name
            item(41, *ADDED, folder_id=1, milestone=MILESTONE.key),  # named with its table
            item(42, *ADDED, folder_id=str(FOLDER), milestone=""),  # named by nobody
            item(43, *ADDED, folder_id=1),  # elsewhere
            item(44, *ADDED, folder_id=FOLDER, milestone="Design"),  # that is no row id
            item(45, *ADDED, folder_id=1, milestone=f"account:{MILESTONE.id}"),
        )
        assert shown(milestone(folders=(HERE,), items=items))["new_deliverables"] == 3

    def test_a_document_that_moved_on_counts_no_more(self) -> None:
        moved = item(40, *ADDED, folder_id=FOLDER).merged(
            item(40, "moved", at=5, folder_id=FOLDER + 50)
        )
        assert shown(milestone(folders=(HERE,), items=evidence(moved)))["new_status"] == "awaited"

    def test_documents_of_the_folder_left_behind_still_count(self) -> None:
        both = KNOWN.workspace_known(OTHER.key, THERE, RULE)
        items = evidence(item(40, *ADDED, folder_id=FOLDER))
        seen = milestone(
            folders=(HERE, THERE), neighbours=both, items=items, msdyn_project=OTHER.key
        )
        assert shown(seen)["new_deliverables"] == 1

    def test_without_folder_and_documents_nothing_is_said(self) -> None:
        assert asked(decided(milestone(msdyn_ismilestone=False))) == []

    def test_what_others_overwrite_is_set_right_again(self) -> None:
        at_rest = settled(decided, milestone(folders=(HERE,)))
        assert asked(decided(also(at_rest, 9, new_status="Fine"))) == [SHOW]


def happened(number: int, owner: str = RULE) -> WorkspaceEvent:
    document = Document(id=number, version=1)
    told_event: EcmEvent = event("document.approved", 9, document=document)
    return WorkspaceEvent(record=PROJECT, rule=owner, event=told_event)


def ensured(workspace_id: int, folder_id: int = FOLDER, rule: str = RULE) -> FolderEnsured:
    return FolderEnsured(
        command_id="id",
        command="ensure_folder",
        rule=rule,
        record=MILESTONE,
        step=f"folder/{workspace_id}",
        desired="d",
        at_ms=START_MS,
        caused_at_ms=START_MS,
        workspace_id=workspace_id,
        folder_id=folder_id,
        name="Design",
        url="u",
    )


class TestTheyTellEachOther:
    def test_a_milestone_tells_whoever_keeps_the_workspace_of_its_folder(self) -> None:
        both = KNOWN.workspace_known(OTHER.key, THERE, RULE)
        seen = milestone(folders=(HERE,), neighbours=both, msdyn_project=OTHER.key)
        (owned,) = decided(seen, ensured(HERE)).facts
        assert owned == FolderOwned(record=PROJECT, rule=RULE, folder_id=FOLDER, owner=MILESTONE)
        assert decided(seen, ensured(HERE, rule="other")).facts == ()

    def passing_on(self, cause: Cause, *items: Item, folders: NeighboursRow) -> list[str]:
        seen = replace(project(), evidence=evidence(*items), neighbours=folders)
        facts = decided(seen, cause).facts
        assert all(isinstance(fact, DocumentTold) for fact in facts)
        return [
            f"{fact.document_id} {fact.key}" for fact in facts if isinstance(fact, DocumentTold)
        ]

    def test_a_document_is_passed_on_to_whom_it_concerns_or_ever_did(self) -> None:
        owned = NeighboursRow().folder_owned(RULE, FOLDER, MILESTONE.key)
        inside = item(40, *ADDED, folder_id=FOLDER)
        named = item(41, *ADDED, milestone=SIBLING.id)
        left = inside.merged(item(40, "moved", at=5, folder_id=1, milestone=SIBLING.id))
        elsewhere = item(42, *ADDED, folder_id=7)
        for one, expected in (
            (inside, [f"40 {MILESTONE.key}"]),
            (named, [f"41 {SIBLING.key}"]),
            (left, [f"40 {MILESTONE.key}", f"40 {SIBLING.key}"]),
            (elsewhere, []),
        ):
            assert one.document is not None
            found = self.passing_on(happened(one.document.id), one, folders=owned)
            assert found == expected

    def test_who_was_told_once_hears_that_a_document_has_gone(self) -> None:
        first = item(41, "changed", milestone=MILESTONE.id)
        then = item(41, "changed", at=5, milestone=SIBLING.id)
        seen = replace(project(), evidence=evidence(first))
        own = decided(seen, happened(41)).own
        assert isinstance(own, MilestonesRow)
        seen = replace(seen, evidence=seen.evidence.told(RULE, 41, then))
        again = decided(seen, happened(41), own=own)
        assert told(again) == [f"document_told {m.key}" for m in (MILESTONE, SIBLING)]
        assert decided(seen, happened(41), own=own).own == again.own

    def test_all_that_happened_in_a_folder_is_passed_on_once_its_owner_is_known(self) -> None:
        owned = NeighboursRow().folder_owned(RULE, FOLDER, MILESTONE.key)
        items = [item(40, *ADDED, folder_id=FOLDER), item(41, *ADDED, milestone=SIBLING.id)]
        news = FolderOwned(record=PROJECT, rule=RULE, folder_id=FOLDER, owner=MILESTONE)
        assert self.passing_on(news, *items, folders=owned) == [f"40 {MILESTONE.key}"]

    def test_events_of_other_rules_are_not_passed_on(self) -> None:
        named = item(41, *ADDED, milestone=SIBLING.id)
        assert self.passing_on(happened(41, "other"), named, folders=NeighboursRow()) == []

    def test_a_rule_without_milestones_passes_nothing_on(self) -> None:
        rule = PROJECT_RULE.model_copy(update={"milestones": None})
        named = evidence(item(41, *ADDED, milestone=SIBLING.id))
        seen = replace(project(), evidence=named, own=MilestonesRow())
        assert project_workspace.decide(happened(41), seen, rule).facts == ()

    def test_the_event_of_a_workspace_and_not_of_a_document_concerns_nobody(self) -> None:
        told_event = event("workspace.updated", 9).model_copy(update={"origin": ORIGIN})
        cause = WorkspaceEvent(record=PROJECT, rule=RULE, event=told_event)
        assert self.passing_on(cause, folders=NeighboursRow()) == []
