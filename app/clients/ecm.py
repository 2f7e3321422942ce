"""Content Server REST as ``streams.ports.EcmGateway`` (reference/extended-ecm.md).

Nothing is idempotent over there (9), so everything here looks before it writes and looks again
after an answer that leaves it open whether the write was done.

Names that a workspace type generates are left alone: see ``ecm_renaming``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from weakref import WeakValueDictionary

import httpx

from app.clients import setting_names
from app.clients.ecm_answers import body_form, number
from app.clients.ecm_categories import Categories
from app.clients.ecm_lookup import WorkspaceLookup
from app.clients.ecm_members import Members
from app.clients.ecm_names import names_to_try
from app.clients.ecm_relations import WorkspaceRelations
from app.clients.ecm_renaming import WorkspaceNames
from app.clients.ecm_roles import WorkspaceRoles, missing_workspace
from app.clients.ecm_status import CONTENT_SERVER
from app.clients.ecm_types import WorkspaceType, WorkspaceTypes
from app.clients.http import Endpoint, Observer, Timeouts
from app.clients.sign_in import SignIn
from streams.errors import Refused, Throttled, Unavailable
from streams.errors import Retryable as RetryableError
from streams.messages.commands import Attributes
from streams.messages.facts import BusinessObject
from streams.ports import Workspace

logger = logging.getLogger(__name__)

SMART_VIEW = "{cs}/app/nodes/{id}"
_WORKSPACE_SUBTYPE = 848


class ContentServerGateway:
    """One Content Server. ``base_url`` is the address in front of ``/api``: ``https://host/cs/cs``.

    ``url_pattern`` opens a workspace for people; ``{cs}`` is the base url, ``{id}`` the node.
    ``parent_id`` is where workspaces go whose type does not fix the place.
    """

    def __init__(
        self,
        base_url: str,
        tickets: SignIn,
        *,
        client: httpx.AsyncClient,
        observer: Observer | None = None,
        timeouts: Timeouts | None = None,
        url_pattern: str = SMART_VIEW,
        parent_id: int | None = None,
    ) -> None:
        self._cs = base_url.rstrip("/")
        self._endpoint = Endpoint(
            system="ecm",
            base_url=f"{self._cs}/api",
            url_setting=setting_names.CONTENT_SERVER_URL,
            client=client,
            table=CONTENT_SERVER,
            sign_in=tickets,
            observer=observer,
            timeouts=timeouts,
            headers={"Accept": "application/json;charset=utf-8"},
        )
        self._url_pattern = url_pattern
        self._parent_id = parent_id
        members = Members(self._endpoint)
        self._types = WorkspaceTypes(self._endpoint)
        self._lookup = WorkspaceLookup(self._endpoint)
        self._categories = Categories(self._endpoint, members)
        self._roles = WorkspaceRoles(self._endpoint, members)
        self._relations = WorkspaceRelations(self._endpoint)
        self._names = WorkspaceNames(self._endpoint, self._types)
        self._busy: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def ensure_workspace(
        self,
        business_object: BusinessObject,
        *,
        workspace_type: str,
        template: str | None,
        name: str,
        attributes: Attributes,
    ) -> Workspace:
        """Look up by business object, adopt what is there, else create; never a second one.

        ``created`` is False also when it is open whether our call made the workspace: its name and
        attributes are then to be compared. Raises Refused (``workspace_not_unique``,
        ``name_taken``, ...) or Misconfigured when type, template, category or attribute are not
        there.
        """
        key = business_object.model_dump_json()
        lock = self._busy.setdefault(key, asyncio.Lock())
        async with lock:
            found = await self._lookup.find(business_object)
            if found is not None:
                return self._workspace(found, created=False)
            kind, template_id = await self._types.resolve(workspace_type, template)
            body = await self._creation(business_object, kind, template_id, attributes)
            return await self._create(business_object, kind, body, name)

    async def update_workspace(
        self, workspace_id: int, *, name: str, attributes: Attributes
    ) -> None:
        """Bring name and category attributes to these values; write only what differs."""
        try:
            present = await self._read(workspace_id)
            await self._learn_for(attributes)
            await self._categories.write(workspace_id, attributes)
            await self._names.bring(workspace_id, present, name)
        except Refused as refused:
            raise missing_workspace(workspace_id, refused) from refused

    async def set_role_members(
        self, workspace_id: int, *, role: str, members: Sequence[str]
    ) -> None:
        """Bring the role to exactly these members (login, business e-mail or group name)."""
        await self._roles.set_members(workspace_id, role, members)

    async def relate(
        self, workspace_id: int, *, related_id: int, relation: Literal["parent", "child"]
    ) -> None:
        """Make ``related_id`` a parent or child of the workspace; nothing to do when it is."""
        await self._relations.relate(workspace_id, related_id, relation)

    async def unrelate(
        self, workspace_id: int, *, related_id: int, relation: Literal["parent", "child"]
    ) -> None:
        """Take the relation away; nothing to do when there is none."""
        await self._relations.unrelate(workspace_id, related_id, relation)

    async def workspace_types(self) -> tuple[WorkspaceType, ...]:
        """All workspace types with their templates, for ``dovetail rules check``."""
        return await self._types.all()

    async def attribute_labels(self) -> Mapping[str, tuple[str, ...]]:
        """The labels of the attributes by category, as the templates have them, for checks."""
        await self._learn_templates()
        return self._categories.labels()

    async def role_names(self) -> Mapping[str, tuple[str, ...]]:
        """The roles by workspace type, as the templates have them, for checks."""
        return {
            kind.name: tuple(
                dict.fromkeys(
                    [
                        role
                        for template_id in kind.templates.values()
                        for role in await self._roles.names(template_id)
                    ]
                )
            )
            for kind in await self._types.all()
        }

    def _workspace(self, node: Mapping[str, Any], *, created: bool) -> Workspace:
        node_id = number(node.get("id"))
        if node_id is None:
            raise Unavailable("Content Server gave no id.", code="answer_incomplete")
        url = self._url_pattern.format(cs=self._cs, id=node_id)
        return Workspace(node_id, str(node.get("name", "")), url, created)

    async def _creation(
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
            await self._learn_for(attributes)
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

    async def _read(self, workspace_id: int) -> Mapping[str, Any]:
        fields = "fields=properties&fields=business_properties&fields=workspace_references"
        path = f"/v2/businessworkspaces/{workspace_id}?{fields}"
        return (await self._endpoint.call("read_workspace", "GET", path)).body or {}

    async def _learn_for(self, attributes: Attributes) -> None:
        """Learn from all templates when a category is named that no node has shown yet."""
        if not all(self._categories.known(name) for name in attributes):
            await self._learn_templates()

    async def _learn_templates(self) -> None:
        for kind in await self._types.all():
            for template_id in kind.templates.values():
                await self._categories.learn(template_id)
