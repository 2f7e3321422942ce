"""The embedded broker as a process: `python -m app.sandbox.kafka --port 9092 --data ./kafka-data`.

When it accepts connections it prints one line of JSON with its address, and with that of its admin
pages where --admin-port asks for them (see `app.sandbox.kafka.admin`); it ends on SIGINT and
SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import resource
import sys
from pathlib import Path

from app.sandbox.kafka.admin import admin_app
from app.sandbox.kafka.broker import EmbeddedBroker
from app.sandbox.kafka.listening import AddressTaken
from app.sandbox.kafka.settings import BrokerSettings
from app.sandbox.kafka.state import DataFolderInUse
from app.sandbox.processes import announce, told_to_stop
from app.serving import ServedApp

_OPEN_FILES = 10_240
"""macOS allows no more, whatever it says."""


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m app.sandbox.kafka",
        description="A Kafka broker for demo, development and tests.",
        epilog="Example: python -m app.sandbox.kafka --port 9092 --data ./kafka-data",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on, 0 for a free one")
    parser.add_argument("--advertised-host", help="name that clients are told, if not --host")
    parser.add_argument("--data", type=Path, help="folder that keeps everything; else in memory")
    parser.add_argument(
        "--admin-port",
        type=int,
        help="port of the admin pages with the fault switches, 0 for a free one; else none",
    )
    parser.add_argument(
        "--memory-mib",
        type=int,
        default=BrokerSettings().memory_max_bytes // 2**20,
        help="records in memory before the oldest go to temporary files (default: %(default)s)",
    )
    parser.add_argument(
        "--log-check-seconds",
        type=float,
        default=BrokerSettings().log_check_interval,
        help="how often retention and compaction look at the logs (default: %(default)s)",
    )
    parser.add_argument(
        "--auto-create-topics", action="store_true", help="create topics when they are first named"
    )
    return parser.parse_args(arguments)


async def _run(options: argparse.Namespace) -> None:
    broker = EmbeddedBroker(
        options.host,
        options.port,
        options.data,
        advertised_host=options.advertised_host,
        settings=BrokerSettings(
            auto_create_topics=options.auto_create_topics,
            memory_max_bytes=options.memory_mib * 2**20,
            log_check_interval=options.log_check_seconds,
        ),
    )
    stop = told_to_stop()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(broker)
        told = {"bootstrap": broker.bootstrap}
        if options.admin_port is not None:
            admin = ServedApp(admin_app(broker), host=options.host, port=options.admin_port)
            await stack.enter_async_context(admin)
            told["admin"] = admin.url
        announce(told)
        await stop.wait()


def _allow_many_connections() -> None:
    """Each connection is an open file, and systems give a process few until it asks for more."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if most == resource.RLIM_INFINITY else min(most, _OPEN_FILES)
    if now < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def main(arguments: list[str] | None = None) -> int:
    """Run until stopped; 1 when it cannot start."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    options = _options(arguments)
    _allow_many_connections()
    try:
        asyncio.run(_run(options))
    except (DataFolderInUse, OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, AddressTaken) else error
        sys.stderr.write(f"the broker cannot start: {reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
