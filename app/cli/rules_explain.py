"""``dovetail rules explain``: why something did or did not happen to a record."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.failures import Failed
from app.cli.kafka import partition_counts, read_to_end
from app.cli.output import moment, say, show, show_json
from app.settings import Need, Settings, load_settings
from tables.keys import RecordRef

if TYPE_CHECKING:
    from streams.deciding.explain import Explanation
    from streams.deciding.lacking import Lack
    from streams.rules import RuleBook

_ANSWERS = {True: "true", False: "false", None: "cannot be told"}


def explain(
    record: Annotated[str, typer.Argument(help="<table>:<guid>.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per rule.")] = False,
) -> None:
    """Say which rules are about a record, which conditions hold, what is awaited and since when.

    Reads what the workers remember of the record from their tables' changelogs, and decides once
    more under the rules of DOVETAIL_RULES_DIRECTORY; nothing is written.

    \b
    Example:
      dovetail rules explain account:0a3f6f52-7c1b-4e0e-9d5c-0123456789ab
    """
    from app.rule_files.loading import load_rules
    from streams.deciding import explain as explaining

    try:
        about = RecordRef.parse(record)
    except ValueError as fault:
        raise typer.BadParameter(
            f"{fault}: write account:0a3f6f52-7c1b-4e0e-9d5c-0123456789ab"
        ) from None
    settings = load_settings(Need.KAFKA)
    book = load_rules(*load_settings(Need.RULES).rules_directory)
    if not book.about(about.table):
        raise Failed(
            f"no rule is about the table {about.table}",
            advice=f"rules are about {', '.join(sorted(_tables(book)))}",
        )
    memory = asyncio.run(_memory(settings, about))
    if not memory.row.known:
        say(f"nothing was ever heard of {about.key}: is the id right, is the topic listened to?")
    for one in explaining.explain(memory, about, book, int(time.time() * 1000)):
        if as_json:
            show_json(_as_json(one))
        else:
            _show(one)


def _tables(book: RuleBook) -> set[str]:
    return {part.table for rule in book.rules for _, part in rule.parts()}


async def _memory(settings: Settings, record: RecordRef) -> Any:
    """The record's rows, as the changelogs have them."""
    from app.settings.kafka import engine_settings
    from streams.deciding.memory import DECIDE_TABLES, Memory
    from tables.registry import changelog_topic

    counts = await partition_counts(settings)
    app_id = engine_settings(settings).app_id
    topics = {table: changelog_topic(app_id, table) for table in DECIDE_TABLES}
    missing = sorted(topic for topic in topics.values() if topic not in counts)
    if missing:
        raise Failed(
            f"there is no topic {missing[0]}",
            advice="check DOVETAIL_APPLICATION_ID; a worker makes the topics at its first start",
        )
    found = await asyncio.gather(
        *(_rows(settings, topic, counts[topic], record.key) for topic in topics.values())
    )
    return Memory.load(_Found(dict(zip(topics, found, strict=True))), record)


async def _rows(
    settings: Settings, topic: str, partitions: int, record_key: str
) -> dict[str, bytes]:
    """The record's row and its parts (``tables.parts``), by key."""
    from streams.engine import partition_of

    partition = partition_of(record_key.encode(), partitions)
    own, parts = record_key.encode(), f"{record_key}/".encode()
    rows: dict[str, bytes] = {}
    async for record in read_to_end(settings, topic, partitions=[partition]):
        if record.key is None or not (record.key == own or record.key.startswith(parts)):
            continue
        if record.value is None:
            rows.pop(record.key.decode(), None)
        else:
            rows[record.key.decode()] = record.value
    return rows


class _Found:
    """The rows of one record, by table and key."""

    def __init__(self, tables: dict[str, dict[str, bytes]]) -> None:
        self.tables = tables

    def get(self, table: str, key: str) -> bytes | None:
        return self.tables[table].get(key)

    def under(self, table: str, prefix: str) -> list[tuple[str, bytes]]:
        return sorted(row for row in self.tables[table].items() if row[0].startswith(prefix))

    def put(self, table: str, key: str, value: bytes) -> None:
        raise AssertionError("explaining writes nothing")

    def delete(self, table: str, key: str) -> None:
        raise AssertionError("explaining writes nothing")


def _show(one: Explanation) -> None:
    from app.cli.reasons import WORDS, asked_for

    show(f"{one.rule} ({one.flow})")
    where = f"{one.workspace_id}  {one.workspace_url}" if one.workspace_id else "none"
    show(f"  workspace   {where}")
    for condition in one.conditions:
        place = ".".join(map(str, condition.place))
        show(f"  {place}: {condition.source}")
        show(f"    {_ANSWERS[condition.answer]}{_values(condition.values)}")
        for lack in condition.lacks:
            show(f"    awaits    {lack.name} of {lack.record.key}{_since_lacking(lack)}")
    for reason in one.reasons:
        show(f"  because     {reason.value}: {WORDS[reason]}")
    for awaited in one.awaited:
        since = f", asked since {moment(awaited.since_ms)}" if awaited.since_ms else ""
        show(f"  awaits      {asked_for(awaited.question)}{since}")
    for step in one.open:
        what = f"refused: {step.code}, {step.message}" if step.code else "asked, no outcome yet"
        since = f", since {moment(step.since_ms)}" if step.since_ms else ""
        show(f"  open        {step.step}: {what}{since}")
    if one.wake_ms is not None:
        show(f"  looks again {moment(one.wake_ms)}")


def _since_lacking(lack: Lack) -> str:
    if lack.since_ms is None:
        return ": nobody was asked for it yet"
    asked = f", asked since {moment(lack.since_ms)}"
    return f"{asked}; it was read and does not tell it" if lack.answered else asked


def _values(values: Mapping[str, Any]) -> str:
    """The values that a condition looked at, as CEL writes them."""
    told = (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    return f" ({', '.join(told)})" if values else ""


def _as_json(one: Explanation) -> dict[str, Any]:
    from app.cli.reasons import asked_for

    return {
        "rule": one.rule,
        "flow": one.flow,
        "workspace_id": one.workspace_id,
        "workspace_url": one.workspace_url,
        "conditions": [
            {
                "where": ".".join(map(str, condition.place)),
                "says": condition.source,
                "answer": condition.answer,
                "values": dict(condition.values),
                "awaits": [
                    {
                        "column": lack.name,
                        "of": lack.record.key,
                        "since": _moment(lack.since_ms),
                        "answered": lack.answered,
                    }
                    for lack in condition.lacks
                ],
            }
            for condition in one.conditions
        ],
        "reasons": [reason.value for reason in one.reasons],
        "awaits": [
            {
                "of": awaited.question.key,
                "what": asked_for(awaited.question),
                "since": _moment(awaited.since_ms),
            }
            for awaited in one.awaited
        ],
        "open": [
            {
                "step": step.step,
                "since": _moment(step.since_ms),
                "code": step.code,
                "message": step.message,
            }
            for step in one.open
        ],
        "looks_again": _moment(one.wake_ms),
    }


def _moment(at_ms: int | None) -> str | None:
    return moment(at_ms) if at_ms else None
