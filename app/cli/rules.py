"""``dovetail rules``: what people who edit rules need."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.failures import ExitCode, Failed
from app.cli.output import say, show, show_json, show_table
from app.cli.rules_explain import explain
from app.rule_files.faults import RulesWrong
from app.settings import Need, load_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import TypeVar

    from app.rule_files.loading import RuleFiles

    T = TypeVar("T")

rules = typer.Typer(no_args_is_help=True)
rules.command()(explain)

Folders = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[DIR]...",
        help="The folders; else those of DOVETAIL_RULES_DIRECTORY, else the shipped one.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]


@rules.callback()
def _group() -> None:
    """Check, try and explain the rules that say what Dovetail does.

    \b
    Example:
      dovetail rules check app/rules
      dovetail rules test app/rules
    """


@rules.command()
def check(
    folders: Folders = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask both systems for the names that the rules use.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check rule files and list the rules; every fault is told with file, line and fix.

    With --live also against the systems of the settings: do the workspace types, templates,
    categories, roles, workflow maps with their attributes, records management classifications,
    tables and columns exist there, and is each column long enough for what is written?

    \b
    Example:
      dovetail rules check
      dovetail rules check ./rules --live
      dovetail rules check app/rules app/rules/finance
    """
    from app.rule_files.loading import read_rules

    try:
        files = read_rules(*_named(folders))
        if live:
            asyncio.run(_check_live(files))
    except RulesWrong as wrong:
        if as_json:
            _show_faults(wrong)
        raise
    _show(files, as_json=as_json)
    where = " and known to both systems" if live else ""
    say(f"the rules of {files.place} are fine{where} ({files.book.digest})")


@rules.command()
def test(folders: Folders = None, as_json: Json = False) -> None:
    """Try the rules on the cases beside them (files ending in _test.yaml); needs no network.

    A case gives facts and says which commands are to come of them: see the shipped ones.

    \b
    Example:
      dovetail rules test
      dovetail rules test ./rules --json
    """
    from app.rule_files.cases import SUFFIX, read_cases
    from app.rule_files.loading import read_rules
    from app.rule_files.trial import tried

    files = read_rules(*_named(folders))
    try:
        cases = read_cases(files.book, *files.directories)
    except RulesWrong as wrong:
        if as_json:
            _show_faults(wrong)
        raise
    if not cases:
        raise Failed(
            f"{files.place} holds no cases",
            advice=f"write some into a file ending in {SUFFIX}, as the shipped rules have them",
        )
    failed = 0
    for one in cases:
        differs = tried(one, files.book)
        failed += bool(differs)
        if as_json:
            show_json(
                {"case": one.case.name, "where": one.at(), "passed": not differs, "why": differs}
            )
            continue
        show(f"{'FAILED' if differs else 'passed'}  {one.case.name}")
        for line in differs:
            show(f"        {line}")
    say(f"{len(cases) - failed} of {len(cases)} cases passed")
    if failed:
        raise typer.Exit(ExitCode.FAILED)


@rules.command()
def schema(
    write: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write all schemas as files into this folder."),
    ] = None,
) -> None:
    """Print the JSON Schema of the flows' files, or write those of all files for your editor.

    Editors that know the YAML language server take them from a file's first line:
    # yaml-language-server: $schema=rules.schema.json

    \b
    Example:
      dovetail rules schema
      dovetail rules schema --write ./rules
    """
    import json

    from app.rule_files.schema import schemas, write_schemas

    if write is None:
        typer.echo(json.dumps(schemas()["rules.schema.json"], indent=1, ensure_ascii=False))
        return
    if not write.is_dir():
        raise Failed(f"{write} is no folder", advice="name the folder of your rules")
    for path in write_schemas(write):
        say(f"written: {path}")


def _named(folders: list[Path] | None) -> Sequence[Path]:
    return folders or load_settings(Need.RULES).rules_directory


async def _check_live(files: RuleFiles) -> None:
    """Ask each system once; one that does not answer is told, not waited for."""
    from app.clients.http import NoObserver
    from app.connections import connections, require_finance
    from app.live_names import all_live_names
    from app.rule_files.live import check_live
    from streams.errors import Retryable

    async def ask(system: str, question: Callable[[], Awaitable[T]], /) -> T:
        try:
            return await question()
        except Retryable as failure:
            raise Failed(
                f"{system} does not answer: {failure}",
                advice="check its address and that it runs, then try again",
            ) from None

    settings = load_settings(Need.WORKER)
    require_finance(settings, files.book)
    async with connections(settings, files.book.catalogue, NoObserver()) as systems:
        check_live(files, await all_live_names(systems, files.book, ask))


def _show_faults(wrong: RulesWrong) -> None:
    for fault in wrong.faults:
        where = fault.where
        show_json({"file": where.file, "line": where.line, "fault": fault.what, "fix": fault.fix})


def _show(files: RuleFiles, *, as_json: bool) -> None:
    from streams.flows.registry import FLOWS
    from streams.rules import FlowRule

    found = [
        {
            "flow": flow.name,
            "rule": rule.name,
            "table": rule.table,
            "workspace_type": rule.workspace.type if isinstance(rule, FlowRule) else "-",
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
