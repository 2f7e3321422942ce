"""Starting on a bad day: what is not there is waited for, what is wrong is refused and named."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import NewTopic

from app.sandbox.events import rec
from app.sandbox.faults import Fault
from app.settings.fields import RULES_DIRECTORY
from tests.main_job.scene import Scene

pytestmark = pytest.mark.broker

#: How a system is taken away, and brought back.
Switch = Callable[[Scene], Awaitable[None]]


async def _unready(scene: Scene, *words: str) -> dict[str, Any]:
    """Wait until the worker says that it is not ready, with these words in what it says."""

    async def said() -> dict[str, Any] | None:
        answer = await scene.page("/readyz")
        if answer is None or not all(word in answer.text for word in words):
            return None
        assert answer.status_code == 503
        body: dict[str, Any] = answer.json()
        return body

    found: dict[str, Any] = await scene.until(said, f"/readyz says {words}")
    return found


async def _lives(scene: Scene) -> bool:
    answer = await scene.page("/livez")
    return answer is not None and answer.status_code == 200


async def _works(scene: Scene) -> None:
    """It becomes ready by itself, and does its job."""
    await scene.worker.ready()
    account = scene.account()
    await scene.tell(account)
    await scene.until_linked(account)


async def test_a_broker_that_is_not_there_is_waited_for(scene: Scene) -> None:
    await scene.broker.off()
    await scene.worker.start()

    told = await _unready(scene, scene.here.bootstrap)
    assert told["ready"] is False
    assert scene.here.bootstrap in told["waiting_for"]
    assert "check DOVETAIL_KAFKA_BOOTSTRAP" in told["waiting_for"]
    assert await _lives(scene)
    assert scene.here.bootstrap in scene.log

    await scene.broker.on()
    await _works(scene)


async def _no_dataverse(scene: Scene) -> None:
    await scene.dataverse.stop()


async def _dataverse(scene: Scene) -> None:
    await scene.dataverse.start()


async def _only_otds(scene: Scene) -> None:
    scene.content_server.faults.add(Fault("status", times=None, html=True, path="^/cs/"))


async def _content_server(scene: Scene) -> None:
    scene.content_server.faults.clear()


async def _no_otds(scene: Scene) -> None:
    await scene.content_server.served.stop()


async def _otds(scene: Scene) -> None:
    await scene.content_server.served.start()


async def _no_entra(scene: Scene) -> None:
    await scene.here.entra.stop()


async def _entra(scene: Scene) -> None:
    await scene.here.entra.start()


@pytest.mark.parametrize(
    ("taken", "back", "waiting_for", "named"),
    [
        (_no_dataverse, _dataverse, "Dataverse", "Dataverse"),
        (_only_otds, _content_server, "Content Server", "Content Server answered"),
        (_no_otds, _otds, "Content Server", "OTDS"),
        (_no_entra, _entra, "Dataverse", "Entra ID"),
    ],
    ids=["dataverse", "content_server", "otds", "entra"],
)
async def test_a_system_that_is_not_there_is_waited_for(
    scene: Scene, taken: Switch, back: Switch, waiting_for: str, named: str
) -> None:
    await taken(scene)
    await scene.worker.start()

    told = await _unready(scene, waiting_for, "last_failure")
    assert told["ready"] is False
    assert told["waiting_for"] == waiting_for
    assert named in told["last_failure"]
    assert await _lives(scene)
    assert f"waiting for {waiting_for}: " in scene.log

    await back(scene)
    await _works(scene)


async def test_a_topic_that_is_not_there_is_told_and_taken_up_when_it_comes(scene: Scene) -> None:
    late = f"late.{scene.here.names.changes}"
    scene.set(SOURCE_TOPICS=f"{scene.here.names.changes},{late}")
    await scene.ready()

    async def told() -> bool:
        answer = await scene.page("/readyz")
        assert answer is not None
        return answer.json()["missing_topics"] == [late]

    await scene.until(told, "/readyz names the topic")
    assert await scene.metric("dovetail_source_topics_missing") == 1
    assert f"topic {late} does not exist" in scene.log
    assert "check DOVETAIL_SOURCE_TOPICS" in scene.log
    await _works(scene)

    await scene.watch.admin.create_topics([NewTopic(late, 3, 1)])
    account = scene.account()
    await scene.send(*rec.encode(account), topic=late)
    await scene.until_linked(account)
    await scene.until(lambda: f"topic {late} is there now" in scene.log, "that it is there is told")
    assert await scene.metric("dovetail_source_topics_missing") == 0


async def test_more_copies_than_brokers_are_refused_with_the_setting(scene: Scene) -> None:
    scene.set(REPLICATION_FACTOR=15, APPLICATION_ID=f"{scene.here.names.application}-copies")
    await scene.worker.start()
    assert await scene.ended() == 1
    assert "dovetail: the worker halted: Topics cannot be prepared: " in scene.log
    assert "set DOVETAIL_REPLICATION_FACTOR to at most the number of brokers" in scene.log
    assert "Traceback" not in scene.log
    assert "unexpected" not in scene.log


async def test_a_folder_that_cannot_hold_the_tables_is_refused(
    scene: Scene, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    scene.set(DATA_DIRECTORY=tmp_path / "file" / "tables")
    await scene.worker.start()
    assert await scene.ended() == 1
    assert "next: set DOVETAIL_DATA_DIRECTORY to a folder" in scene.log
    assert "unexpected" not in scene.log


async def test_a_workspace_type_that_does_not_exist_is_refused_with_its_place(
    scene: Scene, tmp_path: Path
) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(RULES_DIRECTORY, rules)
    file = rules / "record_workspace.yaml"
    text = file.read_text().replace("type: Account\n", "type: Acount\n")
    line = text.splitlines().index("      type: Acount") + 1
    file.write_text(text)

    scene.set(RULES_DIRECTORY=rules)
    await scene.worker.start()
    assert await scene.ended() == 1
    assert f"record_workspace.yaml:{line}: " in scene.log
    assert "no workspace type 'Acount' (did you mean Account?)" in scene.log
    assert "Traceback" not in scene.log
    assert scene.content_server.workspaces() == []


async def test_what_would_halt_it_at_the_first_approval_is_refused_with_its_place(
    scene: Scene, tmp_path: Path
) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(RULES_DIRECTORY, rules)
    file = rules / "service_case.yaml"
    text = file.read_text().replace("workflow_map: ", "workflow_map: No ")
    text = text.replace("classification: ", "classification: No ")
    told = [
        line.strip().startswith(("workflow_map: No", "classification: No"))
        for line in text.splitlines()
    ]
    lines = [number for number, is_wrong in enumerate(told, 1) if is_wrong]
    assert len(lines) == 2
    file.write_text(text)

    scene.set(RULES_DIRECTORY=rules)
    await scene.worker.start()
    assert await scene.ended() == 1
    for line in lines:
        assert f"service_case.yaml:{line}: Content Server has no " in scene.log
    assert "Traceback" not in scene.log


async def test_maps_that_content_server_does_not_tell_are_not_held_against_the_rules(
    scene: Scene,
) -> None:
    away = Fault("status", status=400, method="GET", path="/v2/docworkflows", times=None)
    scene.content_server.faults.add(away)
    await scene.worker.start()
    await _works(scene)
    assert "workflow maps and classifications are not checked" in scene.log


async def test_every_missing_setting_is_named_with_its_variable(scene: Scene) -> None:
    missing = ("KAFKA_BOOTSTRAP", "DATAVERSE_URL", "CONTENT_SERVER_URL", "ENTRA_CLIENT_SECRET")
    scene.set(**dict.fromkeys(missing))
    await scene.worker.start()
    assert await scene.ended() == 1
    assert [name for name in missing if f"\n  DOVETAIL_{name} " not in scene.log] == []
    assert "4 settings are wrong or missing" in scene.log


@pytest.mark.parametrize(
    ("setting", "words"),
    [("ENTRA_CLIENT_SECRET", "AADSTS7000215"), ("OTDS_CLIENT_SECRET", "OTDS")],
)
async def test_a_wrong_secret_is_refused_and_never_shown(
    scene: Scene, setting: str, words: str
) -> None:
    variable = f"DOVETAIL_{setting}"
    right, wrong = scene.worker.environment[variable], "wrong-secret-of-this-test"
    scene.set(**{setting: wrong})
    await scene.worker.start()
    assert await scene.ended() == 1
    assert variable in scene.log
    assert words in scene.log
    assert wrong not in scene.log
    assert right not in scene.log
    assert "Traceback" not in scene.log
