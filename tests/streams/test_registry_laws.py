"""Laws of the lists: nothing that travels has nobody to take it, and names are named once."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import pytest
from prometheus_client import CollectorRegistry

from streams import topics
from streams.decide import DecideStage, _topic_of
from streams.deciding.absorb import Absorber
from streams.deciding.memory import DECIDE_TABLES
from streams.deciding.skips import Skip
from streams.errors import (
    DovetailError,
    Misconfigured,
    Refused,
    Retryable,
    Unreadable,
)
from streams.flows.registry import FLOWS
from streams.flows.shape import Reason
from streams.formats import SkipReason, UnreadableReason
from streams.guard import DeadLetterLimit, Guard
from streams.messages.audit import AuditEvent
from streams.messages.commands import DYNAMICS_COMMANDS, ECM_COMMANDS, AnyCommand
from streams.messages.facts import FACTS, ColumnsWanted, Fact
from streams.messages.outcomes import OUTCOMES, AnyOutcome
from streams.metrics import Metrics
from streams.ports import DynamicsGateway, EcmGateway
from streams.write_dynamics import DynamicsWriter
from streams.write_ecm import EcmWriter
from tables.registry import TableRegistry
from tests.streams.rulebook import BOOK
from tests.streams.samples import ref
from tests.streams.world import DictRows, World

ROOT = Path(__file__).parents[2]
SOURCES = [
    path for folder in ("app", "streams", "tables") for path in (ROOT / folder).rglob("*.py")
]
SNAKE_CASE = re.compile(r"[a-z]+(_[a-z0-9]+)*")
#: ``dovetail_<area>_<thing>...``; counters, and only they, end in _total.
METRIC = re.compile(r"dovetail(_[a-z]+){2,}")

RECORD = {"table": "account", "id": ref("account", 1).id}
#: A value for each field that some message has.
FIELDS: dict[str, Any] = {
    "id": "c1", "rule": "account-workspace", "record": RECORD, "step": "s", "desired": "d",
    "caused_at_ms": 1, "command_id": "c1", "command": "c", "at_ms": 1,
    "business_object": {"external_system": "D365", "type": "account", "id": RECORD["id"]},
    "workspace_type": "Account", "name": "n", "properties": "p", "workspace_id": 7, "role": "r",
    "members": ["m"], "related_id": 8, "relation": "parent", "columns": {"name": "x"},
    "url": "u", "created": True, "modified_ms": 1, "code": "c", "message": "m",
    "operation": "update", "event_id": "e", "wanted_by": RECORD, "about": RECORD,
    "process": {"table": "opportunitysalesprocess", "id": RECORD["id"]}, "stage": None,
    "origin": {"format": "f", "topic": "t", "partition": 0, "offset": 0},
    "event": "contract.signed", "roles": ["r"], "classification": "1", "folder_key": "k",
    "workflow_map": "m", "round": "r", "title": "t", "workflow_id": 7,
    "folder_id": 7, "owner": RECORD, "document_id": 7, "item": {}, "interest": {},
    "alias": RECORD,
}  # fmt: skip


def sample(kind: type[Any]) -> Any:
    """A message of this kind with all fields that it needs."""
    fields = {n: FIELDS[n] for n, f in kind.model_fields.items() if f.is_required()}
    if "event" in fields and kind.model_fields["event"].annotation is not str:
        fields["event"] = sample(kind.model_fields["event"].annotation).model_dump()
    return kind.model_validate({**fields, **_whom(kind)})


def _whom(kind: type[Any]) -> dict[str, Any]:
    """What makes a sample of this kind be about somebody, or about something."""
    asked = {"columns": ["name"]} if kind is ColumnsWanted else {}
    return asked | ({"workspace_id": 7} if "workspace_id" in kind.model_fields else {})


def kinds(union: Any) -> list[type[Any]]:
    return list(get_args(union))


@pytest.mark.parametrize("kind", kinds(AnyCommand), ids=lambda k: k.__name__)
async def test_every_command_has_one_writer_that_makes_one_call_for_it(kind: type[Any]) -> None:
    world = World()
    calls: list[str] = []
    ecm, dynamics = _Noting(EcmGateway, calls), _Noting(DynamicsGateway, calls)
    world.write_ecm.gateway, world.write_dynamics.gateway = ecm, dynamics
    command = sample(kind)
    takers = [
        writer
        for writer in (world.write_ecm, world.write_dynamics)
        if _takes(writer.commands, command)
    ]
    (taker,) = takers
    await taker.carry_out(command)
    assert len(calls) == 1
    expected = {"write-ecm": topics.ECM_COMMANDS, "write-dynamics": topics.DYNAMICS_COMMANDS}
    assert _topic_of(command) == expected[taker.name].name


def test_every_call_of_a_gateway_is_made_for_some_command() -> None:
    ports = [n for port in (EcmGateway, DynamicsGateway) for n in vars(port) if n[0] != "_"]
    written = (ROOT / "streams/write_ecm.py").read_text()
    written += (ROOT / "streams/write_dynamics.py").read_text()
    assert [name for name in ports if f"self.gateway.{name}(" not in written] == []


class _Noting:
    """A gateway that notes its calls, and answers with whatever is asked of the answer."""

    def __init__(self, port: type[Any], calls: list[str]) -> None:
        self._port, self._calls = port, calls

    def __getattr__(self, name: str) -> Any:
        assert hasattr(self._port, name), f"{name} is no call of {self._port.__name__}"

        async def call(*_: Any, **__: Any) -> Any:
            self._calls.append(name)
            return _Answer(7)

        return call


class _Answer(int):
    """A workspace, a row and a number in one."""

    id, name, url, created = 7, "n", "u", True
    columns, version, modified_ms, read_ms = {"name": "x"}, 1, 1, 1


def _takes(adapter: Any, message: Any) -> bool:
    try:
        return bool(adapter.validate_json(message.to_json()) == message)
    except ValueError:
        return False


@pytest.mark.parametrize("kind", [*kinds(Fact), *kinds(AnyOutcome)], ids=lambda k: k.__name__)
def test_every_fact_and_outcome_is_taken_by_decide(kind: type[Any]) -> None:
    metrics = Metrics(CollectorRegistry())
    guard = Guard("decide-records", metrics, DeadLetterLimit())
    stage = DecideStage(BOOK, Absorber(BOOK), metrics, guard, lambda: 1)
    stage.decide(sample(kind), DictRows())


@pytest.mark.parametrize(
    ("adapter", "union"),
    [
        (FACTS, Fact),
        (OUTCOMES, AnyOutcome),
        (ECM_COMMANDS, None),
        (DYNAMICS_COMMANDS, None),
    ],
    ids=["facts", "outcomes", "ecm commands", "dynamics commands"],
)
def test_every_message_is_read_back_as_it_was_written(adapter: Any, union: Any) -> None:
    found = kinds(union) if union else [k for k in kinds(AnyCommand) if _takes(adapter, sample(k))]
    assert found
    for kind in found:
        message = sample(kind)
        assert adapter.validate_json(message.to_json()) == message


def test_no_two_kinds_of_message_share_a_name() -> None:
    everything = [*kinds(Fact), *kinds(AnyOutcome), *kinds(AnyCommand)]
    names = [kind.model_fields["kind"].default for kind in everything]
    assert len(set(names)) == len(names)
    assert all(SNAKE_CASE.fullmatch(name) for name in names)


def test_topics_are_named_in_one_place_only() -> None:
    literal = re.compile(r"""["']dovetail\.[a-z.-]+\.v\d+""")
    naming = {path.relative_to(ROOT) for path in SOURCES if literal.search(path.read_text())}
    assert naming == {Path("streams/topics.py")}


