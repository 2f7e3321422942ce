"""A broker process on a leash: started, asked to stop, killed, and never left behind."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

LEASH = Path(__file__).with_name("leash.py")
STOP_SECONDS = 30.0


class BrokerUnavailable(RuntimeError):
    """No broker can be had; the message says why and what to do next."""


class LeashedProcess:
    """One run of a command, ended at the latest with this process (leash.py)."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path | None = None,
        output: int | IO[bytes] = subprocess.DEVNULL,
        errors: int | IO[bytes] = subprocess.DEVNULL,
    ) -> None:
        # Its own session: a Ctrl-C at the terminal reaches the test run alone, which then ends
        # its brokers in the order it wants.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LEASH), *command],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )

    @property
    def output(self) -> IO[bytes]:
        """The command's standard output, where ``output=PIPE`` was asked for."""
        if self._process.stdout is None:
            raise ValueError("the process was started without output=PIPE")
        return self._process.stdout

    def exit_code(self) -> int | None:
        """The exit code of the command, or None while it runs."""
        return self._process.poll()

    def stop(self, patience: float = STOP_SECONDS) -> None:
        """Ask the command to end; kill it when it has not within ``patience`` seconds."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(b"stop\n")
                self._process.stdin.flush()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        self.kill()

    def kill(self) -> None:
        """End the command at once, without a chance to say goodbye to its clients."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._process.wait(STOP_SECONDS)
