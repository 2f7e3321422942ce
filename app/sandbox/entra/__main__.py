"""`python -m app.sandbox.entra`: the simulated authority as a process of its own.

Prints one line of JSON with its addresses when it listens, and runs until it is told to stop.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from app.sandbox.entra.clients import EntraClient
from app.sandbox.entra.defaults import CLIENT_ID, CLIENT_SECRET, TENANT
from app.sandbox.entra.simulator import EntraSimulator
from app.sandbox.processes import announce, until_told_to_stop
from app.serving import LocalCa


def arguments(parser: argparse.ArgumentParser) -> None:
    """What a registered application needs; shared with the simulated Dataverse's command."""
    parser.add_argument("--tenant", default=TENANT, help="tenant id (default: %(default)s)")
    parser.add_argument("--client-id", default=CLIENT_ID, help="default: %(default)s")
    parser.add_argument("--client-secret", default=CLIENT_SECRET, help="default: %(default)s")
    parser.add_argument(
        "--lifetime-seconds", type=int, default=3599, help="of a token (default: %(default)s)"
    )


def simulator(chosen: argparse.Namespace, ca: LocalCa, port: int = 0) -> EntraSimulator:
    client = EntraClient(chosen.client_id, secrets=(chosen.client_secret,))
    return EntraSimulator(
        chosen.tenant,
        [client],
        lifetime_seconds=chosen.lifetime_seconds,
        port=port,
        ca=ca,
    )


def addresses(entra: EntraSimulator) -> dict[str, Any]:
    return {"authority": entra.authority, "tenant": entra.tenant, "ca_path": str(entra.ca_path)}


async def run(chosen: argparse.Namespace) -> None:
    ca = LocalCa()
    try:
        async with simulator(chosen, ca, chosen.port) as entra:
            announce({**addresses(entra), "client_id": chosen.client_id})
            await until_told_to_stop()
    finally:
        ca.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m app.sandbox.entra", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    arguments(parser)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
