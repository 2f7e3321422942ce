"""The main job: a whole history through everything, a crash in its middle, and all of it again."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from app.demo import erp, play
from app.demo.acts import expectations, written
from app.demo.approvers import Approvers
from app.demo.bad_day import bad_day_on
from app.demo.history import CHANGES_TOPIC, History, Played, Playwright
from app.demo.judge import judge, judged
from app.demo.pen import Pen, Size
from app.demo.run import GRACE_SECONDS, RULES
from app.demo.truth import Person, Truth
from app.sandbox.choice import System
from app.sandbox.entra import EntraClient, EntraSimulator
from app.sandbox.finance import FinanceSimulator
from tests.main_job.scene import BOOK, PATIENCE_SECONDS, Scene

# Each wait in here ends before, and says what it waited for; all of them together take longer.
pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

SMALL = Size(accounts=11, deals=13, cases=8, leaving=1, others=3)
SEED = 11
HOUR_SECONDS = 3600
BAD_DAY_SECONDS = 150.0


@dataclass
class Drama:
    """A small company's history on a scene, and Dataverse that tells of each write."""

    scene: Scene
    truth: Truth
    history: History
    gone_on: bool = False

    async def play(self, messages: Sequence[Played]) -> None:
        await play.produce(self.scene.producer, messages, lambda _: None)

    async def until_done(self) -> None:
        """Until all is quiet; the first time people then go on working, as in the demo."""
        await self.scene.until_quiet()
        if not self.gone_on:
            self.gone_on = True
            play.do_later(self.scene.here, self.truth, BOOK.catalogue)
            await asyncio.sleep(GRACE_SECONDS)
            await self.scene.until_quiet()

    async def assert_as_the_oracle_says(self) -> None:
        scene, due = self.scene, expectations(self.truth)
        found = await judged(
            lambda: judge(due, scene.content_server, scene.dataverse, scene.here.finance),
            PATIENCE_SECONDS,
        )
        wrong = [(v.expectation.life.title, v.differences) for v in found.wrong]
        assert (wrong, found.surplus) == ([], [])
        scene.assert_no_second_workspace()

    async def assert_letters_are_the_unreadable(self, times: int = 1) -> None:
        due: Counter[play.Letter] = Counter()
        for message in self.history.unreadable:
            encoded = message.encoded
            due[encoded.key, encoded.value, encoded.headers] += times
        assert Counter(await self.scene.letters()) == due


@asynccontextmanager
async def drama_on(scene: Scene) -> AsyncIterator[Drama]:
    """Both systems as they are after the history, which nobody has told yet."""
    scene.set(RULES_DIRECTORY=",".join(map(str, RULES)))
    here, names = scene.here, scene.here.names
    people = tuple(
        Person(EntraClient(user.login).principal_id, user.login, user.business_email)
        for user in here.content_server.definition.users
        if user.login != here.content_server.client.login
    )
    start_ms = (int(time.time()) - 3 * HOUR_SECONDS) * 1000
    truth = written(Pen(BOOK.catalogue, people, SEED, start_ms, SMALL))
    play.seed_dataverse(here, truth, BOOK.catalogue)
    told = erp.live(here.finance, truth)
    play.file_papers(here, truth)
    early = play.early_workspaces(here, truth)
    history = Playwright(truth, early, SEED, names.partitions, told).write()
    own = {CHANGES_TOPIC: names.changes}
    messages = [replace(m, topic=own.get(m.topic, names.ecm_events)) for m in history.messages]
    async with (
        play.service_endpoint(here, BOOK.catalogue),
        play.finance_events(here),
        play.webhook(here),
        Approvers(here.content_server, truth),
    ):
        yield Drama(scene, truth, History(messages, history.unreadable))


def test_the_small_history_has_all_that_the_demos_has() -> None:
    people = (Person(EntraClient("ann").principal_id, "ann", "ann@contoso.example"),)
    truth = written(Pen(BOOK.catalogue, people, SEED, HOUR_SECONDS * 1000, SMALL))
    finance = FinanceSimulator(EntraSimulator("contoso", []), application_users={})
    history = Playwright(truth, {}, SEED, 3, erp.live(finance, truth)).write()
    told = {h.event for happenings in truth.told.values() for h in happenings}
    there = {
        "30 records": len(truth.lives) >= 30,
        "300 messages": len(history.messages) >= 300,
        "all formats": len(history.formats) == 10,
        "unreadable messages": len(history.unreadable) > 5,
        "deletes of each kind": {"account", "opportunity", "incident"}
        <= {life.table for life in truth.lives if life.deleted},
        "a merge": any(life.row.get("merged") for life in truth.lives),
        "won deals": any(deal.row["statecode"] == 1 for deal in truth.of("opportunity")),
        "lost deals": any(deal.row["statecode"] == 2 for deal in truth.of("opportunity")),
        "signed contracts": "contract.signed" in told,
        "contracts there before": bool(truth.early),
        "strays": bool(truth.strays),
        "evidence": "document.approved" in told,
        "onboardings": any(a.row.get("new_onboardingstatus") for a in truth.of("account")),
        "a hold of the ERP for each reason": {"No", "Payment"}
        <= {vendor.row["OnHoldStatus"] for vendor in truth.of("finance_vendor")},
        "vendors": any(a.row.get("customertypecode") for a in truth.of("account")),
    }
    assert [name for name, is_there in there.items() if not is_there] == []


