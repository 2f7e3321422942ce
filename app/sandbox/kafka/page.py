"""The broker's page for people: what it holds, and what is going wrong on purpose."""

from __future__ import annotations

from dataclasses import asdict
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.sandbox.kafka.broker import EmbeddedBroker

Rows = list[tuple[Any, ...]]


def page_of(broker: EmbeddedBroker) -> str:
    """The page, as HTML that needs nothing else."""
    transactions = [
        (t.transactional_id, t.state.value, t.producer_id, t.epoch, len(t.partitions))
        for t in broker.transactions.all()
    ]
    waiting = [tuple(asdict(fault).values()) for fault in broker.faults.waiting()]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Embedded Kafka broker</title>"
        "<style>body{font:15px system-ui;margin:2em}table{border-collapse:collapse}"
        "td,th{padding:.2em .8em;border-bottom:1px solid #ccc;text-align:left}</style>"
        f"<h1>Embedded Kafka broker at {escape(broker.bootstrap)}</h1>"
        f"<p>{escape(_where(broker))}</p>"
        + _table("Topics", "topic partition start end stable bytes", _topics(broker))
        + _table("Groups", "group state generation members lag", _groups(broker))
        + _table("Transactions", "id state producer epoch partitions", transactions)
        + _table("Faults that wait", "kind times api topic partition seconds", waiting)
        + _table("Faults that struck", "kind times", sorted(broker.faults.struck.items()))
        + "</html>"
    )


def _where(broker: EmbeddedBroker) -> str:
    memory = broker.state.memory
    if broker.data is not None:
        return f"Everything is kept in {broker.data}."
    return (
        f"Records in memory: {_mib(memory.used)} of at most {_mib(memory.limit)}; moved to "
        f"temporary files so far: {_mib(memory.spilled)}. They end with this process."
    )


def _mib(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"


def _topics(broker: EmbeddedBroker) -> Rows:
    return [
        (name, index, log.start_offset, log.end_offset, log.last_stable_offset, log.size)
        for name, topic in sorted(broker.state.topics.items())
        for index, log in enumerate(topic.partitions)
    ]


def _groups(broker: EmbeddedBroker) -> Rows:
    return [
        (
            group.group_id,
            group.state.value,
            group.generation,
            len(group.members),
            _lag(broker, group.group_id),
        )
        for group in broker.groups.all()
    ]


def _lag(broker: EmbeddedBroker, group_id: str) -> int:
    """How many offsets the group's commits are behind the ends of their partitions."""
    commits = broker.groups.offsets.of_group(group_id)
    logs = [(broker.state.partition(*where), commit.offset) for where, commit in commits.items()]
    return sum(max(0, log.end_offset - offset) for log, offset in logs if log is not None)


def _table(title: str, columns: str, rows: Rows) -> str:
    head = "".join(f"<th>{name}</th>" for name in columns.split())
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    content = f"<table><tr>{head}</tr>{body}</table>" if rows else "<p>none</p>"
    return f"<h2>{title}</h2>{content}"
