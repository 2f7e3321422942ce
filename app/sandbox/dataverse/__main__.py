"""`python -m app.sandbox.dataverse`: the simulated organisation as a process of its own.

Starts a simulated authority beside it, or trusts one that runs elsewhere (`--entra-url`). Tells a
broker of each commit (`--kafka`). Prints one line of JSON with all addresses when it
listens, and runs until it is told to stop.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import AsyncExitStack
from typing import Any

from app.sandbox.dataverse.push import Habits, ServiceEndpoint, Steps
from app.sandbox.dataverse.simulator import DataverseSimulator
from app.sandbox.entra import beside
from app.sandbox.entra.tokens import TokenTrust
from app.sandbox.processes import announce, until_told_to_stop


async def serve(chosen: argparse.Namespace, trust: TokenTrust, more: dict[str, Any]) -> None:
    users = {chosen.client_id: "Dovetail"}
    async with AsyncExitStack() as stack:
        dataverse = DataverseSimulator(trust, application_users=users, port=chosen.port)
        await stack.enter_async_context(dataverse)
        own = {"url": dataverse.url, "api_url": dataverse.api_url, "scope": dataverse.scope}
        if chosen.kafka:
            await stack.enter_async_context(_endpoint(dataverse, chosen))
            own |= {"kafka": chosen.kafka, "changes_topic": chosen.changes_topic}
        announce({**own, "client_id": chosen.client_id, **more})
        await until_told_to_stop()


def _endpoint(dataverse: DataverseSimulator, chosen: argparse.Namespace) -> ServiceEndpoint:
    tables = frozenset(chosen.tables.split(",")) if chosen.tables else None
    return ServiceEndpoint(
        dataverse,
        chosen.kafka,
        chosen.changes_topic,
        partitions=chosen.partitions,
        steps=Steps(tables=tables, images=chosen.images),
        habits=Habits(chosen.duplicates, chosen.reordering),
    )


def _add_push_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "push", "Tell Kafka of each commit, as a service endpoint would."
    )
    group.add_argument("--kafka", default="", help="bootstrap servers; without them nobody is told")
    group.add_argument(
        "--changes-topic", default="d365.changes.v1", help="the topic (default: %(default)s)"
    )
    group.add_argument("--partitions", type=int, default=6, help="of a topic that is not there yet")
    group.add_argument("--tables", default="", help="only these, comma-separated (default: all)")
    group.add_argument("--images", action="store_true", help="register pre- and post-images")
    group.add_argument(
        "--duplicates", type=float, default=0.0, help="share of messages that are sent twice"
    )
    group.add_argument(
        "--reordering", type=float, default=0.0, help="share of messages that others overtake"
    )


def main() -> None:
    parser = beside.options("app.sandbox.dataverse", __doc__)
    _add_push_options(parser)
    chosen = beside.chosen_of(parser)
    try:
        Habits(chosen.duplicates, chosen.reordering)
    except ValueError as error:
        parser.error(str(error))
    asyncio.run(beside.run(chosen, serve))


if __name__ == "__main__":
    main()
