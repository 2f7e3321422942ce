"""No broker outlives the test run that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.kafka_server.process import LEASH, LeashedProcess

SECONDS = 60
# Says its own process id, then waits for longer than any test does.
SLEEPER = [sys.executable, "-c", "import os,time; print(os.getpid(), flush=True); time.sleep(600)"]


def ended(process_id: int) -> bool:
    """Whether the process is gone within the time limit."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_a_stopped_process_is_gone() -> None:
    process = LeashedProcess(SLEEPER, output=subprocess.PIPE)
    process_id = int(process.output.readline())
    assert process.exit_code() is None

    process.stop()

    assert ended(process_id)


def test_a_process_that_ignores_the_request_to_stop_is_killed() -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER[2]
    process = LeashedProcess([sys.executable, "-c", deaf], output=subprocess.PIPE)
    process_id = int(process.output.readline())

    process.stop(patience=0.2)

    assert ended(process_id)


def test_a_process_goes_when_its_owner_is_killed(tmp_path: Path) -> None:
    owner = (
        "import subprocess, sys, time\n"
        f"command = [sys.executable, {str(LEASH)!r}, *{SLEEPER!r}]\n"
        "subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)\n"
        "time.sleep(600)\n"
    )
    script = tmp_path / "owner.py"
    script.write_text(owner)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as owning:
        assert owning.stdout is not None
        process_id = int(owning.stdout.readline())

        owning.send_signal(signal.SIGKILL)

        assert ended(process_id)
