"""Runs a command that cannot outlive its owner: ``python leash.py COMMAND [ARG ...]``.

A broker that a test run started must be gone when the run is, also when the run was killed and
could clean up nothing. So its owner starts the broker through this file and holds the other end
of its standard input: a line ``stop`` asks the command to end (SIGTERM), and the end of the pipe,
which the operating system brings about whatever becomes of the owner, kills it (SIGKILL).
Standard library only, no import of ours: it has to start at once.
"""

import subprocess
import sys
import threading


def _obey_owner(command: "subprocess.Popen[bytes]") -> None:
    for line in sys.stdin.buffer:
        if line.strip() == b"stop":
            command.terminate()
    command.kill()


def main() -> int:
    """Run the command until it ends or its owner does; answers with its exit code."""
    with subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL) as command:
        threading.Thread(target=_obey_owner, args=(command,), daemon=True).start()
        return command.wait()


if __name__ == "__main__":
    sys.exit(main())
