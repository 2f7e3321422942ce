"""What the broker knows: topics with their configs and logs, producer ids, the cluster's id.

With a folder, `topics.json` says which topics there are and is replaced whole at each change; the
logs lie beside it, one folder per topic (name and id, so that a topic that is deleted and created
again never meets its former records) and in it one per partition.
"""

from __future__ import annotations

import base64
import fcntl
import re
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from kio.schema.errors import ErrorCode

from app.sandbox.kafka.bodies import Memory, OpenFiles
from app.sandbox.kafka.files import read_json, write_json
from app.sandbox.kafka.log import PartitionLog
from app.sandbox.kafka.settings import BrokerSettings
from app.sandbox.kafka.topic_configs import (
    INTERNAL_SEGMENT_BYTES,
    TOPIC_CONFIGS,
    InvalidConfig,
    check_topic_configs,
)

_PRODUCER_ID_BLOCK = 1000
_INTERNAL_TOPICS = frozenset({"__consumer_offsets", "__transaction_state"})
"""Names that Apache Kafka has taken for itself; here there is nothing under them."""
_LEGAL_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class TopicRefused(Exception):
    """A change of topics that is not made: `code` is what the client is told."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class DataFolderInUse(Exception):
    """Another broker has the data folder open."""


@dataclass(slots=True)
class Topic:
    """A topic: `configs` holds what was set, the rest is default; one log per partition."""

    name: str
    topic_id: uuid.UUID
    configs: dict[str, str]
    partitions: list[PartitionLog] = field(default_factory=list)

    def partition(self, index: int) -> PartitionLog | None:
        """The log of a partition, None when there is no such partition."""
        return self.partitions[index] if 0 <= index < len(self.partitions) else None

    def config(self, name: str) -> str:
        """A config's value in force, unless the broker's own setting stands in (see
        `BrokerState.max_message_bytes`)."""
        return self.configs.get(name, TOPIC_CONFIGS[name].default)


def check_name(name: str) -> None:
    """Raises TopicRefused(invalid_topic_exception) for a name Apache Kafka would not take."""
    if not _LEGAL_NAME.fullmatch(name) or name in (".", ".."):
        raise TopicRefused(
            ErrorCode.invalid_topic_exception,
            f"{name!r} is no topic name: 1 to 249 letters, digits, '.', '_' and '-', "
            "and neither '.' nor '..'",
        )


class BrokerState:
    """Everything that outlives a connection. `data` is the folder that keeps it, None for memory.

    Raises DataFolderInUse when another broker works on the folder.
    """

    def __init__(self, settings: BrokerSettings, data: Path | None) -> None:
        self.settings = settings
        self.topics: dict[str, Topic] = {}
        self.memory = Memory(settings.memory_max_bytes)
        self.files = OpenFiles(settings.open_files_max)
        self._data = data
        self._lock: IO[str] | None = None
        self._next_producer_id = self._reserved_until = 0
        self.cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if data is not None:
            data.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(data / "lock")
            self._load(data)

    @property
    def folder(self) -> Path:
        """Where records lie that do not lie in memory."""
        return self._data or Path(tempfile.gettempdir())

    def partition(self, topic: str, index: int) -> PartitionLog | None:
        """The log of a partition, None when topic or partition do not exist."""
        found = self.topics.get(topic)
        return None if found is None else found.partition(index)

    def topic_by_id(self, topic_id: uuid.UUID | None) -> Topic | None:
        """The topic of that id, None when there is none."""
        return next((t for t in self.topics.values() if t.topic_id == topic_id), None)

    def max_message_bytes(self, topic: Topic) -> int:
        """The largest batch the topic takes, in bytes."""
        return int(topic.configs.get("max.message.bytes", self.settings.message_max_bytes))

    def check_new_topic(self, name: str, configs: Mapping[str, str | None]) -> None:
        """Raises TopicRefused when such a topic cannot be created."""
        check_name(name)
        if name in self.topics or name in _INTERNAL_TOPICS:
            raise TopicRefused(ErrorCode.topic_already_exists, f"Topic '{name}' already exists.")
        twin = name.replace(".", "_")
        for other in self.topics:
            if other.replace(".", "_") == twin:
                raise TopicRefused(
                    ErrorCode.invalid_topic_exception,
                    f"Topic '{name}' collides with existing topic: {other}",
                )
        _checked(configs)

    def create_topic(self, name: str, partitions: int, configs: Mapping[str, str | None]) -> Topic:
        """Create a topic of `partitions` empty partitions. Raises TopicRefused."""
        self.check_new_topic(name, configs)
        topic = Topic(name, uuid.uuid4(), _checked(configs))
        self._open_partitions(topic, partitions)
        self.topics[name] = topic
        self._save()
        return topic

    def add_partitions(self, topic: Topic, count: int) -> None:
        """Grow the topic to `count` partitions."""
        self._open_partitions(topic, count)
        self._save()

    def set_configs(
        self, topic: Topic, configs: Mapping[str, str | None], *, validate_only: bool
    ) -> None:
        """Replace the topic's configs, or only see whether that could be. Raises TopicRefused."""
        checked = _checked(configs)
        if validate_only:
            return
        topic.configs = checked
        for log in topic.partitions:
            _set_rolling(topic, log)
        self._save()

    def move_leader(self, topic: Topic, partition: int) -> int:
        """Begin the partition's next leader epoch, as when its leader had changed; returns it."""
        log = topic.partitions[partition]
        log.epochs.begin(log.epochs.current + 1, log.end_offset)
        self._save()
        return log.epochs.current

    def delete_topic(self, topic: Topic) -> None:
        """Delete the topic with its records; whoever waits for more of it is woken."""
        del self.topics[topic.name]
        self._save()
        for log in topic.partitions:
            log.close(delete=True)
        if self._data is not None:
            shutil.rmtree(self._folder(self._data, topic), ignore_errors=True)

    def new_producer_id(self) -> int:
        """An id that no producer has had. Ids are reserved on disk in blocks, so that a restart
        leaves out some and repeats none."""
        if self._next_producer_id >= self._reserved_until:
            self._reserved_until += _PRODUCER_ID_BLOCK
            if self._data is not None:
                write_json(self._data / "producer-ids.json", self._reserved_until)
        self._next_producer_id += 1
        return self._next_producer_id - 1

    def close(self) -> None:
        """Close all logs and let go of the folder."""
        for topic in self.topics.values():
            for log in topic.partitions:
                log.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _open_partitions(self, topic: Topic, count: int) -> None:
        for index in range(len(topic.partitions), count):
            if self._data is None:
                log = PartitionLog.in_memory(self.memory)
            else:
                folder = self._folder(self._data, topic) / str(index)
                log = PartitionLog.in_folder(folder, _segment_bytes(topic), self.files)
            _set_rolling(topic, log)
            topic.partitions.append(log)

    @staticmethod
    def _folder(data: Path, topic: Topic) -> Path:
        return data / "logs" / f"{topic.name}-{topic.topic_id.hex}"

    def _save(self) -> None:
        if self._data is None:
            return
        topics = {
            topic.name: {
                "id": str(topic.topic_id),
                "partitions": len(topic.partitions),
                "configs": topic.configs,
                "epochs": [log.epochs.current for log in topic.partitions],
            }
            for topic in self.topics.values()
        }
        write_json(self._data / "topics.json", {"cluster": self.cluster_id, "topics": topics})

    def _load(self, data: Path) -> None:
        stored: dict[str, Any] = read_json(data / "topics.json", {"topics": {}})
        self.cluster_id = stored.get("cluster", self.cluster_id)
        for name, entry in stored["topics"].items():
            topic = Topic(name, uuid.UUID(entry["id"]), entry["configs"])
            self._open_partitions(topic, entry["partitions"])
            for log, epoch in zip(topic.partitions, entry.get("epochs", ()), strict=False):
                log.epochs.begin(epoch, log.end_offset)
            self.topics[name] = topic
        self._save()
        self._next_producer_id = self._reserved_until = read_json(data / "producer-ids.json", 0)
        wanted = {self._folder(data, topic) for topic in self.topics.values()}
        for folder in (data / "logs").glob("*"):
            if folder not in wanted:
                shutil.rmtree(folder, ignore_errors=True)


def _set_rolling(topic: Topic, log: PartitionLog) -> None:
    segment_ms = int(topic.config("segment.ms"))
    if "compact" in topic.config("cleanup.policy"):
        segment_ms = min(segment_ms, int(topic.config("max.compaction.lag.ms")))
    log.roll_at(_segment_bytes(topic), segment_ms)


def _segment_bytes(topic: Topic) -> int:
    return int(topic.configs.get(INTERNAL_SEGMENT_BYTES, topic.config("segment.bytes")))


def _checked(configs: Mapping[str, str | None]) -> dict[str, str]:
    try:
        return check_topic_configs(configs)
    except InvalidConfig as error:
        raise TopicRefused(ErrorCode.invalid_config, str(error)) from error


def _locked(path: Path) -> IO[str]:
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise DataFolderInUse(
            f"{path.parent} is in use by another broker: stop that one or give another folder"
        ) from error
    return file
