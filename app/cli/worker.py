"""``dovetail worker``: runs until it is told to stop."""

from __future__ import annotations

import signal
import sys

from app.logs import set_up_logs
from app.settings import Need, load_settings


def worker() -> None:
    """Run a worker: take up changes, decide, write; until SIGTERM or Ctrl-C.

    Then it ends with 0: what it is at is finished or left to the next one, within seconds.
    Settings are environment variables; `dovetail check --all` lists them. Topics of ours that are
    missing are created.

    \b
    Example:
      DOVETAIL_KAFKA_BOOTSTRAP=kafka:9092 … dovetail worker
    """
    signal.signal(signal.SIGTERM, _nothing_began)
    settings = load_settings(Need.WORKER)
    set_up_logs(settings.log_level, settings.log_format)
    # Only a worker needs the engine and the clients: the other commands start without them.
    from app.worker import run

    run(settings)


def _nothing_began(*_: object) -> None:
    """End at a signal that comes before there is anything to end; a second one changes nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)
