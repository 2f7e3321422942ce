"""Every row of the error table (reference/dataverse.md 2.11) over a real socket, to its remedy.

What the simulated Dataverse refuses by itself is provoked; what no request of ours can provoke is
one of its faults. The gateway asks once whatever the answer is; the writer does what DESIGN 7 says:
it waits out what passes, reports what is refused, and stops for what is ours to correct.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from app.clients.dynamics import DataverseGateway
from app.clients.http import Timeouts
from app.sandbox.dataverse import Limits, application_user_id
from app.sandbox.faults import Fault
from streams.catalogue import Catalogue, Column, ColumnKind
from streams.engine.records import Record
from streams.errors import (
    Conflict,
    DovetailError,
    Misconfigured,
    Refused,
    Retryable,
    Throttled,
    TokenExpired,
    Unavailable,
)
from streams.guard import DeadLetterLimit, Guard
from streams.messages.commands import SetRecordColumns
from streams.messages.outcomes import OUTCOMES, AnyOutcome, RecordColumnsSet, WriteRefused
from streams.metrics import Metrics
from streams.topics import DYNAMICS_COMMANDS
from streams.write_dynamics import DynamicsWriter
from streams.writers.patience import Backoff, Breaker, Limiter, SystemClock
from streams.writers.writing import Patience
from tables.keys import RecordRef, command_id, digest
from tests.clients.dynamics.stage import APP, CATALOGUE, Dynamics
from tests.patience import PATIENCE_SECONDS
from tests.streams.world import DictRows

USER = application_user_id(APP)
NOBODY = RecordRef("account", "00000000-0000-4000-8000-00000000000f")
ACCOUNT = CATALOGUE.tables["account"]

Provoke = Callable[[Dynamics], None]


def fault(kind: str, **fields: Any) -> Provoke:
    """The next PATCH, or all of them, meets this fault."""
    return lambda dynamics: dynamics.simulator.faults.add(Fault(kind, method="PATCH", **fields))


def status(number: int, **fields: Any) -> Provoke:
    return fault("status", status=number, **fields)


def denied(*names: str) -> Provoke:
    return lambda dynamics: dynamics.simulator.privileges.deny(USER, *names)


def limited(**limits: Any) -> Provoke:
    """The limits are used up by the request that fills the metadata."""

    def provoke(dynamics: Dynamics) -> None:
        dynamics.simulator.protection.limits = Limits(enabled=True, **limits)

    return provoke


def crowded(dynamics: Dynamics) -> None:
    """Somebody else uses all that one user may ask at a time."""
    protection = dynamics.simulator.protection
    protection.limits = Limits(concurrent=1, enabled=True)
    protection.enter(USER)


def declared(dynamics: Dynamics, **changes: Any) -> None:
    """Our catalogue says something else about accounts than Dataverse does."""
    catalogue = Catalogue({"account": replace(ACCOUNT, **changes)})
    dynamics.gateway = DataverseGateway(
        dynamics.simulator.url,
        dynamics.tokens,
        catalogue,
        client=dynamics.http,
        observer=dynamics.observed,
    )


def column_declared(name: str) -> Provoke:
    columns = {**ACCOUNT.columns, name: Column(ColumnKind.TEXT)}
    return lambda dynamics: declared(dynamics, columns=columns)


def elsewhere(dynamics: Dynamics) -> None:
    """Our address of the organisation has a path too many."""
    dynamics.gateway = DataverseGateway(
        f"{dynamics.simulator.url}/crm",
        dynamics.tokens,
        CATALOGUE,
        client=dynamics.http,
        observer=dynamics.observed,
    )


def stranger(dynamics: Dynamics) -> None:
    """Our application has no user in the organisation any more."""
    dynamics.simulator.change("systemuser", USER, {"isdisabled": True})


def taken(dynamics: Dynamics) -> None:
    """Another account has the number that is to be written."""
    dynamics.account(name="Other", accountnumber="A-1")


@dataclass(frozen=True)
class Row:
    """One row of the table: how it is met, what is written then, and what has to come of it."""

    provoke: Provoke | None
    error: type[DovetailError]
    code: str
    columns: dict[str, Any] | None = None
    record: RecordRef | None = None


NAME = {"name": "New"}
ROWS: dict[str, Row] = {
    # 400
    "unknown property": Row(
        column_declared("new_gone"), Misconfigured, "column_unknown", {"new_gone": "x"}
    ),
    "undeclared property": Row(fault("undeclared_property"), Misconfigured, "column_unknown"),
    "unknown attribute": Row(fault("unknown_attribute"), Misconfigured, "column_unknown"),
    "bad address": Row(fault("bad_uri"), Refused, "request_invalid"),
    "wrong type": Row(
        column_declared("customertypecode"), Refused, "value_invalid", {"customertypecode": "x"}
    ),
    "text too long": Row(None, Refused, "text_too_long", {"name": "x" * 161}),
    "invalid argument": Row(fault("invalid_argument"), Refused, "argument_invalid"),
    "plug-in threw": Row(fault("plugin_error"), Retryable, "plugin_failed"),
    "privilege in a 400": Row(fault("privilege_in_400"), Misconfigured, "privilege_missing"),
    # 401
    "token refused twice": Row(fault("token_expired", times=2), TokenExpired, "token_expired"),
    # 403
    "privilege missing": Row(denied("prvWriteAccount"), Misconfigured, "privilege_missing"),
    "column secured": Row(denied("account.name"), Misconfigured, "column_secured"),
    "not a member": Row(stranger, Misconfigured, "not_a_member"),
    # 404
    "row missing": Row(None, Refused, "record_missing", record=NOBODY),
    "lookup's target missing": Row(
        None, Refused, "lookup_target_missing", {"parentaccountid": NOBODY.key}
    ),
    "key not found": Row(fault("key_missing"), Refused, "key_not_found"),
    "no such set": Row(
        lambda dynamics: declared(dynamics, entity_set="accountz"), Misconfigured, "table_unknown"
    ),
    "page of a gateway": Row(status(404, html=True), Unavailable, "not_json"),
    # 405
    "delete blocked": Row(fault("delete_blocked"), Refused, "delete_blocked"),
    # 409, 412
    "conflict": Row(status(409), Conflict, "version_changed"),
    "version": Row(status(412), Conflict, "version_changed"),
    "duplicate key": Row(taken, Refused, "duplicate_key", {"accountnumber": "A-1"}),
    "matching key": Row(fault("key_exists"), Refused, "duplicate_key"),
    "matching key without a code": Row(fault("key_exists_uncoded"), Refused, "duplicate_key"),
    "duplicate rule": Row(fault("duplicate_found"), Refused, "duplicate_detected"),
    # 413
    "too large": Row(status(413), Refused, "payload_too_large"),
    # 429
    "too many requests": Row(limited(requests=0, window_seconds=1), Throttled, "requests_exceeded"),
    "too much time": Row(
        limited(execution_seconds=0.0, window_seconds=1), Throttled, "time_exceeded"
    ),
    "too many at once": Row(crowded, Throttled, "concurrency_exceeded"),
    "throttled by a gateway": Row(status(429, html=True, retry_after=1), Throttled, "throttled"),
    # 5xx
    "database failed": Row(fault("sql_error"), Unavailable, "sql_error"),
    "database timed out": Row(fault("sql_timeout"), Unavailable, "sql_error"),
    "older shape": Row(fault("older_error"), Retryable, "server_error"),
    "page of an error": Row(status(500, html=True), Unavailable, "not_json"),
    "not implemented": Row(fault("not_implemented"), Refused, "not_implemented"),
    "bad gateway": Row(status(502, html=True), Unavailable, "gateway_error"),
    "unavailable": Row(status(503, html=True, retry_after=1), Unavailable, "gateway_error"),
    "gateway timed out": Row(status(504, html=True), Unavailable, "gateway_error"),
    "request timed out": Row(status(408), Unavailable, "no_answer"),
    # no answer, or none that can be read
    "reset": Row(fault("reset"), Unavailable, "connection_lost"),
    "hung up": Row(fault("hang_up"), Unavailable, "connection_lost"),
    "down": Row(fault("outage"), Unavailable, "connection_lost"),
    "answer lost": Row(fault("lose_answer"), Unavailable, "connection_lost"),
    "answer cut off": Row(fault("cut_body"), Unavailable, "connection_lost"),
    "page in place of an answer": Row(status(200, html=True), Unavailable, "not_json"),
    "what no table knows": Row(status(418), Refused, "unexpected_answer"),
}
COMMITTED = {"answer lost", "answer cut off"}
"""Where the write has been done all the same."""


async def meet(dynamics: Dynamics, row: Row) -> tuple[RecordRef, dict[str, Any]]:
    """Let the row's answer wait for the next write; the record, and the columns to write."""
    record = row.record or dynamics.account(name="Old")
    await dynamics.gateway.read_record(record)  # metadata and sign-in are there
    if row.provoke is not None:
        row.provoke(dynamics)
    return record, row.columns or NAME


