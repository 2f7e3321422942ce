"""The command ``dovetail``: all commands, and what becomes of their errors.

Commands load what they need when they run: Faust, CEL and the flows take seconds, help must not.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from app import version
from app.cli.check import check
from app.cli.demo import demo
from app.cli.dlq import dlq
from app.cli.failures import ExitCode, report
from app.cli.rules import rules
from app.cli.sandbox import sandbox
from app.cli.topics import topics
from app.cli.trace import trace
from app.cli.worker import worker
from app.logs import set_up_logs

app = typer.Typer(
    name="dovetail",
    no_args_is_help=True,
    # Plain help and errors: they are read in terminals, logs and pull requests alike.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _dovetail(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the trace of an error.")] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=lambda wanted: _show_version(wanted),
            help="Show it.",
        ),
    ] = False,
) -> None:
    """Join Microsoft Dynamics 365 and OpenText Extended ECM.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 5 Kafka cannot be reached.

    \b
    Example:
      dovetail demo
      dovetail check
      dovetail worker
    """


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dovetail {version()}")
        raise typer.Exit


for command in (worker, demo, check, trace):
    app.command()(command)
app.add_typer(rules, name="rules")
app.add_typer(topics, name="topics")
app.add_typer(dlq, name="dlq")
app.add_typer(sandbox, name="sandbox")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; ends the process with its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    set_up_logs("DEBUG" if debug else "ERROR", "text")
    if not debug:
        # What it has to say about brokers that are away, the command says once and better.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        app(words, prog_name="dovetail")
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:
        sys.exit(report(error, debug=debug))
