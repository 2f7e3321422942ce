"""``dovetail rules``: what people who edit rules need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import say, show_json, show_table
from app.rule_files.faults import RulesWrong
from app.settings import Need, load_settings

if TYPE_CHECKING:
    from app.rule_files.loading import RuleFiles

rules = typer.Typer(no_args_is_help=True)


@rules.callback()
def _group() -> None:
    """Check the rules that say what Dovetail does.

    \b
    Example:
      dovetail rules check app/rules
    """


@rules.command()
def check(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="The folder; else DOVETAIL_RULES_DIRECTORY, else the shipped one."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Check rule files and list the rules; every fault is told with file, line and fix.

    \b
    Example:
      dovetail rules check
      dovetail rules check ./rules --json
    """
    from app.rule_files.loading import read_rules

    if directory is None:
        directory = load_settings(Need.RULES).rules_directory
    try:
        files = read_rules(directory)
    except RulesWrong as wrong:
        if as_json:
            for fault in wrong.faults:
                where = fault.where
                show_json(
                    {"file": where.file, "line": where.line, "fault": fault.what, "fix": fault.fix}
                )
        raise
    _show(files, as_json=as_json)
    say(f"the rules of {directory} are fine ({files.book.digest})")


def _show(files: RuleFiles, *, as_json: bool) -> None:
    from streams.flows.registry import FLOWS

    found = [
        {
            "flow": flow.name,
            "rule": rule.name,
            "table": rule.table,
            "workspace_type": rule.workspace.type,
            "where": str(files.where(rule.name)),
        }
        for flow in FLOWS
        for rule in flow.rules(files.book)
    ]
    if as_json:
        for rule in found:
            show_json(rule)
    else:
        headings = ("FLOW", "RULE", "TABLE", "WORKSPACE TYPE", "WHERE")
        show_table(headings, [tuple(rule.values()) for rule in found])
