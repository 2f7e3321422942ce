"""Laws of flow 4: orders, invoices, credit memos and their documents in any order end alike."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.messages.facts import BusinessObject, Document, EcmEvent
from tables.keys import RecordRef
from tests.fakes.gateways import FakeEcm, FakeWorkspace
from tests.laws.histories import History, assert_nothing_forbidden
from tests.streams.samples import ORIGIN, START_MS, ref
from tests.streams.transaction_rules import INVOICE_RULE, MEMO_RULE, ORDER_RULE
from tests.streams.world import World

LAW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ORDERS = (ref("salesorder", 1), ref("salesorder", 2))
INVOICES = (ref("invoice", 3), ref("invoice", 4))
MEMO = ref("new_creditmemo", 5)
RULES = {"salesorder": ORDER_RULE, "invoice": INVOICE_RULE, "new_creditmemo": MEMO_RULE}
LOOKUPS = {"salesorder": "customerid", "invoice": "salesorderid", "new_creditmemo": "new_invoiceid"}
KINDS = ("added", "renamed", "version_added", "deleted")
ITS_COLUMNS = {column for rule in RULES.values() for column in rule.write_back.columns()}


def object_of(record: RecordRef) -> BusinessObject:
    kind = RULES[record.table].workspace.business_object_type
    return BusinessObject(external_system="D365", type=kind, id=record.id)


@st.composite
def histories(draw: st.DrawFn) -> History:
    history = History()
    for order in ORDERS:
        _lived(draw, history, order, {"ordernumber": "ORD", "customerid": None, "statecode": 0})
    for invoice in INVOICES:
        row: dict[str, Any] = {"invoicenumber": "INV", "customerid": None, "paidon": None}
        row |= {"salesorderid": draw(st.sampled_from([None, *(o.key for o in ORDERS)]))}
        _lived(draw, history, invoice, row | {"statecode": 0})
    row = {"new_number": "CM", "new_invoiceid": draw(st.sampled_from([i.key for i in INVOICES]))}
    _lived(draw, history, MEMO, row | {"statecode": 0})
    return history


def _updates(record: RecordRef) -> st.SearchStrategy[dict[str, Any]]:
    targets = {"salesorder": [None], "invoice": [None, *ORDERS], "new_creditmemo": [*INVOICES]}
    number = {"salesorder": "ordernumber", "invoice": "invoicenumber"}
    return st.fixed_dictionaries(
        {},
        optional={
            number.get(record.table, "new_number"): st.sampled_from(["1", "2"]),
            "statecode": st.sampled_from([0, 1, 2, 3]),
            LOOKUPS[record.table]: st.sampled_from(
                [target.key if target else None for target in targets[record.table]]
            ),
        },
    )


def _lived(draw: st.DrawFn, history: History, record: RecordRef, row: dict[str, Any]) -> None:
    history.lived(draw, record, row, _updates(record), deletable=record in INVOICES)
    documents = draw(st.lists(st.sampled_from([50, 51]), max_size=4))
    for number, document in enumerate(documents):
        kind = draw(st.sampled_from(KINDS))
        history.facts.append(_event(record, document, kind, 30 + number))


def _event(record: RecordRef, number: int, kind: str, second: int) -> EcmEvent:
    named = object_of(record)
    return EcmEvent(
        event_id=f"{record.id}-{second}",
        event=f"document.{kind}",
        at_ms=START_MS + second * 1000,
        workspace_id=FakeEcm.workspace_number(named) if second % 2 else None,
        business_object=named,
        record=record,
        document=Document(id=number, version=second, name=f"{number} {second}", url=f"u{number}"),
        attributes={"document_type": "Dispute Evidence"} if kind == "added" else {},
        origin=ORIGIN,
    )


def workspace_of(world: World, record: RecordRef) -> FakeWorkspace | None:
    return world.ecm.workspaces.get(FakeEcm.workspace_number(object_of(record)))


def shown(world: World, record: RecordRef) -> dict[str, object] | None:
    workspace = workspace_of(world, record)
    if workspace is None:
        return None
    return {
        "name": workspace.name,
        "attributes": workspace.attributes,
        "parents": sorted(workspace.parents),
        "retention": workspace.retention,
    }


def assert_same_end(history: History, one: World, other: World) -> None:
    for record in (*ORDERS, *INVOICES, MEMO):
        if record.key in history.rows:
            left, right = shown(one, record), shown(other, record)
            target = history.rows[record.key][LOOKUPS[record.table]]
            if left and right and target and target not in history.rows:
                # What it points to is gone: it may never have had a workspace to be related to.
                left["parents"] = right["parents"] = None
            assert left == right
            assert one.dynamics.rows[record.key] == other.dynamics.rows[record.key]
            continue
        for world in (one, other):
            # Whether it was seen before it was deleted depends on the order; if so, it says so.
            workspace = workspace_of(world, record)
            if workspace is not None:
                assert workspace.attributes["Business Record"]["Record State"] == "Deleted"


@LAW
@given(history=histories(), seed=st.integers(0, 2**32))
async def test_any_order_and_repetition_ends_alike(history: History, seed: int) -> None:
    in_order = await history.play(history.facts, None)
    other = await history.play(history.shuffled(seed), seed)
    assert_same_end(history, in_order, other)


@LAW
@given(history=histories(), seed=st.integers(0, 2**32))
async def test_nothing_of_dynamics_own_is_ever_written(history: History, seed: int) -> None:
    world = await history.play(history.facts, seed)
    assert_nothing_forbidden(world, ITS_COLUMNS)


@LAW
@given(history=histories(), seed=st.integers(0, 2**32))
async def test_a_replay_changes_nothing_and_after_a_loss_makes_nothing_twice(
    history: History, seed: int
) -> None:
    world = await history.play(history.facts, seed)
    rows = {key: dict(row) for key, row in world.dynamics.rows.items()}
    calls, made = len(world.ecm.calls), set(world.ecm.workspaces)
    world.tell(*history.facts)
    await world.run()
    assert (world.dynamics.rows, len(world.ecm.calls)) == (rows, calls)
    world.rows.tables.clear()
    world.tell(*history.facts)
    await world.run()
    assert set(world.ecm.workspaces) == made
    assert world.dynamics.rows == rows


@LAW
@given(history=histories(), seed=st.integers(0, 2**32))
async def test_related_are_those_that_the_last_rows_point_to_and_no_others(
    history: History, seed: int
) -> None:
    """Computed a second time, from the rows alone."""
    world = await history.play(history.facts, seed)
    for record in (*INVOICES, MEMO):
        workspace = workspace_of(world, record)
        if record.key not in history.rows or workspace is None:
            continue
        target = history.rows[record.key][LOOKUPS[record.table]]
        to = RecordRef.parse(str(target)) if target else None
        if to is None:
            assert workspace.parents == set()
        elif to.key in history.rows:
            assert workspace.parents == {FakeEcm.workspace_number(object_of(to))}


@LAW
@given(history=histories(), seed=st.integers(0, 2**32))
async def test_a_record_shows_the_documents_that_are_there(history: History, seed: int) -> None:
    world = await history.play(history.facts, seed)
    for record in (*ORDERS, *INVOICES, MEMO):
        if record.key not in history.rows:
            continue
        events = [f for f in history.facts if isinstance(f, EcmEvent) and f.record == record]
        there = 0
        for number in (50, 51):
            own = [e for e in events if e.document and e.document.id == number]
            deciding = [e for e in own if not e.event.endswith("renamed")]
            typed = any(e.event == "document.added" for e in own)
            removed = bool(deciding) and deciding[-1].event == "document.deleted"
            wanted = typed or record != MEMO
            there += bool(own) and not removed and wanted
        row = world.dynamics.rows[record.key]
        assert row.get("new_documents", 0) == there
        assert len(str(row.get("new_documentlinks") or "").splitlines()) == there
