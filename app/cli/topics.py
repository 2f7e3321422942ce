"""``dovetail topics``: our topics and those of the sources, as they should be and as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.failures import Failed, KafkaUnreachable
from app.cli.kafka import ANSWER_SECONDS, partition_counts
from app.cli.output import say, show_json, show_table
from app.settings import Need, Settings, load_settings
from streams import topics as ours

if TYPE_CHECKING:
    from streams.engine.settings import TopicSpec

topics = typer.Typer(no_args_is_help=True)
_CHANGELOG = "rows of a table, for recovery"

Json = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]


@topics.callback()
def _group() -> None:
    """List or create the topics that Dovetail owns.

    \b
    Example:
      dovetail topics create
    """


@topics.command("list")
def list_topics(as_json: Json = False) -> None:
    """List our topics and those that are listened to: what each carries, and whether it is there.

    \b
    Example:
      dovetail topics list
      dovetail topics list --json
    """
    settings = load_settings(Need.KAFKA)
    counts = asyncio.run(partition_counts(settings))
    _show([*_listened(settings, counts), *_rows(settings, counts)], as_json=as_json)


@topics.command("create")
def create_topics(as_json: Json = False) -> None:
    """Create those of our topics that are missing; what exists is left as it is.

    \b
    Example:
      dovetail topics create
    """
    settings = load_settings(Need.KAFKA)
    before, after = asyncio.run(_create(settings))
    rows = _rows(settings, after)
    created = [row for row in rows if row["topic"] not in before]
    _show(created, as_json=as_json)
    say(f"{len(created)} topics created, {len(rows) - len(created)} were there")
    wrong = [row["topic"] for row in rows if row["state"] == "wrong partitions"]
    if wrong:
        raise Failed(
            f"these topics have another number of partitions than {settings.partitions}: "
            + ", ".join(wrong),
            advice="set DOVETAIL_PARTITIONS to theirs, or make them anew and replay",
        )


async def _create(settings: Settings) -> tuple[dict[str, int], dict[str, int]]:
    """Create what is missing; the partition counts before and after."""
    from app.cli.topic_specs import specs
    from app.settings.kafka import engine_settings
    from streams.engine.topics import create_missing

    before = await partition_counts(settings)
    try:
        # The engine would wait for ever; the brokers have just answered, so this is quick.
        async with asyncio.timeout(ANSWER_SECONDS * 3):
            after = await create_missing(specs(settings), engine_settings(settings), _say_if_any)
    except TimeoutError:
        raise KafkaUnreachable(
            "Kafka did not create the topics in time",
            advice="check that DOVETAIL_REPLICATION_FACTOR brokers run, then repeat: it is safe",
        ) from None
    return before, after


def _say_if_any(waiting_for: str) -> None:
    """The engine tells what it waits for, and with an empty text that it waits no more."""
    if waiting_for:
        say(waiting_for)


def _rows(settings: Settings, counts: Mapping[str, int]) -> list[dict[str, Any]]:
    from app.cli.topic_specs import specs

    carried = {topic.name: topic.carries for topic in ours.ALL}
    return [
        {
            "topic": spec.name,
            "partitions": counts.get(spec.name, spec.partitions),
            "cleanup": spec.config.get("cleanup.policy", ""),
            "state": _state(spec, counts),
            "carries": carried.get(spec.name, _CHANGELOG),
        }
        for spec in specs(settings)
    ]


def _listened(settings: Settings, counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """The topics of others, as far as the settings name them."""
    sources = dict.fromkeys(settings.source_topics, "yours: changes of Dynamics")
    events = dict.fromkeys(settings.ecm_event_topics, "yours: events of Extended ECM")
    return [
        {
            "topic": name,
            "partitions": counts.get(name, "-"),
            "cleanup": "-",
            "state": "there" if name in counts else "missing",
            "carries": carries,
        }
        for name, carries in (sources | events).items()
    ]


def _state(spec: TopicSpec, counts: Mapping[str, int]) -> str:
    if spec.name not in counts:
        return "missing"
    return "there" if counts[spec.name] == spec.partitions else "wrong partitions"


def _show(rows: Iterable[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            show_json(row)
        return
    cells = [tuple(row.values()) for row in rows]
    if cells:
        show_table(("TOPIC", "PARTITIONS", "CLEANUP", "STATE", "CARRIES"), cells)
