"""The simulator as a process of its own: ``python -m app.sandbox.content_server``.

Prints one JSON line with addresses and credentials when it listens, then runs until it is
interrupted or terminated. With ``--kafka`` and ``--ecm-topic`` it sends its events there.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, get_args

from app.sandbox.content_server.behaviour import Behaviour
from app.sandbox.content_server.default_definition import default_definition
from app.sandbox.content_server.relay import EcmRelay, Format
from app.sandbox.content_server.simulator import ContentServerSimulator
from app.sandbox.events.habits import Habits
from app.sandbox.faults import ADMIN_PATH
from app.sandbox.processes import announce, told_to_stop

FORMATS: tuple[str, ...] = get_args(Format)


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; every option has a default."""
    parser = argparse.ArgumentParser(
        prog="python -m app.sandbox.content_server",
        description="Run a simulated OpenText Content Server on the loopback interface.",
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on (0: any free one)")
    parser.add_argument("--seed", type=int, default=0, help="decides node ids and tickets")
    parser.add_argument("--users", type=int, default=8, help="how many demo users there are")
    parser.add_argument(
        "--session-idle-seconds",
        type=float,
        default=7200.0,
        help="after how long without a request a ticket expires",
    )
    _add_relay_options(parser)
    options = parser.parse_args(arguments)
    if options.kafka and not options.ecm_topic:
        parser.error("--kafka needs --ecm-topic, the topic that events go to")
    return options


def _add_relay_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "events", "Send the server's events to Kafka, as a webhook's relay would."
    )
    group.add_argument("--kafka", default="", help="bootstrap servers; without them none are sent")
    group.add_argument("--ecm-topic", default="", help="the topic that events go to")
    group.add_argument("--format", default="json", choices=FORMATS, help="how events are written")
    group.add_argument(
        "--duplicates", type=float, default=0.0, help="share of events that are sent twice"
    )
    group.add_argument(
        "--reordering", type=float, default=0.0, help="share of events that others overtake"
    )


async def serve(options: argparse.Namespace) -> None:
    """Run until SIGINT or SIGTERM."""
    stop = told_to_stop()
    behaviour = Behaviour(session_idle_seconds=options.session_idle_seconds)
    simulator = ContentServerSimulator(
        options.seed, default_definition(options.users), behaviour=behaviour, port=options.port
    )
    async with simulator as server, _relay(server, options):
        announce(_description(server))
        await stop.wait()


def _relay(
    server: ContentServerSimulator, options: argparse.Namespace
) -> AbstractAsyncContextManager[Any]:
    if not options.kafka:
        return contextlib.nullcontext()
    habits = Habits(options.duplicates, options.reordering, seed=options.seed)
    return EcmRelay(server, options.kafka, options.ecm_topic, habits=habits, format=options.format)


def _description(server: ContentServerSimulator) -> dict[str, str]:
    return {
        "url": server.url,
        "otds_url": server.otds_url,
        "admin_url": server.base_url + ADMIN_PATH,
        "client_id": server.client.client_id,
        "client_secret": server.client.client_secret,
        "username": server.service_user.login,
        "password": server.service_user.password,
    }


if __name__ == "__main__":
    asyncio.run(serve(parse_arguments()))
