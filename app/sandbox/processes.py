"""For simulators that run as a process of their own: say where, and stop when told to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Mapping
from typing import Any


def announce(addresses: Mapping[str, Any]) -> None:
    """One line of JSON on standard output, for whoever started the process."""
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()


async def until_told_to_stop() -> None:
    """Return at SIGINT or SIGTERM."""
    await told_to_stop().wait()


def told_to_stop() -> asyncio.Event:
    """Set at SIGINT or SIGTERM from now on, which otherwise do nothing more."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Where the loop cannot watch signals, the default of the platform ends the process.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, told.set)
    return told
