"""Units on their way: planned from an assignment, not yet working."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aiokafka import OffsetAndMetadata

from streams.engine import changelog
from streams.engine.records import TopicPartition
from streams.engine.recovery import TableTask
from streams.engine.stages import StageEntry
from tables.store import PartitionStore


@dataclass(slots=True)
class Start:
    """A unit on its way: its places, and the tables that still have to be recovered."""

    entry: StageEntry
    partition: int
    places: tuple[TopicPartition, ...]
    store: PartitionStore | None
    positions: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, TableTask] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)

    def committed_positions(
        self, committed: Mapping[TopicPartition, OffsetAndMetadata]
    ) -> dict[str, int]:
        """Return the changelog positions of the stage's last commit, by table.

        Every commit of ours covers all places of a unit, so the newest of their metadata counts.
        A table is missing when the commit was not the engine's, or is older than the table's
        belonging to this stage.
        """
        newest: dict[str, int] = {}
        for place in self.places:
            found = committed.get(place)
            decoded = None if found is None else changelog.decode_positions(found.metadata)
            for table, offset in (decoded or {}).items():
                newest[table] = max(offset, newest.get(table, 0))
        return newest


def planned(assigned: Iterable[TopicPartition], stages: Iterable[StageEntry]) -> list[Start]:
    """Group assigned topic partitions into units: one per stage and partition number."""
    entries = {topic: entry for entry in stages for topic in entry.topics}
    places: dict[tuple[str, int], list[TopicPartition]] = defaultdict(list)
    for place in sorted(assigned):
        places[(entries[place.topic].name, place.partition)].append(place)
    return [
        Start(entries[found[0].topic], partition, tuple(found), None)
        for (_, partition), found in places.items()
    ]