@pytest.mark.parametrize("name", ROWS)
async def test_an_answer_becomes_its_remedy_after_one_request(
    dynamics: Dynamics, name: str
) -> None:
    row = ROWS[name]
    record, columns = await meet(dynamics, row)
    dynamics.observed.requests.clear()
    with pytest.raises(DovetailError) as raised:
        await dynamics.gateway.write_columns(record, columns, tag="t")
    assert (type(raised.value), raised.value.code) == (row.error, row.code)
    writes = [r for r in dynamics.observed.requests if r[:2] == ("dynamics", "write")]
    assert len(writes) == (2 if name == "token refused twice" else 1)
    assert len(dynamics.ours()) == (name in COMMITTED)
    assert str(raised.value), "people are told something"


async def test_an_address_that_is_none_of_the_api_is_ours_to_correct(dynamics: Dynamics) -> None:
    elsewhere(dynamics)
    with pytest.raises(Misconfigured, match="No HTTP resource was found") as raised:
        await dynamics.gateway.read_record(NOBODY)
    assert raised.value.code == "table_unknown"


async def test_a_key_that_is_not_found_and_a_row_that_is_gone_read_as_nothing(
    dynamics: Dynamics,
) -> None:
    assert await dynamics.gateway.read_record(NOBODY) is None
    dynamics.simulator.faults.add(Fault("key_missing", method="GET", path="accounts"))
    assert await dynamics.gateway.read_record(NOBODY) is None