async def test_a_history_with_a_crash_in_its_middle_ends_as_the_oracle_says(scene: Scene) -> None:
    async with drama_on(scene) as drama:
        messages = drama.history.messages
        half = len(messages) // 2
        await scene.ready()
        await drama.play(messages[:half])
        await scene.until(lambda: len(scene.content_server.workspaces()) > 8, "work half done")
        await scene.worker.kill()
        assert await scene.watch.lag() > 0, "the worker was killed after its work was done"
        await scene.worker.start()
        await drama.play(messages[half:])
        await drama.until_done()
        await drama.assert_as_the_oracle_says()
        await drama.assert_letters_are_the_unreadable()


async def test_a_history_on_a_bad_day_ends_as_the_oracle_says(scene: Scene) -> None:
    async with drama_on(scene) as drama:
        messages = drama.history.messages
        half = len(messages) // 2
        await scene.ready()
        async with bad_day_on(scene.here) as day:
            await day.begin()
            await drama.play(messages[:half])
            await day.worsen()
            await drama.play(messages[half:])
            await day.recover()
            assert await scene.watch.until_quiet(lambda _: None, BAD_DAY_SECONDS), scene.log[-3000:]
            await drama.until_done()
            struck = await day.end()
        await drama.assert_as_the_oracle_says()
        await drama.assert_letters_are_the_unreadable()
    for system in (System.DATAVERSE, System.CONTENT_SERVER):
        kinds = {"outage", "status", "latency", "lose_answer", "slow_body", "etag_race"}
        assert kinds <= {kind for kind, count in struck[system].items() if count}, struck[system]
    assert struck[System.ENTRA]["revoke_tokens"] == 1
    kafka = struck.get(System.KAFKA, {"restart": 1, "refuse": 1})  # another's is left in peace
    assert kafka["restart"] == 1 and kafka["refuse"] > 0, kafka
    # What was deleted meanwhile cannot be written any more, on whatever day.
    refused = [
        line for line in scene.log.splitlines() if "streams.writers.writing: refused" in line
    ]
    assert [line for line in refused if "error=record_missing" not in line] == []


async def test_the_same_history_again_changes_nothing_in_either_system(scene: Scene) -> None:
    async with drama_on(scene) as drama:
        messages = drama.history.messages
        await scene.ready()
        await drama.play(messages)
        await drama.until_done()
        await drama.assert_as_the_oracle_says()
        before = _state(scene)
        assert await _workspaces_wanted(scene) > len(drama.truth.lives) / 2

        await drama.play(messages)
        await drama.until_done()
        assert _state(scene) == before
        await drama.assert_letters_are_the_unreadable(times=2)

        await scene.worker.stop()
        shutil.rmtree(scene.worker.environment["DOVETAIL_DATA_DIRECTORY"])
        await scene.ready()
        await drama.play(messages)
        await drama.until_done()
        assert _state(scene) == before
        await drama.assert_letters_are_the_unreadable(times=3)
        # All is known again from the changelogs: Extended ECM is not even asked.
        assert await _workspaces_wanted(scene) == 0


async def _workspaces_wanted(scene: Scene) -> float:
    """How often this worker has sent for a workspace."""
    return await scene.metric("dovetail_commands_total", command="ensure_workspace")


def _state(scene: Scene) -> tuple[Any, ...]:
    """Both systems, and how often each was written to: a write of what is there counts too."""
    requests = scene.content_server.requests
    signing_in = ("/otdsws/", "/v1/auth")
    asked = [r for r in requests if not any(path in r.path for path in signing_in)]
    return (
        scene.dataverse.version,
        scene.here.finance.state.version,
        [(r.method, r.path) for r in asked if r.method != "GET"],
        scene.content_server.workspaces(),
    )
