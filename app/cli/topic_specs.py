"""Every topic of ours with its settings: what ``dovetail topics`` lists and creates."""

from __future__ import annotations

from collections.abc import Sequence

from app.settings import Settings
from app.settings.kafka import engine_settings
from streams import topics
from streams.deciding import memory
from streams.engine.records import Outgoing, Record, Rows
from streams.engine.settings import TopicSpec
from streams.engine.stages import StageEntry
from streams.engine.topics import changelog_specs
from streams.write_dynamics import DynamicsWriter
from streams.write_ecm import EcmWriter

_TABLES = (*memory.DECIDE_TABLES, EcmWriter.ledger, DynamicsWriter.ledger)


def specs(settings: Settings) -> list[TopicSpec]:
    """Every topic of ours, changelogs included, with these settings."""
    sources = [TopicSpec(topic.name, settings.partitions, topic.configs) for topic in topics.ALL]
    counts = {spec.name: spec.partitions for spec in sources}
    tables = StageEntry("tables", (topics.CHANGES.name,), _TABLES, _NotRun(), None, "")
    engine = engine_settings(settings)
    return [*sources, *changelog_specs(settings.application_id, [tables], counts, engine)]


class _NotRun:
    """Stands where the engine's description of changelogs wants a stage: no stage runs here."""

    def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
        raise AssertionError("topics are described, not read")