async def test_the_service_says_how_long_to_wait(dynamics: Dynamics) -> None:
    record = dynamics.account(name="Old")
    await dynamics.gateway.read_record(record)
    for number in (429, 503):
        dynamics.simulator.faults.add(Fault("status", method="PATCH", status=number, retry_after=9))
        with pytest.raises(Retryable) as raised:
            await dynamics.gateway.write_columns(record, NAME, tag="t")
        assert raised.value.retry_after == 9


async def test_an_answer_that_does_not_come_in_time_is_an_outage(dynamics: Dynamics) -> None:
    record = dynamics.account(name="Old")
    impatient = DataverseGateway(
        dynamics.simulator.url,
        dynamics.tokens,
        CATALOGUE,
        client=dynamics.http,
        timeouts=Timeouts(read_seconds=0.3),
    )
    while True:  # until its metadata are there: the machine may be slower than it is patient
        with contextlib.suppress(Unavailable):
            await impatient.read_record(record)
            break
    dynamics.simulator.faults.add(Fault("latency", method="GET", seconds=1.0))
    with pytest.raises(Unavailable) as raised:
        await impatient.read_record(record)
    assert raised.value.code == "timeout"


async def test_a_body_that_trickles_is_read_to_its_end(dynamics: Dynamics) -> None:
    record = dynamics.account(name="Old")
    dynamics.simulator.faults.add(Fault("slow_body", method="GET", path="accounts", seconds=0.5))
    row = await dynamics.gateway.read_record(record)
    assert row is not None
    assert row.columns["name"] == "Old"
    assert dynamics.simulator.faults.struck["slow_body"] == 1


