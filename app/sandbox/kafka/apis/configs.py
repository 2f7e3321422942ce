"""DescribeConfigs, AlterConfigs and IncrementalAlterConfigs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any

from kio.schema.alter_configs.v2.request import AlterConfigsRequest
from kio.schema.alter_configs.v2.request import AlterConfigsResource as AlteredResource
from kio.schema.describe_configs.v4.request import DescribeConfigsRequest, DescribeConfigsResource
from kio.schema.errors import ErrorCode
from kio.schema.incremental_alter_configs.v1.request import (
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)

from app.sandbox.kafka.context import Broker, Client
from app.sandbox.kafka.settings import NODE_ID
from app.sandbox.kafka.state import Topic, TopicRefused, check_name
from app.sandbox.kafka.topic_configs import TOPIC_CONFIGS, ConfigType
from app.sandbox.kafka.wire import Answers

_TOPIC = 2
_BROKER = 4
_SOURCE_TOPIC = 1
_SOURCE_BROKER = 4
_SOURCES_OF_DEFAULTS = {"min.insync.replicas": 3}
"""Where Apache Kafka has a default from elsewhere: eligible leader replicas (KIP-966) need this one
set for the whole cluster."""
_SOURCE_DEFAULT = 5


class _Operation(IntEnum):
    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


_OPERATIONS = frozenset(int(operation) for operation in _Operation)


def topic_config_values(broker: Broker, topic: Topic) -> dict[str, str]:
    """Every topic config with the value in force."""
    values = {name: topic.config(name) for name in TOPIC_CONFIGS}
    values["max.message.bytes"] = str(broker.state.max_message_bytes(topic))
    return values


def is_set_on_topic(topic: Topic, name: str) -> bool:
    """Whether the value was set on the topic, and is not a default."""
    return name in topic.configs


async def describe_configs(
    broker: Broker, client: Client, request: DescribeConfigsRequest, answers: Answers
) -> Any:
    """The configs of topics and of the broker, all or the named ones."""
    results = tuple(_resource(broker, asked, answers) for asked in request.resources)
    return answers("DescribeConfigsResponse", results=results)


def _resource(broker: Broker, asked: DescribeConfigsResource, answers: Answers) -> Any:
    error, message, configs = ErrorCode.none, None, ()
    keys = asked.configuration_keys
    try:
        configs = tuple(
            config for config in _configs(broker, asked, answers) if not keys or config.name in keys
        )
    except TopicRefused as refused:
        error, message = refused.code, str(refused)
    return answers(
        "DescribeConfigsResult",
        error_code=error,
        error_message=message,
        resource_type=asked.resource_type,
        resource_name=asked.resource_name,
        configs=configs,
    )


def _configs(broker: Broker, asked: DescribeConfigsResource, answers: Answers) -> list[Any]:
    if asked.resource_type == _BROKER and asked.resource_name in ("", str(NODE_ID)):
        return [
            _config(answers, name, value, _SOURCE_BROKER, ConfigType.STRING, read_only=True)
            for name, value in _broker_configs(broker).items()
        ]
    topic = _topic(broker, asked.resource_type, asked.resource_name)
    return [
        _config(
            answers,
            name,
            value,
            _source(topic, name),
            TOPIC_CONFIGS[name].type,
            read_only=False,
        )
        for name, value in topic_config_values(broker, topic).items()
    ]


def _config(
    answers: Answers, name: str, value: str, source: int, kind: ConfigType, *, read_only: bool
) -> Any:
    return answers(
        "DescribeConfigsResourceResult",
        name=name,
        value=value,
        read_only=read_only,
        config_source=source,
        is_sensitive=False,
        synonyms=(),
        config_type=int(kind),
        documentation=None,
    )


def _broker_configs(broker: Broker) -> dict[str, str]:
    settings = broker.settings
    return {
        "auto.create.topics.enable": str(settings.auto_create_topics).lower(),
        "broker.id": str(NODE_ID),
        "group.initial.rebalance.delay.ms": str(round(settings.initial_rebalance_delay * 1000)),
        "group.max.session.timeout.ms": str(round(settings.max_session_timeout * 1000)),
        "group.min.session.timeout.ms": str(round(settings.min_session_timeout * 1000)),
        "message.max.bytes": str(settings.message_max_bytes),
        "num.partitions": str(settings.default_partitions),
        "socket.request.max.bytes": str(settings.request_max_bytes),
    }


def _topic(broker: Broker, resource_type: int, name: str) -> Topic:
    if resource_type != _TOPIC:
        raise TopicRefused(
            ErrorCode.invalid_request,
            f"only topics have configs to change here, not resource type {resource_type} '{name}'",
        )
    check_name(name)
    topic = broker.state.topics.get(name)
    if topic is None:
        raise TopicRefused(ErrorCode.unknown_topic_or_partition, f"no topic '{name}'")
    return topic


def _source(topic: Topic, name: str) -> int:
    if is_set_on_topic(topic, name):
        return _SOURCE_TOPIC
    return _SOURCES_OF_DEFAULTS.get(name, _SOURCE_DEFAULT)


async def alter_configs(
    broker: Broker, client: Client, request: AlterConfigsRequest, answers: Answers
) -> Any:
    """Replace all configs of topics; what is not named goes back to its default."""

    def replaced(asked: AlteredResource, topic: Topic) -> Mapping[str, str | None]:
        _check_set(asked.configs)
        return {config.name: config.value for config in asked.configs}

    return answers("AlterConfigsResponse", responses=_alter(broker, request, answers, replaced))


async def incremental_alter_configs(
    broker: Broker, client: Client, request: IncrementalAlterConfigsRequest, answers: Answers
) -> Any:
    """Change single configs of topics: set, delete, append to a list, subtract from it."""
    return answers(
        "IncrementalAlterConfigsResponse",
        responses=_alter(broker, request, answers, _incremented),
    )


def _alter(
    broker: Broker,
    request: Any,
    answers: Answers,
    wanted: Callable[[Any, Topic], Mapping[str, str | None]],
) -> tuple[Any, ...]:
    responses = []
    for asked in request.resources:
        error, message = ErrorCode.none, None
        try:
            topic = _topic(broker, asked.resource_type, asked.resource_name)
            broker.state.set_configs(
                topic, wanted(asked, topic), validate_only=request.validate_only
            )
        except TopicRefused as refused:
            error, message = refused.code, str(refused)
        responses.append(
            answers(
                "AlterConfigsResourceResponse",
                error_code=error,
                error_message=message,
                resource_type=asked.resource_type,
                resource_name=asked.resource_name,
            )
        )
    return tuple(responses)


def _incremented(asked: AlterConfigsResource, topic: Topic) -> Mapping[str, str | None]:
    configs: dict[str, str | None] = dict(topic.configs)
    _check_set([c for c in asked.configs if int(c.config_operation) != _Operation.DELETE])
    if len({change.name for change in asked.configs}) < len(asked.configs):
        raise TopicRefused(ErrorCode.invalid_request, "a config is named twice")
    for change in asked.configs:
        operation, name = int(change.config_operation), change.name
        if operation not in _OPERATIONS:
            raise TopicRefused(ErrorCode.unknown_server_error, f"no operation {operation}")
        if operation == _Operation.DELETE:
            configs.pop(name, None)
        elif operation == _Operation.SET:
            configs[name] = change.value
        else:
            configs[name] = _changed_list(topic, operation, name, change.value or "")
    return configs


def _check_set(changes: Sequence[Any]) -> None:
    """Raises TopicRefused(invalid_request) where a value to be set is null."""
    for change in changes:
        if change.value is None:
            raise TopicRefused(ErrorCode.invalid_request, f"the value of {change.name} is null")


def _changed_list(topic: Topic, operation: int, name: str, value: str) -> str:
    key = TOPIC_CONFIGS.get(name)
    if key is None or key.type is not ConfigType.LIST:
        raise TopicRefused(
            ErrorCode.invalid_config, f"Config value append is not allowed for config key: {name}"
        )
    items = [item for item in topic.config(name).split(",") if item]
    named = [item for item in value.split(",") if item]
    if operation == _Operation.APPEND:
        return ",".join(items + [item for item in named if item not in items])
    return ",".join(item for item in items if item not in named)
