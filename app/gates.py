"""``GET /gates/<table>/<id>``: may this record be finalised? Answered from the table of flow 6.

::

    {"record": "account:0a3f…", "open": false, "missing": ["Beneficial Owners"],
     "gates": [{"rule": "customer-onboarding", "status": "closed", "missing": ["Beneficial Owners"],
                "since": "2026-05-04T09:30:00Z", "until": null, "violated_on": null}],
     "behind_seconds": 0.2, "stale": false}

Every worker may be asked: one that does not have the record's partition asks the one that has.

| answer | when                                                                                  |
|--------|---------------------------------------------------------------------------------------|
| 200    | a rule guards the table and the record is known; ``open`` says whether it may pass      |
| 400    | the id is no guid                                                                     |
| 404    | no rule guards the table, or the record was never heard of, or was deleted            |
| 503    | partitions move or tables are recovered: ask again (``Retry-After``)                  |
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streams.engine.errors import NotHere
from streams.rules import ComplianceGateRule, RuleBook
from tables.gates import Gate, GatesRow, GateStatus
from tables.keys import RecordRef

log = logging.getLogger(__name__)

TABLE = "gates"
#: A question that another worker passed on is not passed on again.
FORWARDED = "dovetail-forwarded"
#: An answer comes within milliseconds or not at all.
FORWARD_SECONDS = 2.0
_RETRY_AFTER = {"retry-after": "1"}
_PASSES = (GateStatus.OPEN, GateStatus.NOT_REQUIRED)


class Rows(Protocol):
    """The engine, as far as it is needed here."""

    def read(self, table: str, key: str) -> bytes | None:
        """A committed row; raises NotHere."""
        ...

    def address_of(self, table: str, key: str) -> str | None:
        """The address of the worker that has the key."""
        ...

    def behind_seconds(self, table: str, key: str) -> float:
        """Since when there has been something left to decide."""
        ...


@dataclass
class Gates:
    """Answers for this worker's records, and asks for those of others."""

    book: RuleBook
    now_ms: Callable[[], int]
    stale_after_seconds: float
    address: str = ""
    rows: Rows | None = None
    peers: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(timeout=FORWARD_SECONDS, trust_env=False)
    )

    async def answer(self, request: Request) -> Response:
        """The page."""
        table, row_id = request.path_params["table"], request.path_params["id"]
        try:
            record = RecordRef.of(table, row_id)
        except ValueError as wrong:
            return _refused(400, "bad_record", f"{wrong}: write /gates/account/<accountid>")
        guards = [r.name for r in self.book.of(ComplianceGateRule) if r.table == record.table]
        if not guards:
            return _refused(404, "table_not_guarded", f"no rule guards {record.table}")
        if self.rows is None:
            return _not_now("this worker has not joined its group yet")
        try:
            stored = self.rows.read(TABLE, record.key)
        except NotHere:
            return await self._elsewhere(request, record, self.rows)
        return self._told(record, guards, stored, self.rows)

    def _told(
        self, record: RecordRef, guards: Iterable[str], stored: bytes | None, rows: Rows
    ) -> Response:
        row = GatesRow.from_bytes(stored)
        gates = {name: row.gates[name] for name in guards if name in row.gates}
        if not gates:
            return _refused(404, "record_unknown", f"{record} was never heard of, or was deleted")
        behind = rows.behind_seconds(TABLE, record.key)
        now = self.now_ms()
        shown = [{"rule": name, **_shown(gate, now)} for name, gate in gates.items()]
        body = {
            "record": record.key,
            "open": all(one["status"] in _PASSES for one in shown),
            "missing": [missing for one in shown for missing in one["missing"]],
            "gates": shown,
            "behind_seconds": round(behind, 1),
            "stale": behind > self.stale_after_seconds,
        }
        return JSONResponse(body, headers={"age": str(int(behind)), "cache-control": "no-store"})

    async def _elsewhere(self, request: Request, record: RecordRef, rows: Rows) -> Response:
        """Ask the worker that has the record's partition."""
        owner = rows.address_of(TABLE, record.key)
        if owner is None or owner == self.address or FORWARDED in request.headers:
            return _not_now("the record's partition is on its way to a worker")
        url = f"{owner}/gates/{record.table}/{record.id}"
        try:
            found = await self.peers.get(url, headers={FORWARDED: self.address or "worker"})
        except httpx.HTTPError as failure:
            log.warning("the worker at %s does not answer: %r", owner, failure)
            return _not_now("the worker that has the record does not answer")
        kept = ("content-type", "retry-after", "age", "cache-control")
        headers = {name: found.headers[name] for name in kept if name in found.headers}
        return Response(found.content, found.status_code, headers)

    async def close(self) -> None:
        await self.peers.aclose()


def _shown(gate: Gate, now_ms: int) -> Mapping[str, Any]:
    """One gate; an open one whose time is over is expired before its timer rings."""
    over = gate.status is GateStatus.OPEN and gate.until_ms is not None and gate.until_ms <= now_ms
    return {
        "status": (GateStatus.EXPIRED if over else gate.status).value,
        "missing": list(gate.missing),
        "since": _moment(gate.until_ms if over else gate.since_ms),
        "until": None if over else _moment(gate.until_ms),
        "violated_on": _moment(gate.violated_ms),
    }


def _moment(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _refused(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": code, "message": message}, status)


def _not_now(why: str) -> Response:
    body = {"error": "not_now", "message": f"{why}: ask again"}
    return JSONResponse(body, 503, headers=_RETRY_AFTER)
