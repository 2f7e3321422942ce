"""Workflows of a workspace: started once for each key, stopped (reference/extended-ecm.md 6).

Content Server has no request ids, and a workflow that is started twice asks people twice. So the
key goes into the workflow's title, and the title is looked for before anything is started, after
an answer that leaves it open whether it was, and once more when it was: of two that were started
under one key at the same moment the older one stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from app.clients.ecm.answers import body_form, number, query, rows
from app.clients.ecm.members import Members
from app.clients.ecm.names import LONGEST_NAME, clean_name
from app.clients.ecm.roles import missing_workspace
from app.clients.ecm.workflow_maps import WorkflowMap, WorkflowMaps
from app.clients.http import Endpoint
from streams.errors import Refused, Throttled, Unavailable
from streams.errors import Retryable as RetryableError

logger = logging.getLogger(__name__)

#: A command is repeated within days, if at all; its ledger remembers it for longer.
_LOOKS_BACK = timedelta(days=30)
#: So much of the key is shown in the title.
_KEY_CHARACTERS = 16
#: The states of a workflow that is over.
_ENDED = frozenset({"completed", "stopped", "archived", "aborted"})


class Workflows:
    """Starts and stops workflows; safe to repeat."""

    def __init__(
        self,
        endpoint: Endpoint,
        members: Members,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self._endpoint = endpoint
        self._members = members
        self._today = today
        self.maps = WorkflowMaps(endpoint)
        self._busy: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def start(
        self,
        workspace_id: int,
        *,
        workflow_map: str,
        key: str,
        title: str,
        comment: str,
        attributes: Mapping[str, str | int | bool | None],
        documents: Sequence[int],
    ) -> int:
        """The process id of the workflow with this key, which is started when there is none.

        Raises Refused (``workspace_missing``, ``attribute_invalid``, ``not_found`` for a document
        that is gone...) or Misconfigured (``workflow_map_unknown``, ``attribute_unknown``).
        """
        lock = self._busy.setdefault(key, asyncio.Lock())
        async with lock:
            await self._check(workspace_id)
            kind = await self.maps.named(workflow_map, workspace_id, documents)
            mark = f"[{key[:_KEY_CHARACTERS]}]"
            found = await self._find(kind.id, workspace_id, mark)
            if found:
                return found[0]
            values = await self._values(kind, attributes)
            values["WorkflowForm_Title"] = _marked(title, mark)
            # Without documents the workspace itself is attached: approvers find it, and the
            # server knows where the workflow belongs.
            draft = await self._draft(kind.id, documents or [workspace_id])
            await self._fill(draft, values)
            started = await self._initiate(draft, comment, kind.id, workspace_id, mark)
            return await self._settle(started, kind.id, workspace_id, mark)

    async def stop(self, workflow_id: int) -> None:
        """Stop the workflow; nothing to do when it has ended or is gone."""
        if await self._has_ended(workflow_id):
            return
        try:
            path = f"/v2/processes/{workflow_id}/status"
            await self._endpoint.call("stop_workflow", "PUT", path, form={"status": "stop"})
        except Refused:
            # The text of "is over already" is undocumented: what counts is that it is.
            if not await self._has_ended(workflow_id):
                raise

    async def _has_ended(self, workflow_id: int) -> bool:
        path = f"/v2/workflows/status/processes/{workflow_id}"
        try:
            body = (await self._endpoint.call("read_workflow", "GET", path)).body
        except Refused as refused:
            if refused.code == "not_found":
                return True
            raise
        results = body.get("results") if isinstance(body, dict) else None
        details = results.get("wf_details") if isinstance(results, dict) else None
        if not isinstance(details, dict) or not details.get("status"):
            raise Unavailable("Content Server answered without a status.", code="answer_incomplete")
        return str(details["status"]).casefold() in _ENDED

    async def _check(self, workspace_id: int) -> None:
        path = f"/v2/nodes/{workspace_id}?fields=properties{{id,name}}"
        try:
            await self._endpoint.call("read_node", "GET", path)
        except Refused as refused:
            raise missing_workspace(workspace_id, refused) from refused

    async def _find(self, map_id: int, workspace_id: int, mark: str) -> list[int]:
        """The processes whose title has the mark, oldest first.

        Asked for the workspace, also among what was archived, then for the whole map as far back
        as anything of ours may still be repeated: what a server counts to a workspace is not
        documented, and a map may have had very many workflows.
        """
        since = (self._today() - _LOOKS_BACK).isoformat()
        places: tuple[dict[str, str | int], ...] = (
            {"businessWorkspaceID": workspace_id, "status": "NOARCHIVE"},
            {"businessWorkspaceID": workspace_id, "status": "ARCHIVED"},
            {"fromDate": since, "status": "NOARCHIVE"},
        )
        for place in places:
            path = f"/v2/workflows/status/active{query(mapObjId=map_id, Kind='Both', **place)}"
            body = (await self._endpoint.call("list_workflows", "GET", path)).body
            numbers = [_process_id(row) for row in rows(body) if mark in _title(row)]
            found = sorted({one for one in numbers if one is not None})
            if found:
                return found
        return []

    async def _values(
        self, kind: WorkflowMap, attributes: Mapping[str, str | int | bool | None]
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for label, value in attributes.items():
            attribute = kind.attribute(label)
            if attribute.type == "user" and isinstance(value, str) and not value.isdigit():
                value = await self._members.id(value) if value else None
            values[attribute.key] = attribute.wire(value)
        return values

    async def _draft(self, map_id: int, documents: Sequence[int]) -> int:
        body = {
            "workflow_id": map_id,
            "doc_ids": ",".join(map(str, documents)),
            "AttachDocuments": "true",
        }
        answer = await self._endpoint.call(
            "draft_workflow", "POST", "/v2/draftprocesses", form=body_form(body)
        )
        return _result(answer.body, "draftprocess_id")

    async def _fill(self, draft: int, values: Mapping[str, Any]) -> None:
        form = body_form({"action": "formUpdate", "values": values})
        await self._endpoint.call("fill_workflow", "PUT", f"/v2/draftprocesses/{draft}", form=form)

    async def _initiate(
        self, draft: int, comment: str, map_id: int, workspace_id: int, mark: str
    ) -> int:
        """Start the draft; after anything but a success it is looked up whether it runs."""
        form = body_form({"action": "Initiate", "comment": comment})
        try:
            path = f"/v2/draftprocesses/{draft}"
            answer = await self._endpoint.call("start_workflow", "PUT", path, form=form)
            return _result(answer.body, "process_id")
        except Throttled:
            raise
        except (RetryableError, Refused) as failed:
            found = await self._find(map_id, workspace_id, mark)
            if not found:
                raise
            logger.info("Found workflow %s started after: %s", found[0], failed)
            return found[0]

    async def _settle(self, started: int, map_id: int, workspace_id: int, mark: str) -> int:
        """The one workflow of the mark; what somebody else started beside it is stopped."""
        oldest, *doubles = sorted({started, *await self._find(map_id, workspace_id, mark)})
        for double in doubles:
            logger.warning("Stopping workflow %s: %s runs under its key", double, oldest)
            await self.stop(double)
        return oldest


def _marked(title: str, mark: str) -> str:
    plain = clean_name(title, "Workflow")[: LONGEST_NAME - len(mark) - 1].rstrip()
    return f"{plain} {mark}"


def _title(row: Mapping[str, Any]) -> str:
    return str(row.get("SubWork_Title") or row.get("wf_name") or "")


def _process_id(row: Mapping[str, Any]) -> int | None:
    return number(row.get("Work_WorkID", row.get("process_id")))


def _result(body: Any, name: str) -> int:
    results = body.get("results") if isinstance(body, dict) else None
    found = number(results.get(name)) if isinstance(results, dict) else None
    if found is None:
        raise Unavailable(f"Content Server answered without {name}.", code="answer_incomplete")
    return found
