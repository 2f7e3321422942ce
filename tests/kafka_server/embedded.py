"""The embedded broker as a process of its own, so that it and the tests do not share a loop."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.kafka_server.process import BrokerUnavailable, LeashedProcess
from tests.kafka_server.ready import wait_until_answers

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0


class EmbeddedKafka:
    """``python -m app.sandbox.kafka`` on a free port, in memory, with more options of its own."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._process: LeashedProcess | None = None
        self.bootstrap = ""
        self.description = "the embedded broker"

    def open(self) -> None:
        """Start the process, read its address from its first line, wait until it answers."""
        self._process = LeashedProcess(
            [
                sys.executable,
                "-m",
                "app.sandbox.kafka",
                "--port",
                "0",
                "--log-check-seconds",
                "0.5",
                *self._options,
            ],
            folder=REPOSITORY,
            output=subprocess.PIPE,
            errors=sys.__stderr__.fileno() if sys.__stderr__ is not None else subprocess.DEVNULL,
        )
        self.bootstrap = _address(self._process.output.readline())
        wait_until_answers(self.bootstrap, START_SECONDS, self._why_it_ended)

    def close(self) -> None:
        """End the process; what the broker held in memory goes with it."""
        if self._process is not None:
            self._process.kill()

    def _why_it_ended(self) -> str | None:
        code = self._process.exit_code() if self._process is not None else None
        return None if code is None else f"the embedded broker ended with exit code {code}"


def _address(line: bytes) -> str:
    try:
        return str(json.loads(line)["bootstrap"])
    except (ValueError, KeyError, TypeError) as fault:
        raise BrokerUnavailable(
            "the embedded broker did not say where it listens; its first line was"
            f' {line!r}, expected {{"bootstrap": "host:port"}}. Run it by hand to see why:'
            " python -m app.sandbox.kafka --port 0"
        ) from fault
