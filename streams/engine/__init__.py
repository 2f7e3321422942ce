"""The batch path: Faust above, our own consumer, checkpoint, store and recovery beneath.

Faust keeps the app, its agents, membership and assignment, timers and the command line. Here is
what it does neither safely nor fast (reference/stream-engines.md 0 to 2): the drain, batches,
checkpoints, offsets, table rows and recovery. Nothing here knows what the records mean.
"""

from streams.engine.engine import Engine
from streams.engine.errors import Fenced, ForeignRecord, Halted, NotHere, Undeliverable
from streams.engine.partitioning import partition_of
from streams.engine.records import Outgoing, Record, Rows, TopicPartition
from streams.engine.settings import EngineSettings, Security, TopicSpec
from streams.engine.stages import BatchStage, LaneStage
from streams.engine.status import EngineStatus, Observer, SilentObserver

__all__ = [
    "BatchStage",
    "Engine",
    "EngineSettings",
    "EngineStatus",
    "Fenced",
    "ForeignRecord",
    "Halted",
    "LaneStage",
    "NotHere",
    "Observer",
    "Outgoing",
    "Record",
    "Rows",
    "Security",
    "SilentObserver",
    "TopicPartition",
    "TopicSpec",
    "Undeliverable",
    "partition_of",
]
