"""Both outside systems as plain dictionaries: what the ports promise, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streams.catalogue import ColumnValue
from streams.errors import Refused
from streams.messages.commands import Attributes
from streams.messages.facts import BusinessObject
from streams.ports import Row, Workspace
from tables.keys import RecordRef


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


@dataclass
class FakeEcm:
    """Extended ECM in memory."""

    workspaces: dict[int, FakeWorkspace] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    unknown_members: set[str] = field(default_factory=set)

    def of(self, business_object: BusinessObject) -> FakeWorkspace | None:
        found = [w for w in self.workspaces.values() if w.business_object == business_object]
        assert len(found) <= 1, "a second workspace"
        return found[0] if found else None

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
            # The id follows from the business object, so that two runs can be compared.
            number = 1000 + sum(map(ord, business_object.type)) * 10_000 + _number(business_object)
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
        if unknown:
            raise Refused(f"no member {sorted(unknown)}", code="member_unknown")
        self.workspaces[workspace_id].roles[role] = tuple(members)

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
    return int(business_object.id[-4:], 16)