def test_topics_are_named_by_owner_subject_kind_and_version() -> None:
    names = [topic.name for topic in topics.ALL]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"dovetail(\.[a-z-]+){1,2}\.v1", name) for name in names)
    declared = {t.name for t in vars(topics).values() if isinstance(t, topics.Topic)}
    assert set(names) == declared


def test_tables_have_names_that_the_registry_takes_and_one_owner() -> None:
    registry = TableRegistry()
    registry.register("decide-records", DECIDE_TABLES)
    registry.register("write-ecm", [EcmWriter.ledger])
    registry.register("write-dynamics", [DynamicsWriter.ledger])
    assert len(list(registry)) == len(DECIDE_TABLES) + 2


def test_metrics_are_named_by_area_thing_and_unit_and_labelled_from_closed_lists() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    labels = {
        "rule",  # the names of the company's rules
        "stage", "topic", "reason", "error", "flow", "command", "system", "result", "code",
        "operation", "partition", "table", "version", "rules",
    }  # fmt: skip
    for metric in registry.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        assert METRIC.fullmatch(name), name
        assert metric.type == "counter" or not metric.name.endswith("_total"), name
        assert metric.documentation.endswith("."), name
    metrics = vars(Metrics(CollectorRegistry())).values()
    used = {label for metric in metrics for label in getattr(metric, "_labelnames", ())}
    assert used <= labels


def test_no_metric_is_made_outside_the_catalogue() -> None:
    making = re.compile(r"from prometheus_client import .*\b(Counter|Gauge|Histogram|Summary)\b")
    found = {path.relative_to(ROOT) for path in SOURCES if making.search(path.read_text())}
    assert found == {Path("streams/metrics.py")}


@pytest.mark.parametrize(
    "closed", [Reason, Skip, AuditEvent, SkipReason, UnreadableReason], ids=lambda e: e.__name__
)
def test_reasons_are_closed_lists_in_snake_case(closed: type[StrEnum]) -> None:
    assert all(SNAKE_CASE.fullmatch(member.value) for member in closed)
    assert len({member.value for member in closed}) == len(closed)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_given_by_some_flow(reason: Reason) -> None:
    given = "".join(path.read_text() for path in (ROOT / "streams/flows").glob("*.py"))
    assert f"Reason.{reason.name}" in given


def test_error_codes_are_snake_case_literals() -> None:
    literal = re.compile(r"\bcode=(f?)\"([^\"]*)\"")
    found = {
        (path.relative_to(ROOT), match[1], match[2])
        for path in SOURCES
        if path.is_relative_to(ROOT / "streams")
        for match in literal.finditer(path.read_text())
    }
    assert found, "codes are given as code=..."
    assert [(str(p), c) for p, f, c in found if f or not SNAKE_CASE.fullmatch(c)] == []


def test_every_error_of_ours_has_one_remedy() -> None:
    remedies = (Retryable, Refused, Unreadable, Misconfigured)
    ours = [kind for kind in _below(DovetailError) if kind.__module__ == "streams.errors"]
    assert ours
    for kind in ours:
        assert sum(issubclass(kind, remedy) for remedy in remedies) == 1, kind
        assert SNAKE_CASE.fullmatch(kind.code)


def _below(kind: type[DovetailError]) -> list[type[DovetailError]]:
    return [sub for direct in kind.__subclasses__() for sub in (direct, *_below(direct))]


def test_flows_have_names_and_tables_of_their_own() -> None:
    assert len({flow.name for flow in FLOWS}) == len(FLOWS)
    own = [flow.own_table for flow in FLOWS if flow.own_table]
    assert len(set(own)) == len(own)
    assert set(own) <= set(DECIDE_TABLES)
