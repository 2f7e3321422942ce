"""``dovetail dlq``: messages that could not be understood."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass
from typing import Annotated

import typer
from aiokafka import ConsumerRecord

from app.cli.failures import Failed
from app.cli.kafka import partition_counts, read_to_end
from app.cli.output import moment, say, show_json, show_table
from app.cli.times import since_ms
from app.settings import Need, Settings, load_settings
from streams.messages.dead_letters import Failure
from streams.topics import DEAD_LETTERS

dlq = typer.Typer(no_args_is_help=True)


@dataclass(frozen=True)
class Letter:
    """One dead letter: where it lies, when it was put there, and why. Its content stays there."""

    place: str
    at_ms: int
    key: str
    size_bytes: int
    failure: Failure | None


@dlq.callback()
def _group() -> None:
    """Look at messages that could not be understood.

    \b
    Example:
      dovetail dlq list --since 24h
    """


@dlq.command("list")
def list_letters(
    error: Annotated[str | None, typer.Option(help="Only with this error code.")] = None,
    topic: Annotated[str | None, typer.Option(help="Only from this source topic.")] = None,
    since: Annotated[str | None, typer.Option(help="Only from then on: 24h, 2024-01-31.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the newest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """List dead letters, the newest first: where from, which error, and what was wrong.

    What the messages hold is not shown.

    \b
    Example:
      dovetail dlq list --since 24h --error unreadable --limit 20
      dovetail dlq list --topic dynamics.changes --json
    """
    from_ms = since_ms(since)
    settings = load_settings(Need.KAFKA)
    found, total = asyncio.run(_letters(settings, error, topic, from_ms, limit))
    if as_json:
        for letter in found:
            show_json(_plain(letter))
    elif found:
        show_table(
            ("TIME", "PLACE", "STAGE", "ERROR", "FROM", "MESSAGE"), [_row(one) for one in found]
        )
    say(f"{len(found)} of {total} dead letters" if total else "no dead letters")


async def _letters(
    settings: Settings, error: str | None, topic: str | None, from_ms: int | None, limit: int
) -> tuple[list[Letter], int]:
    """The newest letters that match, and how many match in all."""
    counts = await partition_counts(settings)
    if DEAD_LETTERS.name not in counts:
        raise Failed(
            f"there is no topic {DEAD_LETTERS.name}", advice="run `dovetail topics create`"
        )
    newest: list[tuple[int, int, int, Letter]] = []
    total = 0
    partitions = range(counts[DEAD_LETTERS.name])
    async for record in read_to_end(
        settings, DEAD_LETTERS.name, partitions=partitions, from_ms=from_ms
    ):
        letter = _letter(record)
        if not _matches(letter, error, topic):
            continue
        total += 1
        heapq.heappush(newest, (letter.at_ms, record.partition, record.offset, letter))
        if len(newest) > limit:
            heapq.heappop(newest)
    return [entry[-1] for entry in sorted(newest, key=lambda e: e[:3], reverse=True)], total


def _letter(record: ConsumerRecord) -> Letter:
    return Letter(
        place=f"{record.topic}/{record.partition}/{record.offset}",
        at_ms=record.timestamp,
        key=(record.key or b"").decode("utf-8", "backslashreplace"),
        size_bytes=len(record.value or b""),
        failure=Failure.of(tuple(record.headers)),
    )


def _matches(letter: Letter, error: str | None, topic: str | None) -> bool:
    failure = letter.failure
    if failure is None:
        return error is None and topic is None
    return error in (None, failure.code) and topic in (None, failure.topic)


def _source(failure: Failure) -> str:
    return f"{failure.topic}/{failure.partition}/{failure.offset}"


def _row(letter: Letter) -> tuple[str, ...]:
    if letter.failure is None:
        return moment(letter.at_ms), letter.place, "-", "-", "-", "(not written by Dovetail)"
    failure = letter.failure
    return (
        moment(letter.at_ms),
        letter.place,
        failure.stage,
        failure.code,
        _source(failure),
        failure.message,
    )


def _plain(letter: Letter) -> dict[str, object]:
    failure = letter.failure
    return {
        "at": moment(letter.at_ms),
        "place": letter.place,
        "key": letter.key,
        "size_bytes": letter.size_bytes,
        "stage": failure.stage if failure else None,
        "error": failure.code if failure else None,
        "message": failure.message if failure else None,
        "source": _source(failure) if failure else None,
        "source_at": moment(failure.timestamp_ms) if failure else None,
    }
