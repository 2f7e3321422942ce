"""``dovetail check``: are settings and rules fit for a worker? Touches no network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.failures import ExitCode, report
from app.cli.output import say, show_json, show_table
from app.settings import Need, Settings, fields, load_settings, secret_names, variable
from app.settings.fields import RULES_DIRECTORY
from streams.errors import Misconfigured

if TYPE_CHECKING:
    from app.rule_files.loading import RuleFiles


def check(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Show settings with defaults too.")] = False,
) -> None:
    """Check settings and rules, without any network, and show where each setting comes from.

    Secrets are never shown. Everything that is wrong is told at once.

    \b
    Example:
      dovetail check
      dovetail check --all --json
    """
    settings, settings_fault = _settings()
    files, rules_fault = _rules(settings)
    if settings is not None:
        _show(settings, as_json=as_json, every=every)
    faults = [fault for fault in (settings_fault, rules_fault) if fault]
    for fault in faults:
        report(fault, debug=False)
    if faults or files is None:
        raise typer.Exit(ExitCode.FAILED)
    rules, tables = len(files.book.rules), len(files.book.catalogue.tables)
    say(f"settings are fine; {rules} rules over {tables} tables are fine ({files.book.digest})")


def _settings() -> tuple[Settings | None, Misconfigured | None]:
    try:
        return load_settings(Need.WORKER), None
    except Misconfigured as fault:
        return None, fault


def _rules(settings: Settings | None) -> tuple[RuleFiles | None, Misconfigured | None]:
    """The rules; of the folders that would be used when the settings as a whole are wrong."""
    from app.connections import require_finance
    from app.rule_files.loading import read_rules

    try:
        folders = (settings or load_settings(Need.RULES)).rules_directory
    except Misconfigured:
        folders = (RULES_DIRECTORY,)
    try:
        files = read_rules(*folders)
        if settings is not None:
            require_finance(settings, files.book)
        return files, None
    except Misconfigured as fault:
        return None, fault


def _show(settings: Settings, *, as_json: bool, every: bool) -> None:
    rows = [
        {"variable": variable(name), "value": _value(settings, name), "source": source}
        for name in fields()
        if (source := _source(name)) != "default" or every
    ]
    if as_json:
        for row in rows:
            show_json(row)
    else:
        show_table(
            ("SETTING", "SOURCE", "VALUE"),
            [(row["variable"], row["source"], row["value"]) for row in rows],
        )


def _source(name: str) -> str:
    return "environment" if os.environ.get(variable(name)) else "default"


def _value(settings: Settings, name: str) -> Any:
    value = getattr(settings, name)
    if name in secret_names():
        return "(set)" if value else ""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)
