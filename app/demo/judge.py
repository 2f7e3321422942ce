"""The oracle's expectations against what the simulated systems hold."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from app.demo.erp import row_of
from app.demo.oracle import Expectation, Expected, ExpectedFolder, Kept
from app.demo.stage import OUR_FINANCE_USER
from app.demo.truth import Life
from app.sandbox.content_server import ContentServerSimulator
from app.sandbox.content_server.views import WorkspaceView
from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.finance import FinanceSimulator

_LOOK_SECONDS = 0.5
ByObject = Mapping[tuple[str, str], WorkspaceView]


@dataclass
class Verdict:
    """One record: its workspaces by flow, and how it differs from what has to be true."""

    expectation: Expectation
    found: dict[str, WorkspaceView | None] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


@dataclass
class Judgement:
    """All verdicts, and workspaces that nobody expected."""

    verdicts: list[Verdict]
    surplus: list[str]

    @property
    def wrong(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.differences]

    @property
    def agrees(self) -> bool:
        return not self.wrong and not self.surplus


def judge(
    expected: Sequence[Expectation],
    content_server: ContentServerSimulator,
    dataverse: DataverseSimulator,
    finance: FinanceSimulator,
) -> Judgement:
    """Compare each record; and count each business object's workspaces."""
    workspaces = content_server.workspaces()
    by_object = {(bo.bo_type, bo.bo_id): w for w in workspaces for bo in w.business_objects}
    verdicts = []
    for one in expected:
        columns = _columns(one.life, dataverse, finance)
        verdicts.append(_verdict(one, by_object, content_server, columns))
        verdicts[-1].differences += _written_differences(one, finance)
    known = {w.business_object for one in expected for w in one.workspaces.values()}
    return Judgement(verdicts, list(_surplus(workspaces, known)))


async def judged(now: Callable[[], Judgement], patience_seconds: float) -> Judgement:
    """The judgement as soon as it agrees, and the last one when patience ends.

    A timer of the worker's may be due and not yet looked at, which no topic shows: a busy machine
    gets its time, and what ends wrong is wrong at the end of it, too.
    """
    deadline = time.monotonic() + patience_seconds
    while not (judgement := now()).agrees and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_SECONDS)
    return judgement


def _surplus(workspaces: Sequence[WorkspaceView], known: set[tuple[str, str]]) -> Iterator[str]:
    objects: Counter[tuple[str, str]] = Counter()
    for workspace in workspaces:
        if not workspace.business_objects:
            yield f"workspace {workspace.id} {workspace.name!r} belongs to no record"
        objects.update((bo.bo_type, bo.bo_id) for bo in workspace.business_objects)
    for named, count in objects.items():
        if count > 1:
            yield f"{named[0]} {named[1]} has {count} workspaces"
        if named not in known:
            yield f"{named[0]} {named[1]} has a workspace that is not due"


def _verdict(
    expectation: Expectation,
    by_object: ByObject,
    content_server: ContentServerSimulator,
    columns: Mapping[str, Any] | None,
) -> Verdict:
    verdict = Verdict(expectation, columns=columns or {})
    for flow, wanted in expectation.workspaces.items():
        found = verdict.found[flow] = by_object.get(wanted.business_object)
        verdict.differences += _differences(wanted, found, by_object)
        if found is not None and wanted.exact:
            verdict.differences += _governance_differences(wanted, found, content_server)
        if columns is not None and wanted.link:
            verdict.differences += _link_differences(found, verdict.columns, wanted.link)
    for folder in expectation.folders:
        verdict.differences += _folder_differences(folder, by_object, verdict.columns)
    for column, value in expectation.columns.items():
        shown = _shown(verdict.columns.get(column))
        if shown != value:
            verdict.differences.append(f"{column} is {shown!r}, not {value!r}")
    return verdict


def _columns(
    life: Life, dataverse: DataverseSimulator, finance: FinanceSimulator
) -> dict[str, Any] | None:
    """What the record shows, by column in lower case; None when it is deleted."""
    if life.in_finance:
        found = row_of(finance, life)
        return {name.lower(): value for name, value in found.values.items()} if found else None
    row = dataverse.row(life.table, life.id)
    return dict(row.values) if row else None


def _written_differences(one: Expectation, finance: FinanceSimulator) -> Iterator[str]:
    """What Dovetail wrote in turn; the same once more is what a crash may leave."""
    found = row_of(finance, one.life) if one.written else None
    for name, wanted in one.written.items():
        mine = (c for c in finance.changes if c.user == OUR_FINANCE_USER)
        values = [
            c.row.values[name]
            for c in mine
            if found and c.row.recid == found.recid and name in c.changed
        ]
        shown = tuple(value for value, _ in groupby(values))
        if shown != wanted:
            yield f"{name} was written as {shown}, not {wanted}"


