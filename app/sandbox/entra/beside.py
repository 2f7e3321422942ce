"""For simulators of a process of their own whose callers sign in: with an authority beside them.

One is started with them, or one that runs elsewhere is trusted (`--entra-url`).
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from typing import Any

from app.sandbox.entra.__main__ import addresses, arguments, simulator
from app.sandbox.entra.tokens import RemoteKeys, TokenTrust
from app.serving import LocalCa

Serve = Callable[[argparse.Namespace, TokenTrust, dict[str, Any]], Awaitable[None]]
"""Serves until it is told to stop; what it announces includes the addresses that it is given."""


def options(module: str, description: str | None) -> argparse.ArgumentParser:
    """The options that all of them have."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    parser.add_argument("--entra-url", help="an authority elsewhere, as https://host:port")
    parser.add_argument("--entra-ca", help="the PEM bundle that vouches for --entra-url")
    arguments(parser)
    return parser


def chosen_of(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """What was chosen on the command line; ends the process where that cannot work."""
    chosen = parser.parse_args()
    if chosen.entra_url and not chosen.entra_ca:
        parser.error("--entra-url needs --entra-ca, the ca_path that the authority announced")
    return chosen


async def run(chosen: argparse.Namespace, serve: Serve) -> None:
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
