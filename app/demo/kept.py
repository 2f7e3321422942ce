"""What ``dovetail demo --keep`` tells a person who wants to look around afterwards."""

from __future__ import annotations

from collections.abc import Iterator

from app.demo.stage import Stage
from app.demo.truth import Truth
from app.sandbox.environment import write_environment


def guide(here: Stage, truth: Truth) -> Iterator[str]:
    """Where everything is, and how to ask for it; writes the worker's settings to a file."""
    addresses = here.addresses()
    width = max(map(len, addresses))
    for name, address in addresses.items():
        yield f"  {name:{width}}  {address}"
    settings = here.folder / "worker.env"
    ours = {k: v for k, v in here.worker.environment.items() if k.startswith("DOVETAIL_")}
    write_environment(settings, ours)
    deals = (life for life in truth.lives if life.table == "opportunity")
    eventful = max(deals, key=lambda life: len(life.events))
    yield "in another terminal:"
    yield f"  set -a; . {settings}; set +a"
    yield f"  dovetail trace {eventful.key}"
    yield f"  dovetail rules explain {eventful.key}"
    yield "  dovetail dlq list --limit 5"
    yield "  dovetail topics list"
