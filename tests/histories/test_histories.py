"""Golden histories: the same facts make the same commands, under the same ids, and the same end."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import pytest

from app.cli.stories import in_order
from streams.flows.registry import FLOWS
from streams.messages.audit import AuditEvent, AuditLine
from streams.topics import AUDIT
from tests.histories.replay import Line, histories, play, read, replay, written
from tests.streams.samples import START_MS


def difference(path: Path, expected: list[Line], actual: list[Line]) -> str:
    """What differs, line by line; empty when nothing does."""
    lines = unified_diff(
        written(expected).splitlines(),
        written(actual).splitlines(),
        path.name,
        "replayed now",
        n=1,
        lineterm="",
    )
    return "\n".join(lines)


@pytest.mark.parametrize("path", histories(), ids=lambda path: path.stem)
async def test_a_history_replays_as_it_was(path: Path) -> None:
    expected = read(path)
    differs = difference(path, expected, await replay(expected))
    if differs:
        pytest.fail(
            f"{differs}\n\nIf this is meant: python -m tests.histories.regenerate, and read the "
            "diff. A changed command id calls again on a replay.",
            pytrace=False,
        )


@pytest.mark.parametrize("path", histories(), ids=lambda path: path.stem)
async def test_a_history_told_twice_ends_the_same(path: Path) -> None:
    once = read(path)
    told = [line for line in once if {"book", "told", "given", "wait"} & line.keys()]
    again = [line for line in told if {"told", "wait"} & line.keys()]
    twice = await replay([*told, *again])

    def end(lines: list[Line]) -> list[Line]:
        return [line for line in lines if "workspace" in line or "dynamics" in line]

    assert end(twice) == end(once)


@pytest.mark.parametrize("path", histories(), ids=lambda path: path.stem)
async def test_each_step_of_a_story_has_a_time_and_stands_behind_its_cause(path: Path) -> None:
    _, world = await play(read(path))
    told = [
        AuditLine.model_validate_json(message.value or b"")
        for message in world.sent
        if message.topic == AUDIT.name
    ]
    assert told
    for subject in {line.subject for line in told}:
        story = in_order(line for line in told if line.subject == subject)
        assert all(line.at_ms >= START_MS for line in story)
        sent: set[str | None] = set()
        for line in story:
            if line.event is AuditEvent.COMMANDED:
                sent.add(line.command_id)
            if line.event in (AuditEvent.DONE, AuditEvent.REFUSED):
                assert line.command_id in sent


def test_every_flow_has_a_history() -> None:
    assert {flow.name for flow in FLOWS} <= {path.stem for path in histories()}


async def test_a_difference_is_shown_line_by_line() -> None:
    path = histories()[0]
    expected = read(path)
    number = next(i for i, line in enumerate(expected) if "sent" in line)
    other = [*expected]
    other[number] = {**other[number], "sent": "elsewhere"}
    shown = difference(path, expected, other)
    assert '+{"sent": "elsewhere"' in shown
    assert difference(path, expected, expected) == ""
