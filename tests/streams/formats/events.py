"""Events of the sample's tables for the encoders, and every way to encode one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hypothesis import strategies as st

from app.sandbox.events import Encoded, RowEvent, cloudevents, debezium, rec, relays, synapse
from app.sandbox.events import web_api as web
from app.sandbox.events.change import Named
from streams.catalogue import ColumnKind, ColumnValue, Table
from tests.streams.formats.sample import ID, OPPORTUNITY, USER

AT_MS = 1_706_696_100_789

WHOLE_ROW: Mapping[str, ColumnValue] = {
    "name": "Deal",
    "ownerid": f"systemuser:{USER}",
    "statecode": 0,
    "statuscode": 1,
    "customerid": f"contact:{ID}",
    "parentaccountid": None,
    "estimatedvalue": "50000.5",
    "closeprobability": 70,
    "estimatedclosedate": "2024-06-30",
    "new_signedon": "2024-01-31T10:15:00Z",
    "new_confidential": False,
    "new_regions": "1,3",
    "processid": ID,
}


def row_event(
    operation: str = "update",
    row: Mapping[str, ColumnValue] = WHOLE_ROW,
    *,
    table: Table = OPPORTUNITY,
    row_id: str = ID,
    at_ms: int = AT_MS,
    changed: frozenset[str] | None = None,
    tag: str | None = None,
) -> RowEvent:
    assert operation in ("create", "update", "delete")
    return RowEvent(
        table=table,
        id=row_id,
        operation=operation,  # type: ignore[arg-type]
        row=row,
        at_ms=at_ms,
        version=1_234_567,
        actor=USER,
        changed=changed,
        tag=tag,
    )


Encoder = Callable[[RowEvent], list[Encoded]]
IN_BODY = Named("body")

#: Every habit of every producer that carries the whole row of the event.
ROW_ENCODERS: Mapping[str, Encoder] = {
    "rec": lambda e: rec.encode(e, rec.Habits(split=False)),
    "rec by webhook": lambda e: rec.encode(e, rec.Habits(transport="webhook", split=False)),
    "rec with images": lambda e: rec.encode(e, rec.Habits(images=True, split=False)),
    "rec of several": lambda e: [rec.several([e], rec.Habits())],
    "synapse": lambda e: synapse.encode(e, synapse.Habits(named=IN_BODY)),
    "synapse typed": lambda e: synapse.encode(e, synapse.Habits(typed=True, named=IN_BODY)),
    "synapse lower": lambda e: synapse.encode(e, synapse.Habits(lower=True, named=IN_BODY)),
    "synapse by header": lambda e: synapse.encode(e, synapse.Habits(named=Named("header"))),
    "debezium": lambda e: debezium.encode(e)[:1],
    "debezium doubles": lambda e: debezium.encode(e, debezium.Habits(decimals="double"))[:1],
    "debezium schema": lambda e: debezium.encode(e, debezium.Habits(schemas=True))[:1],
    "debezium precise": lambda e: debezium.encode(
        e, debezium.Habits(schemas=True, decimals="precise")
    )[:1],
    "debezium sql": lambda e: debezium.encode(e, debezium.Habits(sql_server=True))[:1],
    "debezium sql schema": lambda e: debezium.encode(
        e, debezium.Habits(sql_server=True, schemas=True, decimals="precise")
    )[:1],
    "debezium flat": lambda e: debezium.encode(e, debezium.Habits(flat=True))[:1],
    "debezium flat schema": lambda e: debezium.encode(
        e, debezium.Habits(flat=True, schemas=True, sql_server=True, decimals="precise")
    )[:1],
    "web api": lambda e: web.encode(e, web.Habits(named=IN_BODY)),
    "web api by etag": lambda e: web.encode(e, web.Habits(versioned=False, named=IN_BODY)),
    "web api page": lambda e: [web.page([e])],
}

ATTRIBUTES = cloudevents.Attributes(
    id="e1", type="com.contoso.row.changed", subject="row", time_ms=AT_MS
)

#: Every layer that may lie around a body, and whether it is a CloudEvent.
LAYERS: Mapping[str, Callable[[Encoded], Encoded]] = {
    "double encoded": relays.double_encoded,
    "value": lambda e: relays.in_key(e, "value"),
    "body as text": lambda e: relays.in_key(e, "body", as_text=True),
    "content data": relays.content_data,
    "content data, double encoded": lambda e: relays.double_encoded(relays.content_data(e)),
    "byte order mark": relays.with_bom,
    "structured": lambda e: cloudevents.structured(e, ATTRIBUTES),
    "structured base64": lambda e: cloudevents.structured(e, ATTRIBUTES, base64_data=True),
    "binary": lambda e: cloudevents.binary(e, ATTRIBUTES),
    "binary by amqp": lambda e: cloudevents.binary(e, ATTRIBUTES, prefix="cloudEvents:"),
    "structured in a relay's value": lambda e: relays.in_key(cloudevents.structured(e, ATTRIBUTES)),
}

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
_GUIDS = st.uuids(version=4).map(str)


def _references(*tables: str) -> st.SearchStrategy[ColumnValue]:
    return st.builds(lambda table, row: f"{table}:{row}", st.sampled_from(tables), _GUIDS)


_BY_KIND: Mapping[ColumnKind, st.SearchStrategy[ColumnValue]] = {
    ColumnKind.TEXT: _TEXTS,
    ColumnKind.INTEGER: st.integers(-(2**31), 2**31 - 1),
    ColumnKind.CHOICE: st.integers(0, 2**31 - 1),
    ColumnKind.CHOICES: st.sets(st.integers(0, 999), min_size=1, max_size=4).map(
        lambda options: ",".join(map(str, sorted(options)))
    ),
    ColumnKind.NUMBER: st.integers(-(10**19), 10**19).map(
        lambda n: (
            f"{'-' if n < 0 else ''}{abs(n) // 10**4}.{abs(n) % 10**4:04d}".rstrip("0")
            .rstrip(".")
            .replace("-0", "0" if abs(n) < 10**4 and n % 10**4 == 0 else "-0")
        )
    ),
    ColumnKind.BOOLEAN: st.booleans(),
    # Integers without a unit are told apart between these years, see streams.formats.times.
    ColumnKind.DATETIME: st.integers(1974, 2199).map(lambda year: f"{year}-01-31T10:15:07Z"),
    ColumnKind.DATE: st.dates().map(lambda day: day.isoformat()),
    ColumnKind.GUID: _GUIDS,
}


def _values(table: Table, name: str) -> st.SearchStrategy[ColumnValue]:
    column = table.columns[name]
    if column.kind is ColumnKind.LOOKUP:
        return st.none() | _references(*column.targets)
    return st.none() | _BY_KIND[column.kind]


def rows(table: Table = OPPORTUNITY) -> st.SearchStrategy[dict[str, ColumnValue]]:
    """Rows of a table: some of its columns, some of them empty."""
    return st.fixed_dictionaries({}, optional={n: _values(table, n) for n in table.columns})
