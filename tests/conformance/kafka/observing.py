"""How odd requests are asked and what is noted of their answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from kio.schema.errors import ErrorCode

from tests.sandbox.kafka.raw import (
    RawClient,
    list_offsets_request,
    raw_client,
    types,
    until,
    until_served,
)

TABLE = Path(__file__).with_name("apache_answers.json")
HUNG_UP = "hangs up"
Answers = dict[str, Any]
Case = Callable[["Observer"], Awaitable[None]]


class Observer:
    """Asks a broker on one connection, under names of its own, and notes the answers."""

    def __init__(self, raw: RawClient, address: str, prefix: str) -> None:
        self.raw = raw
        self.address = address
        self.prefix = prefix
        self.noted: Answers = {}

    def name(self, stem: str) -> str:
        """A name that nobody else uses."""
        return self.prefix + stem

    def note(self, what: str, value: Any) -> None:
        """Write down what was answered: errors by their names, the rest as it is."""
        assert what not in self.noted, what
        self.noted[what] = value.name if isinstance(value, ErrorCode) else value

    async def codes(self, what: str, request: Any) -> Any:
        """Ask on a connection of its own, note all error codes of the answer or that there was
        none; gives the answer, None when there was none."""
        async with raw_client(self.address) as raw:
            try:
                answer = await raw.ask(request)
            except (asyncio.IncompleteReadError, ConnectionError):
                self.note(what, HUNG_UP)
                return None
        found = codes(answer)
        # Apache Kafka answers for several topics in any order.
        self.note(what, found[0] if len(found) == 1 else sorted(found))
        return answer

    async def topic(
        self, stem: str, partitions: int = 1, configs: Mapping[str, str] | None = None
    ) -> str:
        """A fresh topic that is being served."""
        name = self.name(stem)
        t = types(19, 7)
        wanted = t.CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=1,
            assignments=(),
            configs=tuple(
                t.CreatableTopicConfig(name=key, value=value)
                for key, value in (configs or {}).items()
            ),
        )
        request = t.CreateTopicsRequest(
            topics=(wanted,), timeout=timedelta(seconds=10), validate_only=False
        )
        answer = await self.raw.ask(request)
        assert codes(answer) == ["none"], answer
        await until_served(self.raw, name, partitions)
        return name

    async def end_offset(self, topic: str) -> int:
        """The end of partition 0."""
        answer = await self.raw.ask(list_offsets_request(topic, -1))
        return int(answer.topics[0].partitions[0].offset)

    async def producer(self, transactional_id: str, timeout: float = 60) -> tuple[int, int]:
        """A transactional producer's id and epoch."""
        request = types(22, 4).InitProducerIdRequest(
            transactional_id=transactional_id, transaction_timeout=timedelta(seconds=timeout)
        )
        answer = await until(self.raw, request, lambda a: a.error_code is ErrorCode.none)
        return int(answer.producer_id), int(answer.producer_epoch)


def codes(answer: Any) -> list[str]:
    """The names of all error codes in an answer, from the outside in."""
    found: list[str] = []
    for field in fields(answer):
        value = getattr(answer, field.name)
        if isinstance(value, ErrorCode):
            found.append(value.name)
        for part in value if isinstance(value, tuple) else ():
            if hasattr(part, "__dataclass_fields__"):
                found += codes(part)
    return found


async def wake_coordinators(raw: RawClient) -> None:
    """Have the coordinators ready: Apache Kafka makes their topics when one is looked for."""
    for kind in (0, 1):
        request = types(10, 2).FindCoordinatorRequest(key="any", key_type=kind)
        await until(raw, request, lambda answer: answer.error_code is ErrorCode.none)


CASES: dict[str, Case] = {}


def odd(case: Case) -> Case:
    """Register a case under its function's name."""
    CASES[case.__name__] = case
    return case


async def observe(case: str, address: str, prefix: str) -> Answers:
    """What the broker at this address answers to a case."""
    async with raw_client(address) as raw:
        observer = Observer(raw, address, prefix)
        await wake_coordinators(raw)
        await CASES[case](observer)
    return observer.noted


def recorded() -> dict[str, Answers]:
    """What Apache Kafka answered when the table was taken."""
    found: dict[str, Answers] = json.loads(TABLE.read_text())["answers"]
    return found