# -- the writer ------------------------------------------------------------------------------------


def writer(dynamics: Dynamics) -> DynamicsWriter:
    """As the worker has it, but in a hurry."""
    clock, metrics = SystemClock(), Metrics(CollectorRegistry())
    hurry = Backoff(0.001, 0.01)
    breaker = Breaker(clock, random.Random(1), threshold=5, backoff=hurry)
    patience = Patience(Limiter(4, 1e6, clock), breaker, clock, hurry, random.Random(1))
    guard = Guard("write-dynamics", metrics, DeadLetterLimit())
    return DynamicsWriter(metrics, guard, patience, dynamics.gateway)


def command(record: RecordRef, columns: dict[str, Any]) -> SetRecordColumns:
    desired = digest(columns)
    return SetRecordColumns(
        id=command_id("record_workspace", record, "link", desired),
        rule="account-workspace",
        record=record,
        step="link",
        desired=desired,
        columns=columns,
        caused_at_ms=1,
    )


async def written(dynamics: Dynamics, record: RecordRef, columns: dict[str, Any]) -> AnyOutcome:
    """The one outcome of the command, and no dead letter beside it."""
    asked = command(record, columns)
    value = asked.model_dump_json().encode()
    message = Record(DYNAMICS_COMMANDS.name, 0, 0, 0, asked.key.encode(), value, ())
    (sent,) = await writer(dynamics).handle(message, DictRows())
    return OUTCOMES.validate_json(sent.value or b"")


def named(*kinds: type[DovetailError]) -> list[str]:
    return [name for name, row in ROWS.items() if issubclass(row.error, kinds)]


def sent_writes(dynamics: Dynamics) -> int:
    return sum(r[:2] == ("dynamics", "write") for r in dynamics.observed.requests)


async def _lifted_when_met(dynamics: Dynamics) -> None:
    """What does not end by itself ends after the first write that met it."""
    while not sent_writes(dynamics):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    dynamics.simulator.protection.enable(False)
    dynamics.simulator.faults.clear("outage")


@pytest.mark.parametrize("name", named(Retryable))
async def test_what_passes_is_waited_out_and_written_once(dynamics: Dynamics, name: str) -> None:
    record, columns = await meet(dynamics, ROWS[name])
    lifting = asyncio.create_task(_lifted_when_met(dynamics))
    outcome = await asyncio.wait_for(written(dynamics, record, columns), PATIENCE_SECONDS)
    assert isinstance(outcome, RecordColumnsSet)
    await lifting
    (commit,) = dynamics.ours()
    assert commit.changed["name"] == "New"
    assert outcome.version == commit.version


@pytest.mark.parametrize("name", named(Refused))
async def test_a_refusal_is_reported_and_never_repeated(dynamics: Dynamics, name: str) -> None:
    record, columns = await meet(dynamics, ROWS[name])
    outcome = await written(dynamics, record, columns)
    assert isinstance(outcome, WriteRefused)
    assert outcome.code == ROWS[name].code
    assert sent_writes(dynamics) == 1
    assert dynamics.ours() == []


@pytest.mark.parametrize("name", named(Misconfigured))
async def test_what_is_ours_to_correct_stops_the_writer(dynamics: Dynamics, name: str) -> None:
    record, columns = await meet(dynamics, ROWS[name])
    with pytest.raises(Misconfigured) as raised:
        await written(dynamics, record, columns)
    assert raised.value.advice, "somebody has to know what to do"
    assert dynamics.ours() == []


