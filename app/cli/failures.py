"""How a command fails: one message for people, the next step, and an exit code."""

from __future__ import annotations

import sys
import traceback
from enum import IntEnum

from app.logs import MASK
from streams.errors import DovetailError, Unavailable


class ExitCode(IntEnum):
    """What a script can tell from how a command ended."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    KAFKA_UNREACHABLE = 5
    INTERRUPTED = 130


class KafkaUnreachable(Unavailable):
    """No broker answers, or none lets us in."""

    code = "kafka_unreachable"


class Failed(DovetailError):
    """The command could do its work, and the answer is no; the message says which."""

    code = "failed"


def report(error: Exception, *, debug: bool) -> ExitCode:
    """Tell people on standard error what went wrong; the code to end with."""
    if debug:
        sys.stderr.write(MASK("".join(traceback.format_exception(error))))
    if isinstance(error, DovetailError):
        _say(f"dovetail: {error.message}", error.advice)
        unreachable = isinstance(error, KafkaUnreachable)
        return ExitCode.KAFKA_UNREACHABLE if unreachable else ExitCode.FAILED
    more = "" if debug else "run it again as `dovetail --debug …` and send us what it shows"
    _say(f"dovetail: unexpected {type(error).__name__}: {error}", more)
    return ExitCode.FAILED


def _say(message: str, advice: str) -> None:
    sys.stderr.write(MASK(f"{message}\n"))
    if advice:
        sys.stderr.write(MASK(f"next: {advice}\n"))
