"""Creating the workspace of a business object, once (reference/extended-ecm.md 2.5 and 9).

Nothing is idempotent over there, so it is looked up before anything is created, and again after an
answer that leaves it open whether something was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakValueDictionary

from app.clients.ecm.answers import body_form, number
from app.clients.ecm.categories import Categories
from app.clients.ecm.lookup import WorkspaceLookup
from app.clients.ecm.names import names_to_try
from app.clients.ecm.renaming import WorkspaceNames
from app.clients.ecm.types import WorkspaceType, WorkspaceTypes
from app.clients.http import Endpoint
from streams.errors import Refused, Throttled, Unavailable
from streams.errors import Retryable as RetryableError
from streams.messages.commands import Attributes
from streams.messages.facts import BusinessObject
from streams.ports import Workspace

logger = logging.getLogger(__name__)

_WORKSPACE_SUBTYPE = 848


class WorkspaceCreation:
    """Looks up, adopts, creates. ``parent_id``: where workspaces go whose type leaves it open."""

    def __init__(
        self,
        endpoint: Endpoint,
        types: WorkspaceTypes,
        categories: Categories,
        names: WorkspaceNames,
        url_of: Callable[[int], str],
        parent_id: int | None,
    ) -> None:
        self._endpoint = endpoint
        self._types = types
        self._categories = categories
        self._names = names
        self._url_of = url_of
        self._parent_id = parent_id
        self._lookup = WorkspaceLookup(endpoint)
        self._busy: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def ensure(
        self,
        business_object: BusinessObject,
        *,
        workspace_type: str,
        template: str | None,
        name: str,
        attributes: Attributes,
    ) -> Workspace:
        """The workspace of the business object, adopted or created (see the gateway)."""
        key = business_object.model_dump_json()
        lock = self._busy.setdefault(key, asyncio.Lock())
        async with lock:
            found = await self._lookup.find(business_object)
            if found is not None:
                return self._workspace(found, created=False)
            kind, template_id = await self._types.resolve(workspace_type, template)
            body = await self._body(business_object, kind, template_id, attributes)
            made = await self._create(business_object, kind, body, name)
            if made.created:
                await self._categories.settle(made.id, attributes)
            return made

    async def learn_for(self, attributes: Attributes) -> None:
        """Learn from all templates when a category is named that no node has shown yet."""
        if not all(self._categories.known(name) for name in attributes):
            await self.learn_templates()

    async def learn_templates(self) -> None:
        """Learn the categories of all templates."""
        for kind in await self._types.all():
            for template_id in kind.templates.values():
                await self._categories.learn(template_id)

    def _workspace(self, node: Mapping[str, Any], *, created: bool) -> Workspace:
        node_id = number(node.get("id"))
        if node_id is None:
            raise Unavailable("Content Server gave no id.", code="answer_incomplete")
        return Workspace(node_id, str(node.get("name", "")), self._url_of(node_id), created)

    async def _body(
        self,
        business_object: BusinessObject,
        kind: WorkspaceType,
        template_id: int,
        attributes: Attributes,
    ) -> dict[str, Any]:
        """The body of the create call (2.5) without the name."""
        body: dict[str, Any] = {
            "template_id": template_id,
            "wksp_type_id": kind.id,
            "type": _WORKSPACE_SUBTYPE,
            "ext_system_id": business_object.external_system,
            "bo_type": business_object.type,
            "bo_id": business_object.id,
        }
        if self._parent_id is not None:
            body["parent_id"] = self._parent_id
        if attributes:
            await self._categories.learn(template_id)
            await self.learn_for(attributes)
            body["roles"] = {"categories": await self._categories.for_creation(attributes)}
        return body

    async def _create(
        self,
        business_object: BusinessObject,
        kind: WorkspaceType,
        body: Mapping[str, Any],
        name: str,
    ) -> Workspace:
        last: Refused | None = None
        for candidate in names_to_try(name, business_object.id):
            made = await self._post(business_object, {**body, "name": candidate})
            if isinstance(made, Workspace):
                return made
            if isinstance(made, int):
                return await self._read_back(made, kind, candidate)
            last = made
        raise last or ValueError("there is always a name to try")

    async def _post(
        self, business_object: BusinessObject, body: Mapping[str, Any]
    ) -> Workspace | int | Refused:
        """One create call: the new id, the workspace that turned out to exist, or "name taken".

        After anything but a plain success it is open whether there is a workspace now: an answer
        may be lost, and the text of "is linked already" is not documented. So it is looked up.
        """
        try:
            answer = await self._endpoint.call(
                "create_workspace", "POST", "/v2/businessworkspaces", form=body_form(body)
            )
            results = answer.body.get("results") if isinstance(answer.body, dict) else None
            made = number(results.get("id")) if isinstance(results, dict) else None
            if made is None:
                raise Unavailable("Content Server gave no id.", code="answer_incomplete")
            return made
        except Throttled:
            raise
        except (RetryableError, Refused) as failed:
            found = await self._lookup.find(business_object)
            if found is not None:
                logger.info("Adopted workspace %s after: %s", found.get("id"), failed)
                return self._workspace(found, created=False)
            if isinstance(failed, Refused) and failed.code == "name_taken":
                return failed
            raise

    async def _read_back(self, node_id: int, kind: WorkspaceType, sent: str) -> Workspace:
        """The new workspace under the name that it really got."""
        held = await self._names.read(node_id)
        if held != sent:
            self._names.are_made_by(kind.id)
        return self._workspace({"id": node_id, "name": held}, created=True)
