"""Every version of every request that is served is answered in its own shape."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from datetime import timedelta
from types import ModuleType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from kio.index import load_request_schema

from app.sandbox.kafka import EmbeddedBroker
from app.sandbox.kafka.apis import APIS
from tests.sandbox.kafka.raw import raw_client, record_batch, types

EVERY = [(key, v) for key, api in APIS.items() for v in range(api.min_version, api.max_version + 1)]
RECORDS = record_batch([b"value"])
VALUES: dict[str, Any] = {
    "string": "exists",
    "bytes": b"bytes",
    "records": RECORDS,
    "bool": False,
    "uuid": None,
    "timedelta_i32": timedelta(seconds=10),
    "timedelta_i64": timedelta(seconds=10),
}
BY_NAME: dict[str, Any] = {
    "acks": -1,
    "transactional_id": None,
    "group_instance_id": None,
    "member_id": "",
    "generation_id": -1,
    "generation_id_or_member_epoch": -1,
    "max_wait": timedelta(milliseconds=10),
    "max_bytes": 10_000,
    "partition_max_bytes": 10_000,
    "resource_type": 2,
    "replication_factor": 1,
    "num_partitions": 2,
    "count": 5,
    "current_leader_epoch": -1,
    "session_epoch": -1,
}


def example(schema: Any, module: ModuleType) -> Any:
    """An instance with one element in each array and plain values in all fields."""
    hints = get_type_hints(schema, vars(module))
    values = {
        field.name: value_of(field, hints[field.name], module)
        for field in fields(schema)
        if "tag" not in field.metadata
    }
    return schema(**values)


def value_of(field: Field[Any], hint: Any, module: ModuleType) -> Any:
    options = get_args(hint) if get_origin(hint) is not tuple else (hint,)
    array = next((option for option in options if get_origin(option) is tuple), None)
    if field.name in BY_NAME and (BY_NAME[field.name] is not None or type(None) in options):
        return BY_NAME[field.name]
    if array is not None:
        element = get_args(array)[0]
        if hasattr(element, "__dataclass_fields__"):
            if field.name in ("assignments", "forgotten_topics_data"):
                return None if type(None) in options else ()
            return (example(element, module),)
        return (VALUES.get(field.metadata["kafka_type"], 0),)
    default = None if field.default is MISSING else field.default
    return VALUES.get(field.metadata["kafka_type"], default or 0)


@pytest.mark.parametrize(("api_key", "version"), EVERY)
async def test_every_version_is_answered(
    embedded: EmbeddedBroker, api_key: int, version: int
) -> None:
    embedded.state.create_topic("exists", 1, {})
    module = types(api_key, version)
    request = example(load_request_schema(api_key, version), module)
    async with raw_client(embedded.bootstrap) as raw:
        answer = await raw.ask(request)
    assert (answer.__api_key__, answer.__version__) == (api_key, version)
    assert not errors(answer), answer


def errors(answer: Any) -> set[str]:
    """The error codes anywhere in an answer, but for those that these examples must meet."""
    expected = {"none", "member_id_required", "unknown_member_id", "topic_already_exists"}
    expected |= {"group_id_not_found", "invalid_config", "unsupported_version"}
    expected |= {"invalid_producer_id_mapping", "transactional_id_not_found"}
    found = set()
    for field in fields(answer):
        value = getattr(answer, field.name)
        if field.name == "error_code":
            found.add(value.name)
        for part in value if isinstance(value, tuple) else ():
            if hasattr(part, "__dataclass_fields__"):
                found |= errors(part)
    return found - expected
