"""`python -m app.sandbox.finance`: the simulated finance and operations as a process of its own.

Starts a simulated authority beside it, or trusts one that runs elsewhere (`--entra-url`). Prints
one line of JSON with all addresses when it listens, and runs until it is told to stop.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from app.sandbox.entra import beside
from app.sandbox.entra.tokens import TokenTrust
from app.sandbox.finance.simulator import FinanceSimulator
from app.sandbox.processes import announce, until_told_to_stop


async def serve(chosen: argparse.Namespace, trust: TokenTrust, more: dict[str, Any]) -> None:
    users = {chosen.client_id: "dovetail"}
    async with FinanceSimulator(trust, application_users=users, port=chosen.port) as finance:
        own = {"url": finance.url, "data_url": finance.data_url, "scope": finance.scope}
        announce({**own, "client_id": chosen.client_id, **more})
        await until_told_to_stop()


def main() -> None:
    chosen = beside.chosen_of(beside.options("app.sandbox.finance", __doc__))
    asyncio.run(beside.run(chosen, serve))


if __name__ == "__main__":
    main()
