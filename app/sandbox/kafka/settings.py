"""What a person can choose about the embedded broker."""

from __future__ import annotations

from dataclasses import dataclass

NODE_ID = 1
"""The one broker's node id; it leads every partition and coordinates every group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """The broker-wide settings. Durations are seconds, sizes bytes; defaults are Apache Kafka 4's
    (`server.properties` names in brackets) but for quick groups and no topics created by accident.
    """

    auto_create_topics: bool = False
    """[auto.create.topics.enable] off: a misspelt topic is an error, not a new topic."""
    default_partitions: int = 1
    """[num.partitions]"""
    message_max_bytes: int = 1_048_588
    """[message.max.bytes] the default of a topic's `max.message.bytes`."""
    request_max_bytes: int = 104_857_600
    """[socket.request.max.bytes] a longer frame closes its connection."""
    connections_max_idle: float = 600.0
    """[connections.max.idle.ms] a connection without requests for longer is closed."""
    min_session_timeout: float = 0.5
    """[group.min.session.timeout.ms] 6 s in a fresh Kafka; low, so that tests may let members
    expire quickly."""
    max_session_timeout: float = 1800.0
    """[group.max.session.timeout.ms]"""
    initial_rebalance_delay: float = 0.0
    """[group.initial.rebalance.delay.ms] how long an empty group waits for more members."""
    offset_metadata_max_bytes: int = 4096
    """[offset.metadata.max.bytes]"""

    max_transaction_timeout: float = 900.0
    """[transaction.max.timeout.ms]"""
    transaction_check_interval: float = 1.0
    """[transaction.abort.timed.out.transaction.cleanup.interval.ms] 10 s in a fresh Kafka."""
    transactional_id_expiration: float = 604_800.0
    """[transactional.id.expiration.ms]"""
    producer_id_expiration: float = 86_400.0
    """[producer.id.expiration.ms]"""
    log_check_interval: float = 15.0
    """[log.retention.check.interval.ms and log.cleaner.backoff.ms] how often retention and
    compaction look at the logs."""
    memory_max_bytes: int = 512 * 2**20
    """How many bytes of records may lie in memory; older ones go to temporary files. It has no
    meaning with a data folder, where all records are in files."""

    open_files_max: int = 128
    """How many segment files of a data folder are open at once, whatever the number of partitions:
    systems give a process 1024 or 256 open files, and each client's connection is one."""

    def __post_init__(self) -> None:
        if self.default_partitions < 1:
            raise ValueError(f"default_partitions is {self.default_partitions}: give 1 or more")
        if self.log_check_interval <= 0 or self.transaction_check_interval <= 0:
            raise ValueError(
                "log_check_interval and transaction_check_interval must be above 0 seconds, but "
                f"they are {self.log_check_interval} and {self.transaction_check_interval}"
            )
        if self.open_files_max < 1:
            raise ValueError(f"open_files_max is {self.open_files_max}: give 1 or more")
        if self.memory_max_bytes < 0:
            raise ValueError(f"memory_max_bytes is {self.memory_max_bytes}: give 0 or more")
        if not 0 < self.min_session_timeout <= self.max_session_timeout:
            raise ValueError(
                "min_session_timeout must be above 0 and at most max_session_timeout, but they are "
                f"{self.min_session_timeout} and {self.max_session_timeout} seconds"
            )
