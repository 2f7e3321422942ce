"""The settings of the engine. Every number has its unit in its name.

Defaults are those of reference/stream-engines.md 1.11: Faust's own are wrong for this job.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tables.store import StoreSettings

_DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Security:
    """How to sign in to the brokers; the default is an open, unencrypted listener.

    The advices tell people what to check when the brokers are away or refuse us, or we them.
    """

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str = ""
    password: str = field(default="", repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    reach_advice: str = "check the addresses and the protocol, if they stay away"
    login_advice: str = "check the mechanism, username and password"
    trust_advice: str = "check the certificate authorities of the ssl_context"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic to create when it is missing; an existing one is left as it is."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    replication_factor: int | None = None  # None: the engine's topic_replication_factor


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Everything the engine can be told."""

    app_id: str
    bootstrap: tuple[str, ...]
    data_directory: Path
    security: Security = field(default_factory=Security)

    # Membership. An instance id (the pod's ordinal) makes a restart within the session timeout
    # cause no rebalance.
    instance_id: str | None = None
    # Where the other workers reach this one's pages; a different one for each.
    advertised_url: str = ""
    session_timeout_seconds: float = 10.0
    heartbeat_interval_seconds: float = 3.0
    rebalance_timeout_seconds: float = 60.0
    max_poll_interval_seconds: float = 300.0
    revoke_budget_seconds: float = 5.0

    # Batches and checkpoints. A checkpoint follows as soon as nothing more has arrived; while
    # records keep arriving it comes at the latest after this time or number.
    fetch_max_records: int = 500
    fetch_wait_ms: int = 500
    fetch_max_partition_bytes: int = 1024 * 1024
    batch_max_records: int = 1000
    checkpoint_interval_ms: int = 100
    checkpoint_max_records: int = 5000

    # Lanes: how often their offsets are committed, how many records of a partition may be
    # unfinished, and how many would come again after a crash, before reading pauses.
    lane_commit_interval_ms: int = 200
    lane_window_records: int = 1000
    lane_span_records: int = 20_000

    # Producer.
    linger_ms: int = 0
    max_batch_bytes: int = 256 * 1024
    max_record_bytes: int = 1_000_000
    compression: Literal["lz4", "gzip", "snappy", "zstd"] | None = "lz4"
    request_timeout_seconds: float = 60.0
    stall_notice_seconds: float = 5.0
    retry_backoff_seconds: float = 0.5
    retry_backoff_max_seconds: float = 10.0

    # Topics and changelogs. The compaction lag has to be far above the time from a changelog
    # record to its checkpoint and the restart after a crash in between; a store that slept longer
    # than tombstones are kept is rebuilt.
    topic_replication_factor: int = 3
    min_insync_replicas: int = 2
    topics_advice: str = "check topic_replication_factor, the topic's settings and our permissions"
    changelog_min_compaction_lag_ms: int = 6 * 60 * 60 * 1000
    changelog_tombstone_retention_ms: int = 7 * _DAY_MS
    recovery_max_records: int = 2000
    store: StoreSettings = field(default_factory=StoreSettings)
    store_lock_wait_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Raise ValueError for numbers that cannot work together."""
        if self.min_insync_replicas > self.topic_replication_factor:
            raise ValueError(
                f"min_insync_replicas={self.min_insync_replicas} can never be met with "
                f"topic_replication_factor={self.topic_replication_factor}: lower the first"
            )
        if self.heartbeat_interval_seconds * 2 > self.session_timeout_seconds:
            raise ValueError(
                f"heartbeat_interval_seconds={self.heartbeat_interval_seconds} leaves no second "
                f"try within session_timeout_seconds={self.session_timeout_seconds}: "
                "set it to a third of it"
            )
        if self.revoke_budget_seconds >= self.rebalance_timeout_seconds:
            raise ValueError(
                f"revoke_budget_seconds={self.revoke_budget_seconds} must be below "
                f"rebalance_timeout_seconds={self.rebalance_timeout_seconds}, or the group throws "
                "this worker out while it winds down"
            )