@pytest.mark.parametrize("kind", ["reset", "hang_up", "status", "lose_answer", "sql_error"])
async def test_an_outage_of_any_length_ends_in_one_write(dynamics: Dynamics, kind: str) -> None:
    record, columns = await meet(dynamics, Row(fault(kind, times=25), Unavailable, ""))
    outcome = await asyncio.wait_for(written(dynamics, record, columns), PATIENCE_SECONDS)
    assert isinstance(outcome, RecordColumnsSet)
    (commit,) = dynamics.ours()
    assert outcome.version == commit.version
    once = kind == "lose_answer"
    assert dynamics.simulator.faults.struck[kind] == (1 if once else 25), "found, not sent again"


async def test_a_plug_in_that_always_throws_is_reported_in_the_end(dynamics: Dynamics) -> None:
    for times, outcome_kind in ((9, RecordColumnsSet), (10, WriteRefused)):
        row = Row(fault("plugin_error", times=times), Retryable, "plugin_failed")
        record, columns = await meet(dynamics, row)
        outcome = await written(dynamics, record, columns)
        assert isinstance(outcome, outcome_kind)
    assert isinstance(outcome, WriteRefused)
    assert outcome.code == "retries_exhausted"
    assert sent_writes(dynamics) == 20


async def test_a_lost_answer_does_not_undo_what_somebody_wrote_meanwhile(
    dynamics: Dynamics,
) -> None:
    record, columns = await meet(dynamics, Row(fault("lose_answer"), Unavailable, ""))
    with pytest.raises(Unavailable):
        await dynamics.gateway.write_columns(record, columns, tag="t")
    dynamics.simulator.change("account", record.id, {"accountnumber": "A-9"})
    row = await dynamics.gateway.write_columns(record, columns, tag="t")
    assert (row.columns["name"], row.columns["accountnumber"]) == ("New", "A-9")
    assert len(dynamics.ours()) == 1
    dynamics.simulator.change("account", record.id, {"name": "Theirs"})
    await dynamics.gateway.write_columns(record, columns, tag="t")
    assert len(dynamics.ours()) == 2, "the doubt is over: what is asked for anew is written"


async def test_a_doubt_that_is_wrong_writes(dynamics: Dynamics) -> None:
    record, columns = await meet(dynamics, Row(status(503, html=True), Unavailable, ""))
    with pytest.raises(Unavailable):
        await dynamics.gateway.write_columns(record, columns, tag="t")
    assert dynamics.ours() == []
    row = await dynamics.gateway.write_columns(record, columns, tag="t")
    assert row.columns["name"] == "New"


async def test_a_row_whose_creation_got_no_answer_is_made_once(dynamics: Dynamics) -> None:
    await dynamics.gateway.read_record(NOBODY)
    dynamics.simulator.faults.add(Fault("lose_answer", method="PATCH", times=2))
    with pytest.raises(Unavailable):
        await dynamics.gateway.upsert(NOBODY, NAME, tag="t")
    again = await dynamics.gateway.upsert(NOBODY, NAME, tag="t")
    assert (again.created, again.row.columns["name"]) == (False, "New")
    key = {"accountnumber": "A-1"}
    with pytest.raises(Unavailable):
        await dynamics.gateway.upsert_by_key("account", key, NAME, tag="t")
    keyed = await dynamics.gateway.upsert_by_key("account", key, NAME, tag="t")
    assert not keyed.created
    messages = [(c.message, c.id) for c in dynamics.ours()]
    assert messages.count(("Create", NOBODY.id)) == messages.count(("Create", keyed.record.id)) == 1
    assert ("Update", NOBODY.id) not in messages
    assert len(dynamics.simulator.rows("account")) == 2
