"""Law: whatever sources tell of an order, in any order and repetition, it is one order at the end.

The histories are encoded as the sources encode them, decoded as the worker does, and decided by the
worker's stages; finance and operations itself answers what is read.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.rule_files.loading import load_rules
from app.sandbox.events import finance
from app.sandbox.events.change import Encoded, Named
from app.sandbox.events.finance_entities import SETS
from app.settings.fields import RULES_DIRECTORY
from streams.catalogue import ColumnValue
from streams.deciding.memory import ALIASES, RECORDS
from streams.formats import SourceMessage, decode
from streams.rules import RecordWorkspaceRule, RuleBook
from tables.aliases import AliasRow
from tables.keys import RecordRef
from tables.records import RecordRow
from tests.streams.world import World

ENTITY = SETS["SalesOrderHeadersV2"]
START_MS = 1_700_000_000_000
ORDER = RecordRef("finance_salesorder", "usmf~so-1")
CATALOGUE = load_rules(RULES_DIRECTORY).catalogue
RULE = RecordWorkspaceRule.model_validate(
    {
        "name": "order-workspace",
        "table": "finance_salesorder",
        "closed": "record.salesorderstatus in [3, 4]",
        "workspace": {
            "external_system": "ERP",
            "business_object_type": "salesorder",
            "type": "Order",
            "name": "Order {salesordernumber}",
            "state_attribute": "Business Record/State",
        },
    }
)
BOOK = RuleBook(catalogue=CATALOGUE, rules=(RULE,))
_STATES = ("Backorder", "Delivered", "Invoiced")
_SOURCES = ("lake", "data", "data without pre-image", "business")


@dataclass(frozen=True)
class History:
    """Messages in the order in which they happened, and the row at the end (None: deleted)."""

    messages: tuple[Encoded, ...]
    row: Mapping[str, Any] | None


def _encoded(source: str, event: finance.EntityEvent, number: int) -> Encoded:
    if source == "lake":
        return finance.synapse_row(event, named=Named("body"))
    if source.startswith("data"):
        return finance.data_event(event, pre_image=source == "data")
    return finance.business_event(
        "SalesOrderConfirmedBusinessEvent",
        {"SalesOrderNumber": "SO-1"},
        company="usmf",
        at_ms=event.at_ms,
        control_number=5_637_000_000 + number * 3,
    )


@st.composite
def histories(draw: st.DrawFn) -> History:
    """One order: created, changed, perhaps deleted; each step told by one or more sources.

    The lake tells of the creation and of a delete in any case, as it does of everything in the end.
    """
    row: dict[str, Any] = {name: field.empty for name, field in ENTITY.fields.items()}
    row |= {"dataAreaId": "usmf", "SalesOrderNumber": "SO-1", "SalesOrderStatus": "Backorder"}
    step = st.tuples(st.sampled_from(["A", "B"]), st.sampled_from(_STATES))
    steps = draw(st.lists(step, max_size=4))
    deleted = draw(st.booleans())
    messages: list[Encoded] = []
    before: dict[str, Any] | None = None
    for number in range(len(steps) + 1 + deleted):
        last = deleted and number == len(steps) + 1
        operation = "create" if number == 0 else "delete" if last else "update"
        if operation == "update":
            before = dict(row)
            row |= {
                "SalesOrderName": steps[number - 1][0],
                "SalesOrderStatus": steps[number - 1][1],
            }
        event = finance.EntityEvent(
            ENTITY, 5_637_144_577, operation, dict(row), START_MS + number * 5_000, 100 + number,
            before=before, changed=frozenset({"SalesOrderName", "SalesOrderStatus"})
            if operation == "update" else None,
        )  # fmt: skip
        certain = {"lake"} if number == 0 or last else set()
        told = certain | draw(st.sets(st.sampled_from(_SOURCES), min_size=1))
        messages += [_encoded(source, event, number) for source in sorted(told)]
    return History(tuple(messages), None if deleted else row)


def _told(world: World, message: Encoded, offset: int) -> None:
    sent = SourceMessage("erp.events", 0, offset, START_MS, None, message.value, message.headers)
    decoded = decode(sent, CATALOGUE)
    assert isinstance(decoded, tuple)
    world.tell(*decoded)


async def _played(history: History, order: list[int], seed: int) -> World:
    world = World(BOOK)
    if history.row is not None:
        columns: dict[str, ColumnValue] = {
            "dataareaid": "usmf",
            "salesordernumber": "SO-1",
            "salesordername": history.row["SalesOrderName"] or None,
            "salesorderstatus": {"Backorder": 1, "Delivered": 2, "Invoiced": 3}[
                history.row["SalesOrderStatus"]
            ],
            "orderingcustomeraccountnumber": None,
            "currencycode": None,
            "ordertotalamount": "0",
        }
        world.dynamics.rows[ORDER.key] = columns
    # OData has no version; what is read is as of the moment of reading.
    world.dynamics.version, world.dynamics.modified_ms = -1, START_MS + 3_600_000
    chance = random.Random(seed)
    for offset in order:
        _told(world, history.messages[offset], offset)
        if chance.random() < 0.3:
            await world.run(chance.choice)
    await world.run(chance.choice)
    return world


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=histories(), data=st.data())
async def test_all_sources_in_any_order_end_in_one_record(
    history: History, data: st.DataObject
) -> None:
    every = list(range(len(history.messages)))
    order = data.draw(st.permutations(every + data.draw(st.lists(st.sampled_from(every)))))
    world = await _played(history, order, data.draw(st.integers(0, 1000)))
    stored = {key for table, key in world.rows.tables if table == RECORDS}
    assert stored == {ORDER.key}
    row = RecordRow.from_bytes(world.rows.get(RECORDS, ORDER.key))
    assert row.alive is (history.row is not None)
    if history.row is not None:
        assert row.value("salesordername") == (history.row["SalesOrderName"] or None)
        assert (
            row.values()["salesorderstatus"]
            == {"Backorder": 1, "Delivered": 2, "Invoiced": 3}[history.row["SalesOrderStatus"]]
        )
    waiting = [
        AliasRow.from_bytes(value).held
        for (table, _), value in world.rows.tables.items()
        if table == ALIASES
    ]
    # Only an alias whose own source never told the key can keep anything.
    assert all(not held for held in waiting) or not _data_told_key(history)
    workspaces = list(world.ecm.workspaces.values())
    assert len(workspaces) <= 1
    assert history.row is None or len(workspaces) == 1


def _data_told_key(history: History) -> bool:
    """Whether some data event of the history told the key beside the virtual entity's guid."""
    return any(
        b"PreImage" in (message.value or b"") or b'"Create"' in (message.value or b"")
        for message in history.messages
    )
