"""``dovetail demo``: all of it on this machine, without any account."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave all of it running afterwards, until Ctrl-C.")
    ] = False,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="Kill the worker in the middle and start it again.")
    ] = False,
    faults: Annotated[
        bool,
        typer.Option(
            "--faults", help="A bad day: slow, throttled, broken and absent systems meanwhile."
        ),
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Show every record, not the most eventful ones.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Decides what happens and in what order.")] = 7,
) -> None:
    """Play a day of changes against simulated systems, and show what became of each record.

    \b
    Example:
      dovetail demo
      dovetail demo --chaos --keep
      dovetail demo --faults
    """
    from app.demo.run import run

    raise typer.Exit(run(keep=keep, chaos=chaos, faults=faults, everything=everything, seed=seed))
