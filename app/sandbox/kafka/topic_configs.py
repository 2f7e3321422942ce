"""The topic configuration of Apache Kafka 4: names, defaults and what a value must look like.

Values are kept as the strings that clients send. The broker acts on those of sizes, segments,
retention, compaction and timestamps; the others (replication, compression, flushing, remote
storage) are kept so that a client reads back what it set.
Source: https://kafka.apache.org/documentation/#topicconfigs
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

_MAX_INT = 2**31 - 1
_MAX_LONG = 2**63 - 1
_HOUR_MS = 3_600_000
LOG_APPEND_TIME = "LogAppendTime"
"""The `message.timestamp.type` of topics whose records are stamped by the broker."""


class ConfigType(IntEnum):
    """The type codes of a DescribeConfigs answer."""

    BOOLEAN = 1
    STRING = 2
    INT = 3
    LONG = 5
    DOUBLE = 6
    LIST = 7


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """One configuration: its type, its default and a check that says what is wrong, or None."""

    type: ConfigType
    default: str
    fault: Callable[[str], str | None]


class InvalidConfig(Exception):
    """A configuration that Apache Kafka would refuse."""


def _whole(low: int, high: int) -> Callable[[str], str | None]:
    def fault(value: str) -> str | None:
        try:
            number = int(value)
        except ValueError:
            return "is not a whole number"
        return None if low <= number <= high else f"is not between {low} and {high}"

    return fault


def _share(value: str) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return "is not a number"
    return None if 0 <= number <= 1 else "is not between 0 and 1"


def _one_of(*allowed: str) -> Callable[[str], str | None]:
    def fault(value: str) -> str | None:
        return None if value.strip().lower() in allowed else f"is not one of {', '.join(allowed)}"

    return fault


def _exactly(*allowed: str) -> Callable[[str], str | None]:
    return lambda value: None if value in allowed else f"is not one of {', '.join(allowed)}"


def _policies(value: str) -> str | None:
    # An empty list keeps everything.
    parts = value.split(",") if value else []
    unknown = [part for part in parts if part.strip() not in ("compact", "delete")]
    return f"has {unknown}, which is neither compact nor delete" if unknown else None


def _anything(value: str) -> str | None:
    return None


def _int(default: int, low: int = 0) -> ConfigKey:
    return ConfigKey(ConfigType.INT, str(default), _whole(low, _MAX_INT))


def _long(default: int, low: int = 0) -> ConfigKey:
    return ConfigKey(ConfigType.LONG, str(default), _whole(low, _MAX_LONG))


def _bool(default: str) -> ConfigKey:
    return ConfigKey(ConfigType.BOOLEAN, default, _one_of("true", "false"))


TOPIC_CONFIGS: Mapping[str, ConfigKey] = {
    "cleanup.policy": ConfigKey(ConfigType.LIST, "delete", _policies),
    "compression.type": ConfigKey(
        ConfigType.STRING,
        "producer",
        _one_of("producer", "uncompressed", "gzip", "lz4", "snappy", "zstd"),
    ),
    "compression.gzip.level": ConfigKey(
        ConfigType.INT, "-1", _one_of("-1", *map(str, range(1, 10)))
    ),
    "compression.lz4.level": ConfigKey(ConfigType.INT, "9", _whole(1, 17)),
    "compression.zstd.level": ConfigKey(ConfigType.INT, "3", _whole(-131_072, 22)),
    "delete.retention.ms": _long(86_400_000),
    "errors.deadletterqueue.group.enable": _bool("false"),
    "file.delete.delay.ms": _long(60_000),
    "flush.messages": _long(_MAX_LONG, 1),
    "flush.ms": _long(_MAX_LONG),
    "follower.replication.throttled.replicas": ConfigKey(ConfigType.LIST, "", _anything),
    "index.interval.bytes": _int(4096),
    "leader.replication.throttled.replicas": ConfigKey(ConfigType.LIST, "", _anything),
    "local.retention.bytes": _long(-2, -2),
    "local.retention.ms": _long(-2, -2),
    "max.compaction.lag.ms": _long(_MAX_LONG, 1),
    "max.decompressed.message.bytes": _int(2_147_483_639),
    "max.message.bytes": _int(1_048_588),
    "message.timestamp.after.max.ms": _long(_HOUR_MS),
    "message.timestamp.before.max.ms": _long(_MAX_LONG),
    "message.timestamp.type": ConfigKey(
        ConfigType.STRING, "CreateTime", _exactly("CreateTime", LOG_APPEND_TIME)
    ),
    "min.cleanable.dirty.ratio": ConfigKey(ConfigType.DOUBLE, "0.5", _share),
    "min.compaction.lag.ms": _long(0),
    "min.insync.replicas": _int(1, 1),
    "preallocate": _bool("false"),
    "remote.copy.lag.bytes": _long(-1, -1),
    "remote.copy.lag.ms": _long(0, -1),
    "remote.log.copy.disable": _bool("false"),
    "remote.log.delete.on.disable": _bool("false"),
    "remote.storage.enable": _bool("false"),
    "retention.bytes": _long(-1, -(2**63)),
    "retention.ms": _long(604_800_000, -1),
    "segment.bytes": _int(1_073_741_824, 1_048_576),
    "segment.index.bytes": _int(10_485_760, 4),
    "segment.jitter.ms": _long(0),
    "segment.ms": _long(604_800_000, 1),
    "unclean.leader.election.enable": _bool("false"),
}


INTERNAL_SEGMENT_BYTES = "internal.segment.bytes"
"""Apache Kafka's own way for tests to have segments below a mebibyte; it is not described."""
_INTERNAL: Mapping[str, ConfigKey] = {INTERNAL_SEGMENT_BYTES: _int(1_073_741_824)}


def check_topic_configs(configs: Mapping[str, str | None]) -> dict[str, str]:
    """The configs as they are kept.

    Raises InvalidConfig for an unknown name or a value that does not fit.
    """
    for name, value in configs.items():
        key = TOPIC_CONFIGS.get(name) or _INTERNAL.get(name)
        if key is None:
            raise InvalidConfig(f"Unknown topic config name: {name}")
        fault = "is null" if value is None else key.fault(value)
        if fault:
            raise InvalidConfig(f"Invalid value {value} for configuration {name}: it {fault}")
    checked = {name: value for name, value in configs.items() if value is not None}
    _check_together(checked)
    return checked


def _check_together(configs: Mapping[str, str]) -> None:
    for low, high in (("min.compaction.lag.ms", "max.compaction.lag.ms"),):
        least, most = (configs.get(name, TOPIC_CONFIGS[name].default) for name in (low, high))
        if int(least) > int(most):
            raise InvalidConfig(f"{low} ({least}) is above {high} ({most})")
