"""``dovetail sandbox`` as a process of its own, on free ports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.patience import PATIENCE_SECONDS

FREE_PORTS = (
    *("--kafka-port", "0", "--entra-port", "0", "--dataverse-port", "0"),
    *("--finance-port", "0", "--content-server-port", "0", "--pages-port", "0"),
)


class SandboxProcess:
    """A running sandbox: what it said, and where its pages are."""

    def __init__(self, process: subprocess.Popen[str], said: list[str]) -> None:
        self.process = process
        self.said = said

    @property
    def text(self) -> str:
        return "\n".join(self.said)

    def after(self, title: str) -> str:
        """The first word after a title of what it said: an address."""
        line = next(line for line in self.said if title in line)
        return line.partition(title)[2].split()[0]

    @property
    def pages(self) -> str:
        return self.after("Pages and faults")

    @property
    def settings(self) -> dict[str, str]:
        """The worker's settings that it printed."""
        pairs = (line.partition("=") for line in self.said if line.startswith("DOVETAIL_"))
        return {name: value for name, _, value in pairs}

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it with a signal; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


def environment(cache: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """The machine's, without its settings of Dovetail, and with a cache of this test's own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DOVETAIL_")}
    return {**kept, "XDG_CACHE_HOME": str(cache), **(settings or {})}


@contextmanager
def sandbox(
    cache: Path, *words: str, ports: tuple[str, ...] = FREE_PORTS
) -> Iterator[SandboxProcess]:
    """Start it and wait until everything listens; it is ended and gone afterwards."""
    command = [sys.executable, "-m", "app", "sandbox", *words, *ports]
    with subprocess.Popen(
        command,
        env=environment(cache),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield SandboxProcess(process, _told(process))
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(PATIENCE_SECONDS)


def _told(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line.rstrip("\n"))
        if line.startswith("Ctrl-C"):
            return said
    raise AssertionError(f"the sandbox has ended with {process.wait()}: {said}")


def descendants(process_id: int) -> set[int]:
    """The processes of a session, as /proc tells."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[3]) == process_id:
                found.add(int(folder.name))
    return found


def until(deadline_seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Rounds of a loop that waits for something, a while apart, until time is up."""
    end = time.monotonic() + deadline_seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.1)
