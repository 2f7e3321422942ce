"""`python -m app.sandbox.dataverse`: the simulated organisation as a process of its own.

Starts a simulated authority beside it, or trusts one that runs elsewhere (`--entra-url`). Tells a
broker of each commit (`--push-bootstrap`). Prints one line of JSON with all addresses when it
listens, and runs until it is told to stop.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import AsyncExitStack

from app.sandbox.dataverse.push import ServiceEndpoint
from app.sandbox.dataverse.push.habits import add_arguments, chosen_habits
from app.sandbox.dataverse.simulator import DataverseSimulator
from app.sandbox.entra.__main__ import addresses, arguments, simulator
from app.sandbox.entra.tokens import RemoteKeys, TokenTrust
from app.sandbox.processes import announce, until_told_to_stop
from app.serving import LocalCa


async def serve(chosen: argparse.Namespace, trust: TokenTrust, more: dict[str, str]) -> None:
    users = {chosen.client_id: "Dovetail"}
    async with AsyncExitStack() as stack:
        dataverse = DataverseSimulator(trust, application_users=users, port=chosen.port)
        await stack.enter_async_context(dataverse)
        own = {"url": dataverse.url, "api_url": dataverse.api_url, "scope": dataverse.scope}
        if bootstrap := chosen.push_bootstrap:
            endpoint = ServiceEndpoint(
                dataverse,
                bootstrap=bootstrap,
                topic=chosen.push_topic,
                partitions=chosen.push_partitions,
                habits=chosen_habits(chosen),
            )
            await stack.enter_async_context(endpoint)
            own |= {"push_bootstrap": bootstrap, "push_topic": chosen.push_topic}
        announce({**own, "client_id": chosen.client_id, **more})
        await until_told_to_stop()


async def run(chosen: argparse.Namespace) -> None:
    if chosen.entra_url:
        trust = RemoteKeys(chosen.entra_url, chosen.tenant, ca_path=chosen.entra_ca)
        await serve(chosen, trust, {})
        return
    ca = LocalCa()
    try:
        async with simulator(chosen, ca) as entra:
            await serve(chosen, entra, addresses(entra))
    finally:
        ca.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m app.sandbox.dataverse", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    parser.add_argument("--entra-url", help="an authority elsewhere, as https://host:port")
    parser.add_argument("--entra-ca", help="the PEM bundle that vouches for --entra-url")
    arguments(parser)
    add_arguments(parser)
    chosen = parser.parse_args()
    try:
        chosen_habits(chosen)
    except ValueError as error:
        parser.error(str(error))
    if chosen.entra_url and not chosen.entra_ca:
        parser.error("--entra-url needs --entra-ca, the ca_path that the authority announced")
    asyncio.run(run(chosen))


if __name__ == "__main__":
    main()
