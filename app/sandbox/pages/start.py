"""The start page: what runs, where, and the settings of a worker for it."""

from __future__ import annotations

from collections.abc import Mapping

from app.sandbox.assembly import Sandbox
from app.sandbox.choice import TITLES, System
from app.sandbox.environment import worker_environment
from app.sandbox.pages.html import Child, Html, element
from app.sandbox.pages.layout import code, facts, link, listing, plural, section
from app.sandbox.pages.parts import address
from app.sandbox.switches import Switches


def start_page(sandbox: Sandbox, switches: Mapping[System, Switches], here: str) -> Html:
    """The content of the page, which is at the address ``here``."""
    data = sandbox.choice.data
    kept = "in memory: it is gone when the sandbox ends" if data is None else f"in {data}"
    cards = [_card(sandbox, system, switches[system]) for system in switches]
    lines = [f"{name}={value}" for name, value in worker_environment(sandbox).items()]
    return element(
        "div",
        element("p", f"Simulated systems on this machine, kept {kept}.", class_="lead"),
        _trouble(sandbox),
        element("ul", cards, class_="cards"),
        section("Settings of a worker", listing("\n".join(lines))),
        _try(sandbox, here),
    )


def _trouble(sandbox: Sandbox) -> Html | None:
    failure = sandbox.keeper.failure if sandbox.keeper else None
    if failure is None:
        return None
    text = f"The last save did not succeed: {failure}. It is tried again."
    return element("p", element("span", text, class_="warn"), role="alert")


def _card(sandbox: Sandbox, system: System, switches: Switches) -> Html:
    waiting = len(switches.told()["waiting"])
    faults: Child = "none"
    if waiting:
        faults = element("span", plural(waiting, "fault"), " waiting", class_="warn")
    title = element("h2", link(address(system), TITLES[system]))
    return element("li", title, facts([*_facts(sandbox, system), ("Faults", faults)]))


def _facts(sandbox: Sandbox, system: System) -> list[tuple[str, Child]]:
    if system is System.KAFKA and (broker := sandbox.broker):
        topics = broker.state.topics.values()
        records = sum(log.end_offset for topic in topics for log in topic.partitions)
        return [
            ("Address", code(broker.bootstrap)),
            ("Holds", f"{plural(len(topics), 'topic')}, {plural(records, 'record')} so far"),
        ]
    if system is System.ENTRA and (entra := sandbox.entra):
        return [
            ("Authority", code(entra.authority)),
            ("Holds", plural(len(entra.clients), "application")),
        ]
    if system is System.DATAVERSE and (dataverse := sandbox.dataverse):
        rows = sum(len(rows) for rows in dataverse.state.rows.values())
        return [
            ("Web API", code(dataverse.api_url)),
            ("Holds", f"{plural(rows, 'row')} in {plural(len(dataverse.state.tables), 'table')}"),
        ]
    if system is System.FINANCE and (finance := sandbox.finance):
        return [
            ("OData", code(finance.data_url)),
            ("Holds", plural(sum(finance.held().values()), "row")),
        ]
    assert sandbox.content_server is not None
    server = sandbox.content_server
    spaces, nodes = len(server.store.workspaces()), len(server.store.nodes)
    return [
        ("REST API", code(server.url)),
        ("Holds", f"{plural(spaces, 'workspace')}, {plural(nodes, 'node')}"),
    ]


def _try(sandbox: Sandbox, here: str) -> Html | None:
    if sandbox.dataverse is None:
        return None
    command = (
        f'curl -H "Authorization: Bearer $(curl -s {here}token)" \\\n'
        "  -H 'Content-Type: application/json' -d '{\"name\": \"Contoso\"}' \\\n"
        f"  {sandbox.dataverse.api_url}/accounts"
    )
    return section(
        "Try it",
        element(
            "p",
            "A row that you create becomes a change event, and with a worker a workspace:",
        ),
        listing(command),
    )
