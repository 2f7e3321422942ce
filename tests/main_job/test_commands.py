"""What a person asks afterwards, of the broker that the worker worked on."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from app.sandbox.events.change import Encoded
from app.settings.fields import RULES_DIRECTORY
from tests.main_job.scene import Scene

pytestmark = pytest.mark.broker


async def _ended(scene: Scene, *words: str) -> tuple[int, str, str]:
    """Run a command with the worker's settings: exit code, standard output and error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", *words),
        env=dict(scene.worker.environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def _dovetail(scene: Scene, *words: str) -> list[dict[str, Any]]:
    """Run a command that has to succeed; its lines of JSON."""
    code, out, err = await _ended(scene, *words, "--json")
    assert code == 0, err
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
    events = [step["event"] for step in steps]
    assert events[0] == "changed"
    assert {"commanded", "done"} <= set(events)
    # By what follows from what: the times of what happens side by side may be told in any order.
    parts = [(step["event"], step["rule"], step["step"]) for step in steps]
    for place, (event, rule, name) in enumerate(parts):
        assert event != "done" or ("commanded", rule, name) in parts[:place]
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


async def test_rules_are_checked_against_what_both_systems_have(
    scene: Scene, tmp_path: Path
) -> None:
    code, _, err = await _ended(scene, "rules", "check", "--live")
    assert (code, "known to both systems" in err) == (0, True), err
    rules = Path(shutil.copytree(RULES_DIRECTORY, tmp_path / "rules"))
    file = rules / "record_workspace.yaml"
    file.write_text(
        file.read_text()
        .replace("type: Account", "type: Acount", 1)
        .replace("role: Owner", "role: Owners", 1)
    )
    requests = rules / "approval_request.yaml"
    requests.write_text(requests.read_text().replace("workflow_map: Terms", "workflow_map: Old"))
    cases = rules / "service_case.yaml"
    cases.write_text(cases.read_text().replace("classification: Customer", "classification: Old"))
    tables = rules / "tables.yaml"
    tables.write_text(
        tables.read_text()
        .replace("      name: text\n", "      name: text\n      nam: text\n", 1)
        .replace("new_contractdocumenturl: {text: 500}", "new_contractdocumenturl: {text: 501}")
    )
    code, _, err = await _ended(scene, "rules", "check", str(rules), "--live")
    assert code == 1
    assert "has no workspace type 'Acount' (did you mean Account?)" in err
    assert "tables.yaml:" in err
    assert "'nam'" in err
    assert "approval_request.yaml:" in err
    assert "has no workflow map 'Old Approval'" in err
    assert "service_case.yaml:" in err
    assert "has no records management classification 'Old Service/Cases'" in err
    assert "opportunity.new_contractdocumenturl has room for 500 characters, not for 501" in err


async def test_a_system_that_is_away_is_told_and_not_waited_for(scene: Scene) -> None:
    scene.set(CONTENT_SERVER_URL="http://127.0.0.1:1")
    code, _, err = await _ended(scene, "rules", "check", "--live")
    assert code == 1
    assert "Content Server does not answer" in err


async def test_a_record_is_explained_with_its_conditions_and_workspace(scene: Scene) -> None:
    await scene.ready()
    account = scene.account("Contoso")
    await scene.tell(account)
    await scene.until_linked(account)
    await scene.until_quiet()
    found = scene.workspace(account)
    assert found is not None
    one = next(
        told
        for told in await _dovetail(scene, "rules", "explain", f"account:{account.id}")
        if told["rule"] == "account-workspace"
    )
    assert (one["workspace_id"], one["open"]) == (found.id, [])
    conditions = {condition["where"]: condition for condition in one["conditions"]}
    assert conditions["closed"]["answer"] is False
    assert conditions["closed"]["values"] == {"record.statecode": 0}