def _differences(
    wanted: Expected, found: WorkspaceView | None, by_object: ByObject
) -> Iterator[str]:
    if found is None:
        if wanted.required:
            yield f"has no {wanted.type} workspace"
        return
    state = found.categories.get("Business Record", {}).get("Record State")
    if wanted.foreign and not state:
        return  # never taken over: the record was gone before Dovetail heard of it
    if state != wanted.state:
        yield f"{wanted.type} workspace shows {state!r}, not {wanted.state!r}"
    if not wanted.exact:
        return
    if found.name != wanted.name:
        yield f"{wanted.type} workspace is named {found.name!r}, not {wanted.name!r}"
    owner = tuple(found.roles.get("Owner", ()))
    if wanted.owner is not None and owner != (wanted.owner,):
        yield f"{wanted.type} workspace belongs to {owner}, not {wanted.owner!r}"
    yield from _parent_differences(wanted, found, by_object)
    yield from _attribute_differences(wanted, found)
    for path, names in wanted.holds.items():
        inside = [view for view in found.folders if view.startswith(f"{path}/")]
        surplus = {view.removeprefix(f"{path}/") for view in inside} - names
        if surplus:
            yield f"{wanted.type} workspace has folders that nobody expects: {sorted(surplus)}"


def _governance_differences(
    wanted: Expected, found: WorkspaceView, content_server: ContentServerSimulator
) -> Iterator[str]:
    """Who may open it, how long it is kept, and what still waits for somebody in it."""
    if wanted.open_to:
        roles = content_server.people.readers(found.id)
        if set(roles) != set(wanted.open_to):
            yield f"{wanted.type} workspace is open to {sorted(roles)}, not {wanted.open_to}"
    if wanted.kept is not None:
        held = content_server.people.record(found.id)
        since = held.record_date.isoformat() if held and held.status == "CLOSED" else None
        shown = Kept(held.classification, since) if held else None
        if shown != wanted.kept:
            yield f"{wanted.type} workspace is kept as {shown}, not {wanted.kept}"
    running = [w for w in content_server.people.workflows(found.id) if w.state == "running"]
    if len(running) != wanted.running:
        yield f"{len(running)} workflows run in the {wanted.type} workspace, not {wanted.running}"


def _folder_differences(
    wanted: ExpectedFolder, by_object: ByObject, columns: Mapping[str, Any]
) -> Iterator[str]:
    workspace = by_object.get(wanted.business_object)
    found = workspace.folder_views.get(wanted.path) if workspace else None
    if found is None:
        if wanted.required:
            yield f"has no folder {wanted.path}"
        return
    state = found.categories.get("Business Record", {}).get("Record State")
    if state != wanted.state:
        yield f"folder {wanted.path} shows {state!r}, not {wanted.state!r}"
    if wanted.link:
        yield from _shown_differences(found.id, "folder", columns, wanted.link)


def _attribute_differences(wanted: Expected, found: WorkspaceView) -> Iterator[str]:
    for category, values in wanted.attributes.items():
        shown = found.categories.get(category, {})
        for name, value in values.items():
            if _shown(shown.get(name)) != value:
                yield f"{category}/{name} is {_shown(shown.get(name))!r}, not {value!r}"


def _parent_differences(
    wanted: Expected, found: WorkspaceView, by_object: ByObject
) -> Iterator[str]:
    due = {by_object[parent].id for parent in wanted.parents if parent in by_object}
    parents = {other for relation, other in found.relations if relation == "parent"}
    if len(due) != len(wanted.parents) or parents != due:
        yield f"{wanted.type} workspace hangs below {sorted(parents)}, not {sorted(due)}"


def _link_differences(
    found: WorkspaceView | None, columns: Mapping[str, Any], prefix: str
) -> Iterator[str]:
    yield from _shown_differences(found.id if found else None, "workspace", columns, prefix)


def _shown_differences(
    node_id: int | None, what: str, columns: Mapping[str, Any], prefix: str
) -> Iterator[str]:
    """A node that columns of the record show by its id and its link."""
    linked, due = columns.get(f"{prefix}id"), str(node_id) if node_id is not None else None
    if linked != due:
        yield f"{prefix}id is {linked!r}, not {due!r}"
    url = str(columns.get(f"{prefix}url") or "")
    if node_id is not None and str(node_id) not in url:
        yield f"{prefix}url is {url!r}, which does not open {what} {due}"


def _shown(value: Any) -> Any:
    """A value as the truth writes it: moments to the second, dates, and empty text as nothing."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str) and len(value) == 19 and value[10] == "T" and value.endswith("00:00"):
        return value[:10]
    return None if value == "" else value
