"""What a simulated Content Server holds: workspaces, each with tree, roles and categories."""

from __future__ import annotations

from typing import Any

from app.sandbox.choice import System
from app.sandbox.content_server import ApiError, ContentServerSimulator, WorkspaceView
from app.sandbox.content_server.audit_trail import AUDIT_NAMES
from app.sandbox.content_server.model import Node
from app.sandbox.content_server.workflow_model import Process
from app.sandbox.pages.dataverse import NotHere
from app.sandbox.pages.html import Child, Html, element
from app.sandbox.pages.layout import code, facts, link, moment, plural, section, table
from app.sandbox.pages.parts import address

SHOWN = 200
SHOWN_EVENTS = 50


def workspaces_page(server: ContentServerSimulator) -> Html:
    """The newest workspaces, the workflows, and what the server has told of."""
    spaces = server.workspaces()
    rows = [
        (link(_href(w.id), w.name), w.type, w.id, _business_objects(w), ", ".join(w.folders))
        for w in spaces[::-1][:SHOWN]
    ]
    more = f", the newest {SHOWN} shown" if len(spaces) > SHOWN else ""
    heads = ("Workspace", "Type", "Id", "Business object", "Folders")
    return element(
        "div",
        facts([("REST API", code(server.url)), ("OTDS", code(server.otds_url))]),
        section(
            "Workspaces", table(plural(len(spaces), "workspace") + more, heads, rows, numbers=(2,))
        ),
        section("Workflows", _workflows(server)),
        section("Events", _events(server)),
    )


def workspace_page(server: ContentServerSimulator, workspace_id: int) -> tuple[str, Html]:
    """The title and content for one workspace."""
    try:
        found = server.workspace(workspace_id)
    except ApiError as error:
        raise NotHere(f"There is no workspace {workspace_id}.") from error
    related = [(link(_href(other), str(other)), kind) for kind, other in found.relations]
    roles = [(name, ", ".join(members) or "-") for name, members in found.roles.items()]
    return found.name, element(
        "div",
        facts(
            [
                ("Type", found.type),
                ("Id", code(found.id)),
                ("Business object", _business_objects(found) or "-"),
                ("Place", " / ".join(found.path)),
                ("Description", found.description or "-"),
            ]
        ),
        section("Tree", _tree(server, server.node(workspace_id))),
        section("Roles", table("Roles and members", ("Role", "Members"), roles)),
        [_category(name, values) for name, values in found.categories.items()],
        section("Related", table("Related workspaces", ("Workspace", "Relation"), related)),
        section("Audit", _audit(server, found.id)),
    )


def workspace_of(server: ContentServerSimulator, node_id: int) -> str:
    """The page of the workspace that a node is, or is in."""
    node = server.store.nodes.get(node_id)
    found = server.store.enclosing_workspace(node) if node is not None else None
    if found is None:
        raise NotHere(f"There is no workspace around {node_id}.")
    return _href(found.id)


def _business_objects(found: WorkspaceView) -> str:
    return ", ".join(" / ".join(reference.key()) for reference in found.business_objects)


def _tree(server: ContentServerSimulator, node: Node) -> Html:
    children = server.store.children(node.id)
    if not children:
        return element("p", "Empty.", class_="note")
    return element("ul", [_branch(server, child) for child in children], class_="tree")


def _branch(server: ContentServerSimulator, node: Node) -> Html:
    beneath = [_branch(server, child) for child in server.store.children(node.id)]
    name: Child = link(_href(node.id), node.name) if node.workspace else node.name
    what: list[Child] = [name]
    if node.versions:
        newest = node.versions[-1]
        size = plural(len(newest.content), "byte")
        what.append(element("span", f" version {newest.number}, {size}", class_="note"))
    return element("li", what, element("ul", beneath) if beneath else None)


def _category(name: str, values: dict[str, Any] | Any) -> Html:
    plain = [(label, _text(v)) for label, v in values.items() if not _is_set(v)]
    sets = [(label, rows) for label, rows in values.items() if _is_set(rows) and rows]
    tables = [
        table(label, tuple(rows[0]), [tuple(map(_text, row.values())) for row in rows])
        for label, rows in sets
    ]
    return section(f"Category {name}", table("Attributes", ("Attribute", "Value"), plain), tables)


def _is_set(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _text(value: object) -> str:
    if value in (None, "", []):
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _workflows(server: ContentServerSimulator) -> Html:
    processes = list(server.store.workflows.processes.values())[::-1][:SHOWN]
    rows = [
        (
            process.title,
            server.store.workflows.maps[process.map_id].name,
            process.state,
            process.open_task.name if process.open_task else "-",
            [_decide(process, disposition) for disposition in _dispositions(server, process)],
        )
        for process in processes
    ]
    heads = ("Workflow", "Map", "State", "Waits at", "Decide, as whoever may")
    return table("The newest workflows", heads, rows)


def _dispositions(server: ContentServerSimulator, process: Process) -> tuple[str, ...]:
    """How the open step may end."""
    task = process.open_task
    steps = server.store.workflows.maps[process.map_id].steps
    return next((step.dispositions for step in steps if task and step.name == task.name), ())


def _decide(process: Process, disposition: str) -> Html:
    fields = {"workflow": str(process.id), "disposition": disposition}
    hidden = [element("input", type="hidden", name=name, value=v) for name, v in fields.items()]
    label = f"{disposition} {process.title}"
    button = element("button", disposition, type="submit", aria_label=label)
    href = f"{address(System.CONTENT_SERVER)}/decide"
    return element("form", hidden, button, method="post", action=href, class_="inline")


def _events(server: ContentServerSimulator) -> Html:
    rows = [
        (h.event_id, h.event, link(_href(h.workspace_id), str(h.workspace_id)), h.actor or "-")
        for h in list(server.happenings)[-SHOWN_EVENTS:][::-1]
        if h.workspace_id is not None
    ]
    return table(
        "What the server told of, newest first", ("Event", "What", "Workspace", "By"), rows
    )


def _audit(server: ContentServerSimulator, node_id: int) -> Html:
    lines = [line for line in server.audit if line.node_id == node_id][-SHOWN_EVENTS:][::-1]
    rows = [
        (
            moment(line.at),
            AUDIT_NAMES.get(line.event, str(line.event)),
            server.store.members[line.user_id].name
            if line.user_id in server.store.members
            else "-",
            line.value,
        )
        for line in lines
    ]
    return table(
        "Of the workspace itself, newest first", ("When (UTC)", "What", "By", "Value"), rows
    )


def _href(workspace_id: int | None) -> str:
    return f"{address(System.CONTENT_SERVER)}/workspaces/{workspace_id}"
