"""``dovetail trace``: what happened to a record, step by step."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from aiokafka import ConsumerRecord
from pydantic import ValidationError

from app.cli.failures import Failed
from app.cli.kafka import partition_counts, read_to_end
from app.cli.output import moment, say, show_json, show_table
from app.cli.stories import in_order
from app.cli.times import since_ms
from app.settings import Need, Settings, load_settings
from streams.errors import Misconfigured
from streams.messages.audit import AuditLine
from streams.topics import AUDIT
from tables.keys import RecordRef, is_workspace_key, workspace_key


def trace(
    record: Annotated[str, typer.Argument(help="<table>:<guid>, or workspace:<id>.")],
    since: Annotated[str | None, typer.Option(help="Only from then on: 24h, 2024-01-31.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Tell the story of a record or a workspace as it happened: causes, commands, outcomes.

    \b
    Example:
      dovetail trace account:0a3f6f52-7c1b-4e0e-9d5c-0123456789ab
      dovetail trace workspace:224082 --since 7d --json
    """
    key = record_key(record)
    from_ms = since_ms(since)
    settings = load_settings(Need.KAFKA)
    lines = asyncio.run(_story(settings, key, from_ms))
    if not lines:
        raise Failed(f"nothing is told of {key}", advice=_advice(key))
    if as_json:
        for line in lines:
            show_json({"at": moment(line.at_ms), **line.model_dump(mode="json")})
        return
    show_table(
        ("TIME", "EVENT", "RULE", "WHAT"),
        [(moment(line.at_ms), line.event, line.rule or "-", _what(line)) for line in lines],
    )
    say(f"{len(lines)} steps")


def _advice(key: str) -> str:
    """What to check: the table, when the rules declare none of this name, else the id."""
    from app.rule_files.loading import load_rules
    from streams.rules.hints import nearest

    usual = "check the id; stories are kept for 90 days, and begin with the first change"
    table = key.partition(":")[0]
    if is_workspace_key(key):
        return usual
    try:
        tables = load_rules(*load_settings(Need.RULES).rules_directory).catalogue.tables
    except Misconfigured:
        return usual
    return usual if table in tables else f"no table is called {table!r}; {nearest(table, tables)}"


def record_key(text: str) -> str:
    """The key of what a person named; raises typer.BadParameter when it names nothing."""
    if is_workspace_key(text):
        number = text.partition(":")[2]
        if number.isdecimal():
            return workspace_key(int(number))
    try:
        return RecordRef.parse(text).key
    except ValueError as fault:
        raise typer.BadParameter(
            f"{fault}: write account:0a3f6f52-7c1b-4e0e-9d5c-0123456789ab or workspace:224082"
        ) from None


async def _story(settings: Settings, key: str, from_ms: int | None) -> list[AuditLine]:
    from streams.engine import partition_of

    counts = await partition_counts(settings)
    if AUDIT.name not in counts:
        raise Failed(f"there is no topic {AUDIT.name}", advice="run `dovetail topics create`")
    partition = partition_of(key.encode(), counts[AUDIT.name])
    found: list[AuditLine] = []
    async for record in read_to_end(settings, AUDIT.name, partitions=[partition], from_ms=from_ms):
        line = _line(record, key)
        if line is not None:
            found.append(line)
    return in_order(found)


def _line(record: ConsumerRecord, key: str) -> AuditLine | None:
    """The line, when it is about ``key``; a line of a later release may be unreadable: left out."""
    if record.key != key.encode() or record.value is None:
        return None
    try:
        line = AuditLine.model_validate_json(record.value)
    except ValidationError:
        place = f"{record.topic}/{record.partition}/{record.offset}"
        say(f"left out {place}: written by another release")
        return None
    # Earlier releases knew no time of what records tell each other: when it was told counts.
    return line if line.at_ms else line.model_copy(update={"at_ms": record.timestamp})


def _what(line: AuditLine) -> str:
    detail = ", ".join(f"{name}: {value}" for name, value in line.detail.items())
    return " ".join(part for part in (line.summary, f"({detail})" if detail else "") if part)
