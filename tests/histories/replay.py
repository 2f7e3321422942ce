"""Histories: facts in, and all that came of them, one JSON object a line.

    {"book": "finance"}                        the rule book, where it is not the usual one
    {"given": {"key": ..., "columns": ...}}    a row that Dataverse holds
    {"told": <fact>}                           a fact on the changes topic
    {"wait": <seconds>}                        time passes
    {"sent": "<topic>", "command": <command>}  what decide answered, until nothing was left to do
    {"row": "<table>/<key>", "value": ...}     what is remembered at the end
    {"workspace": <id>, ...}                   what Extended ECM holds at the end
    {"workflow": <id>, ...}                    the workflows that were started
    {"dynamics": "<key>", "columns": ...}      what Dataverse holds at the end

A person writes the first four kinds of line; ``regenerate.py`` adds the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streams.deciding.memory import DECIDE_TABLES
from streams.engine.records import Outgoing
from streams.messages.facts import FACTS
from streams.topics import DYNAMICS_COMMANDS, ECM_COMMANDS
from tests.fakes.gateways import FakeWorkspace
from tests.streams.finance_rules import BOOK as FINANCE_BOOK
from tests.streams.rulebook import BOOK
from tests.streams.samples import START_MS
from tests.streams.world import World

Line = dict[str, Any]

FOLDER = Path(__file__).parent
_BOOKS = {"": BOOK, "finance": FINANCE_BOOK}
_COMMANDS = (ECM_COMMANDS.name, DYNAMICS_COMMANDS.name)


def histories() -> list[Path]:
    return sorted(FOLDER.glob("*.ndjson"))


def read(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def written(lines: Iterable[Line]) -> str:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


async def replay(lines: Iterable[Line]) -> list[Line]:
    """The whole history, from the lines that a person wrote."""
    history, world = await play(lines)
    return [*history, *_end(world)]


async def play(lines: Iterable[Line]) -> tuple[list[Line], World]:
    """What was told and sent, from the lines that a person wrote, and the world afterwards."""
    lines = list(lines)
    named = next((line["book"] for line in lines if "book" in line), "")
    world = World(_BOOKS[named])
    world.dynamics.modified_ms = START_MS
    history: list[Line] = []
    for line in lines:
        if "book" in line:
            history.append(line)
        elif "given" in line:
            world.dynamics.rows[line["given"]["key"]] = dict(line["given"]["columns"])
            history.append(line)
        elif "told" in line:
            history += [line, *await _told(world, line["told"])]
        elif "wait" in line:
            history += [line, *await _passed(world, line["wait"])]
    return history, world


async def _told(world: World, fact: Any) -> list[Line]:
    before = len(world.sent)
    # What we write in answer to a fact, Dataverse stamps after it.
    world.dynamics.modified_ms = max(world.dynamics.modified_ms, fact.get("at_ms", 0))
    world.tell(FACTS.validate_python(fact))
    await world.run()
    return _commands(world.sent[before:])


async def _passed(world: World, seconds: float) -> list[Line]:
    before = len(world.sent)
    await world.pass_time(seconds)
    return _commands(world.sent[before:])


def _commands(sent: Iterable[Outgoing]) -> list[Line]:
    return [
        {"sent": message.topic, "command": json.loads(message.value or b"")}
        for message in sent
        if message.topic in _COMMANDS
    ]


def _folders(workspace: FakeWorkspace) -> dict[str, Any]:
    return {
        folder.path: folder.attributes | {"of": key}
        for key, folder in sorted(workspace.folders.items())
    }


def _end(world: World) -> Iterator[Line]:
    for (table, key), value in sorted(world.rows.tables.items()):
        if table in DECIDE_TABLES:
            yield {"row": f"{table}/{key}", "value": json.loads(value)}
    for number, workspace in sorted(world.ecm.workspaces.items()):
        yield {
            "workspace": number,
            "of": workspace.business_object.model_dump(),
            "name": workspace.name,
            "attributes": workspace.attributes,
            "roles": {role: list(members) for role, members in workspace.roles.items()},
            "parents": sorted(workspace.parents),
            **_furniture(workspace),
        }
    for _, workflow in sorted(world.ecm.workflows.items()):
        yield {"workflow": workflow.id, **asdict(workflow)}
    for key, columns in sorted(world.dynamics.rows.items()):
        yield {"dynamics": key, "columns": columns}


def _furniture(workspace: FakeWorkspace) -> Line:
    """Who may open it, how long it is kept, which folders it has: as far as a rule says so."""
    found = {
        "access": list(workspace.access or ()),
        "retention": list(workspace.retention or ()),
        "folders": _folders(workspace),
    }
    return {name: value for name, value in found.items() if value}
