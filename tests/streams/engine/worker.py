"""A worker in a process of its own, so that it can really be killed.

``python -m tests.streams.engine.worker '<json>'`` with the fields of ``Options``. Prints one line
when it is ready, and kills itself where ``kill_at`` says.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.engine import Engine, EngineSettings, Halted, Outgoing, Record, Rows
from streams.engine.checkpoint import Checkpointer, Work
from tests.streams.engine.stages import Calls, Count


@dataclass(frozen=True)
class Options:
    """What a worker is told."""

    bootstrap: str
    prefix: str
    directory: str
    stage: str = "count"  # count | calls
    instance_id: str | None = None
    kill_at: str = ""  # a point of KillPoints
    kill_after: int = 0  # so many checkpoints before that one
    hold: str = ""  # calls: this value never ends
    slow_ms: int = 0  # count: how long each batch takes
    batch_max_records: int = 1000
    fail: bool = False  # count: raise
    faust_worker: bool = False  # run under Faust's own worker
    session_timeout_seconds: float = 6.0


class KillPoints:
    """Kills the process at one point of one checkpoint."""

    def __init__(self, at: str, after: int) -> None:
        self.at = at
        self.left = after

    def reach(self, point: str) -> None:
        """Die here, if this is the place and the time."""
        if point == self.at:
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)
            self.left -= 1

    def install(self) -> None:
        """Put the points between the steps of every checkpoint."""
        reach, publish, commit = self.reach, Checkpointer.publish, Checkpointer.commit
        published: set[int] = set()  # so that a partition's very first commit does not count

        async def publish_or_die(self: Checkpointer, work: Work) -> None:
            reach("before publishing")
            if work.changes:
                await publish(self, Work(work.outputs, {}, work.offsets, work.cause))
                reach("between outputs and changelog")
                work = Work((), work.changes, work.offsets, work.cause)
            await publish(self, work)
            published.add(id(self))
            reach("before the commit")

        async def commit_or_die(self: Checkpointer, offsets: Mapping[Any, int]) -> None:
            await commit(self, offsets)
            if id(self) in published:
                reach("after the commit")

        Checkpointer.publish = publish_or_die  # type: ignore[method-assign]
        Checkpointer.commit = commit_or_die  # type: ignore[method-assign]


class SlowCount(Count):
    """Counts at leisure, so that a batch can be interrupted."""

    def __init__(self, output: str, slow_ms: int, fail: bool) -> None:
        super().__init__(output)
        self.slow_ms = slow_ms
        self.fail = fail

    def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
        """Count, and take a while."""
        if self.fail:
            raise ValueError("told to fail")
        time.sleep(self.slow_ms / 1000)
        return super().handle(batch, rows)


def built(options: Options) -> Engine:
    """The engine that the options describe."""
    settings = EngineSettings(
        app_id=f"{options.prefix}app",
        bootstrap=(options.bootstrap,),
        data_directory=Path(options.directory),
        instance_id=options.instance_id,
        topic_replication_factor=1,
        min_insync_replicas=1,
        session_timeout_seconds=options.session_timeout_seconds,
        heartbeat_interval_seconds=0.5,
        revoke_budget_seconds=2.0,
        batch_max_records=options.batch_max_records,
    )
    engine = Engine(settings)
    if options.stage == "count":
        count = SlowCount(f"{options.prefix}out", options.slow_ms, options.fail)
        engine.batch_stage(
            name="count", topics=[f"{options.prefix}in"], tables=["counts"], stage=count
        )
    else:
        calls = Calls(f"{options.prefix}out")
        if options.hold:
            calls.hold(options.hold)
        engine.lane_stage(
            name="calls", topics=[f"{options.prefix}in"], tables=["ledger"], stage=calls
        )
    return engine


async def tell_when_ready(engine: Engine, began: float) -> None:
    """Print when the engine was ready and what it got."""
    await engine.until_ready()
    assigned = sorted(place.partition for place in engine.status().assigned)
    print(json.dumps({"began": began, "ready": time.time(), "assigned": assigned}), flush=True)


async def main(options: Options) -> int:
    """Run until SIGTERM; 3 when the engine halted."""
    KillPoints(options.kill_at, options.kill_after).install()
    engine = built(options)
    began = time.time()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, engine.stop)
    run = asyncio.create_task(engine.run())
    await tell_when_ready(engine, began)
    try:
        await run
    except Halted as reason:
        print(reason, file=sys.stderr)
        return 3
    return 0


def under_faust(options: Options) -> None:
    """Run in Faust's own worker, which exits the process itself."""
    engine = built(options)
    began = time.time()

    async def tell() -> None:
        await tell_when_ready(engine, began)

    engine.app.task(tell)
    engine.worker().execute_from_commandline()


if __name__ == "__main__":
    logging.basicConfig(
        level=os.environ.get("WORKER_LOG", "ERROR"),
        format="%(process)d %(relativeCreated)d %(threadName)s %(name)s %(message)s",
    )
    told = Options(**json.loads(sys.argv[1]))
    if told.faust_worker:
        under_faust(told)
    sys.exit(asyncio.run(main(told)))
