"""What a person asks afterwards, of the broker that the worker worked on."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from app.sandbox.events.change import Encoded
from tests.main_job.scene import Scene

pytestmark = pytest.mark.broker


async def _dovetail(scene: Scene, *words: str) -> list[dict[str, Any]]:
    """Run a command with the worker's settings; its lines of JSON."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", *words, "--json"),
        env=dict(scene.worker.environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return [json.loads(line) for line in out.splitlines()]


async def test_trace_tells_a_records_story_in_order(scene: Scene) -> None:
    await scene.ready()
    account = scene.account("Contoso")
    await scene.tell(account)
    await scene.until_linked(account)
    await scene.until_quiet()
    found = scene.workspace(account)
    assert found is not None

    steps = await _dovetail(scene, "trace", f"account:{account.id}")
    assert {step["subject"] for step in steps} == {f"account:{account.id}"}
    assert [step["at"] for step in steps] == sorted(step["at"] for step in steps)
    events = [step["event"] for step in steps]
    assert events[0] == "changed"
    assert {"commanded", "done"} <= set(events)
    assert events.index("commanded") < events.index("done")
    assert "refused" not in events
    assert str(found.id) in json.dumps([s for s in steps if s["event"] == "done"])


async def test_dead_letters_are_listed_with_their_place_and_error(scene: Scene) -> None:
    await scene.ready()
    await scene.send(Encoded(b"a key", b'{"hello":"world"}'), Encoded(None, b"\xff"))

    async def kept() -> bool:
        return len(await scene.letters()) == 2

    await scene.until(kept, "both kept")
    topic = scene.here.names.changes
    listed = await _dovetail(scene, "dlq", "list", "--topic", topic)
    assert {(one["error"], one["key"], one["size_bytes"], one["stage"]) for one in listed} == {
        ("unknown_format", "a key", 17, "decode-changes"),
        ("not_utf8", "", 1, "decode-changes"),
    }
    assert all(one["source"].startswith(f"{topic}/") for one in listed)
    (only,) = await _dovetail(scene, "dlq", "list", "--topic", topic, "--error", "not_utf8")
    assert only["key"] == ""
