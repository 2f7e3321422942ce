"""Content Server REST as ``streams.ports.EcmGateway`` (reference/extended-ecm.md).

Nothing is idempotent over there (9), so everything here looks before it writes and looks again
after an answer that leaves it open whether the write was done.

Names that a workspace type generates are left alone: see ``renaming``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import httpx

from app.clients import setting_names
from app.clients.ecm.access import WorkspaceAccess
from app.clients.ecm.categories import Categories
from app.clients.ecm.creation import WorkspaceCreation
from app.clients.ecm.documents import WorkspaceDocument, WorkspaceDocuments
from app.clients.ecm.folders import WorkspaceFolders
from app.clients.ecm.members import Members
from app.clients.ecm.records import Records, RecordStates
from app.clients.ecm.relations import WorkspaceRelations
from app.clients.ecm.renaming import WorkspaceNames
from app.clients.ecm.roles import WorkspaceRoles, missing_workspace
from app.clients.ecm.status import CONTENT_SERVER
from app.clients.ecm.types import WorkspaceType, WorkspaceTypes
from app.clients.ecm.workflows import Workflows
from app.clients.http import Endpoint, Observer, Timeouts
from app.clients.sign_in import SignIn
from streams.errors import Misconfigured, Refused
from streams.messages.commands import Attributes
from streams.messages.facts import BusinessObject
from streams.ports import Folder, Workspace

SMART_VIEW = "{cs}/app/nodes/{id}"


class ContentServerGateway:
    """One Content Server. ``base_url`` is the address in front of ``/api``: ``https://host/cs/cs``.

    ``url_pattern`` opens a workspace for people; ``{cs}`` is the base url, ``{id}`` the node.
    ``parent_id`` is where workspaces go whose type does not fix the place. ``record_states`` are
    the codes of an open and a closed record, where a company has named its own.
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
        record_states: RecordStates | None = None,
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
        members = Members(self._endpoint)
        self._types = WorkspaceTypes(self._endpoint)
        self._categories = Categories(self._endpoint, members)
        self._roles = WorkspaceRoles(self._endpoint, members)
        self._relations = WorkspaceRelations(self._endpoint)
        self._names = WorkspaceNames(self._endpoint, self._types)
        self._access = WorkspaceAccess(self._endpoint, self._roles)
        self._records = Records(self._endpoint, record_states)
        self._folders = WorkspaceFolders(self._endpoint)
        self._workflows = Workflows(self._endpoint, members)
        self._documents = WorkspaceDocuments(self._endpoint, self.url_of)
        self._creation = WorkspaceCreation(
            self._endpoint, self._types, self._categories, self._names, self.url_of, parent_id
        )

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
        return await self._creation.ensure(
            business_object,
            workspace_type=workspace_type,
            template=template,
            name=name,
            attributes=attributes,
        )

    async def update_workspace(
        self, workspace_id: int, *, name: str, attributes: Attributes
    ) -> None:
        """Bring name and category attributes to these values; write only what differs."""
        try:
            present = await self._read(workspace_id)
            await self._creation.learn_for(attributes)
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

    async def restrict_access(self, workspace_id: int, *, roles: Sequence[str]) -> None:
        """Let only these roles, and whoever administers the workspace, open it."""
        await self._access.restrict(workspace_id, roles)

    async def set_clearance(
        self, workspace_id: int, *, level: int, markings: Sequence[str]
    ) -> None:
        """Let only people of this clearance level, and with all these markings, open it."""
        await self._records.set_clearance(workspace_id, level=level, markings=markings)

    async def set_retention(
        self, workspace_id: int, *, classification: str, starts_on: str | None
    ) -> None:
        """Put the workspace under a records management classification, kept from an ISO date."""
        await self._records.set_retention(workspace_id, classification, starts_on)

    async def ensure_folder(
        self,
        workspace_id: int,
        *,
        path: Sequence[str],
        key: str,
        name: str,
        attributes: Attributes,
    ) -> Folder:
        """Make the folder that ``key`` names, under ``path``, or rename the one that exists."""
        folder_id, shown = await self._folders.ensure(workspace_id, path, key, name)
        await self._creation.learn_for(attributes)
        await self._categories.write(folder_id, attributes)
        return Folder(folder_id, shown, self.url_of(folder_id))

    async def start_workflow(
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
        """Start the workflow that ``key`` names, unless it was started before; return its id."""
        return await self._workflows.start(
            workspace_id,
            workflow_map=workflow_map,
            key=key,
            title=title,
            comment=comment,
            attributes=attributes,
            documents=documents,
        )

    async def stop_workflow(self, workflow_id: int) -> None:
        """Stop the workflow; nothing to do when it has ended or is gone."""
        await self._workflows.stop(workflow_id)

    async def documents(self, workspace_id: int) -> tuple[WorkspaceDocument, ...]:
        """Every document in the workspace and its folders, with its newest version and link."""
        return await self._documents.all(workspace_id)

    async def document_named(self, workspace_id: int, name: str) -> WorkspaceDocument | None:
        """The document of this name or path in the workspace, None when there is none."""
        return await self._documents.named(workspace_id, name)

    async def document_version(self, document_id: int) -> int:
        """The number of the document's newest version."""
        return await self._documents.latest_version(document_id)

    async def workspace_types(self) -> tuple[WorkspaceType, ...]:
        """All workspace types with their templates, for ``dovetail rules check``."""
        return await self._types.all()

    async def attribute_labels(self) -> Mapping[str, tuple[str, ...]]:
        """The labels of the attributes by category, as the templates have them, for checks."""
        await self._creation.learn_templates()
        return self._categories.labels()

    async def role_names(self, kind: WorkspaceType) -> tuple[str, ...]:
        """The roles of a workspace type, as its templates have them, for checks."""
        templates = kind.templates.values()
        found = [role for template in templates for role in await self._roles.names(template)]
        return tuple(dict.fromkeys(found))

    async def map_attributes(self, name: str, places: Sequence[int]) -> tuple[str, ...] | None:
        """The attributes of a workflow map, for checks; None when there is none of that name.

        ``places``: templates of the workspaces in which it is to be started; Content Server lists
        maps for a place. One that is listed at none is found by its nickname or by search. When it
        is nowhere, raises Refused if Content Server did not say what a place offers or did not
        search, and Misconfigured (``workflow_map_not_unique``) if several have the name.
        """
        undecided: Refused | Misconfigured | None = None
        for place in places:
            try:
                found = await self._workflows.maps.named(name, place, ())
            except Misconfigured as fault:
                if fault.code == "workflow_map_not_searched":
                    undecided = Refused(fault.message, code=fault.code, advice=fault.advice)
                elif fault.code == "workflow_map_not_unique":
                    undecided = fault
                elif fault.code != "workflow_map_unknown":
                    raise
            except Refused as refused:  # of this place; another may offer it
                undecided = refused
            else:
                return tuple(attribute.label for attribute in found.attributes.values())
        if undecided is not None:
            raise undecided
        return None

    async def has_classification(self, name: str) -> bool:
        """Whether there is this records management classification, for checks."""
        try:
            await self._records.classification(name)
        except Misconfigured as fault:
            if fault.code != "classification_unknown":
                raise
            return False
        return True

    def url_of(self, node_id: int) -> str:
        """The address that opens a node for a person."""
        return self._url_pattern.format(cs=self._cs, id=node_id)

    async def _read(self, workspace_id: int) -> Mapping[str, Any]:
        fields = "fields=properties&fields=business_properties&fields=workspace_references"
        path = f"/v2/businessworkspaces/{workspace_id}?{fields}"
        return (await self._endpoint.call("read_workspace", "GET", path)).body or {}
