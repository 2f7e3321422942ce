"""``dovetail check``: are settings and rules fit for a worker? Touches no network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

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
    every: Annotated[
        bool, typer.Option("--all", help="Show every setting that there is, and what it is for.")
    ] = False,
) -> None:
    """Check settings and rules, without any network, and show where each setting comes from.

    Secrets are never shown. Everything that is wrong is told at once. With --all this is the list
    of all settings, with their defaults.

    \b
    Example:
      dovetail check
      dovetail check --all --json
    """
    settings, settings_fault = _settings()
    files, rules_fault = _rules(settings)
    if settings is not None or every:
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


def _show(settings: Settings | None, *, as_json: bool, every: bool) -> None:
    rows = [
        {
            "variable": variable(name),
            "source": _source(name),
            "value": _value(settings, name),
            "for": field.description,
        }
        for name, field in fields().items()
        if _source(name) != "default" or every
    ]
    if as_json:
        for row in rows:
            show_json(row)
        return
    headings = ("SETTING", "SOURCE", "VALUE", "WHAT IT IS FOR")[: 4 if every else 3]
    show_table(headings, [tuple(row.values())[: len(headings)] for row in rows])


def _source(name: str) -> str:
    return "environment" if os.environ.get(variable(name)) else "default"


def _value(settings: Settings | None, name: str) -> str:
    """The value as people write it; of settings that are wrong as a whole, what is written."""
    if settings is not None:
        value = getattr(settings, name)
    else:
        default = fields()[name].get_default(call_default_factory=True, validated_data={})
        value = os.environ.get(variable(name)) or default
    if name in secret_names():
        return "(set)" if value else ""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    # A login in an address is refused, and shown to nobody.
    return "(set)" if settings is None and "@" in str(value) else str(value or "")
