"""Odd requests are answered as Apache Kafka answers them.

The table beside this file holds what Apache Kafka answered (`python -m tests.conformance.kafka`
takes it anew). With ``--broker=kafka`` these tests check the table, otherwise the broker.
"""

from __future__ import annotations

import json

import pytest

from tests.conformance.kafka import (  # noqa: F401
    odd_groups,
    odd_protocol,
    odd_records,
    odd_topics,
    odd_transactions,
)
from tests.conformance.kafka.observing import CASES, observe, recorded

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("case", sorted(CASES))
async def test_an_odd_request_is_answered_as_apache_kafka_answers_it(
    case: str, kafka_address: str, unique_prefix: str
) -> None:
    noted = await observe(case, kafka_address, unique_prefix)
    assert json.loads(json.dumps(noted)) == recorded()[case]


def test_the_table_has_every_case_and_no_other() -> None:
    assert set(recorded()) == set(CASES)
