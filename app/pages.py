"""The worker's pages: ``/metrics`` for Prometheus, ``/livez`` and ``/readyz`` for Kubernetes,
``/gates`` for whoever is about to finalise a record (``app.gates``).

They answer from the first second on, also while the broker is away or tables are recovered.
Liveness means that the event loop turns and the worker has not halted; no outside system counts.
Readiness means assigned, recovered and rules checked, with the reasons why not in JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.gates import Gates
from streams.engine.status import EngineStatus

#: A loop that has not turned for so long is stuck: a blocking call, or worse.
STUCK_AFTER_SECONDS = 30.0


@dataclass
class Health:
    """What the pages tell. ``waiting_for`` names what has to happen before the engine starts."""

    waiting_for: str | None = "the worker to start"
    engine: Callable[[], EngineStatus] | None = None
    rules: str = ""
    #: Topics that are listened to and do not exist: told, but no reason not to be ready.
    missing_topics: tuple[str, ...] = ()
    details: dict[str, str] = field(default_factory=dict)

    def live(self) -> tuple[bool, dict[str, object]]:
        status = self.engine() if self.engine else None
        if status is None:
            return True, {"live": True}
        stuck = status.loop_turn_age_seconds > STUCK_AFTER_SECONDS
        return not stuck and status.halted is None, {
            "live": not stuck and status.halted is None,
            "halted": status.halted,
            "loop_turn_age_seconds": round(status.loop_turn_age_seconds, 3),
        }

    def ready(self) -> tuple[bool, dict[str, object]]:
        if self.waiting_for is not None or self.engine is None:
            return False, {"ready": False, "waiting_for": self.waiting_for, **self.details}
        status = self.engine()
        return status.ready, {
            "ready": status.ready,
            "phase": status.phase,
            "waiting_for": status.waiting_for or None,
            "halted": status.halted,
            "assigned": sorted(map(str, status.assigned)),
            "recovering": dict(status.recovering),
            "missing_topics": list(self.missing_topics),
            "rules": self.rules,
            **self.details,
        }


def pages(
    health: Health, registry: CollectorRegistry, refresh: Callable[[], None], gates: Gates
) -> Starlette:
    """Return the pages; ``refresh`` brings gauges up to date before each scrape."""

    async def metrics(_: Request) -> Response:
        refresh()
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def livez(_: Request) -> Response:
        good, body = health.live()
        return JSONResponse(body, status_code=200 if good else 503)

    async def readyz(_: Request) -> Response:
        good, body = health.ready()
        return JSONResponse(body, status_code=200 if good else 503)

    async def index(_: Request) -> Response:
        return PlainTextResponse("dovetail worker: /metrics /livez /readyz /gates/<table>/<id>\n")

    return Starlette(
        routes=[
            Route("/", index),
            Route("/metrics", metrics),
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/gates/{table}/{id}", gates.answer),
        ]
    )
