"""Both outside systems as plain dictionaries: what the ports promise, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from streams.catalogue import ColumnValue
from streams.errors import Refused
from streams.messages.commands import Attributes
from streams.messages.facts import BusinessObject
from streams.ports import Folder, Row, Workspace
from tables.keys import RecordRef, is_natural


@dataclass
class FakeFolder:
    """A folder as the fake keeps it."""

    id: int
    path: str
    attributes: dict[str, dict[str, ColumnValue]]


@dataclass
class FakeWorkspace:
    """A workspace as the fake keeps it."""

    id: int
    business_object: BusinessObject
    type: str
    name: str
    attributes: dict[str, dict[str, ColumnValue]]
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    parents: set[int] = field(default_factory=set)
    access: tuple[str, ...] | None = None
    retention: tuple[str, str | None] | None = None
    folders: dict[str, FakeFolder] = field(default_factory=dict)


@dataclass
class FakeWorkflow:
    """A workflow as the fake keeps it."""

    id: int
    workspace_id: int
    map: str
    title: str
    comment: str
    attributes: dict[str, ColumnValue]
    documents: tuple[int, ...]
    running: bool = True


@dataclass
class FakeEcm:
    """Extended ECM in memory."""

    workspaces: dict[int, FakeWorkspace] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    unknown_members: set[str] = field(default_factory=set)
    workflows: dict[str, FakeWorkflow] = field(default_factory=dict)

    def of(self, business_object: BusinessObject) -> FakeWorkspace | None:
        found = [w for w in self.workspaces.values() if w.business_object == business_object]
        assert len(found) <= 1, "a second workspace"
        return found[0] if found else None

    @staticmethod
    def workspace_number(business_object: BusinessObject) -> int:
        """The id follows from the business object, so that two runs can be compared."""
        return 1000 + sum(map(ord, business_object.type)) * 10_000 + _number(business_object)

    @staticmethod
    def folder_number(workspace_id: int, key: str) -> int:
        """The id follows from workspace and key."""
        return 9_000_000 + workspace_id * 100 + int(key[-4:], 16) % 100

    async def ensure_workspace(
        self,
        business_object: BusinessObject,
        *,
        workspace_type: str,
        template: str | None,
        name: str,
        attributes: Attributes,
    ) -> Workspace:
        self.calls.append(f"ensure {business_object.type}:{business_object.id}")
        found = self.of(business_object)
        created = found is None
        if found is None:
            kept = {category: dict(fields) for category, fields in attributes.items()}
            number = self.workspace_number(business_object)
            found = FakeWorkspace(number, business_object, workspace_type, name, kept)
            self.workspaces[number] = found
        return Workspace(found.id, found.name, f"https://ecm.example/nodes/{found.id}", created)

    async def update_workspace(
        self, workspace_id: int, *, name: str, attributes: Attributes
    ) -> None:
        self.calls.append(f"update {workspace_id}")
        workspace = self.workspaces[workspace_id]
        workspace.name = name
        for category, fields in attributes.items():
            workspace.attributes.setdefault(category, {}).update(fields)

    async def set_role_members(
        self, workspace_id: int, *, role: str, members: Sequence[str]
    ) -> None:
        self.calls.append(f"role {workspace_id} {role} {','.join(members)}")
        unknown = self.unknown_members.intersection(members)
        known = tuple(member for member in members if member not in unknown)
        self.workspaces[workspace_id].roles[role] = known
        if unknown:
            raise Refused(f"no member {sorted(unknown)}", code="member_unknown")

    async def relate(self, workspace_id: int, *, related_id: int, relation: str) -> None:
        self.calls.append(f"relate {workspace_id} {relation} {related_id}")
        child, parent = (
            (workspace_id, related_id) if relation == "parent" else (related_id, workspace_id)
        )
        self.workspaces[child].parents.add(parent)

    async def unrelate(self, workspace_id: int, *, related_id: int, relation: str) -> None:
        self.calls.append(f"unrelate {workspace_id} {relation} {related_id}")
        child, parent = (
            (workspace_id, related_id) if relation == "parent" else (related_id, workspace_id)
        )
        self.workspaces[child].parents.discard(parent)

    async def restrict_access(self, workspace_id: int, *, roles: Sequence[str]) -> None:
        self.calls.append(f"restrict {workspace_id} {','.join(roles)}")
        self.workspaces[workspace_id].access = tuple(roles)

    async def set_retention(
        self, workspace_id: int, *, classification: str, starts_on: str | None
    ) -> None:
        self.calls.append(f"retain {workspace_id} {classification} {starts_on}")
        self.workspaces[workspace_id].retention = (classification, starts_on)

    async def ensure_folder(
        self,
        workspace_id: int,
        *,
        path: Sequence[str],
        key: str,
        name: str,
        attributes: Attributes,
    ) -> Folder:
        self.calls.append(f"folder {workspace_id} {key}")
        folders = self.workspaces[workspace_id].folders
        number = self.folder_number(workspace_id, key)
        folder = folders.setdefault(key, FakeFolder(number, "", {}))
        folder.path = "/".join((*path, name))
        for category, fields in attributes.items():
            folder.attributes.setdefault(category, {}).update(fields)
        return Folder(number, name, f"https://ecm.example/nodes/{number}")

    async def start_workflow(
        self,
        workspace_id: int,
        *,
        workflow_map: str,
        key: str,
        title: str,
        comment: str,
        attributes: Mapping[str, str | int | bool | None],
        documents: Sequence[int],
    ) -> int:
        self.calls.append(f"start {workspace_id} {workflow_map}")
        found = self.workflows.get(key)
        if found is None:
            # The id follows from the key, so that two runs can be compared.
            number = 500_000 + int(key[:6], 16)
            found = FakeWorkflow(
                number,
                workspace_id,
                workflow_map,
                title,
                comment,
                dict(attributes),
                tuple(documents),
            )
            self.workflows[key] = found
        return found.id

    async def stop_workflow(self, workflow_id: int) -> None:
        self.calls.append(f"stop {workflow_id}")
        for workflow in self.workflows.values():
            if workflow.id == workflow_id:
                workflow.running = False


@dataclass
class FakeDynamics:
    """Dataverse in memory: rows by record key; every write takes the next version."""

    rows: dict[str, dict[str, ColumnValue]] = field(default_factory=dict)
    modified_ms: int = 1_700_009_000_000
    version: int = 900_000
    writes: list[tuple[str, dict[str, ColumnValue]]] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)

    async def read_record(self, record: RecordRef) -> Row | None:
        self.reads.append(record.key)
        row = self.rows.get(record.key)
        return Row(dict(row), self.version, self.modified_ms) if row is not None else None

    async def write_columns(
        self, record: RecordRef, columns: Mapping[str, ColumnValue], *, tag: str
    ) -> Row:
        if record.key not in self.rows:
            raise Refused(f"{record} is gone", code="record_missing")
        self.version += 1
        self.modified_ms += 1000
        self.rows[record.key].update(columns)
        self.writes.append((record.key, dict(columns)))
        return Row(dict(self.rows[record.key]), self.version, self.modified_ms)


def _number(business_object: BusinessObject) -> int:
    if is_natural(business_object.id):
        return crc32(business_object.id.encode()) % 0x10000
    return int(business_object.id[-4:], 16)
