"""Records management of a workspace: classification, retention, clearance.

reference/extended-ecm.md 7. A workspace is kept as its classification says, from the date on that
its records details show. Which date and status a retention schedule looks at is the company's to
say: status date (94) or record date (95), so both are set, and the file status tells an open
record from one that is closed and may run out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from app.clients.ecm.answers import all_pages, body_form, number, one
from app.clients.ecm.roles import missing_workspace
from app.clients.http import Endpoint
from streams.errors import Misconfigured, Refused

_RECORDS_VOLUME = 550
_KEPT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class RecordStates:
    """The codes of the file status; a company may have named its own."""

    open: str = "ACTIVE"
    closed: str = "CLOSED"


class Records:
    """Brings records details to what they should be; calls only for what differs."""

    def __init__(
        self,
        endpoint: Endpoint,
        states: RecordStates | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._states = states or RecordStates()
        self._clock = clock
        self._known: dict[str, tuple[int, float]] = {}

    async def set_retention(
        self, workspace_id: int, classification: str, starts_on: str | None
    ) -> None:
        """Put the workspace under the classification, and let its retention start at the date.

        Without a date it does not run: a record that was closed before is opened again. Raises
        Refused (``workspace_missing``, ``value_invalid`` for what is no date, ``record_locked``,
        ``value_ignored``) or Misconfigured (``classification_unknown``).
        """
        wanted = {} if starts_on is None else _dates(starts_on)
        class_id = await self.classification(classification)
        body = await self._read(workspace_id)
        row = _row(body, class_id)
        if row is None:
            await self._classify(workspace_id, class_id, body)
            body = await self._read(workspace_id)
            row = _row(body, class_id)
        if row is None:
            raise _ignored(f"the classification {classification!r}", workspace_id)
        # Versions name the status differently; a server shows what it takes.
        status = "status" if "file_status" not in row and "status" in row else "file_status"
        if starts_on is not None:
            wanted[status] = self._states.closed
        elif str(row.get(status) or "").casefold() == self._states.closed.casefold():
            wanted[status] = self._states.open
        await self._write(workspace_id, class_id, body, row, wanted)

    async def set_clearance(
        self, workspace_id: int, *, level: int, markings: Sequence[str]
    ) -> None:
        """Let only people of this clearance level, and with all of these markings, open it.

        Raises Refused: ``workspace_missing``, or what the server says to a level it lacks.
        """
        path = f"/v1/nodes/{workspace_id}/securityclearances"
        try:
            body = (await self._endpoint.call("read_clearance", "GET", path)).body
        except Refused as refused:
            raise missing_workspace(workspace_id, refused) from refused
        data = body.get("data") if isinstance(body, dict) else None
        held = data if isinstance(data, dict) else {}
        present = {
            str(item.get("supplemental_marking"))
            for item in held.get("supplemental_markings") or ()
            if isinstance(item, dict)
        }
        if number(held.get("clearance_level") or 0) == level and present == set(markings):
            return
        form = body_form({"clearance_level": level, "supplemental_markings": list(markings)})
        await self._endpoint.call("write_clearance", "PUT", path, form=form)

    async def _read(self, workspace_id: int) -> Mapping[str, Any]:
        path = f"/v1/nodes/{workspace_id}/rmclassifications"
        try:
            return (await self._endpoint.call("read_records_details", "GET", path)).body or {}
        except Refused as refused:
            raise missing_workspace(workspace_id, refused) from refused

    async def _classify(self, workspace_id: int, class_id: int, body: Mapping[str, Any]) -> None:
        given: dict[str, Any] = {"class_id": class_id}
        if token := body.get("rm_metadataToken"):
            given["rm_metadataToken"] = token
        path = f"/v1/nodes/{workspace_id}/rmclassifications"
        try:
            await self._endpoint.call("classify", "POST", path, form=body_form(given))
        except Refused as refused:
            if _row(await self._read(workspace_id), class_id) is None:
                raise refused

    async def _write(
        self,
        workspace_id: int,
        class_id: int,
        body: Mapping[str, Any],
        row: Mapping[str, Any],
        wanted: Mapping[str, str],
    ) -> None:
        changes = {name: value for name, value in wanted.items() if not _same(row, name, value)}
        if not changes:
            return
        form = body_form({"rm_metadataToken": body.get("rm_metadataToken"), **changes})
        path = f"/v1/nodes/{workspace_id}/rmclassifications"
        await self._endpoint.call("write_records_details", "PUT", path, form=form)
        held = _row(await self._read(workspace_id), class_id) or {}
        missed = [name for name, value in changes.items() if not _same(held, name, value)]
        if missed:
            raise _ignored(", ".join(missed), workspace_id)

    async def classification(self, name: str) -> int:
        """The node id of a classification: given by id, by path in the file plan, by nickname.

        Misconfigured (``classification_unknown``) when there is none.
        """
        if name.isascii() and name.isdigit():
            return int(name)
        kept = self._known.get(name.casefold())
        if kept and self._clock() < kept[1]:
            return kept[0]
        found = await self._by_path(name) or await self._by_nickname(name)
        if found is None:
            raise Misconfigured(
                f"Content Server has no records management classification {name!r}.",
                code="classification_unknown",
                advice="Write its path in the file plan (Top/Below), or give it that nickname.",
            )
        self._known[name.casefold()] = (found, self._clock() + _KEPT_SECONDS)
        return found

    async def _by_path(self, path: str) -> int | None:
        try:
            answer = await self._endpoint.call(
                "read_volume", "GET", f"/v2/volumes/{_RECORDS_VOLUME}"
            )
        except Refused as refused:
            if refused.code == "not_found":
                return None
            raise
        found = number((one(answer.body, "the volume").get("properties") or {}).get("id"))
        for name in path.split("/"):
            if found is None:
                return None
            children = await all_pages(
                self._endpoint, "list_file_plan", f"/v2/nodes/{found}/nodes", where_name=name
            )
            wanted = name.strip().casefold()
            matches = (c for c in children if str(c.get("name", "")).casefold() == wanted)
            found = number(next(matches, {}).get("id"))
        return found

    async def _by_nickname(self, name: str) -> int | None:
        path = f"/v2/nicknames/{quote(name, safe='')}/nodes"
        try:
            body = (await self._endpoint.call("find_by_nickname", "GET", path)).body
        except Refused as refused:
            if refused.code in ("not_found", "request_invalid"):
                return None
            raise
        return number((one(body, "the node").get("properties") or {}).get("id"))


def _row(body: Mapping[str, Any], class_id: int) -> Mapping[str, Any] | None:
    listed = body.get("data")
    found = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    return next((r for r in found if number(r.get("rmclassification_id")) == class_id), None)


def _same(row: Mapping[str, Any], name: str, wanted: str) -> bool:
    """Dates are compared by their day, codes without case."""
    held = str(row.get(name) or "")
    return (
        held[:10] == wanted[:10] if name.endswith("_date") else held.casefold() == wanted.casefold()
    )


def _dates(starts_on: str) -> dict[str, str]:
    try:
        day = (
            datetime.fromisoformat(starts_on).date()
            if len(starts_on) > 10
            else date.fromisoformat(starts_on)
        )
    except ValueError as wrong:
        raise Refused(
            f"Retention cannot start on {starts_on!r}: that is no date.",
            code="value_invalid",
            advice="Correct the expression in the rule; it has to give a date.",
        ) from wrong
    return {"record_date": day.isoformat(), "status_date": day.isoformat()}


def _ignored(what: str, workspace_id: int) -> Refused:
    return Refused(
        f"Content Server took the call, but {what} of workspace {workspace_id} is as before.",
        code="value_ignored",
        advice="Check that records management is enabled there, and our user's rights in it.",
    )
