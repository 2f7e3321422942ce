"""`python -m app.sandbox.finance`: the simulated finance and operations as a process of its own.

Starts a simulated authority beside it, or trusts one that runs elsewhere (`--entra-url`). Prints
one line of JSON with all addresses when it listens, and runs until it is told to stop.
"""

from __future__ import annotations

import argparse
import asyncio

from app.sandbox.entra.__main__ import addresses, arguments, simulator
from app.sandbox.entra.tokens import RemoteKeys, TokenTrust
from app.sandbox.finance.simulator import FinanceSimulator
from app.sandbox.processes import announce, until_told_to_stop
from app.serving import LocalCa


async def serve(chosen: argparse.Namespace, trust: TokenTrust, more: dict[str, str]) -> None:
    users = {chosen.client_id: "dovetail"}
    async with FinanceSimulator(trust, application_users=users, port=chosen.port) as finance:
        own = {"url": finance.url, "data_url": finance.data_url, "scope": finance.scope}
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
    parser = argparse.ArgumentParser(prog="python -m app.sandbox.finance", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    parser.add_argument("--entra-url", help="an authority elsewhere, as https://host:port")
    parser.add_argument("--entra-ca", help="the PEM bundle that vouches for --entra-url")
    arguments(parser)
    chosen = parser.parse_args()
    if chosen.entra_url and not chosen.entra_ca:
        parser.error("--entra-url needs --entra-ca, the ca_path that the authority announced")
    asyncio.run(run(chosen))


if __name__ == "__main__":
    main()
